"""Costs on the screen: the pane, the full view by namespace, team and workload, and what is not known."""

from __future__ import annotations

import pytest
from msgspec import structs

from screenshots import scene
from services.model.cost import COST_SUMMARY, COSTS, WHOLE, CostBy, CostKind, CostLine
from services.model.source import SourceState, SourceStatus
from services.ports import Delta, Replace
from tests.flows.conftest import Open


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48), (200, 60)])
async def test_the_pane_shows_the_periods_against_their_limits(open_deck: Open, size: tuple[int, int]) -> None:
    async with open_deck(size) as deck:
        await deck.press("3")
        for words in ("today   $61.20  ◆ over 50, limit 100", "week   $288.10  crosses 300", "month   $1,420"):
            assert words in deck.text
        assert "$4.10/h" in deck.text
        assert "estimate" in deck.text
        assert "payments +$0.62/h (checkout 5→12)" in deck.text


async def test_enter_opens_the_view_and_goes_down_to_a_workload(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("3", "enter")
        assert "Costs by namespace" in deck.text
        await deck.press("j", "enter")
        assert "Costs by workload" in deck.text
        assert "payments/checkout" in deck.text
        assert "shop/cart" not in deck.text
        await deck.press("enter")
        assert "payments/checkout  deploy" in deck.text
        assert deck.app.front is not None
        assert deck.app.front.place == "workload"


async def test_a_filter_narrows_the_rows_and_changes_none_of_them(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("costs")
        await deck.settle()
        before = {line.split("│")[1].strip() for line in deck.text.splitlines() if line.startswith("│shop")}
        await deck.press("slash", "s", "h", "o", "p", "enter")
        after = {line.split("│")[1].strip() for line in deck.text.splitlines() if line.startswith("│shop")}
        assert before == after
        assert len(after) == 1
        assert "1 of 9  /shop" in deck.text
        await deck.press("escape")
        assert "(idle)" in deck.text


async def test_b_adds_up_by_team_and_by_workload(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("costs")
        await deck.settle()
        assert "sum of these" in deck.text
        await deck.press("b")
        assert "Costs by team" in deck.text
        assert "NAMESPACES" in deck.text
        assert "TEAM " not in deck.text
        await deck.press("b", "N")
        assert "Costs by workload" in deck.text
        await deck.press("b")
        assert "Costs by namespace" in deck.text


async def test_what_is_idle_belongs_to_no_workload(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("costs")
        await deck.settle()
        await deck.press("enter")
        assert "belongs to no workload" in deck.footer


async def test_old_costs_are_shown_as_old_and_missing_ones_say_why(open_deck: Open) -> None:
    live = scene.live()
    live.status(SourceStatus("costs", SourceState.FAILED, scene.NOW - 60, scene.NOW - 60, error="No answer."))
    live.publish()
    async with open_deck((80, 24), live) as deck:
        await deck.press("3")
        assert "as of 03:14" in deck.text
    live.apply("scene", Replace(COST_SUMMARY, {}))
    live.apply("scene", Replace(COSTS, {}))
    live.publish()
    async with open_deck((80, 24), live) as deck:
        await deck.press("3")
        assert "No answer." in deck.text
    live.status(SourceStatus("costs", SourceState.NOT_CONFIGURED))
    live.publish()
    async with open_deck((80, 24), live) as deck:
        await deck.press("3")
        assert "Costs are switched off by costs.enabled." in deck.text


async def test_mostly_guessed_amounts_are_no_alarm(open_deck: Open) -> None:
    live = scene.live()
    live.publish()
    summary = live.snapshot().tables[COST_SUMMARY][WHOLE]
    guessed = tuple(structs.replace(spend, guessed=spend.amount * 9 // 10) for spend in summary.spends)
    live.apply("scene", Replace(COST_SUMMARY, {WHOLE: structs.replace(summary, spends=guessed)}))
    live.publish()
    async with open_deck((80, 24), live) as deck:
        await deck.press("3")
        assert "● perhaps over 50  90 % extrapolated" in deck.text


async def test_hostile_names_stay_words(open_deck: Open) -> None:
    live = scene.live()
    name = "\x1b]0;evil\x07[red]x[/] \u202e\n$(rm)"
    lines = [CostLine(by, CostKind.WORKLOAD, name, 10**9, namespace=name, team=name, workload=name) for by in CostBy]
    live.apply("scene", Delta(COSTS, {line.key: line for line in lines}))
    live.publish()
    async with open_deck((200, 60), live) as deck:
        deck.app.open_view("costs")
        await deck.settle()
        for _ in CostBy:
            assert "[red]x[/]" in deck.text
            assert not any(sign in deck.text for sign in "\x1b\x07\u202e")
            await deck.press("g", "enter", "escape", "b")
