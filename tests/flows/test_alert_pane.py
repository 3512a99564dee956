"""Pane 2 stands for alerts exactly while the header counts them, whatever comes and goes."""

from __future__ import annotations

from screenshots import scene, scene_alerts
from services.model.source import SourceState, SourceStatus
from tests.flows.conftest import Deck, Open

FIRST = scene_alerts.SOURCES[0]


async def test_pane_and_header_speak_of_the_same_servers(open_deck: Open) -> None:
    servers: tuple[str, ...] = ()
    async with open_deck((120, 40), scene.live(), console={"alert_servers": lambda: servers}) as deck:
        await deck.press("2")
        assert "no Alertmanager" in deck.text
        servers = (FIRST,)
        await deck.tick()
        assert "no Alertmanager" not in deck.text
        assert "alerts ?" in deck.text
        for _ in range(2):
            scene_alerts.add(deck.live)
            await _published(deck)
            assert "5 firing in 3 groups" in deck.text
            assert "Watchdog ok" in deck.text
            assert "symptom" not in deck.text.partition("Watchdog ok")[0]
            assert deck.app.focused is not None
            assert deck.app.focused.id == "alerts"
            await deck.press("enter", "escape")
            for table in ("alerts", "alert-groups", "silences", "alert-peers"):
                deck.live.clear([table])
            for name in scene_alerts.SOURCES:
                deck.live.status(SourceStatus(name, SourceState.NOT_CONFIGURED))
            await _published(deck)
            assert "firing in" not in deck.text
            assert "symptoms of the cluster" in deck.text
            assert "Watchdog ok" not in deck.text
            assert deck.app.focused is not None
            assert deck.app.focused.id == "symptoms"


async def _published(deck: Deck) -> None:
    deck.live.publish()
    await deck.settle()
    await deck.tick()


async def test_what_it_stands_on_has_the_width_it_has_at_once_after_all_is_made_anew(open_deck: Open) -> None:
    feed = scene.live()
    scene_alerts.add(feed)
    async with open_deck((160, 48), feed, console={"alert_servers": lambda: scene_alerts.SOURCES}) as deck:
        before = _evidence(deck)
        assert "inhibited  Watchdog ok  3/3 peers  2 symptoms" in before
        deck.app.rebuild()
        await deck.settle()
        assert _evidence(deck) == before


def _evidence(deck: Deck) -> str:
    region = deck.app.screen.query_one("#evidence").region
    return deck.text.splitlines()[region.y][region.x : region.right]
