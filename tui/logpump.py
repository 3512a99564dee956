"""Carries log lines from the service thread to a log view, in batches, bounded, counting what it had to drop."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice

from services.errors import Problem
from services.ports import LogLine, LogOptions
from tui.console import ServiceThread
from tui.presenters.lens import Lens
from tui.presenters.logs import present_lines
from widgets.viewmodels import LogEntry, Tone

WAITING_LINES = 20_000
"""Lines that may wait for the screen; older ones are dropped and counted."""

BATCH = 250
"""Lines handed to the view in one turn of its loop (1 ms), so that a burst never holds a key press up."""

HELPING = 250
"""Lines made safe in one turn of the service loop (3 ms): neither the watch nor the screen waits for a chatty pod."""


class LogPump:
    """Streams the logs of some pods into `deliver`, which is called on the UI's loop with batches of entries."""

    def __init__(
        self, runtime: ServiceThread, lens: Callable[[], Lens], deliver: Callable[[Sequence[LogEntry]], None]
    ) -> None:
        self._runtime = runtime
        self._lens = lens
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[LogEntry] = deque()
        self._dropped = 0
        self._pending = False
        self._streams: list[Future[None]] = []

    def stream(self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions) -> None:
        """Begin to stream these pods' containers."""
        self._streams.append(self._runtime.submit(self._pump(namespace, pods, options)))

    def stop(self) -> None:
        """End every stream; what waits is forgotten."""
        for stream in self._streams:
            stream.cancel()
        self._streams.clear()
        self._waiting.clear()

    async def _pump(self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions) -> None:
        session = self._runtime.session
        if session is None:
            self._say("The cluster is not connected yet: go back and open the logs again.")
            return
        try:
            async for lines in session.logs(namespace, pods, options):
                for start in range(0, len(lines), HELPING):
                    self._take(lines[start : start + HELPING])
                    await asyncio.sleep(0)
        except Problem as problem:
            self._say(problem.sentence)

    def _take(self, lines: Sequence[LogLine]) -> None:
        lens = self._lens()
        self._waiting.extend(present_lines(lines, lens))
        while len(self._waiting) > WAITING_LINES:
            self._waiting.popleft()
            self._dropped += 1
        self._poke()

    def _say(self, sentence: str) -> None:
        self._waiting.append(LogEntry("", "", self._lens().text(sentence), Tone.NOTICE))
        self._poke()

    def _poke(self) -> None:
        if not self._pending:
            self._pending = True
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._pending = False
        batch = list(islice(self._waiting, BATCH))
        for _ in batch:
            self._waiting.popleft()
        if self._dropped:
            batch.insert(0, LogEntry("", "", "", Tone.MUTED, dropped=self._dropped))
            self._dropped = 0
        if batch:
            self._deliver(batch)
        if self._waiting:
            self._poke()
