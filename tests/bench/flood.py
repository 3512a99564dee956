"""The longest stall of a screen that shows the log of a pod which writes 20,000 lines a second."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from textual.app import App, ComposeResult

from services.ports import LogLine, LogOptions
from services.redact import redact
from tests.bench.heartbeat import beat
from tui.commands.run import COLLECT
from tui.logpump import LogPump
from tui.presenters.lens import Lens
from tui.runtime import SWITCH_INTERVAL
from widgets.log_view import LogView

RATE = 20_000
AT = 1_793_416_447.0


class Flood:
    """A session whose only pod writes without end."""

    async def logs(
        self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> AsyncIterator[list[LogLine]]:
        """Yield what was written since the last time, some two hundred times a second."""
        began, sent = time.monotonic(), 0
        while True:
            wanted = int((time.monotonic() - began) * RATE)
            yield [
                LogLine("cart-1", "app", AT + number / RATE, f'level=info msg="request {number} served" status=200')
                for number in range(sent, wanted)
            ]
            sent = wanted
            await asyncio.sleep(0.005)


class ServiceThread:
    """A loop on a thread of its own, as the program has."""

    def __init__(self) -> None:
        self.session = Flood()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine on that loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)


class LogApp(App[None]):
    """Nothing but a log."""

    def __init__(self) -> None:
        super().__init__()
        self.log_view = LogView()

    def compose(self) -> ComposeResult:
        """Lay out the log."""
        yield self.log_view


async def _stalls(seconds: float) -> tuple[list[float], int]:
    app, gaps = LogApp(), list[float]()
    async with app.run_test(size=(160, 48)):
        runtime = ServiceThread()
        pump = LogPump(runtime, lambda: Lens(AT, mask=redact), app.log_view.append)  # type: ignore[arg-type]
        heart = asyncio.get_running_loop().create_task(beat(gaps))
        pump.stream("shop", {"cart-1": ("app",)}, LogOptions())
        await asyncio.sleep(seconds)
        heart.cancel()
        pump.stop()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), runtime.loop))
        runtime.loop.call_soon_threadsafe(runtime.loop.stop)
        return gaps, app.log_view.book.ring.end


def measure(seconds: float) -> tuple[float, float]:
    """Return the longest gap between two beats of the screen's loop in milliseconds, and the lines shown a second."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.freeze()
    gc.set_threshold(*COLLECT)
    gaps, lines = asyncio.run(_stalls(seconds))
    return 1000 * max(gaps), lines / seconds
