"""Ctrl-c on a running command: stopped before the next request, or left unknown where everything was sent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any, cast

import pytest

from services.actions.runner import Orders
from services.actions.spec import Note
from services.clock import ManualClock
from services.model.action import Ended, Outcome, Plan, Progress, Stage
from services.sanitize import safe_text
from tests.unit.actions.stage import CART
from tui.acting import Acting
from tui.commands.stopping import STOPPED, Stopping

ORDERS = Orders(Plan("drain", CART, "Drain"))


async def a_turn() -> None:
    await asyncio.sleep(0)


class Slow:
    """Runs until it is to stop, or for ever where it only watches any more."""

    def __init__(self, stage: Stage) -> None:
        self.clock = ManualClock()
        self.stage = stage

    async def run(self, _orders: Orders, note: Note, stopped: Callable[[], str]) -> Ended:
        await note(Progress(self.stage, "evicting: 1 refused; gone", 1, 2))
        os.kill(os.getpid(), signal.SIGINT)
        while not stopped():
            await a_turn()
        return Ended(Outcome.FAILED, safe_text(stopped()))


async def test_the_first_stops_it_and_what_was_done_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    async with asyncio.timeout(30):
        ended = await Stopping(cast(Acting, cast(Any, Slow(Stage.EXECUTE))), quiet=False).run(ORDERS)
    assert (ended.outcome, ended.text) == (Outcome.FAILED, STOPPED)
    said = capsys.readouterr().err
    assert said.splitlines() == [
        "evicting: 1 refused; gone 1/2",
        "stopping: nothing more is sent; ctrl-c again leaves at once",
    ]


async def test_where_everything_was_sent_it_is_left_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    async with asyncio.timeout(30):
        ended = await Stopping(cast(Acting, cast(Any, Slow(Stage.VERIFY))), quiet=True).run(ORDERS)
    assert ended.outcome is Outcome.UNKNOWN
    assert capsys.readouterr().err == ""
    # nothing is left behind that would answer the next one
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("stage", [Stage.GUARD, Stage.INTENT, Stage.LEASE, Stage.REHEARSE])
async def test_before_anything_was_sent_the_first_one_ends_it(stage: Stage) -> None:
    async with asyncio.timeout(30):
        ended = await Stopping(cast(Acting, cast(Any, Slow(stage))), quiet=True).run(ORDERS)
    assert (ended.outcome, ended.text) == (Outcome.CANCELLED, "left by ctrl-c (nothing was changed)")
