"""Measures the program against a real API server with 10,000 pods, and says which targets it meets.

The packages are compiled to bytecode first, as an installation has them.

usage: python -m tests.bench [--quick] [--alone]. All four panes live: a Prometheus and Alertmanagers with alerts
stand beside the cluster, unless it is measured alone. Figures are of this machine and its load, and of what the
host of a virtual one withholds meanwhile, which is said below them; the ratio to an empty app is not.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench import alerts, flood, history
from tests.bench.beside import monitored, monitoring_of
from tests.bench.cluster import WORD, Cluster
from tests.bench.program import COLUMNS, ROOT, idle, memory, processor, running, until
from tests.budgets.pty import TRUECOLOR, Terminal
from tests.controlplane.commands import SERVING
from tests.controlplane.estate import BIG
from tests.controlplane.plane import ControlPlane
from tests.controlplane.prepared import prepared

LOADED = r"Pods ─ 10,0\d\d"
PODS = ("run", "-A", "--view", "pods")


class Figure(NamedTuple):
    """One line of the report; `target` is a bound from above."""

    name: str
    value: float
    target: float
    unit: str
    rival: str = ""

    @property
    def line(self) -> str:
        """The figure, its target, and whether it is met."""
        met = "met" if self.value <= self.target else "MISSED"
        rival = f"   rivals {self.rival}" if self.rival else ""
        return f"{self.name:<46}{self.value:>9.2f} {self.unit:<6} target {self.target:g}  {met}{rival}"


def load(kubeconfig: Path, beside: Mapping[str, str], quick: bool) -> list[Figure]:
    """Start to all rows and to the last row, memory, idle."""
    starts, lasts = [], []
    for _ in range(1 if quick else 3):
        with running(PODS, kubeconfig, beside=beside) as terminal:
            began = time.monotonic()
            until(terminal, LOADED)
            starts.append(time.monotonic() - began)
            terminal.send("G")
            until(terminal, r"Running +0 .*worker-\d+")
            lasts.append(time.monotonic() - began)
    with running(PODS, kubeconfig, beside=beside) as terminal:
        until(terminal, LOADED)
        used = processor(terminal.process.pid)
        idle(terminal, 15 if quick else 60)
        share, _ = idle(terminal, 20)
        _, peak = memory(terminal.process.pid)
        rest = _at_rest(terminal, 20 if quick else 60)
    return [
        Figure("start to all rows (best)", min(starts), 1.5, "s", "9-14 / 2.4-3.3"),
        Figure("start to the last row, by G (best)", min(lasts), 1.5, "s"),
        Figure("start to all rows (median)", statistics.median(starts), 1.5, "s"),
        Figure("processor time until then", used, 2.0, "s", "9-13 / 2.1-2.6"),
        Figure("resident memory, peak", peak, 200, "MiB", "1,600 / 647"),
        Figure("idle processor", share, 1.0, "%", "45-65 / 0.1"),
        Figure("bytes beside clock and ages, at rest", rest.beside, 0, "B/s"),
        Figure(f"  in all, {rest.news} s with news left out", rest.everything, 60, "B/s", "8-150 / 25-67"),
    ]


class Rest(NamedTuple):
    """What was written while nothing happened, a second: in all, and what changed neither the clock nor an age.

    `news` are the seconds in which the servers told something else, which are not counted.
    """

    everything: float
    beside: float
    news: int


def _at_rest(terminal: Terminal, seconds: int) -> Rest:
    """Look at every second by itself: what it wrote, and which cells look different after it."""
    ticks, everything, news = [], 0, 0
    for _ in range(seconds):
        before = list(terminal.screen.display)
        with terminal.window() as window:
            end = time.monotonic() + 1.0
            while (left := end - time.monotonic()) > 0:
                terminal.pump(left)
        changed = _changed(before, terminal.screen.display)
        if all(_is_time(x, y) for x, y in changed):
            of_clock = sum(1 for _, y in changed if not y)
            ticks.append(window.count - CELL * (len(changed) - of_clock) - max(0, of_clock - 1))
            everything += window.count
        else:
            news += 1
    clock = statistics.median(ticks)
    return Rest(everything / len(ticks), sum(max(0.0, tick - 2 * clock) for tick in ticks) / len(ticks), news)


CELL = 36
"""Bytes that a changed cell of an age may cost: where it is, its colours, the digit."""

AGE_WIDTH = 8
CLOCK_WIDTH = 16


def _changed(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    return [
        (x, y)
        for y, (one, other) in enumerate(zip(before, after, strict=True))
        for x, (left, right) in enumerate(zip(one, other, strict=False))
        if left != right
    ]


def _is_time(x: int, y: int) -> bool:
    """Return whether a cell of the pods' table belongs to the clock (first line) or to an age (last column)."""
    return x >= COLUMNS - (AGE_WIDTH if y else CLOCK_WIDTH)


