"""Brings the incidents of the ledger into live state, whoever wrote them: two consoles see each other's words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from cache.ledger.altered import AlteredReader
from cache.ledger.incidents import IncidentReader
from services.clock import Clock
from services.model.action import ALTERED
from services.model.incident import INCIDENTS, Incident
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event
from services.ports import Replace, Sink

SOURCE = "incidents"
EVERY = 2.0
"""Seconds between two looks: a look at an unchanged ledger is one `stat` and one pragma."""


class IncidentWatch:
    """Fills the tables "incidents" and "altered"; on the service loop, the looking itself on a thread."""

    def __init__(
        self,
        reader: IncidentReader,
        sink: Sink,
        clock: Clock,
        altered: AlteredReader | None = None,
        news: Callable[[Iterable[Incident], float], Iterable[Event]] = lambda *_: (),
    ) -> None:
        """`news` says what of the incidents belongs on the timeline and was not told yet, at a moment."""
        self._reader = reader
        self._news = news
        self._altered = altered
        self._sink = sink
        self._clock = clock
        self._nudged = asyncio.Event()
        self._said: tuple[SourceState, str] | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            waits = {
                asyncio.ensure_future(self._clock.sleep(EVERY)),
                asyncio.ensure_future(self._nudged.wait()),
            }
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            self._nudged.clear()

    def nudge(self) -> None:
        """Look again at once: something was written from here."""
        self._nudged.set()

    async def look(self) -> None:
        """Look once."""
        with contextlib.suppress(RuntimeError):  # the loop is shutting its threads down
            glance = await asyncio.to_thread(self._reader.look)
            self._sink.apply(SOURCE, Replace(INCIDENTS, glance.rows))
            self._sink.happened(self._news(glance.rows.values(), self._clock.now()))
            if self._altered is not None:
                self._sink.apply(SOURCE, Replace(ALTERED, await asyncio.to_thread(self._altered.look)))
            state = SourceState.FAILED if glance.problem else SourceState.LIVE
            if self._said != (state, glance.problem):
                self._said = (state, glance.problem)
                now = self._clock.now()
                self._sink.status(SourceStatus(SOURCE, state, now, now, now, glance.problem))
