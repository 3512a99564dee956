"""The program under measurement, on a pseudo-terminal of its own, with its processes' memory and time."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.budgets.pty import TRUECOLOR, Terminal

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv" / "bin" / "quarterdeck"
COLUMNS, LINES = 160, 48
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def running(
    words: Sequence[str],
    kubeconfig: Path | None = None,
    state: Path | None = None,
    beside: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run `quarterdeck WORDS` at 160x48, from an empty state folder unless one is given; `beside` is environment."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-") as empty:
        environment = {**TRUECOLOR, "QUARTERDECK_STATE_DIR": str(state or empty), **(beside or {})}
        if kubeconfig is not None:
            environment["KUBECONFIG"] = str(kubeconfig)
        command = [str(PROGRAM), *words]
        with Terminal(command, columns=COLUMNS, lines=LINES, environment=environment) as terminal:
            yield terminal


def until(terminal: Terminal, pattern: str, deadline: float = 60.0) -> float:
    """Read until a pattern is on screen; returns the seconds that took."""
    wanted = re.compile(pattern)
    return terminal.until_true(lambda: wanted.search(terminal.text) is not None, deadline, pattern)


def tree(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:
            continue
        waiting += map(int, children)
    return found


def memory(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process tree now and at its highest, in MiB."""
    now = peak = 0
    for one in tree(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        for name, into in (("VmRSS", "now"), ("VmHWM", "peak")):
            size = int(re.search(rf"{name}:\s+(\d+)", status)[1])  # type: ignore[index]
            if into == "now":
                now += size
            else:
                peak += size
    return now / 1024, peak / 1024


def processor(pid: int) -> float:
    """Return the processor seconds a process tree has used."""
    total = 0
    for one in tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def idle(terminal: Terminal, seconds: float) -> tuple[float, float]:
    """Read for a while; returns the processor's share in percent and the bytes a second."""
    pid, used, began = terminal.process.pid, processor(terminal.process.pid), time.monotonic()
    with terminal.window() as window:
        while (left := began + seconds - time.monotonic()) > 0:
            terminal.pump(left)
    return 100 * (processor(pid) - used) / seconds, window.count / seconds
