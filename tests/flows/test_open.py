"""From a page to the one screen that explains it: by name, link and workload, at once or when servers answer."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import pytest
from msgspec import structs

from screenshots import scene, scene_alerts
from screenshots.scene_runtime import SceneSession
from services.alerts.happenings import began_event, ended_event
from services.clock import ManualClock
from services.model.alert import AlertState
from services.model.cluster import ApiResource
from services.model.ref import Resource
from services.model.source import SourceState, SourceStatus
from services.ports import Delta
from tests.flows.conftest import Deck, Open
from tui.screens.alert_table import AlertTableScreen

LINK = "https://am.example/#/alerts?silenced=false&filter=" + quote('{alertname="CheckoutErrorRate"}')
FINGERPRINT = f"{scene_alerts.hash_of('CheckoutErrorRate'):016x}"
WANTED = ("CheckoutErrorRate", "SUSPECT", "BECAUSE", "PODS", "in trouble")


def with_alerts() -> dict[str, object]:
    feed = scene.live(ManualClock(scene.NOW))
    scene_alerts.add(feed)
    return {"live": feed, "console": {"alert_servers": lambda: scene_alerts.SOURCES}}


async def paste(deck: Deck, text: str) -> None:
    """Paste a text into the palette, as a terminal hands it over, and press enter."""
    from textual import events

    await deck.press("colon")
    deck.app.post_message(events.Paste(text))
    await deck.settle()
    await deck.press("enter")


@pytest.mark.parametrize("text", ["CheckoutErrorRate", LINK, FINGERPRINT, f"{LINK}\n"])
async def test_what_is_pasted_after_the_colon_lands_on_the_alert(open_deck: Open, text: str) -> None:
    async with open_deck(**with_alerts()) as deck:
        await paste(deck, text)
        assert deck.app.front is not None
        assert deck.app.front.place == "alert"
        for words in WANTED:
            assert words in deck.text
        await deck.press("escape")
        assert deck.app.front.place == "deck"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_links_are_a_key_away(
    open_deck: Open, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    async with open_deck(size, **with_alerts()) as deck:
        monkeypatch.setattr(deck.app, "copy", copied.append)
        deck.app.open_what(LINK)
        await deck.settle()
        assert "CheckoutErrorRate" in deck.text
        assert "CheckoutErrorRate on payments/checkout" not in deck.footer
        await deck.press("r", "b")
    assert copied == [scene_alerts.RUNBOOK, scene_alerts.DASHBOARD]


@pytest.mark.parametrize("text", ["payments/deploy/checkout", "payments/checkout"])
async def test_a_workload_lands_on_its_explanation(open_deck: Open, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    async with open_deck(**with_alerts()) as deck:
        deck.app.open_what(text)
        await deck.settle()
        assert deck.app.front is not None
        assert deck.app.front.place == "workload"
        for words in ("payments/checkout", "BECAUSE", "SUSPECT", "ALERT", "CheckoutErrorRate"):
            assert words in deck.text
        monkeypatch.setattr(deck.app, "copy", copied.append)
        await deck.press("r", "b")
        assert copied == [scene_alerts.RUNBOOK, scene_alerts.DASHBOARD]


@pytest.mark.parametrize(("size", "more"), [((200, 60), ()), ((80, 24), ("shift+tab",))])
async def test_a_workload_s_explanation_has_the_end_of_its_log(
    open_deck: Open, size: tuple[int, int], more: tuple[str, ...]
) -> None:
    async with open_deck(size, **with_alerts()) as deck:
        deck.app.open_what("shop/deploy/cart")
        await deck.settle()
        await deck.press(*more)
        await deck.settle()
        assert "LAST LOG" in deck.text
        assert "cart" in deck.text.split("LAST LOG")[1].splitlines()[0]
        for words in ("INFO  cart 2.0.1 starting", "WARN  migrations are pending: 0042_vat", "line 88, in total"):
            assert words in deck.text


async def test_of_several_the_worst_is_opened_and_that_is_said(open_deck: Open) -> None:
    async with open_deck(**with_alerts()) as deck:
        deck.app.open_what('{namespace="payments"}')
        await deck.settle()
        assert "CheckoutErrorRate" in deck.text
        assert "the worst of 3 alerts that fit; :alerts lists them" in deck.footer


async def test_a_silence_s_link_opens_the_silences(open_deck: Open) -> None:
    async with open_deck(**with_alerts()) as deck:
        deck.app.open_what("https://am.example/#/silences/6d9e1b0c-1f5e-4d07-9f6e-7c4a2b1e0d3f")
        await deck.tick(2)
        assert "no Alertmanager shows that silence" in deck.footer
        known = "6d9e1b0c-1f5e-4d07-9f6e-7c4a2b1e0d3f"
        rows = scene_alerts.silences()
        deck.live.apply("scene", Delta("silences", {known: structs.replace(rows["sil-2"], id=known)}, ()))
        deck.live.publish()
        deck.app.open_what(f"https://am.example/#/silences/{known}")
        await deck.settle()
        front = deck.app.front
        assert isinstance(front, AlertTableScreen)
        target = front.target()
        assert target is not None
        assert target[1].id == known
        assert 'namespace="media": hides 0 alerts, ends in 9m' in " ".join(deck.text.split())
        assert "by dana: load test" in " ".join(deck.text.split())


async def test_a_pager_s_number_that_nothing_names_leads_to_all_that_fires(open_deck: Open) -> None:
    async with open_deck(**with_alerts()) as deck:
        deck.app.open_what("https://acme.pagerduty.com/incidents/Q1ABCDEF23")
        await deck.tick(2)
        await deck.tick(2)
        assert isinstance(deck.app.front, AlertTableScreen)
        assert "CheckoutErrorRate" in deck.text
        assert "Q1ABCDEF23 is named by no alert, and PagerDuty is not asked" in deck.text


async def test_what_is_not_known_gets_a_sentence_with_what_comes_near(open_deck: Open) -> None:
    async with open_deck(**with_alerts()) as deck:
        deck.app.open_what("{alertname=CheckoutErrorRat}")
        await deck.tick(0.5)
        assert "looking for CheckoutErrorRat" in deck.footer
        await deck.tick(1)
        assert "No alert is called CheckoutErrorRat" in deck.text
        deck.app.open_what("CheckoutErrorRat")
        await deck.tick(2)
        assert "near: CheckoutErrorRate" in deck.text
        await deck.tick(10)
        assert "near: CheckoutErrorRate" in deck.text
        await paste(deck, "CheckoutErrorRat")
        assert "near: CheckoutErrorRate" in deck.text


async def test_a_kind_that_the_server_has_not_is_said_for_long_and_asked_for_anew(
    open_deck: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_deck(**with_alerts()) as deck:
        await paste(deck, "analysisruns")
        await deck.settle()
        assert "The server knows no kind analysisruns" in deck.footer
        await deck.tick(10)
        assert "The server knows no kind analysisruns" in deck.footer
        resource = Resource("argoproj.io", "v1alpha1", "analysisruns", "AnalysisRun")

        async def installed(_: object) -> Sequence[ApiResource]:
            return [ApiResource(resource, "analysisrun", ("ar",), ("get", "list", "watch"))]

        monkeypatch.setattr(SceneSession, "resources", installed)
        await paste(deck, "analysisruns")
        await deck.settle()
        assert "knows no kind" not in deck.footer
        assert "AnalysisRun" in deck.text


async def test_what_can_be_nothing_is_refused_at_once(open_deck: Open) -> None:
    async with open_deck(**with_alerts()) as deck:
        deck.app.open_what("https://am.example/")
        await deck.settle()
        assert "no filter, no expression" in deck.text


async def test_it_waits_until_the_alert_has_come(open_deck: Open) -> None:
    async with open_deck(console={"alert_servers": lambda: scene_alerts.SOURCES}) as deck:
        deck.app.open_what("CheckoutErrorRate")
        for _ in range(5):
            await deck.tick(2)
            assert "looking for CheckoutErrorRate; am-1, am-2, main: was not asked yet" in deck.footer
        scene_alerts.add(deck.live)
        await deck.settle()
        assert deck.app.front is not None
        assert deck.app.front.place == "alert"
        assert "looking" not in deck.footer


async def test_a_server_that_does_not_answer_is_named_after_a_while(open_deck: Open) -> None:
    async with open_deck(console={"alert_servers": lambda: scene_alerts.SOURCES}) as deck:
        deck.app.open_what("FrobnicatorDown")
        for name in scene_alerts.SOURCES[:2]:
            deck.live.status(SourceStatus(name, SourceState.LIVE, scene.NOW, scene.NOW, scene.NOW))
        deck.live.status(SourceStatus("prometheus/main", SourceState.LOADING, since=scene.NOW))
        for _ in range(7):
            await deck.tick(2)
        assert "looking for FrobnicatorDown; main: has not answered yet" in deck.footer
        await deck.tick(2)
        assert "No alert is called FrobnicatorDown" in deck.text
        assert "not known, since main: has not answered yet" in " ".join(deck.text.split())
        assert deck.app.sought is None


async def test_changes_that_come_while_the_explanation_is_laid_out_are_no_fault(open_deck: Open) -> None:
    async with open_deck(**with_alerts()) as deck:
        deck.app.open_what("payments/deploy/checkout")
        front = deck.app.front
        changes = deck.live.changes(-1)
        assert front is not None
        assert changes is not None
        front.take(changes)
        await deck.settle()
        assert "BECAUSE" in deck.text


async def test_an_alert_that_ended_before_anybody_looked_lands_on_its_screen(open_deck: Open) -> None:
    async with open_deck(**with_alerts()) as deck:
        gone = structs.replace(
            next(iter(scene_alerts.alerts().values())), name="GoneErrorRate", fingerprint="00000000deadbeef"
        )
        ended = structs.replace(gone, state=AlertState.ENDED, ended_at=scene.NOW - 60)
        deck.live.happened([began_event(gone, scene.NOW), ended_event(ended, scene.NOW)])
        deck.live.publish()
        deck.app.open_what("00000000deadbeef")
        await deck.tick(2)
        await deck.tick(2)
        assert "GoneErrorRate" in deck.text
        assert "no longer shown by any server" in deck.text
        assert "BECAUSE" in deck.text
        assert "ended 1m ago, began 03:03:07" in deck.text
        assert scene_alerts.RUNBOOK in deck.text
        assert "it is over: :timeline says when it fired" in deck.footer
