"""How long the table takes on a real terminal: printed, never asserted."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
import time
from pathlib import Path

import pytest

from tests.budgets.pty import Terminal
from tests.budgets.table_app import TableApp
from tests.budgets.test_table_bytes import TableTerminal
from widgets.live_table import LiveTable

pytestmark = pytest.mark.bench

CURSOR_LINES = re.compile(rb"\x1b\[([4-9]|1\d|2[0-2]);\d+H")
"""Movements to the lines the cursor moves on; rows that churn are below them."""


def processor_seconds(pid: int) -> float:
    """Return the user and system time of a process (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until_bytes(terminal: Terminal, pattern: re.Pattern[bytes]) -> float:
    """Read until written bytes match, and return the milliseconds that took."""
    start = time.monotonic()
    seen = b""
    while not pattern.search(seen):
        seen = seen[-64:] + terminal.pump(5.0)
        assert time.monotonic() - start < 10, "nothing was painted"
    return (terminal.read_at - start) * 1000


def say(figure: str) -> None:
    print(f"\n{figure}")  # noqa: T201 - a benchmark is there to be read


def said(name: str, values: list[float]) -> None:
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    say(f"{name}: p50 {statistics.median(ordered):.1f} ms, p99 {p99:.1f} ms, worst {ordered[-1]:.1f} ms")


def test_first_fill_of_10000_rows() -> None:
    async def fill() -> float:
        app = TableApp()
        async with app.run_test(size=(160, 48)) as pilot:
            table = app.query_one(LiveTable)
            vm = table.vm
            table.set_vm(type(vm)(vm.columns, (), vm.row))
            await pilot.pause()
            start = time.perf_counter()
            table.set_vm(vm)
            table.screen._on_timer_update()
            app.screen._compositor.render_strips()
            return (time.perf_counter() - start) * 1000

    said("first fill of 10,000 rows to paint, 160x48", [asyncio.run(fill()) for _ in range(5)])


@pytest.mark.parametrize("churn", [False, True], ids=["quiet", "1000-changes-a-second"])
def test_key_to_paint(churn: bool) -> None:
    command = [sys.executable, "-m", "tests.budgets.table_app", "10000", "-1", *(["churn"] if churn else [])]
    with Terminal(command) as terminal:
        terminal.until("checkout-0 ")
        until = time.monotonic() + 1
        while time.monotonic() < until:
            terminal.pump(0.1)
        before, start, written = processor_seconds(terminal.process.pid), time.monotonic(), terminal.written
        taken = []
        for press in range(200):
            while terminal.pump(0.013 + press % 7 / 1000):
                pass
            terminal.send("j" if press // 15 % 2 == 0 else "k")
            taken.append(until_bytes(terminal, CURSOR_LINES))
        seconds = time.monotonic() - start
        said(f"key to paint {'under 1,000 changes/s' if churn else 'in quiet'}", taken)
        say(f"processor {(processor_seconds(terminal.process.pid) - before) / seconds:.1%} of a core")
        say(f"{(terminal.written - written) / seconds:.0f} B/s")


def test_bytes_of_each_kind_of_change() -> None:
    with TableTerminal() as terminal:
        for name, keys in {
            "a second passing": "",
            "all rows changed their status": "3",
            "all rows changed it back": "3",
            "one changed cell": "7",
            "one changed row (shape, bold name, sentence)": "1",
            "off screen": "2",
            "cursor down": "j",
            "to the last row": "G",
        }.items():
            tick = terminal.cost("")
            say(f"{name}: {terminal.cost(keys) - (tick if keys else 0)} B")


def test_idle_costs_nothing() -> None:
    with TableTerminal() as terminal:
        before, start, written = processor_seconds(terminal.process.pid), time.monotonic(), terminal.written
        while time.monotonic() < start + 5:
            terminal.pump(0.5)
        used = (processor_seconds(terminal.process.pid) - before) / (time.monotonic() - start)
        say(f"idle: {used:.2%} of a core, {terminal.written - written} B")
