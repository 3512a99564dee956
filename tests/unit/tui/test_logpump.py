"""A pod that writes tens of thousands of lines at once holds up neither the service loop nor the screen's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest

from services.errors import Problem
from services.ports import LogLine, LogOptions
from services.sanitize import safe_text
from tui.logpump import BATCH, HELPING, WAITING_LINES, LogPump
from tui.presenters.lens import Lens
from tui.presenters.logs import present_lines
from widgets.viewmodels import LogEntry, Tone

AT = 1_793_416_447.0


class Session:
    """Answers with batches of lines, and then with a problem where one is given."""

    def __init__(self, batches: Sequence[list[LogLine]], problem: str = "") -> None:
        self._batches = batches
        self._problem = problem

    async def logs(
        self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> AsyncIterator[list[LogLine]]:
        for batch in self._batches:
            yield batch
        if self._problem:
            raise Problem(safe_text(self._problem))


class OneLoop:
    """Lets the service side run on the test's own loop."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.tasks: list[asyncio.Task[Any]] = []

    def submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        self.tasks.append(asyncio.get_running_loop().create_task(work))
        return Future()


def lines(count: int) -> list[LogLine]:
    return [LogLine("cart-1", "app", AT + number / 1000, f"line {number}") for number in range(count)]


async def pumped(session: Session | None) -> tuple[list[list[LogEntry]], int]:
    """Return what was delivered, and the turns that the loop took meanwhile."""
    delivered: list[list[LogEntry]] = []
    runtime = OneLoop(session)
    pump = LogPump(runtime, lambda: Lens(AT), lambda batch: delivered.append(list(batch)))  # type: ignore[arg-type]
    pump.stream("shop", {"cart-1": ("app",)}, LogOptions())
    turns = 0
    while not all(task.done() for task in runtime.tasks):
        await asyncio.sleep(0)
        turns += 1
    for _ in range(WAITING_LINES // BATCH + 2):
        await asyncio.sleep(0)
    return delivered, turns


async def test_a_flood_is_taken_in_helpings_on_both_sides() -> None:
    delivered, turns = await pumped(Session([lines(5_000)]))
    assert [entry.text for batch in delivered for entry in batch] == [f"line {number}" for number in range(5_000)]
    assert max(map(len, delivered)) <= BATCH
    assert turns >= 5_000 // HELPING


async def test_what_stopped_the_stream_is_its_last_line() -> None:
    delivered, _ = await pumped(Session([lines(2)], "The pod is gone."))
    assert [entry.text for batch in delivered for entry in batch] == ["line 0", "line 1", "The pod is gone."]
    assert delivered[-1][-1].tone is Tone.NOTICE


async def test_no_session_is_said() -> None:
    delivered, _ = await pumped(None)
    assert "not connected yet" in delivered[0][0].text


async def test_what_the_screen_cannot_take_is_dropped_and_counted() -> None:
    delivered: list[list[LogEntry]] = []
    pump = LogPump(OneLoop(None), lambda: Lens(AT), lambda batch: delivered.append(list(batch)))  # type: ignore[arg-type]
    pump._take(lines(WAITING_LINES + 30))
    for _ in range(WAITING_LINES // BATCH + 2):
        await asyncio.sleep(0)
    assert delivered[0][0].dropped == 30
    assert delivered[0][1].text == "line 30"
    assert delivered[-1][-1].text == f"line {WAITING_LINES + 29}"


@pytest.mark.parametrize("at", [AT, AT + 0.9999999, AT + 0.0005, AT + 0.123, AT + 59.999, 1752633148.2449994])
def test_the_time_of_a_line(at: float) -> None:
    (entry,) = present_lines([LogLine("cart-1", "app", at, "x")], Lens(AT))
    assert entry.stamp == datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def test_lines_of_many_sources_keep_their_own() -> None:
    wanted = [LogLine("a", "", 0.0, "x"), LogLine("a", "app", 0.0, "ERROR y"), LogLine("b", "app", 0.0, "z")]
    entries = present_lines(wanted, Lens(AT))
    assert [(entry.stamp, entry.source) for entry in entries] == [("", "a"), ("", "a/app"), ("", "b/app")]
    assert [entry.tone for entry in entries] == [Tone.PLAIN, Tone.CRIT, Tone.PLAIN]
