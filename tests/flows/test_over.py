"""An alert that is over is found for as long as it is kept, with all it said of itself, its values and its suspects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec import structs

from cache.samples import value_of
from cache.state.history import HistoryReader
from cache.state.past import Past
from cache.state.store import StateStore
from cache.state.writer import Pace
from screenshots import scene, scene_alerts
from screenshots.scene import NOW
from services.alertmanager.fingerprint import fingerprint
from services.alerts.happenings import began_event, ended_event
from services.clock import ManualClock
from services.model.alert import Alert, AlertState, Entity
from services.model.metric import Series
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from tests.flows.conftest import Deck, Open
from tui.screens.alert import AlertScreen

ME = "the-cluster-and-me"
DAY = 86400.0
ONSET = NOW - 5 * DAY
LABELS = (("alertname", "RefundsStuck"), ("deployment", "cart"), ("namespace", "shop"), ("severity", "critical"))
RUNBOOK = "https://runbooks.example/RefundsStuck"
SAID = (("runbook_url", RUNBOOK), ("summary", "Refunds have waited for an hour, see Q0AB12CD34EF99"))
EXPRESSION = "refunds_waiting > 40"
GONE = Alert(
    fingerprint(LABELS), fingerprint(LABELS), "RefundsStuck", Severity.CRIT, AlertState.FIRING, LABELS, SAID,
    Entity(scene.CLUSTER, "shop", "cart"), onset=ONSET, fired_at=ONSET + 60, value=50.0, expression=EXPRESSION,
)  # fmt: skip
ENDED = structs.replace(GONE, state=AlertState.ENDED, ended_at=ONSET + 1500)
ROLLOUT = Event(
    "r1", ONSET - 120, ONSET - 119, EventKind.ROLLOUT, Ref(scene.CLUSTER, "apps", "Deployment", "shop", "cart", "uc"),
    "rev 11  v1.9.0→v1.9.1",
)  # fmt: skip


def kept(folder: Path, gone: Alert, ended: Alert, watched: float = 0.0) -> Past:
    """Return a history with an alert, its values, a rollout before it, and that somebody watched so long before."""
    store = StateStore(folder, ManualClock(NOW), Pace(tick=0.0, election=0.01))
    store.start()
    store.attend(ME)
    store.record(ME, [ROLLOUT, began_event(gone, ONSET + 61), ended_event(ended, ONSET + 1501)])
    for step in range(60):
        store.keep_samples(ME, ONSET + 30 * step, {value_of(gone.key): 41.0 + step / 6})
    if watched:
        store.watched(ME, ONSET - watched, ONSET)
    assert store.flush()
    assert store.close()
    return Past(HistoryReader(folder), lambda: ME)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A history with one alert of five days ago."""
    return kept(tmp_path, GONE, ENDED)


def watching(past: Past) -> dict[str, Any]:
    feed = scene.live(ManualClock(NOW))
    scene_alerts.add(feed)
    return {"live": feed, "console": {"alert_servers": lambda: scene_alerts.SOURCES, "past": lambda: past}}


async def look(deck: Deck, text: str) -> None:
    deck.app.open_what(text)
    for _ in range(3):
        await deck.tick(2)
    for _ in range(200):
        if isinstance(deck.app.front, AlertScreen):
            break
        await deck.settle()
    for _ in range(200):
        if "being read" not in deck.text and "asking for" not in deck.text:
            break
        await deck.settle()


LINK = "https://am.example/#/alerts?filter=" + quote(
    "{" + ",".join(f'{name}="{value}"' for name, value in LABELS) + "}"
)
GRAPH = "https://prometheus.example/graph?g0.expr=" + quote(EXPRESSION)
PAGER = "https://example.pagerduty.com/incidents/Q0AB12CD34EF99"


@pytest.mark.parametrize("text", ["refundsstuck", GONE.fingerprint, LINK, GRAPH, PAGER])
async def test_it_is_found_with_all_that_was_kept(
    open_deck: Open, past: Past, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    async with open_deck((120, 60), **watching(past)) as deck:
        monkeypatch.setattr(deck.app, "copy", copied.append)
        await look(deck, text)
        for words in ("RefundsStuck", RUNBOOK, 'deployment="cart"', EXPRESSION, "Refunds have waited for an hour"):
            assert words in deck.text
        assert "it is over" in deck.footer
        assert "rev 11" in deck.text.split("SUSPECT")[1].splitlines()[0]
        assert "41 → 50.8" in deck.text
        assert "sampled by this console" in deck.text
        assert "1h until 2026-10-26 03:45" in deck.text
        assert "began 2026-10-26 03:14" in deck.text
        for label in ("BECAUSE", "CHANGED", "PODS", "LAST LOG"):
            assert deck.text.split(label)[1].strip().startswith("now  ")
        await deck.press("r")
        assert copied == [RUNBOOK]


@pytest.mark.parametrize(("watched", "words"), [(0.0, "not known: no console watched"), (4000.0, "none: nothing that")])
async def test_what_nobody_watched_is_not_called_quiet(
    open_deck: Open, tmp_path: Path, watched: float, words: str
) -> None:
    elsewhere = Entity(scene.CLUSTER, "data", "elsewhere")
    past = kept(tmp_path, structs.replace(GONE, entity=elsewhere), structs.replace(ENDED, entity=elsewhere), watched)
    async with open_deck((120, 60), **watching(past)) as deck:
        await look(deck, "RefundsStuck")
        assert words in deck.text.split("SUSPECT")[1].splitlines()[0]


class Forgetful:
    """A Prometheus that has forgotten what fired five days ago."""

    async def alert_values(self, *asked: object) -> Sequence[Series]:
        """Return nothing."""
        return ()

    async def alert_firing(self, alert: Alert, since: float, until: float, columns: int) -> Series:
        """Return that it knows of nothing."""
        return Series(alert.name, "", since, (until - since) / columns, (0.0,) * columns)


async def test_when_it_fired_is_drawn_from_what_was_told_where_the_monitoring_forgot(
    open_deck: Open, past: Past
) -> None:
    parts = watching(past)
    async with open_deck((120, 60), parts["live"], console={**parts["console"], "metrics": Forgetful}) as deck:
        await look(deck, "RefundsStuck")
        bars = next(line for line in deck.text.splitlines() if line.startswith("│firing"))
        assert "▄█████" in bars
        assert "41 → 50.8" in deck.text


async def test_a_filter_of_other_labels_is_another_alert(open_deck: Open, past: Past) -> None:
    async with open_deck(**watching(past)) as deck:
        await look(deck, '{alertname="RefundsStuck",cluster="elsewhere"}')
        assert "No alert called RefundsStuck fits its filter" in " ".join(deck.text.split())


async def test_the_way_back_and_a_bare_word_lead_there_too(open_deck: Open, past: Past) -> None:
    async with open_deck(**watching(past)) as deck:
        await look(deck, GONE.fingerprint)
        assert deck.app.front is not None
        place = deck.app.front.where()
        assert place is not None
        await deck.press("escape")
        deck.app.go_to(place)
        for _ in range(200):
            if isinstance(deck.app.front, AlertScreen):
                break
            await deck.settle()
        assert RUNBOOK in deck.text
        await deck.press("escape")
        await deck.press("colon", *"RefundsStuck", "enter")
        for _ in range(200):
            if isinstance(deck.app.front, AlertScreen):
                break
            await deck.settle()
        assert RUNBOOK in deck.text
