"""Alerts without a screen: what a line says, what ended while nobody looked, and what "all clear" may stand on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from screenshots import scene, scene_alerts
from services.alerts.happenings import began_event, ended_event
from services.clock import ManualClock
from services.model.alert import Alert, AlertPeer, AlertState, Entity
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event
from services.model.workload import ContainerState, Pod
from services.ports import Snapshot
from services.sanitize import safe_text
from tui.commands.known import OLDEST, _remembered
from tui.commands.report import exit_code, verdict
from tui.presenters.alert_detail import _pod_lines
from tui.presenters.alert_lines import alert_facts, alert_line, counted, evidence_facts, firing_of, in_namespace
from tui.presenters.alert_past import past_alerts
from tui.presenters.alert_peers import present_row
from tui.presenters.alert_sources import (
    YOUNG,
    AlertCounts,
    Evidence,
    clear_words,
    count_alerts,
    evidence_of,
    present_evidence,
    silent_words,
    why_silent,
)
from tui.presenters.freshness import Freshness, Reading
from tui.presenters.lens import Lens
from tui.presenters.summary import Summary, sum_up

NOW = scene.NOW
LENS = Lens(NOW)
ALERTS = {alert.name: alert for alert in scene_alerts.alerts().values()}
SILENCES = scene_alerts.silences()


def alert(name: str, **changes: Any) -> Alert:
    return structs.replace(ALERTS[name], **changes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CheckoutErrorRate", ["CRIT  firing", "payments/checkout", "12.4 % > 5 %", "11m", "requests to payments"]),
        ("DiskFull", ["-     silenced", "node-004", "1h01m", "(ack ops 2h)"]),
        ("KubePodNotReady", ["-     inhibited", "media/billing-00"]),
        ("SearchSlow", ["-     pending", "shop/search", "30s"]),
        ("Watchdog", ["-     heartbeat", "9d"]),
        ("NodeMemoryPressure", ["WARN  firing", "~2m"]),
    ],
)
def test_a_line_says_what_it_does_where_and_since_when(name: str, words: list[str]) -> None:
    line = alert_line(ALERTS[name], SILENCES, LENS)
    assert "\n" not in line
    for word in words:
        assert word in line


def test_an_alert_that_is_over_says_how_long_it_lasted() -> None:
    over = alert("CartDown", state=AlertState.ENDED, onset=NOW - 3600, ended_at=NOW - 600)
    assert alert_line(over, {}, LENS).startswith("-     ended ")
    assert "10m ago  lasted 50m" in alert_line(over, {}, LENS)


def test_what_fires_is_listed_worst_first_without_what_is_kept_quiet() -> None:
    assert [one.name for one in firing_of(ALERTS.values())][:2] == ["CheckoutErrorRate", "CartDown"]
    assert {one.name for one in firing_of(ALERTS.values(), in_namespace("shop"))} == {"CartDown", "NodeMemoryPressure"}
    assert not {"DiskFull", "Watchdog", "SearchSlow"} & {one.name for one in firing_of(ALERTS.values())}


def test_counts_in_words() -> None:
    assert counted(count_alerts(ALERTS.values(), {})) == (
        "5 alerts fire: 2 CRIT, 3 WARN; 1 pending, 1 silenced, 1 inhibited"
    )
    assert counted(AlertCounts()) == "no alert fires"


def test_facts_are_plain_and_masked() -> None:
    secret = alert("CartDown", annotations=(("summary", "token=hunter2hunter2"),), value=float("inf"), ended_at=1e300)
    facts = alert_facts(secret, Lens(NOW, mask=lambda text: text.replace("hunter2hunter2", "…")))
    assert "hunter2" not in str(facts)
    assert facts["value"] is None
    assert facts["ended_at"] == ""
    assert facts["onset"].endswith("Z")


@given(st.text(max_size=60), st.text(max_size=60), st.floats())
def test_no_alert_breaks_a_line(name: str, value: str, number: float) -> None:
    entity, said = Entity(pod=value), (("summary", value),)
    odd = structs.replace(ALERTS["CartDown"], name=name, annotations=said, value=number, entity=entity)
    line = alert_line(odd, {}, LENS)
    assert safe_text(line, 5000) == line
    alert_facts(odd, LENS)


# What ended while nobody looked


def told(one: Alert, ended_at: float = 0.0) -> list[Event]:
    events = [began_event(one, NOW)]
    if ended_at:
        events.append(ended_event(structs.replace(one, state=AlertState.ENDED, ended_at=ended_at), NOW))
    return events


def past(events: list[Event], current: Mapping[str, Alert], since: float, known: bool = True) -> list[Alert]:
    return past_alerts(events, current, since, known=known)


def test_what_began_and_ended_is_told_once_from_the_timeline() -> None:
    over, other = alert("CartDown", onset=NOW - 7200.4), alert("CheckoutLatency", onset=NOW - 90_000)
    events = [*told(over, NOW - 3600), *told(over, NOW - 3600), *told(other, NOW - 7000)]
    found = past(events, {}, NOW - 7300)
    assert [(one.name, one.state, one.severity) for one in found] == [
        ("CartDown", AlertState.ENDED, Severity.CRIT),
        ("CheckoutLatency", AlertState.ENDED, Severity.WARN),
    ]
    assert found[0].entity.workload == "cart"
    assert found[0].onset == pytest.approx(NOW - 7200.4, abs=0.01)
    assert [one.name for one in past(events, {}, NOW - 3700)] == ["CartDown"]


def test_what_is_there_now_is_not_told_as_over() -> None:
    now = alert("CartDown")
    assert past(told(now), {now.key: now}, 0) == []
    before = structs.replace(now, onset=now.onset - 4000)
    assert len(past(told(before, now.onset - 3000), {now.key: now}, 0)) == 1


def test_an_end_that_nobody_saw_is_told_only_where_the_present_is_known() -> None:
    gone = alert("CartDown")
    (one,) = past(told(gone), {}, 0)
    assert (one.state, one.ended_at) == (AlertState.ENDED, 0.0)
    assert past(told(gone), {}, 0, known=False) == []


def test_an_event_of_a_strange_console_is_no_fault() -> None:
    odd = structs.replace(began_event(ALERTS["CartDown"], NOW), payload={"what": "began", "onset": "nan?"})
    assert [one.onset for one in past([odd], {}, 0)] == [0.0]


# What it stands on


def answered(**states: SourceState) -> dict[str, SourceStatus]:
    found = {}
    for name, state in states.items():
        source, why = f"alertmanager/{name}", "gone." if state is SourceState.FAILED else ""
        found[source] = SourceStatus(source, state, NOW, NOW, NOW, why)
    return found


def evidence(peers: dict[str, AlertPeer], sources: dict[str, SourceStatus], expected: tuple[str, ...] = ()) -> Evidence:
    return evidence_of(Snapshot(1, {"alert-peers": peers}, sources), NOW, expected)


def peer(name: str, started: float = NOW - 9e5, **more: Any) -> AlertPeer:
    return AlertPeer(name, "alertmanager", "http://x", state=more.pop("state", "ready"), started_at=started, **more)


LIVE, FAILED = SourceState.LIVE, SourceState.FAILED


@pytest.mark.parametrize(
    ("peers", "doubt", "short"),
    [
        ([peer("a")], "", ""),
        ([peer("a", NOW - YOUNG + 1)], "a started a moment ago", "just started"),
        ([peer("a", state="settling")], "a settles", "settling"),
        ([peer("a", NOW - 5), peer("b")], "", ""),
        (
            [peer("a", NOW - 5), peer("b", NOW - 6)],
            "a started a moment ago and b started a moment ago",
            "just started",
        ),
        (
            [peer("a", NOW - 5), peer("b", state="settling")],
            "a started a moment ago and b settles",
            "just started and settling",
        ),
        ([peer("a", 0.0)], "", ""),
    ],
)
def test_a_server_that_has_just_begun_is_no_proof(peers: list[AlertPeer], doubt: str, short: str) -> None:
    doubt, short = (words and f"{words}: alerts may be missing" for words in (doubt, short))
    found = evidence({one.name: one for one in peers}, answered(**{one.name: LIVE for one in peers}))
    assert found.doubt == doubt
    assert found.whole is not bool(doubt)
    assert silent_words(found, LENS) == doubt
    below = ["".join(span.text for span in line) for line in present_evidence(found, AlertCounts(), LENS)]
    assert (short in below) is bool(short)
    assert all(len(words) < 56 for words in below), "each stands whole in a pane of 120 columns"


def test_what_was_never_asked_counts_from_the_start() -> None:
    found = evidence({}, answered(a=LIVE), ("alertmanager/a", "prometheus/main"))
    assert (found.total, found.answering, found.waiting, found.whole) == (2, 1, 1, False)
    assert silent_words(found, LENS) == "main: was not asked yet"


def test_clear_words_say_who_sees_the_heartbeat() -> None:
    both = {"a": peer("a", heartbeats=("Watchdog",)), "b": peer("b")}
    assert "Watchdog seen by 1 of 2" in clear_words(evidence(both, answered(a=LIVE, b=LIVE)), LENS)
    both["b"] = peer("b", heartbeats=("Watchdog",))
    assert "Watchdog seen," not in clear_words(evidence(both, answered(a=LIVE, b=FAILED)), LENS)
    assert clear_words(evidence(both, answered(a=LIVE, b=LIVE)), LENS) == "2 of 2 peers answer, Watchdog seen"
    assert evidence_facts(evidence(both, answered(a=LIVE, b=FAILED)), LENS)["silent"] == {"b": "gone."}


def test_status_names_a_peer_that_is_dead() -> None:
    known = evidence({"a": peer("a", heartbeats=("Watchdog",)), "b": peer("b")}, answered(a=LIVE, b=FAILED))
    nothing = Summary(Reading(Freshness.FRESH), workloads=3, alerts=AlertCounts(), evidence=known)
    assert exit_code(nothing) == 2
    assert verdict(nothing, LENS) == (
        "could not tell: 0 CRIT, 0 WARN of 3 workloads; no alert fires; 1 of 2 peers answer (b: gone)"
    )
    firing = AlertCounts({AlertState.FIRING: 1}, {Severity.CRIT: 1}, {Severity.CRIT: 1})
    worse = structs.replace(nothing, alerts=firing)
    assert exit_code(worse) == 1
    assert verdict(worse, LENS).endswith("1 alert fires: 1 CRIT; 1 of 2 peers answer (b: gone)")
    assert exit_code(structs.replace(nothing, evidence=structs.replace(known, answering=2, silent=()))) == 0


def test_servers_that_fail_alike_are_said_together() -> None:
    found = evidence({}, answered(a=FAILED, b=FAILED))
    assert silent_words(found, LENS) == "a, b: gone"


FRESH, DOWN, NONE = (Reading(one) for one in (Freshness.FRESH, Freshness.FAILED, Freshness.NOT_CONFIGURED))
WHOLE = Evidence(total=1, answering=1, reading=FRESH)
PARTLY = Evidence(total=2, answering=1, silent=(("b", "gone"),), reading=FRESH)
SILENT = Evidence(total=1, silent=(("a", "gone"),), reading=DOWN)
FIRING, QUIET = AlertCounts({AlertState.FIRING: 1}, {Severity.CRIT: 1}), AlertCounts({AlertState.SILENCED: 1})
INFO = AlertCounts({AlertState.FIRING: 1}, {Severity.NOTICE: 1})


@pytest.mark.parametrize(
    ("reading", "rollouts", "alerts", "found", "code"),
    [
        (FRESH, {}, None, None, 0), (FRESH, {Severity.WARN: 1}, None, None, 1),
        (DOWN, {Severity.CRIT: 1}, None, None, 2),
        (FRESH, {}, QUIET, WHOLE, 0), (FRESH, {}, FIRING, WHOLE, 1), (FRESH, {}, INFO, WHOLE, 0),
        (FRESH, {}, QUIET, PARTLY, 2), (FRESH, {}, FIRING, PARTLY, 1), (FRESH, {Severity.CRIT: 1}, QUIET, SILENT, 1),
        (FRESH, {}, FIRING, SILENT, 2), (DOWN, {}, FIRING, WHOLE, 1), (DOWN, {}, QUIET, WHOLE, 2),
        (NONE, {}, QUIET, WHOLE, 0), (NONE, {}, FIRING, WHOLE, 1), (NONE, {}, QUIET, PARTLY, 2),
        (NONE, {}, None, None, 2),
    ],
)  # fmt: skip
def test_what_a_script_may_conclude(
    reading: Reading,
    rollouts: dict[Severity, int],
    alerts: AlertCounts | None,
    found: Evidence | None,
    code: int,
) -> None:
    assert exit_code(Summary(reading, rollouts=rollouts, counts=rollouts, alerts=alerts, evidence=found)) == code


def test_the_scene_as_a_whole_fails_for_certain() -> None:
    feed = scene.live(ManualClock(NOW))
    scene_alerts.add(feed)
    assert sum_up(feed.snapshot(), NOW).broken


@pytest.mark.parametrize(
    ("kept", "state", "words"),
    [
        (None, FAILED, "nothing is cached; run with --live"),
        (SourceStatus("x", LIVE, NOW - 5, NOW - 5), LIVE, ""),
        (SourceStatus("x", LIVE, NOW - OLDEST - 1, NOW - OLDEST - 1), FAILED, "the cache is of"),
        (SourceStatus("x", FAILED, NOW - 500, NOW - 500, error="it hangs"), FAILED, "it hangs"),
        (SourceStatus("x", SourceState.LOADING), FAILED, "nothing is cached"),
    ],
)
def test_what_was_kept_counts_while_it_is_young(kept: SourceStatus | None, state: SourceState, words: str) -> None:
    found = _remembered("x", kept, NOW)
    assert found.state is state
    assert words in found.error


def test_a_crash_loop_is_said_once_for_pods_that_share_it() -> None:
    def pod(name: str, code: int) -> Pod:
        message = f"back-off 5m0s restarting failed container=app pod={name}_shop(0b5c)"
        trouble = ContainerState("app", "CrashLoopBackOff", message, last_reason="Error", last_exit_code=code)
        ref = Ref("", "", "Pod", "shop", name)
        return Pod(ref, "CrashLoopBackOff", Severity.CRIT, 0, 1, 6, NOW, node="node-1", trouble=trouble)

    lines = _pod_lines([pod("cart-a", 1), pod("cart-b", 1), pod("cart-c", 137)], LENS)
    said = ["".join(span.text for span in line) for line in lines]
    assert [line.partition("node-1")[2].strip() for line in said] == ["app: exit 1 Error", "", "app: exit 137 Error"]
    assert all("CrashLoopBackOff x6" in line for line in said)


@pytest.mark.parametrize(
    ("state", "heard", "why"),
    [(LIVE, NOW - 3, ""), (LIVE, NOW - 90, "has not answered for a minute"), (FAILED, NOW - 3, "gone.")],
)
def test_a_server_that_is_silent_says_so_in_its_row_and_vouches_for_nothing(
    state: SourceState, heard: float, why: str
) -> None:
    status = SourceStatus("alertmanager/a", state, heard, heard, heard, safe_text("gone." if state is FAILED else ""))
    snapshot = Snapshot(1, {}, {status.source: status})
    assert why_silent("alertmanager/a", snapshot, NOW) == why
    assert why_silent("alertmanager/b", snapshot, NOW) == "was not asked yet"
    known = peer("a", alerts=7, heartbeats=("Watchdog",))
    cells = [cell.text for cell in present_row("a", known, LENS, why).cells]
    assert ("7" in cells, "Watchdog" in cells, "ready" in cells) == (not why, not why, not why)
    assert (why in cells, "silent" in cells, cells[0] == LENS.shape(Severity.WARN)) == (True, bool(why), bool(why))
