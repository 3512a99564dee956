"""The parts of a workload's screen: tab reaches each of them, and what has the keys is what is seen."""

from __future__ import annotations

import pytest

from tests.flows.conftest import Open
from tui.screens.workload import WorkloadScreen


@pytest.mark.parametrize("keys", [("enter",), ("X",)], ids=["workload", "explain"])
async def test_one_table_at_a_time_where_the_screen_is_low(open_deck: Open, keys: tuple[str, ...]) -> None:
    async with open_deck((80, 24)) as deck:
        await deck.press(*keys)
        screen = deck.app.screen
        assert isinstance(screen, WorkloadScreen)
        assert "Pods ─ 3 │ Revisions ─ 2 │ Events ─ 1" in deck.text
        shown = {"pods": "RESTARTS", "revisions": "HEALTH", "events": "REASON"}
        for name in ("pods", "revisions", "events"):
            assert screen.parts.active == name
            assert screen.parts.tables[name].has_focus
            assert [other for other, column in shown.items() if column in deck.text] == [name]
            await deck.press("tab")
        while screen.parts.active != "pods" or screen.driver is None:
            await deck.press("tab")
        await deck.press("shift+tab")
        assert screen.parts.active != "pods" or screen.driver is None


async def test_what_does_not_fit_is_read_by_tab_and_aims_at_the_workload(open_deck: Open) -> None:
    async with open_deck((80, 18)) as deck:
        await deck.press("X")
        screen = deck.app.screen
        assert isinstance(screen, WorkloadScreen)
        assert "tab more" in deck.text
        assert "--to-revision=16" not in deck.text
        aimed = screen.target_ref()
        assert aimed is not None
        assert aimed[0].kind == "Pod"
        await deck.press("shift+tab")
        assert screen.head.has_focus
        assert "--to-revision=16" in deck.text
        assert "RESTARTS" not in deck.text, "the table is not seen"
        aimed = screen.target_ref()
        assert aimed is not None
        assert aimed[0] == screen.ref, "and its row is not aimed at"
        await deck.press("tab")
        assert "RESTARTS" in deck.text


async def test_the_frame_names_the_tables_that_are_not_seen_and_only_those(open_deck: Open) -> None:
    async with open_deck((120, 40)) as deck:
        await deck.press("enter")
        assert "Pods ─ 3 ─" in deck.text
        assert "tab next" not in deck.text
        for size in ((80, 24), (120, 40)):
            await deck.pilot.resize_terminal(*size)
            await deck.settle()
            low = size[1] == 24
            assert ("Pods ─ 3 │ Revisions ─ 2 │ Events ─ 1 │ tab next" in deck.text) is low
            assert ("Pods ─ 3 ─" in deck.text) is not low
