"""Words of the screen, as tables: times, tags, freshness, header, counts, where a typed text leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screenshots import scene
from services.model.cluster import Symptom
from services.model.severity import Severity
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.model.timeline import EventKind
from services.model.workload import Rollout
from services.ports import Snapshot
from tui.console import Scope
from tui.glyphs import ASCII
from tui.presenters import rollouts
from tui.presenters.deck import present_strip, present_timeline, present_too_small
from tui.presenters.detail import present_ready
from tui.presenters.freshness import (
    WATCHED_FOR,
    Freshness,
    Reading,
    narrowness,
    present_liveness,
    present_state,
    read,
    still_well,
    worst,
)
from tui.presenters.goto import Going, read_going
from tui.presenters.header import Situation, present_header
from tui.presenters.lens import Lens, age, clock, countdown, moment, plural, tag
from tui.presenters.logs import level_of
from tui.presenters.summary import ROLLOUT_SOURCES, Summary, overall, sum_up
from widgets.viewmodels import Line, Tone

NOW = scene.NOW
LENS = Lens(NOW)


def words(line: Line) -> str:
    return "".join(span.text for span in line)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h00m"), (3 * 3600 + 300, "3h05m"),
        (8 * 3600 - 1, "7h59m"), (8 * 3600, "8h"), (47 * 3600, "47h"), (48 * 3600, "2d"), (76 * 3600, "3d4h"),
        (8 * 86400, "8d"), (729 * 86400, "729d"), (730 * 86400, "2y"),
    ],
)  # fmt: skip
def test_age(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


@given(st.floats(min_value=0, max_value=3e9))
def test_an_age_is_short(seconds: float) -> None:
    assert 2 <= len(age(seconds)) <= 5


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0s"),
        (9.9, "9s"),
        (59, "59s"),
        (60, "1m00s"),
        (179, "2m50s"),
        (599, "9m50s"),
        (600, "10m"),
        (3700, "1h01m"),
    ],
)
def test_countdown(seconds: float, shown: str) -> None:
    assert countdown(seconds) == shown


@given(st.floats(min_value=60, max_value=599))
def test_a_countdown_above_a_minute_moves_every_ten_seconds(seconds: float) -> None:
    assert countdown(seconds) == countdown(seconds // 10 * 10)


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("registry:5000/shop/cart:v2.0.1", "v2.0.1"),
        ("cart", "latest"),
        ("registry:5000/shop/cart", "latest"),
        ("shop/cart:v2@sha256:0123456789abcdef", "v2"),
        ("shop/cart@sha256:0123456789abcdef", "0123456789ab"),
        ("", "latest"),
    ],
)
def test_tag(image: str, shown: str) -> None:
    assert tag(image) == shown


def test_times_and_counts_in_words() -> None:
    assert (clock(NOW), clock(NOW, seconds=True)) == ("03:14", "03:14:07")
    assert moment(NOW - 15, NOW) == "03:13:52"
    assert moment(NOW - 86400, NOW) == "2026-10-30 03:14"
    assert moment(0, NOW) == ""
    assert [plural(count, "pod") for count in (0, 1, 2, 1234)] == ["0 pods", "1 pod", "2 pods", "1,234 pods"]


@pytest.mark.parametrize(
    ("line", "tone"),
    [
        ("ERROR no such column", Tone.CRIT),
        ("panic: runtime error", Tone.CRIT),
        ("E1031 03:14:07.1 controller.go:1] lost", Tone.CRIT),
        ('{"level":"error","msg":"x"}', Tone.CRIT),
        ("2026-10-31T03:14:07Z WARN slow", Tone.WARN),
        ('level=warning msg="x"', Tone.WARN),
        ("[DEBUG] x", Tone.MUTED),
        ("INFO no error today", Tone.PLAIN),
        ("0 errors, 0 warnings", Tone.PLAIN),
        ("tracer started, informed", Tone.PLAIN),
        ("x" * 200 + " ERROR", Tone.PLAIN),
        ("", Tone.PLAIN),
    ],
)
def test_level_of(line: str, tone: Tone) -> None:
    assert level_of(line) is tone


def status(state: SourceState, ok: float = 0, byte: float = 0, since: float = 0, error: str = "") -> SourceStatus:
    return SourceStatus(CONNECTION, state, ok and NOW - ok, byte and NOW - byte, since and NOW - since, error)


@pytest.mark.parametrize(
    ("given", "freshness", "header", "pane"),
    [
        (None, Freshness.NEVER, "connecting", "waiting"),
        (status(SourceState.NOT_CONFIGURED), Freshness.NOT_CONFIGURED, "connecting", "not configured"),
        (status(SourceState.LIVE, 1, 1), Freshness.FRESH, "live", ""),
        (status(SourceState.LIVE, 9, 9), Freshness.FRESH, "live 9s", ""),
        (status(SourceState.LIVE, 60, 40), Freshness.STALE, "STALE 40s", "stale 40s"),
        (status(SourceState.LOADING), Freshness.LOADING, "connecting", "loading"),
        (
            status(SourceState.LOADING, 120, 120), Freshness.LOADING, "connecting, data as of 03:12:07",
            "as of 03:12:07",
        ),
        (
            status(SourceState.FAILED, 17, 17, 15, "gone"), Freshness.FAILED, "NOT LIVE since 03:13:52 (15s)",
            "as of 03:13:50",
        ),
        (status(SourceState.FORBIDDEN), Freshness.FAILED, "NOT LIVE", "failed"),
    ],
)  # fmt: skip
def test_freshness(given: SourceStatus | None, freshness: Freshness, header: str, pane: str) -> None:
    reading = read(given, NOW)
    assert reading.freshness is freshness
    assert words(present_liveness(reading, LENS)) == header
    assert words(present_state(reading, LENS)) == pane
    assert reading.trusted is (freshness is Freshness.FRESH)


@pytest.mark.parametrize(("silent", "freshness"), [(60, Freshness.FRESH), (101, Freshness.STALE)])
def test_the_watch_of_a_quiet_kind_is_not_stale_between_two_bookmarks(silent: float, freshness: Freshness) -> None:
    assert read(status(SourceState.LIVE, silent, silent), NOW, WATCHED_FOR).freshness is freshness


def test_the_least_believable_reading_wins() -> None:
    order = ("fresh", "not configured", "stale", "loading", "never", "failed")
    readings = [Reading(Freshness(name)) for name in order]
    for index, reading in enumerate(readings):
        assert worst(readings[: index + 1]) == reading
    assert worst([]).freshness is Freshness.NEVER


def test_narrow_rights_in_words() -> None:
    def one(table: str, state: SourceState = SourceState.FORBIDDEN, scope: str = "") -> SourceStatus:
        return SourceStatus(f"kubernetes/{table}", state, scope=scope)

    live = one("pods", SourceState.LIVE, "4 namespaces")
    assert narrowness([]) == ""
    assert narrowness([live, one("nodes")]) == "4 namespaces; nodes forbidden"
    assert narrowness([one("usage.pods")]) == ""
    assert narrowness([live], ("a", "b", "c", "d")) == "", "what was chosen is said already"
    four = [one(table) for table in ("nodes", "jobs.batch", "events", "cronjobs.batch")]
    assert narrowness(four) == "cronjobs, events, jobs and more forbidden"


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        (SourceState.LIVE, "▲2 CRIT ◆0 +3 CRIT outside"),
        (SourceState.FAILED, "▲? ◆?"),
        (SourceState.LOADING, "▲? ◆?"),
    ],
)
def test_the_header_counts_only_what_is_known(state: SourceState, counts: str) -> None:
    situation = Situation(
        "prod-eu-1", "prod", read(status(state, 1, 1, 5), NOW), {Severity.CRIT: 2}, {Severity.CRIT: 3},
        scope="ns shop", frozen_since=NOW - 60, actor="duty1", untold=2,
    )  # fmt: skip
    header = present_header(situation, LENS)
    left = [words(line) for line in header.left]
    assert left[0] == "◉ prod-eu-1  PROD "
    assert left[2] == counts
    assert left[3:] == ["2 not told :outbox", "ns shop", "FROZEN 1m"]
    assert [words(line) for line in header.right] == ["duty1", "RO", "Sat 03:14:07Z"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"what": "quota: cpu exceeded"}, "quota: cpu exceeded"),
        ({"what": "", "done": True}, ""),
        ({"what": "", "done": False, "status": "Waiting..."}, "Waiting..."),
        ({"what": "CrashLoop", "flapping": True}, "CrashLoop; flapping"),
        ({"what": "", "done": True, "flapping": True}, "flapping"),
    ],
)
def test_what_stands_on_a_row(given: dict[str, object], shown: str) -> None:
    row: Rollout = msgspec.structs.replace(scene.rollout("shop", "cart", 3, 3), **given)
    assert rollouts.what(row) == shown


def test_what_a_rollout_has_left_and_what_changed() -> None:
    row = scene.workloads()["Deployment/payments/checkout"]
    assert rollouts.change(row, LENS) == "rev 42 ← 41  v1.8.2 → v1.8.3"
    shown = rollouts.present_pane_row("k", row, LENS)
    assert words(shown.details[0]) == "rev 42 ← 41  v1.8.2 → v1.8.3  deadline in 2m50s"
    assert len(shown.details) == rollouts.detail_lines(row) == 2
    assert len(shown.cells) == len(rollouts.PANE_COLUMNS)
    late = rollouts.present_pane_row("k", row, Lens(NOW + 200))
    assert "deadline" not in words(late.details[0])
    assert all(
        span.text.isascii() for line in rollouts.present_pane_row("k", row, Lens(NOW, ASCII)).details for span in line
    )


@pytest.mark.parametrize(
    ("ready", "severity", "shown"),
    [
        (0, Severity.CRIT, "0 of 3 ready for 6m"),
        (3, Severity.CRIT, "3 of 3 ready, like this for 6m"),
        (3, Severity.OK, "3 of 3 ready"),
    ],
)
def test_what_has_been_so_for_how_long(ready: int, severity: Severity, shown: str) -> None:
    row = msgspec.structs.replace(scene.rollout("shop", "cart", ready, 3), severity=severity, since=NOW - 360)
    assert present_ready(row, LENS) == shown


@given(st.floats(0, 1e9))
def test_the_age_fits_into_the_pane_whole(seconds: float) -> None:
    row = msgspec.structs.replace(scene.rollout("shop", "cart", 0, 3), severity=Severity.CRIT, since=NOW - seconds)
    column = next(at for at, one in enumerate(rollouts.PANE_COLUMNS) if one.key == "age")
    shown = rollouts.present_pane_row("k", row, LENS).cells[column].text
    assert len(shown) <= rollouts.PANE_COLUMNS[column].width
    assert age(seconds).startswith(shown)


def test_recovered_rows_are_seen_for_five_minutes() -> None:
    row = scene.workloads()["Deployment/identity/login"]
    assert rollouts.recovering(row, LENS)
    assert rollouts.present_row("k", row, LENS).dimmed
    assert not rollouts.recovering(row, Lens(NOW + 300))
    assert rollouts.recovering(row, Lens(NOW + 300, recovered_for=3600))
    assert not rollouts.recovering(row, Lens(NOW, recovered_for=0))


def snapshot(state: SourceState = SourceState.LIVE, **tables: Mapping[str, Any]) -> Snapshot:
    sources = {name: SourceStatus(name, state, NOW, NOW, NOW - 60) for name in (CONNECTION, *ROLLOUT_SOURCES)}
    return Snapshot(1, {"rollouts": scene.workloads(), "symptoms": scene.symptoms(), **tables}, sources)


def test_the_summary_counts_workloads_and_symptoms() -> None:
    whole = sum_up(snapshot(), NOW)
    assert (whole.counts[Severity.CRIT], whole.counts[Severity.WARN]) == (3, 2)
    assert (whole.workloads, whole.rollouts[Severity.OK], whole.hidden) == (214, 211, {})
    assert not whole.all_clear
    shop = sum_up(snapshot(), NOW, Scope("c", "c", namespaces=("shop",)).test)
    assert shop.hidden[Severity.CRIT] == 1
    assert shop.counts[Severity.CRIT] == 2


@pytest.mark.parametrize(
    ("found_in", "inside"), [((), True), (("shop",), True), (("data", "shop"), True), (("data", "payments"), False)]
)
def test_a_symptom_counts_where_it_was_found_and_one_of_the_cluster_everywhere(
    found_in: tuple[str, ...], inside: bool
) -> None:
    pods = Symptom("pods", Severity.WARN, "2 pods without an image", namespaces=found_in)
    known = sum_up(snapshot(rollouts={}, symptoms={"pods": pods}), NOW, Scope("c", "c", namespaces=("shop",)).test)
    assert (known.counts, known.hidden) == (({Severity.WARN: 1}, {}) if inside else ({}, {Severity.WARN: 1}))
    assert known.symptoms == ((pods,) if inside else ())


@pytest.mark.parametrize("state", list(SourceState))
def test_all_clear_is_said_on_fresh_data_only(state: SourceState) -> None:
    quiet = snapshot(state, rollouts={}, symptoms={})
    assert sum_up(quiet, NOW).all_clear is (state is SourceState.LIVE)
    assert not sum_up(quiet, NOW + 60).all_clear


def test_a_forbidden_kind_is_left_out_and_all_of_them_are_nothing_known() -> None:
    picture = snapshot()
    one = {**picture.sources, ROLLOUT_SOURCES[0]: SourceStatus(ROLLOUT_SOURCES[0], SourceState.FORBIDDEN)}
    assert overall(Snapshot(1, picture.tables, one), NOW).trusted
    none = {**picture.sources, **{name: SourceStatus(name, SourceState.FORBIDDEN) for name in ROLLOUT_SOURCES}}
    assert not overall(Snapshot(1, picture.tables, none), NOW).trusted


@pytest.mark.parametrize(
    ("typed", "going"),
    [
        ("", Going()),
        ("pods", Going("pods", said="pods")),
        (":PO shop", Going("po", "shop")),
        ("po all", Going("po", "")),
        ("ingress shop /crash loop", Going("ingress", "shop", filter="crash loop")),
        ("pods app=cart", Going("pods", filter="app=cart", said="pods")),
        ("pods app=cart /crash", Going("pods", filter="app=cart crash")),
        ("pods @staging", Going("pods", context="staging", said="pods")),
        ("ns shop", Going(namespace="shop")),
        ("ns all", Going(namespace="")),
        ("ns", Going("ns", said="ns")),
        ("ctx staging", Going(context="staging")),
        ("ctx", Going(command="contexts")),
        ("q!", Going(command="quit")),
        ("help", Going(command="help")),
        ("/crash", Going(filter="crash")),
        ("scope shop,payments data team=a tier!=b", Going(scope=(("shop", "payments", "data"), "team=a,tier!=b"))),
        (":scope app.kubernetes.io/name=a", Going(scope=((), "app.kubernetes.io/name=a"))),
        ("scope all", Going(scope=((), ""))),
        ("scope saved", Going(command="saved_scope")),
        ("scope", Going(command="scope")),
    ],
)
def test_read_going(typed: str, going: Going) -> None:
    assert read_going(typed) == going


@given(st.text())
def test_any_text_leads_somewhere(typed: str) -> None:
    read_going(typed)


def test_the_strip_and_the_counts_of_a_small_screen() -> None:
    known = sum_up(snapshot(), NOW)
    unknown = Summary(read(None, NOW), symptoms=known.symptoms)
    assert [words(pane) for pane in present_strip(known, "2", LENS).panes][:2] == ["1 Rollouts 2▲ 1◆", "2 Alerts 2"]
    assert present_strip(known, "2", LENS).active == 1
    assert [words(pane) for pane in present_strip(unknown, "1", LENS).panes][:2] == ["1 Rollouts ?", "2 Alerts ?"]
    assert words(present_too_small(known, LENS).panes[0]) == "▲3 ◆2  wants 60x15"
    assert words(present_too_small(unknown, LENS).panes[0]).startswith("▲? ◆?")


def test_an_empty_timeline_says_what_it_means() -> None:
    assert "nothing has happened" in words(present_timeline((), LENS).left[0])
    assert "no happenings are known" in words(present_timeline((), LENS, known=False).left[0])
    event = scene.events()[0]
    assert event.kind is EventKind.ROLLOUT
    assert words(present_timeline((event,), LENS).left[0]) == "03:00 ↻ payments/checkout rev 42  v1.8.2→v1.8.3"


@pytest.mark.parametrize(
    ("before", "after", "well"),
    [
        (SourceStatus("x", SourceState.LIVE, 1, 1, 1), SourceStatus("x", SourceState.LIVE, 6, 6, 1), True),
        (SourceStatus("x", SourceState.LIVE, 1, 1, 1), SourceStatus("x", SourceState.LIVE, 1, 31, 1), False),
        (SourceStatus("x", SourceState.LIVE, 1, 1, 1), SourceStatus("x", SourceState.LIVE, 6, 6, 1, "refused"), False),
        (SourceStatus("x", SourceState.LIVE, 1, 1, 1), SourceStatus("x", SourceState.FAILED, 1, 1, 6), False),
        (SourceStatus("x", SourceState.FAILED, 1, 1, 1), SourceStatus("x", SourceState.FAILED, 1, 1, 1), False),
        (SourceStatus("x", SourceState.LIVE, 1, 1, 1, loaded=1), SourceStatus("x", SourceState.LIVE, 2, 2, 1), False),
        (None, SourceStatus("x", SourceState.LIVE, 1, 1, 1), False),
    ],
)
def test_a_sign_of_life_of_a_source_that_is_well_is_no_news(
    before: SourceStatus | None, after: SourceStatus, well: bool
) -> None:
    assert still_well(before, after) is well
