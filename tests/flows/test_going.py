"""What comes at the wrong moment: to a screen not laid out yet, to one that is going, to a dialog below another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from screenshots import scene, scene_alerts
from services.clock import ManualClock
from services.model.workload import Rollout
from tests.flows.conftest import Deck, Open
from tui.presenters.banner import Notice
from tui.saying import SAID_FOR
from tui.screens.base import BaseScreen
from widgets.dialog import MessageDialog
from widgets.viewmodels import Span

WAYS: dict[str, Callable[[Deck], object]] = {
    "table": lambda deck: deck.app.open_view("pods"),
    "costs": lambda deck: deck.app.open_view("costs"),
    "alerts": lambda deck: deck.app.open_view("alerts"),
    "incidents": lambda deck: deck.app.open_view("incidents"),
    "timeline": lambda deck: deck.app.open_view("timeline"),
    "workload": lambda deck: deck.app.open_workload(_broken(deck).ref),
    "explain": lambda deck: deck.app.explain(_broken(deck).ref),
    "alert": lambda deck: deck.app.open_alert(next(iter(scene_alerts.alerts().values()))),
    "logs": lambda deck: deck.app.open_logs(next(iter(scene.pods().values())).ref),
    "description": lambda deck: deck.app.open_description(_broken(deck).ref, None),
    "incident": lambda deck: deck.app.open_incident(7),
}


def _broken(deck: Deck) -> Rollout:
    rows: list[Rollout] = list(deck.live.snapshot().tables["rollouts"].values())
    return next(row for row in rows if row.what)


def meddle(deck: Deck, screen: BaseScreen) -> None:
    """Let everything happen that happens by itself."""
    changes = deck.live.changes(-1)
    assert changes is not None
    deck.app._tick()
    deck.app._accept(changes)
    deck.app.show_banner()
    for each in (screen.tick, screen.show_banner, screen.show_done, screen.show_all):
        each()
    screen.take(changes)


@pytest.mark.parametrize("way", WAYS)
async def test_a_screen_may_be_told_of_things_before_it_is_laid_out_and_while_it_goes(
    open_deck: Open, way: str
) -> None:
    async with open_deck() as deck:
        deck.app.console_state.notify(Notice.BROKEN, lambda _: (Span("OF ITS OWN"),))
        WAYS[way](deck)
        screen = deck.app.screen
        assert isinstance(screen, BaseScreen)
        meddle(deck, screen)
        await deck.settle()
        assert "OF ITS OWN" in deck.text
        deck.app.pop_screen()
        meddle(deck, screen)
        await deck.pilot.pause()
        meddle(deck, screen)
        await deck.settle()
        assert deck.app.front is not screen
        assert deck.app.is_running
        changes = deck.live.changes(-1)
        assert changes is not None
    deck.app._tick()
    deck.app._accept(changes)


def titles(text: str) -> list[str]:
    """Return the lines of a screen that begin a frame."""
    return [line for line in text.splitlines() if line.startswith("╭")]


@pytest.mark.parametrize("monitored", [False, True])
async def test_a_control_room_that_is_made_anew_may_be_told_of_things_at_once(open_deck: Open, monitored: bool) -> None:
    live = await asyncio.to_thread(scene_alerts.whole, ManualClock(scene.NOW)) if monitored else None
    async with open_deck((160, 48), live) as deck:
        shown = deck.text
        for ascii_only in (True, False):
            deck.app.draw_in(ascii_only=ascii_only)
            screen = deck.app.screen
            assert isinstance(screen, BaseScreen)
            meddle(deck, screen)
            await deck.settle()
        assert deck.app.is_running
        assert sorted(titles(deck.text)) == sorted(titles(shown))


async def test_a_dialog_below_another_is_answered_once_it_is_in_front(open_deck: Open) -> None:
    answers: list[object] = []
    async with open_deck() as deck:
        below, above = (MessageDialog((Span(name),), ()) for name in ("below", "above"))
        deck.app.push_screen(below, answers.append)
        deck.app.push_screen(above)
        await deck.settle()
        below.answer("late")
        await deck.settle()
        assert deck.app.screen is above
        assert answers == []
        await deck.press("escape")
        assert answers == ["late"]
        assert isinstance(deck.app.screen, BaseScreen)
        closed = MessageDialog((Span("closed"),), ())
        deck.app.push_screen(closed, answers.append)
        await deck.settle()
        deck.app.rebuild()
        closed.answer("nobody waits")
        await deck.settle()
        assert isinstance(deck.app.screen, BaseScreen)
        assert answers == ["late"]


async def test_news_waits_until_what_was_said_could_be_read(open_deck: Open) -> None:
    async with open_deck() as deck:
        for news in ("history is off", "the ledger is damaged", "history is off"):
            deck.app.announce(news)
        await deck.settle()
        assert "history is off" in deck.footer
        await deck.tick(SAID_FOR - 1)
        assert "history is off" in deck.footer
        await deck.tick(1)
        assert "the ledger is damaged" in deck.footer
        deck.app.say("the answer to a key")
        await deck.settle()
        assert "the answer to a key" in deck.footer
        await deck.tick(SAID_FOR)
        assert "history is off" in deck.footer
        await deck.tick(SAID_FOR)
        assert "history" not in deck.footer
