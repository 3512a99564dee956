"""Delivers what the outbox holds: on the service loop, one console of a machine for each channel, the others wait."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Container, Mapping
from contextlib import suppress
from typing import TypeVar

from msgspec import structs

from services.clock import Clock
from services.errors import Problem
from services.model.message import OutboxRow, OutboxState
from services.model.text import SafeText
from services.notifications.gate import Gate
from services.notifications.model import Claimed, Settled, Step, Verdict
from services.notifications.outbox_policy import Limits, is_due, may_send, next_step
from services.notifications.ports import Box, Carrier, Glance, Publish, Reader
from services.sanitize import safe_text

T = TypeVar("T")

EVERY = 2.0
"""Seconds between two looks at an outbox that nobody nudged about: one `stat` and one pragma."""

SOONEST = 0.05
FORGET_EVERY = 3600.0
GRACE = 1.0
"""Seconds that what is on its way has to end when the console does; the rest is taken up by the next one."""

_log = logging.getLogger("quarterdeck.outbox")


class OutboxWorker:
    """Looks, shows, claims, sends, settles. `jitter` gives numbers in [0, 1).

    Everything that blocks runs on threads; a ledger that cannot be written is said and asked again, never a crash.
    """

    def __init__(
        self,
        box: Box,
        reader: Reader,
        carriers: Mapping[str, Carrier],
        clock: Clock,
        publish: Publish = lambda _rows, _problem: None,
        *,
        limits: Limits | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._box = box
        self._reader = reader
        self._carriers = carriers
        self._clock = clock
        self._publish = publish
        self._limits = limits or Limits()
        self._jitter = jitter
        self._name = secrets.token_hex(4)
        self._gates = {
            name: Gate(clock, carrier.channel.pace, self._limits, jitter) for name, carrier in carriers.items()
        }
        self._flying: set[asyncio.Task[None]] = set()
        self._nudged = asyncio.Event()
        self._problem = ""
        self._forgot_at = -FORGET_EVERY
        self._leads: frozenset[str] = frozenset()

    def nudge(self) -> None:
        """Look again at once: something was queued, tried again or dropped from here. On the service loop."""
        self._nudged.set()

    def reopen(self, channel: str) -> None:
        """Ask a channel again that was left alone: somebody tries again by hand, or it was configured anew."""
        if (gate := self._gates.get(channel)) is not None:
            gate.reopen()
        self.nudge()

    async def run(self) -> None:
        """Deliver until cancelled; then what is on its way has `GRACE` seconds."""
        try:
            while True:
                rows = await self.turn()
                await self._pause(self._wait(rows))
        finally:
            await self._end()

    async def drain(self, seconds: float, only: Container[str] | None = None) -> bool:
        """Deliver what is due, for so many seconds at most; return whether nothing of ours is left to be tried.

        Where it is known for which messages somebody waits, those are `only`: the others do not hold them up.
        """
        until = self._clock.monotonic() + seconds
        try:
            while True:
                rows = await self.turn()
                ours = [row for row in rows.values() if row.waits and row.channel in self._carriers]
                ours = [row for row in ours if only is None or row.id in only]
                if not ours and not self._flying:
                    return True
                if self._clock.monotonic() >= until:
                    return False
                await self._pause(min(self._wait(rows), max(SOONEST, until - self._clock.monotonic())))
        finally:
            await self._end()

    async def turn(self) -> Mapping[str, OutboxRow]:
        """Look once, show it, and set off what may go; return the messages by id."""
        glance: Glance = await asyncio.to_thread(self._reader.look)
        problem = ""
        try:
            await self._lead_and_claim(glance)
        except Problem as refused:
            problem = str(refused.sentence)
        except OSError as error:
            problem = f"The outbox cannot be locked: {error.strerror or error}; nothing is sent from here."
        self._problem = problem
        self._publish(self._explained(glance.rows), safe_text(glance.problem or problem))
        return glance.rows

    async def _lead_and_claim(self, glance: Glance) -> None:
        waiting = [row for row in glance.rows.values() if row.waits and row.channel in self._carriers]
        wanted = {row.channel for row in waiting}.union(self._leads)
        if not wanted:  # where nothing was ever told there is nothing to lock, and no ledger to make
            return
        self._leads = await asyncio.to_thread(self._box.lead, wanted)
        now = self._clock.now()
        due = {row.channel for row in waiting if is_due(row.next_at, now)}
        for name in sorted(due & self._leads):
            carrier, gate = self._carriers[name], self._gates[name]
            if gate.room:
                claim = (self._name, gate.room, carrier.lease, (name,))
                for claimed in await asyncio.to_thread(self._box.claim, *claim):
                    gate.sent()
                    task = asyncio.create_task(self._carry(carrier, gate, claimed))
                    self._flying.add(task)
                    task.add_done_callback(self._landed)
        if self._leads and self._clock.monotonic() - self._forgot_at >= FORGET_EVERY:
            self._forgot_at = self._clock.monotonic()
            await asyncio.to_thread(self._box.forget)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a message was not settled: %s", safe_text(type(error).__name__))
        self._nudged.set()

    async def _carry(self, carrier: Carrier, gate: Gate, claimed: Claimed) -> None:
        """Send one message and write down what became of it."""
        repeatable = carrier.channel.repeatable
        step = may_send(claimed, self._clock.now(), self._limits, repeatable=repeatable)
        if step is not None:
            gate.left()
        else:
            settled = await self._delivered(carrier, gate, claimed)
            gate.came_back(settled)
            _log.info(
                "%s %s by %s: %s", claimed.message.id[:8], settled.verdict, claimed.message.channel, settled.reason
            )
            now = self._clock.now()
            step = next_step(claimed, settled, now, self._jitter(), self._limits, repeatable=repeatable)
        await self._settle(claimed, step)

    async def _delivered(self, carrier: Carrier, gate: Gate, claimed: Claimed) -> Settled:
        try:
            return await carrier.deliver(claimed.message, doubtful=claimed.doubts > 0)
        except asyncio.CancelledError:
            gate.left()
            raise
        except Exception as error:  # noqa: BLE001 - a sender's own fault must not leave a message claimed for ever
            _log.error("a sender failed: %s", safe_text(type(error).__name__))  # no trace: one may hold a URL
            return Settled(Verdict.UNKNOWN, f"the sender failed ({type(error).__name__}); see the log")

    async def _settle(self, claimed: Claimed, step: Step) -> None:
        """Write it down, again and again while the ledger refuses: it was sent, and must not be sent twice for that."""
        while True:
            try:
                await asyncio.to_thread(self._box.settle, claimed.message.id, step, claimed.lease)
            except Problem:
                if self._clock.now() >= claimed.until:
                    return
                await self._clock.sleep(1.0)
            else:
                return

    def _explained(self, rows: Mapping[str, OutboxRow]) -> Mapping[str, OutboxRow]:
        """Return the messages, those that wait for a channel with what it waits for."""
        told = {}
        for key, row in rows.items():
            told[key] = row
            if row.state is OutboxState.QUEUED and row.channel not in self._carriers:
                reason = row.reason or "waits: no such channel here"
                told[key] = structs.replace(row, reason=reason)
            elif row.state is OutboxState.QUEUED and not row.reason and (gate := self._gates[row.channel]).opens_in > 1:
                told[key] = structs.replace(row, reason=f"waits for the channel: {gate.why}" if gate.why else "")
        return told

    def _wait(self, rows: Mapping[str, OutboxRow]) -> float:
        """Return the seconds until something may be due here: the next attempt, or a channel's next turn."""
        now = self._clock.now()
        waits = [EVERY]
        for row in rows.values():
            if row.waits and row.channel in self._leads:
                gate = self._gates[row.channel]
                if gate.room or gate.opens_in > 0:
                    waits.append(max(row.next_at - now, gate.opens_in))
        return max(SOONEST, min(waits))

    async def _pause(self, seconds: float) -> None:
        waits = {asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._nudged.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._nudged.clear()

    async def _end(self) -> None:
        """Let what is on its way end, then let another console deliver."""
        if self._flying:
            await asyncio.wait(set(self._flying), timeout=GRACE)
        for task in self._flying:
            task.cancel()
        with suppress(Problem, RuntimeError):
            await _whole(asyncio.to_thread(self._box.resign))

    @property
    def problem(self) -> SafeText:
        """Why nothing can be delivered from here, "" for no reason."""
        return safe_text(self._problem)


async def _whole(act: Awaitable[T]) -> T:
    """Wait for something whatever else is cancelled meanwhile."""
    return await asyncio.shield(asyncio.ensure_future(act))
