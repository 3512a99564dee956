"""The timeline joins live events with recorded ones, draws what nobody watched, and leads to what an event is about."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from cache.state.history import HistoryReader
from cache.state.past import Past
from cache.state.store import StateStore
from cache.state.writer import Pace
from screenshots import scene
from screenshots.scene import NOW
from services.clock import ManualClock
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind, event_id
from services.ports import Delta
from tests.flows.conftest import Deck, Open
from tui.console import Scope
from tui.presenters.timeline import Moment
from tui.screens.timeline import TimelineScreen
from tui.screens.workload import WorkloadScreen

ME = "the-cluster-and-me"
DAY = 86400.0


def happened(ago: float, kind: EventKind, name: str, text: str, **more: str) -> Event:
    severity = Severity.CRIT if kind is EventKind.ALERT else Severity.NOTICE
    ref = Ref("c", "", "Alert" if kind is EventKind.ALERT else "ConfigMap", "shop", name, f"uid-{name}")
    return Event(
        event_id("c", "test", name, kind, f"{ago}"), NOW - ago, NOW - ago + 1, kind, ref, text, severity, dict(more)
    )


def recorded(folder: Path, *events: Event, spans: tuple[tuple[float, float], ...] = ()) -> Past:
    store = StateStore(folder, ManualClock(NOW), Pace(tick=0.0, election=0.01))
    store.start()
    store.attend(ME)
    store.record(ME, events)
    for began, ended in spans:
        store.watched(ME, NOW - began, NOW - ended)
    assert store.flush()
    assert store.close()
    return Past(HistoryReader(folder), lambda: ME)


async def shown(deck: Deck, past: Past | None = None) -> TimelineScreen:
    deck.app.console_state.past = (lambda: past) if past is not None else None
    await deck.press("t")
    await read(deck)
    screen = deck.app.screen
    assert isinstance(screen, TimelineScreen)
    return screen


async def read(deck: Deck) -> None:
    await deck.app.workers.wait_for_complete()
    await deck.settle()


def lines(screen: TimelineScreen) -> list[Moment]:
    return [screen.driver.object(key) for key in screen.driver.ordering.order]


def strip(deck: Deck) -> str:
    """Return the line of the latest happenings."""
    return "".join(segment.text for segment in deck.app.screen.query_one("#timeline").render_line(0)).strip()


def texts(screen: TimelineScreen) -> list[str]:
    return [
        one.event.text if one.event is not None else "gap" if one.gap is not None else "day" for one in lines(screen)
    ]


async def test_what_was_recorded_stands_in_order_with_what_is_live(open_deck: Open, tmp_path: Path) -> None:
    past = recorded(
        tmp_path,
        happened(500, EventKind.CONFIG, "cart-settings", "changed: tax", actor="kubectl"),
        happened(2 * DAY, EventKind.CONFIG, "cart-settings", "changed: vat"),
        *scene.events(),
        spans=((3 * DAY, 4000), (2000, 0)),
    )
    async with open_deck() as one:
        screen = await shown(one, past)
        assert texts(screen) == [
            "rev 9  v0.9.1→v0.9.2",
            "recovered",
            "CrashLoop exit 1",
            "changed: tax",
            "rev 42  v1.8.2→v1.8.3",
            "rev 17  v2.0.0→v2.0.1",
            "gap",
            "day",
            "changed: vat",
        ]
        assert "nobody watched" in one.text
        assert "for 33m" in one.text
        assert "kubectl" in one.text


async def test_without_history_the_live_events_stand_alone(open_deck: Open) -> None:
    async with open_deck() as one:
        screen = await shown(one)
        assert len(texts(screen)) == 5
        one.live.happened([happened(1, EventKind.SCALE, "x", "scaled to 9", before="3")])
        one.live.publish()
        await one.settle()
        assert "scaled to 9 (was 3)" in one.text


async def test_a_filter_finds_what_was_recorded_long_ago(open_deck: Open, tmp_path: Path) -> None:
    many = [happened(3000 + 10 * number, EventKind.SCALE, f"n{number}", f"scaled to {number}") for number in range(900)]
    rare = happened(20 * DAY, EventKind.CONFIG, "needle", "changed: thread")
    past = recorded(tmp_path, *many, rare)
    async with open_deck() as one:
        screen = await shown(one, past)
        assert "changed: thread" not in texts(screen)
        await one.press("slash", *"needle", "enter")
        await read(one)
        assert [text for text in texts(screen) if text not in ("day", "gap")] == ["changed: thread"]
        await one.press("escape")
        await one.tick(11)
        assert len(screen.driver.ordering.order) == len(screen.driver.rows) > 300, "esc brings all back"
        await read(one)
        await one.press("slash", *"kind:config", "enter")
        await read(one)
        assert "changed: thread" in texts(screen)
        assert not [text for text in texts(screen) if text.startswith("scaled")]


async def test_the_end_of_the_list_brings_the_next_page(open_deck: Open, tmp_path: Path) -> None:
    many = [happened(3000 + 10 * number, EventKind.SCALE, f"n{number}", f"scaled to {number}") for number in range(900)]
    async with open_deck() as one:
        screen = await shown(one, recorded(tmp_path, *many))
        for _ in range(4):
            await one.press("G")
            await read(one)
        assert len([text for text in texts(screen) if text.startswith("scaled")]) == 900


async def test_enter_opens_what_it_is_about(open_deck: Open) -> None:
    async with open_deck() as one:
        screen = await shown(one)
        await one.press("enter")
        opened = one.app.screen
        assert isinstance(opened, WorkloadScreen)
        assert opened.ref.name == "search"
        await one.press("escape")
        assert one.app.screen is screen


async def test_a_day_and_a_gap_are_nothing_to_open(open_deck: Open, tmp_path: Path) -> None:
    past = recorded(tmp_path, spans=((4000, 3000), (2990, 0)))
    async with open_deck() as one:
        screen = await shown(one, past)
        await one.press("G")
        assert lines(screen)[-1].gap is not None
        assert screen.target() is None
        await one.press("enter", "d")
        assert one.app.screen is screen


async def test_an_old_alert_leads_to_the_alerts_or_says_why_not(open_deck: Open) -> None:
    async with open_deck() as one:
        one.live.happened([happened(1, EventKind.ALERT, "CartDown", "CartDown firing", alert="k", what="began")])
        one.live.publish()
        await shown(one)
        await one.press("enter")
        assert not isinstance(one.app.screen, WorkloadScreen)


async def test_history_that_cannot_be_read_is_said(open_deck: Open, tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"nothing of the kind")
    async with open_deck() as one:
        screen = await shown(one, Past(HistoryReader(tmp_path), lambda: ME))
        assert len(texts(screen)) == 5
        assert "history cannot be read" in one.text


async def test_the_scope_holds_for_the_timeline_too(open_deck: Open) -> None:
    async with open_deck() as one:
        screen = await shown(one)
        one.app.enter_namespace("payments")
        await one.settle()
        assert texts(screen) == ["rev 42  v1.8.2→v1.8.3"]
        assert f"Timeline ─ 1  {len(scene.events()) - 1} outside the scope" in one.text


async def test_the_strip_shows_what_lies_in_the_scope_and_counts_the_rest(open_deck: Open) -> None:
    async with open_deck((200, 60)) as one:
        assert "shop/cart" in strip(one)
        one.app.enter_namespace("payments")
        await one.settle()
        assert "shop/cart" not in strip(one)
        assert f"+{len(scene.events()) - 1} outside" in strip(one)
        assert "payments/checkout rev 42" in strip(one)
        one.app.enter_namespace("nowhere")
        await one.settle()
        assert f"+{len(scene.events())} outside    nothing has happened in the scope" in strip(one)


async def test_labels_narrow_what_happened_by_the_workload_it_is_about(open_deck: Open) -> None:
    live = scene.live(ManualClock(NOW))
    row = live.publish().tables["rollouts"]["Deployment/payments/checkout"]
    workload = structs.replace(row.workload, labels=("team=payments",))
    live.apply("k", Delta("rollouts", {"Deployment/payments/checkout": structs.replace(row, workload=workload)}))
    scope = Scope("prod-eu-1", "prod-eu-1", "PROD", labels="team=payments")
    async with open_deck((200, 60), live=live, console={"scope": scope}) as one:
        assert "payments/checkout rev 42" in strip(one)
        assert "shop/cart" not in strip(one)
        screen = await shown(one)
        assert texts(screen) == ["rev 42  v1.8.2→v1.8.3"]


async def test_the_place_is_come_back_to(open_deck: Open) -> None:
    async with open_deck() as one:
        screen = await shown(one)
        await one.press("slash", *"cart", "enter")
        place = screen.where()
        assert (place.view, place.filter) == ("timeline", "cart")
        await one.press("N")
        assert texts(screen)[0] == "CrashLoop exit 1"
        one.app.go_home()
        one.app.go_to(place)
        await one.settle()
        assert isinstance(one.app.screen, TimelineScreen)
        assert "/cart" in one.text