def events(kubeconfig: Path, cluster: Cluster, beside: Mapping[str, str], quick: bool) -> list[Figure]:
    """A status patch to its text on the terminal, alone and among others, and what it writes."""
    alone, many, sizes = [], [], []
    with running(PODS, kubeconfig, beside=beside) as terminal:
        until(terminal, LOADED)
        idle(terminal, 8)
        for _ in range(5 if quick else 15):
            idle(terminal, 1.3)
            with terminal.window() as window:
                alone.append(_event(terminal, cluster))
                terminal.pump(0.1)
            sizes.append(window.count)
        with cluster.churning(100) as done:
            began = time.monotonic()
            for _ in range(10 if quick else 60):
                idle(terminal, 0.3)
                many.append(_event(terminal, cluster))
            rate = done[0] / (time.monotonic() - began)
    many.sort()
    return [
        Figure("event to text, alone, p50", 1000 * statistics.median(alone), 100, "ms", "2,500-3,500 / 35"),
        Figure("event to text, alone, worst", 1000 * max(alone), 500, "ms", "3,500-5,100 / 50"),
        Figure(f"event to text, at {rate:.0f} events/s, p99", 1000 * many[int(0.99 * len(many))], 500, "ms"),
        Figure("bytes for one changed row", statistics.median(sizes), 150, "B", "58-72 / 73-97"),
    ]


def _event(terminal: Terminal, cluster: Cluster) -> float:
    count = next(WORD)
    cluster.restart(cluster.first, count)
    return terminal.until(str(count), 15)


def keys(quick: bool, alone: bool) -> list[Figure]:
    """A key to its paint while 1,000 events a second come from the rehearsal estate."""
    import httpx

    from tui.commands.demo import estate

    wanted = argparse.Namespace(scenario="calm", size="large", seed=3, port=0)
    with contextlib.ExitStack() as stack:
        said = stack.enter_context(estate(wanted))
        beside = {} if alone else monitoring_of(said)
        terminal = stack.enter_context(running(PODS, Path(said["kubeconfig"]), beside=beside))
        until(terminal, LOADED)
        idle(terminal, 3)
        httpx.post(f"{said['admin_url']}/churn", json={"per_second": 1000}).raise_for_status()
        idle(terminal, 3)
        times = []
        for turn in range(40 if quick else 200):
            idle(terminal, 0.05)
            times.append(_key(terminal, "j" if turn % 30 < 15 else "k"))
    times.sort()
    return [
        Figure("key to paint at 1,000 events/s, p50", 1000 * statistics.median(times), 50, "ms"),
        Figure(
            "key to paint at 1,000 events/s, p99", 1000 * times[int(0.99 * len(times))], 50, "ms", "202 (DataTable)"
        ),
    ]


def _key(terminal: Terminal, key: str) -> float:
    """Press a cursor key; return the seconds until the cursor's line stands elsewhere."""
    before = _cursor_row(terminal)
    began = time.monotonic()
    terminal.send(key)
    while _cursor_row(terminal) == before and time.monotonic() - began < 2:
        terminal.pump(0.5)
    return time.monotonic() - began


def _cursor_row(terminal: Terminal) -> int:
    """Return the line whose background differs from that of the lines around it."""
    backgrounds = [terminal.screen.buffer[line][20].bg for line in range(3, 44)]
    usual = statistics.mode(backgrounds)
    return next((line for line, colour in enumerate(backgrounds) if colour != usual), -1)


