"""Measures history: a day of 2,000 series written, and charts of one of them read again.

usage: python -m tests.bench.history
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cache.samples import STEP, cpu_of
from cache.state.history import HistoryReader
from cache.state.store import StateStore
from cache.state.writer import Pace
from services.clock import ManualClock

SERIES = 2000
DAY = 86_400
START = ManualClock().now()
IDENTITY = "bench"


def measure(days: float = 1) -> Iterator[tuple[str, float, float, str]]:
    """Yield name, value, target and unit of each figure."""
    with tempfile.TemporaryDirectory() as folder:
        store = StateStore(Path(folder), ManualClock(START), Pace(tick=0.0, election=0.01))
        store.start()
        store.attend(IDENTITY)
        store.flush()
        names = [cpu_of(f"Deployment/team-{number % 10}/svc-{number}") for number in range(SERIES)]
        ticks = int(days * DAY / STEP)
        turns = []
        for tick in range(ticks):
            store.keep_samples(IDENTITY, START + tick * STEP, dict.fromkeys(names, 0.25 + tick % 7))
            if tick % 10 == 9:
                began = time.perf_counter()
                store.flush(60)
                turns.append(time.perf_counter() - began)
        store.close(60)
        reader = HistoryReader(Path(folder))
        end = START + ticks * STEP
        yield "five minutes of 2,000 series written, p50", 1000 * statistics.median(turns), 250, "ms"
        size = (Path(folder) / "state.db").stat().st_size / (1 << 20)
        yield "a day of 2,000 series on disk", size / days, 45, "MiB"
        for hours, target in ((1, 20), (6, 20), (24, 20), (7 * 24, 60)):
            spent = _best(lambda hours=hours: reader.series(IDENTITY, names[700], end - hours * 3600, end, 240))  # type: ignore[misc]
            yield f"a chart of {hours} h of one series from the cache", spent, target, "ms"


def _best(work: Callable[[], object], rounds: int = 7) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    for name, value, target, unit in measure():
        sys.stdout.write(f"{name:<46}{value:>9.2f} {unit:<6} target {target:g}\n")
