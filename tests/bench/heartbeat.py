"""Runs the program with a heartbeat on its screen's loop, and writes the longest gap between two beats at the end."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from tui import app
from tui.cli import main

BEAT = 0.005


async def beat(worst: list[float]) -> None:
    """Note how late each beat comes."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(BEAT)
        now = time.monotonic()
        worst.append(now - last - BEAT)
        last = now


def measured() -> int:
    """Run, and write the gaps in milliseconds, longest first, into the file that QUARTERDECK_BENCH_STALLS names."""
    gaps: list[float] = []
    begin = app.QuarterdeckApp._begin

    def with_heartbeat(self: app.QuarterdeckApp) -> None:
        self._heart = asyncio.get_running_loop().create_task(beat(gaps))
        begin(self)

    leave = app.QuarterdeckApp.exit

    def without_heartbeat(self: app.QuarterdeckApp, *result: object, **details: object) -> None:
        self._heart.cancel()
        leave(self, *result, **details)

    app.QuarterdeckApp._begin = with_heartbeat
    app.QuarterdeckApp.exit = without_heartbeat
    try:
        return main()
    finally:
        longest = sorted((1000 * gap for gap in gaps), reverse=True)[:20]
        Path(os.environ["QUARTERDECK_BENCH_STALLS"]).write_text("\n".join(f"{gap:.1f}" for gap in longest))


if __name__ == "__main__":
    sys.exit(measured())
