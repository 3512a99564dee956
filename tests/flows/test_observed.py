"""The workload's screen and the explanation say what consoles of this machine saw of each revision."""

from __future__ import annotations

from pathlib import Path

from cache.state.history import HistoryReader
from cache.state.past import Past
from cache.state.store import StateStore
from screenshots import scene
from services.clock import ManualClock
from tests.flows.conftest import Deck, Open

ME = "me"


def recorded(folder: Path, uid: str) -> Past:
    """Return the past of a console that watched revision 16 for three hours, until 14 minutes ago."""
    store = StateStore(folder, ManualClock(scene.NOW))
    store.start()
    store.attend(ME)
    since, until = scene.NOW - 3 * 3600 - 840, scene.NOW - 840
    store.mark_healthy(ME, uid, 16, since)
    store.mark_healthy(ME, uid, 16, until, ended=True)
    store.watched(ME, since, until)
    assert store.flush()
    store.close()
    return Past(HistoryReader(folder), lambda: ME)


async def shown(deck: Deck) -> str:
    await deck.app.workers.wait_for_complete()
    await deck.settle()
    return deck.text


async def test_it_says_since_when_and_until_when(open_deck: Open, tmp_path: Path) -> None:
    live = scene.live(ManualClock(scene.NOW))
    cart = next(one for one in live.publish().tables["rollouts"].values() if one.ref.name == "cart")
    past = recorded(tmp_path, cart.ref.uid)
    async with open_deck((160, 48), live=live, console={"past": lambda: past}) as deck:
        deck.app.open_workload(cart.ref)
        await deck.settle()
        assert "observed 3h00m, until 03:00" in await shown(deck)
        await deck.press("X")
        assert "roll back to rev 16 (observed healthy 3h00m, until 03:00)" in await shown(deck)
