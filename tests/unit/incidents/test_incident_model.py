"""What events leave of an incident, its timeline, and the document made of it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from cache.exports import write_export
from services.errors import Problem
from services.incidents.export import export, file_name, inert, lasted
from services.incidents.happenings import Told
from services.incidents.timeline import LEAD, Origin, span_of, timeline, words
from services.model.actor import Actor
from services.model.incident import (
    CADENCE,
    Incident,
    IncidentEvent,
    IncidentEventKind,
    IncidentLink,
    IncidentSeverity,
    fold,
)
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.sanitize import safe_text
from tui.presenters.timeline import moments

MINA, ADE = Actor("mina", "b1", "c1"), Actor("ade", "b2", "c2")
CART = Ref("c1", "apps", "Deployment", "shop", "cart", "u1")
NOON = 1_793_448_000.0
KIND = IncidentEventKind


def event(seq: int, kind: KIND, at: float = 0.0, value: str = "", text: str = "", **more: object) -> IncidentEvent:
    return IncidentEvent(seq, 1, NOON + at, kind, ADE, text, value, **more)  # type: ignore[arg-type]


def declared(severity: IncidentSeverity = IncidentSeverity.P1, **more: object) -> IncidentEvent:
    facts: dict[str, object] = {"owner": "mina", "started_at": NOON - 300, "links": (IncidentLink("shop/cart", CART),)}
    return event(1, KIND.DECLARED, 0, "checkout 5xx", severity=severity, **{**facts, **more})


def one(*events: IncidentEvent) -> Incident:
    return fold(events)["INC-1"]


def test_an_incident_begins_in_triage_with_its_onset() -> None:
    found = one(declared())
    assert (found.id, found.status, found.severity, found.owner) == ("INC-1", "triage", "P1", "mina")
    assert (found.started_at, found.declared_at, found.elapsed(NOON + 60)) == (NOON - 300, NOON, 360)
    assert found.next_update_at == NOON + 1800


@pytest.mark.parametrize(
    ("events", "status", "resolved_at"),
    [
        ([(KIND.STATUS, 60, "identified")], "identified", 0.0),
        ([(KIND.STATUS, 60, "resolved")], "resolved", NOON + 60),
        ([(KIND.STATUS, 60, "resolved"), (KIND.STATUS, 90, "closed")], "closed", NOON + 60),
        ([(KIND.STATUS, 60, "resolved"), (KIND.STATUS, 90, "investigating")], "investigating", 0.0),
        ([(KIND.STATUS, 60, "sung")], "triage", 0.0),
    ],
)
def test_status_jumps_ahead_and_goes_back(
    events: list[tuple[KIND, float, str]], status: str, resolved_at: float
) -> None:
    found = one(declared(), *(event(at + 2, kind, when, value) for at, (kind, when, value) in enumerate(events)))
    assert (found.status, found.resolved_at) == (status, resolved_at)
    assert (found.next_update_at == 0.0) is (not found.open)


@pytest.mark.parametrize(
    ("kind", "value", "due"),
    [
        (KIND.NOTE, "", NOON + 1800),
        (KIND.OWNER, "ade", NOON + 1800),
        (KIND.UPDATE, "", NOON + 600 + 1800),
        (KIND.STATUS, "identified", NOON + 600 + 1800),
        (KIND.SEVERITY, "P0", NOON + 600 + 900),
        (KIND.SEVERITY, "P4", 0.0),
        (KIND.SEVERITY, "P9", NOON + 600 + 1800),
    ],
)
def test_the_next_update_is_due_from_when_people_heard_of_it(kind: KIND, value: str, due: float) -> None:
    assert one(declared(), event(2, kind, 600, value)).next_update_at == due


def test_lateness_counts_from_when_it_was_due() -> None:
    found = one(declared())
    assert (found.late(NOON + 1700), found.late(NOON + 2000)) == (0.0, 200.0)
    assert set(CADENCE) == set(IncidentSeverity)


def test_what_was_never_declared_is_left_out() -> None:
    assert fold([event(1, KIND.NOTE, text="x")]) == {}


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([kind for kind in KIND if kind is not KIND.DECLARED]),
        st.floats(0, 1e5),
        st.sampled_from(["P0", "P9", "resolved", "closed", "triage", "mina", ""]),
    ),
    max_size=12,
)


@given(EVENTS, st.randoms(use_true_random=False))
def test_the_order_given_does_not_matter(told: list[tuple[KIND, float, str]], random: object) -> None:
    events = [declared(), *(event(at + 2, kind, when, value) for at, (kind, when, value) in enumerate(told))]
    shuffled = events.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = one(*events)
    assert one(*shuffled) == found
    assert found.open is (found.resolved_at == 0.0)
    assert found.elapsed(NOON + 1e6) >= 0


def happening(at: float, ref: Ref, text: str = "x", **payload: str) -> Event:
    return Event(f"e{at}{ref.name}", NOON + at, NOON + at, EventKind.ROLLOUT, ref, text, payload=payload)


@pytest.mark.parametrize(
    ("ref", "payload", "is_there"),
    [
        (CART, {}, True),
        (Ref("c1", "", "Pod", "shop", "cart-7d9-2xk"), {}, True),
        (Ref("c1", "apps", "ReplicaSet", "shop", "cart-7d9"), {}, True),
        (Ref("c1", "apps", "Deployment", "shop", "cart-7d9"), {}, False),
        (Ref("c1", "apps", "StatefulSet", "shop", "cart"), {}, False),
        (Ref("c1", "apps", "Deployment", "data", "cart"), {}, False),
        (Ref("c2", "apps", "Deployment", "shop", "cart"), {}, False),
        (Ref("", "", "", "", ""), {"fingerprint": "f1"}, True),
        (Ref("", "", "", "", ""), {"fingerprint": "f2"}, False),
        (Ref("", "", "", "", ""), {}, False),
    ],
)
def test_the_timeline_takes_what_is_about_its_objects(ref: Ref, payload: dict[str, str], is_there: bool) -> None:
    links = (IncidentLink("cart", CART), IncidentLink("CartDown", Ref("", "", "", "", ""), "f1"))
    found = timeline(one(declared(links=links)), [happening(-100, ref, **payload)])
    assert [moment.origin for moment in found] == ([Origin.CLUSTER] if is_there else []) + [Origin.PERSON]


@pytest.mark.parametrize(("workload", "about"), [("cart", ["shop/cart"]), ("search", [])])
def test_an_alert_about_a_linked_workload_is_in_the_timeline_under_its_name(workload: str, about: list[str]) -> None:
    ref, payload = Ref("c1", "", "Alert", "shop", "CartDown", "f9"), {"fingerprint": "f9", "workload": workload}
    alert = Event("a1", NOON - 60, NOON - 60, EventKind.ALERT, ref, "CartDown firing", Severity.CRIT, payload)
    found = timeline(one(declared(links=(IncidentLink("shop/cart", CART),))), [alert])
    assert [moment.about for moment in found if moment.origin is Origin.CLUSTER] == about


def test_the_timeline_reaches_back_before_the_onset_and_ends_with_the_incident() -> None:
    over = one(declared(), event(2, KIND.STATUS, 600, "resolved"))
    events = [happening(at, CART) for at in (-300 - LEAD - 1, -300 - LEAD, 599, 600 + 299, 600 + 301)]
    assert [moment.at - NOON for moment in timeline(over, events) if moment.origin is Origin.CLUSTER] == [
        -300 - LEAD, 599, 899,
    ]  # fmt: skip


def test_words_are_past_tense_and_keep_what_was_typed() -> None:
    assert words(declared()) == "declared P1: checkout 5xx"
    assert words(event(2, KIND.STATUS, 0, "resolved", "rolled back")) == "status set to resolved: rolled back"
    assert words(event(2, KIND.NOTE, 0, "", "hm")) == "hm"
    assert words(event(2, KIND.OWNER)) == "owner taken away"


HOSTILE = "x | y\n# heading <script>alert(1)</script> [a](javascript:b) `c` \x1b[31m\u202e"


def test_the_document_holds_the_facts_and_leaves_the_prose() -> None:
    links = (IncidentLink("CartDown", CART, "f1", NOON - 300), IncidentLink("shop/cart", CART))
    found = one(
        declared(links=links, cluster="prod-eu-1"),
        event(2, KIND.SEVERITY, 600, "P0"),
        event(3, KIND.STATUS, 900, "monitoring"),
        event(4, KIND.STATUS, 1200, "resolved", "rolled back to 16"),
    )
    text = export(found, timeline(found, [happening(-303, CART, "rev 17")]), NOON + 1300)
    assert "ref: INC-1\nseverity: P0\nstatus: resolved\nstarted: 2026-10-31T11:55:00Z" in text
    assert "resolved: 2026-10-31T12:20:00Z\nduration: 00:25" in text
    assert "| in P1 | 00:15 |\n| in P0 | 00:10 |" in text
    assert "- alert CartDown, since 2026-10-31T11:55:00Z" in text
    assert "- 2026-10-31T11:54:57Z shop/cart rev 17 (suspect)" in text
    assert "| 2026-10-31T12:20:00Z | status set to resolved: rolled back to 16 | ade |" in text
    assert text.count("_TODO_") >= 4


def test_hostile_text_stays_text() -> None:
    found = one(declared(owner=HOSTILE), event(2, KIND.TITLE, 1, HOSTILE), event(3, KIND.NOTE, 2, "", HOSTILE))
    text = export(found, timeline(found, [happening(-10, CART, HOSTILE)]), NOON)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script" not in text.replace("\\<script", "")
    rows = [line for line in text.splitlines() if line.startswith("| 2026")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [4] * len(rows)


@given(st.text(max_size=80))
def test_inert_text_is_one_line_and_escapes_whatever_could_be_markup(raw: str) -> None:
    text = inert(raw)
    assert "\n" not in text
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>|#]", text)


def test_secrets_are_not_exported() -> None:
    found = one(declared(), event(2, KIND.NOTE, 1, "", "password=hunter2hunter2 and Bearer abcdef123456"))
    text = export(found, timeline(found, []), NOON)
    assert "hunter2" not in text
    assert "abcdef123456" not in text


def test_durations() -> None:
    assert [lasted(seconds) for seconds in (0, 59, 4320, 360_000, -5)] == ["00:00", "00:00", "01:12", "100:00", "00:00"]


def test_the_file_is_for_this_user_alone_and_whole(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    name = file_name(one(declared()), NOON)
    path = write_export(folder, name, "first\n")
    assert path.name == "INC-1-20261031T120000Z.md"
    assert write_export(folder, name, "second\n").read_text() == "second\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    folder.mkdir(mode=0o700)
    (folder / "exports").write_text("in the way")
    with pytest.raises(Problem, match="Nothing was exported"):
        write_export(folder, "INC-1.md", "x")
    assert [entry.name for entry in folder.iterdir()] == ["exports"]


def test_what_was_said_is_told_once_and_only_to_its_own_cluster() -> None:
    first = one(declared(cluster="prod-eu-1"), event(2, KIND.NOTE, 60, text="token=hunter2hunter2\x1b[31m  looking"))
    elsewhere = one(declared(cluster="prod-us-1"))
    told = Told("prod-eu-1")
    begun, noted = told.news([first, elsewhere], NOON + 70)
    assert (begun.kind, begun.ref.kind, begun.ref.name, begun.at) == (EventKind.NOTE, "Incident", "INC-1", NOON)
    assert begun.text == "declared P1: checkout 5xx"
    assert (noted.at, noted.payload["actor"]) == (NOON + 60, "ade")
    assert "hunter2" not in noted.text
    assert "\x1b" not in noted.text
    assert told.news([first, elsewhere], NOON + 72) == []
    ended = structs.replace(first, events=(*first.events, event(3, KIND.STATUS, 90, "resolved")))
    (over,) = told.news([ended], NOON + 91)
    assert (over.text, over.severity) == ("status set to resolved", Severity.OK)
    again = Told("prod-eu-1").news([ended], NOON + 95)
    assert [one.id for one in again] == [begun.id, noted.id, over.id], "another console gives the same ids"
    assert Told("prod-eu-1").news([ended], NOON + 86400 + 65) == [structs.replace(over, seen_at=NOON + 86465)]
    assert timeline(ended, again) == timeline(ended, ()), "in its own timeline they stand already"


def test_within_a_second_what_began_stands_before_what_ended_and_both_before_what_was_said() -> None:
    told = [
        Event("3", NOON + 60.0, NOON, EventKind.ROLLOUT, CART, safe_text("rev 3 complete"), Severity.OK),
        Event("1", NOON + 60.7, NOON, EventKind.ROLLOUT, CART, safe_text("rev 3"), Severity.NOTICE),
        Event("2", NOON + 60.2, NOON, EventKind.RECOVERED, CART, safe_text("recovered"), Severity.OK),
    ]
    noted = one(declared(), event(2, KIND.NOTE, 60.1, text="done"))
    order = ["rev 3", "rev 3 complete", "recovered", "done"]
    assert [moment.text for moment in timeline(noted, told)][-4:] == order
    shown = [moment.event.text for moment in moments(told, (), None, days=False).values() if moment.event is not None]
    assert shown == order[2::-1]


@pytest.mark.parametrize(
    ("troubled", "since"),
    [(0.0, 300), (NOON - 200, 300), (NOON - 900, 900), (NOON - 86000, 86000), (NOON - 10 * 86400, 300)],
)
def test_the_timeline_reaches_back_to_the_trouble_of_what_it_is_about(troubled: float, since: float) -> None:
    found = one(declared(links=(IncidentLink("shop/cart", CART, onset=troubled),)))
    assert span_of(found) == (NOON - since - LEAD, float("inf"))
    assert span_of(one(declared(), event(2, KIND.STATUS, 60, "resolved")))[1] == NOON + 360
