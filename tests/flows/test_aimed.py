"""Whatever the rows do while keys are pressed: the console acts on what its terminal showed then, or on nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest

from tests.flows.aimed import Watched, operators
from tui.screens.cursor import CursorScreen

CASES = 25
FIRST = 3
"""The line of the screen on which the first row stands."""


async def tried(monkeypatch: pytest.MonkeyPatch, seeds: Iterable[int]) -> tuple[list[str], int]:
    """Return what was hit and not meant, as soon as anything was, and how often anything was hit."""
    acted = 0
    async with operators(monkeypatch) as operator:
        for seed in seeds:
            one = operator(seed)
            await one.run()
            acted += one.acted
            if one.wrong:
                return one.wrong, acted
    return [], acted


async def test_nothing_is_hit_but_what_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, acted = await tried(monkeypatch, range(CASES))
    assert wrong == []
    assert acted > CASES // 3


async def test_a_console_that_aims_by_position_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_position(self: CursorScreen) -> object:
        driver = self.driver
        assert driver is not None
        app = cast(Watched, self.app)
        app.under_cursor()
        [*_, _swapped_in] = driver.ordering.in_helpings(self.console.feed.snapshot().tables.get("rollouts", {}))
        order, line = driver.ordering.order, app.line - FIRST
        return (driver.view, driver.object(order[line])) if 0 <= line < len(order) else None

    monkeypatch.setattr(CursorScreen, "target", by_position)
    monkeypatch.setattr(CursorScreen, "seen_identity", lambda _: "")
    wrong, _ = await tried(monkeypatch, range(CASES))
    assert wrong
