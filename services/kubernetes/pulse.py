"""Asks the API server every few seconds whether it still answers: a silent watch proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.transport import Transport
from services.model.source import SourceState, SourceStatus
from services.ports import Sink

EVERY = 5.0
DEADLINE = 5.0
WHEN_FAILED = 2.0
SOURCE = "kubernetes"


class Pulse:
    """Probes `/readyz` (`/version` where that is refused) and keeps the connection's status.

    `recovered` is called when the server answers again after it did not.
    """

    def __init__(self, transport: Transport, sink: Sink, clock: Clock, recovered: Callable[[], None]) -> None:
        self._transport = transport
        self._sink = sink
        self._clock = clock
        self._recovered = recovered
        self._path = "/readyz"
        self._status = SourceStatus(SOURCE, SourceState.LOADING, since=clock.now())
        self._doubted = asyncio.Event()
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Probe until cancelled."""
        self._sink.status(self._status)
        while True:
            began = self._clock.monotonic()
            self._doubted.clear()
            await self._probe()
            failed = self._status.state is SourceState.FAILED
            taken = self._clock.monotonic() - began
            await self._rest(WHEN_FAILED if failed else max(0.0, EVERY - taken))

    def doubt(self) -> None:
        """Probe now, unless it is known already: a request got no answer."""
        if self._status.state is not SourceState.FAILED:
            self._doubted.set()

    def at_once(self) -> None:
        """Probe now in any case: a person has changed something."""
        self._doubted.set()

    async def answered(self, clock: Clock) -> None:
        """Wait until a probe is answered, but no longer than a few seconds."""
        self._answered.clear()
        waiting = [asyncio.ensure_future(self._answered.wait()), asyncio.ensure_future(clock.sleep(EVERY))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _rest(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        doubted = asyncio.ensure_future(self._doubted.wait())
        try:
            await asyncio.wait({sleeping, doubted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            doubted.cancel()

    async def _probe(self) -> None:
        try:
            await self._transport.request("GET", self._path, deadline=DEADLINE, what="talk to the API server")
        except Problem as problem:
            if problem.status in {403, 404} and self._path != "/version":
                self._path = "/version"
                await self._probe()
                return
            if problem.status in {403, 404}:  # it answers, and that is all that was asked
                self._alive()
                return
            self._say(SourceState.FAILED, problem.sentence)
        else:
            self._alive()

    def _alive(self) -> None:
        was = self._status.state
        self._say(SourceState.LIVE, "")
        self._answered.set()
        if was is SourceState.FAILED:
            self._recovered()

    def _say(self, state: SourceState, error: str) -> None:
        now = self._clock.now()
        before = self._status
        ok = state is SourceState.LIVE
        self._status = SourceStatus(
            SOURCE,
            state,
            last_ok=now if ok else before.last_ok,
            last_byte=now if ok else before.last_byte,
            since=before.since if state is before.state else now,
            error=error,
        )
        self._sink.status(self._status)
