"""A rehearsal estate in a thread, living many times faster than the wall clock, for programs that wait in real time."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.rehearsal.server import Options, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.rehearsal.clock import Alarm


class PacedClock:
    """The machine's clock, run `pace` times as fast from the moment it is made."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._began, self._start = time.monotonic(), time.time()

    def now(self) -> float:
        """Return the present moment of the estate, in seconds since the epoch."""
        return self._start + (time.monotonic() - self._began) * self._pace

    def call_at(self, due: float, action: Callable[[], None]) -> Alarm:
        """Call `action` on the running event loop once `due` has come."""
        return asyncio.get_running_loop().call_later(max(0.0, due - self.now()) / self._pace, action)


@contextmanager
def lively(options: Options, pace: float) -> Iterator[Rehearsal]:
    """Run an estate until the block is left; raises what its start raises."""
    started: Future[tuple[Rehearsal, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        try:
            async with Rehearsal(options, PacedClock(pace)) as estate:
                stop = asyncio.Event()
                started.set_result((estate, asyncio.get_running_loop(), stop))
                await stop.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    estate, loop, stop = started.result(60)
    try:
        yield estate
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