def stalls(kubeconfig: Path, beside: Mapping[str, str]) -> list[Figure]:
    """The longest time the screen's loop stood still during the load."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "stalls"
        environment = {
            **TRUECOLOR,
            "KUBECONFIG": str(kubeconfig),
            "QUARTERDECK_STATE_DIR": folder,
            "QUARTERDECK_BENCH_STALLS": str(found),
            "PYTHONPATH": str(ROOT),
            **beside,
        }
        command = [sys.executable, "-m", "tests.bench.heartbeat", *PODS]
        with Terminal(command, columns=160, lines=48, environment=environment) as terminal:
            until(terminal, LOADED)
            idle(terminal, 10)
            terminal.send("\x03")
            terminal.exit_code()
        longest = [float(line) for line in found.read_text().split()]
    return [Figure("longest stall of the screen's loop, loading", longest[0], 50, "ms")]


def logs(quick: bool) -> list[Figure]:
    """The screen's loop under a pod that writes without end."""
    stall, rate = flood.measure(2 if quick else 10)
    return [Figure(f"longest stall at {rate:,.0f} log lines/s", stall, 50, "ms")]


def first_paint(kubeconfig: Path, beside: Mapping[str, str], quick: bool) -> list[Figure]:
    """The first frame with the rows of the last time, against an empty app's."""
    rounds = 3 if quick else 7
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        with running(("run", "-A"), kubeconfig, state, beside) as terminal:
            until(terminal, r"\d+ healthy|need you")
            idle(terminal, 3)
            terminal.send("\x03")
            terminal.exit_code()
        command = [sys.executable, "-m", "tests.bench.empty_app"]
        environment = {**TRUECOLOR, "PYTHONPATH": str(ROOT)}
        ours, empty = [], []
        for _ in range(rounds):  # in turn, so that both meet the same moments of the machine
            ours.append(_paint(lambda: running(("run", "-A"), kubeconfig, state, beside), "Rollouts"))
            empty.append(_paint(lambda: Terminal(command, columns=160, lines=48, environment=environment), ""))
    usual, floor = statistics.median(ours), statistics.median(empty)
    return [
        Figure("first paint with cached rows (median)", 1000 * usual, 1500 * floor, "ms"),
        Figure("first paint against an empty app (medians)", usual / floor, 1.5, "x"),
        Figure("  of the best of each", min(ours) / min(empty), 1.5, "x"),
    ]


def _paint(start: Callable[[], object], text: str) -> float:
    began = time.monotonic()
    with start() as terminal:  # type: ignore[attr-defined]
        if text:
            terminal.until(text)
        else:
            terminal.until_true(lambda: terminal.written > 1500, 15, "the first frame")
        return time.monotonic() - began


def main() -> None:
    """Measure, and print one line a figure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default="", help="load, events, keys, stalls, logs, alerts, paint or history")
    parser.add_argument(
        "--alone", action="store_true", help="without a Prometheus and Alertmanagers beside the cluster"
    )
    arguments = parser.parse_args()
    quick, only, alone = arguments.quick, arguments.only, arguments.alone
    say = sys.stdout.write
    for package in ("tui", "widgets", "cache", "services"):
        compileall.compile_dir(ROOT / package, quiet=1)
    say(f"load average before: {os.getloadavg()[0]:.1f}\n")
    with contextlib.ExitStack() as stack:
        beside = {} if alone else stack.enter_context(monitored())
        seed = prepared(BIG, lambda line: say(f"{line}\n") and None)
        plane = stack.enter_context(ControlPlane(SERVING, seed=seed))
        kubeconfig = plane.kubeconfig()
        cluster = Cluster(plane.api())
        parts: dict[str, Callable[[], list[Figure]]] = {
            "load": lambda: load(kubeconfig, beside, quick),
            "events": lambda: events(kubeconfig, cluster, beside, quick),
            "stalls": lambda: stalls(kubeconfig, beside),
            "paint": lambda: first_paint(kubeconfig, beside, quick),
            "keys": lambda: keys(quick, alone),
            "logs": lambda: logs(quick),
            "alerts": lambda: [Figure(*figure) for figure in alerts.measure()],
            "history": lambda: [Figure(*figure) for figure in history.measure(0.25 if quick else 1)],
        }
        for name, part in parts.items():
            if only in ("", name):
                began, stolen = time.monotonic(), _stolen()
                for figure in part():
                    say(figure.line + "\n")
                    sys.stdout.flush()
                if share := round(100 * (_stolen() - stolen) / (time.monotonic() - began)):
                    say(f"  the host withheld {share} % of a processor meanwhile\n")


def _stolen() -> float:
    """Return the seconds that the host of a virtual machine has withheld from it since it began; 0 elsewhere."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path("/proc/stat").read_text(encoding="ascii").split()[8]) / os.sysconf("SC_CLK_TCK")
    return 0.0


if __name__ == "__main__":
    main()
