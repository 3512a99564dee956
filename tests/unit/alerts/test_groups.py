"""Alerts that belong together stand together, and stay so; likeness never chains into one heap."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.alerts.groups import Groups
from services.model.alert import Alert, AlertGroup, AlertState, Entity
from services.model.severity import Severity
from tests.unit.alerts.said import T0

NOW = T0 + 1000
CHECKOUT = Entity("c1", "shop", "checkout")
NODE = Entity("c1", node="n1")
FRONTEND = Entity("c1", "shop", "frontend", "frontend-x", "n1")


def alert(key: str, onset: float = T0, entity: Entity = CHECKOUT, **fields: object) -> Alert:
    base = Alert(key, key, f"Alert-{key}", Severity.WARN, AlertState.FIRING, (), entity=entity, onset=onset)
    return structs.replace(base, **fields)


def arranged(*alerts: Alert) -> list[AlertGroup]:
    return list(Groups().arrange({one.key: one for one in alerts}, NOW).values())


def test_the_lead_is_the_worst_then_the_earliest_and_every_member_says_why() -> None:
    (group,) = arranged(
        alert("early"), alert("late", T0 + 60, severity=Severity.CRIT), alert("worst", T0 + 30, severity=Severity.CRIT)
    )
    assert group.members == ("worst", "late", "early")
    assert group.reasons == ("", "same workload checkout", "same workload checkout")
    assert group.title == "Alert-worst on checkout (+2)"
    assert (group.severity, group.onset, group.entity) == (Severity.CRIT, T0, CHECKOUT)


@pytest.mark.parametrize(
    ("entities", "groups"),
    [
        ([CHECKOUT, FRONTEND], 2),
        ([CHECKOUT, Entity("c2", "shop", "checkout")], 2),
        ([CHECKOUT, Entity("c1", "data", "checkout")], 2),
        ([Entity("c1", node="n1"), Entity("c1", node="n1")], 1),
        ([Entity("c1", node="n1"), Entity("c1", node="n2")], 2),
        ([Entity("c1", "shop", node="n1"), Entity("c1", "data", node="n1")], 1),
        ([Entity("c1", "shop"), Entity("c1", "shop")], 1),
        ([Entity("c1", "shop"), Entity("c1", "data")], 2),
    ],
)
def test_one_workload_or_one_node_or_one_name(entities: list[Entity], groups: int) -> None:
    alerts = [alert(f"k{n}", entity=entity, name="Same") for n, entity in enumerate(entities)]
    assert len(arranged(*alerts)) == groups


@pytest.mark.parametrize(("gap", "groups"), [(600, 1), (601, 2)])
def test_ten_minutes_of_quiet_part_groups(gap: float, groups: int) -> None:
    assert len(arranged(alert("a"), alert("b", T0 + gap))) == groups


def test_a_group_spans_two_hours_at_most() -> None:
    rolling = [alert(f"k{n:02}", T0 + n * 500) for n in range(20)]
    assert [len(group.members) for group in arranged(*rolling)] == [15, 5]


@pytest.mark.parametrize(("after", "groups"), [(-60, 1), (-61, 2), (600, 1), (601, 2)])
def test_only_what_began_around_then_attaches(after: float, groups: int) -> None:
    assert len(arranged(alert("root", entity=NODE), alert("leaf", T0 + after, FRONTEND))) == groups


def test_a_child_is_never_a_parent() -> None:
    below = alert("b", T0 + 10, FRONTEND, inhibited_by=("a",))
    web = alert("c", T0 + 20, Entity("c1", "shop", "web"), inhibited_by=("b",))
    groups = arranged(alert("a"), below, web)
    assert sorted(group.members for group in groups) == [("a", "b"), ("c",)]


def test_an_inhibited_alert_stands_under_what_inhibits_it() -> None:
    quiet = alert("q", T0 + 5, FRONTEND, state=AlertState.INHIBITED, inhibited_by=("root",))
    (group,) = arranged(alert("root"), quiet)
    assert group.members == ("root", "q")


def test_what_runs_on_a_sick_node_stands_under_the_node() -> None:
    sick = alert("node", entity=Entity("c1", node="n1"), severity=Severity.CRIT)
    pod = alert("pod", T0 + 30, Entity("c1", "shop", "cart", "cart-x", "n1"))
    (group,) = arranged(sick, pod)
    assert group.reasons == ("", "runs on n1")
    assert group.title == "Alert-node on n1 (+1)"


def test_a_group_holds_until_all_of_it_has_ended_and_a_while_longer() -> None:
    groups = Groups()
    first = groups.arrange({"a": alert("a"), "b": alert("b", T0 + 300)}, NOW)
    (key,) = first
    # The one it is named after goes; the group keeps its key.
    (after,) = groups.arrange({"b": alert("b", T0 + 300)}, NOW + 60).values()
    assert (after.key, after.members) == (key, ("b",))
    assert groups.arrange({}, NOW + 120) == {}
    (back,) = groups.arrange({"c": alert("c", T0 + 500)}, NOW + 800).values()
    assert back.key == key
    groups.arrange({}, NOW + 900)
    assert groups.arrange({}, NOW + 1800) == {}
    (new,) = groups.arrange({"c": alert("c", T0 + 500)}, NOW + 1801).values()
    assert new.key != key


def test_a_child_stays_with_its_root_when_its_onset_would_no_longer_hold() -> None:
    groups = Groups()
    root, leaf = alert("root", entity=NODE), alert("leaf", T0 + 60, FRONTEND)
    (key,) = groups.arrange({"root": root, "leaf": leaf}, NOW)
    (after,) = groups.arrange({"leaf": structs.replace(leaf, onset=T0 - 400), "root": root}, NOW + 10).values()
    assert (after.key, len(after.members)) == (key, 2)


def test_what_becomes_better_known_moves_once() -> None:
    groups = Groups()
    groups.arrange({"a": alert("a", entity=Entity("c1", "shop"))}, NOW)
    (group,) = groups.arrange({"a": alert("a"), "b": alert("b")}, NOW + 10).values()
    assert len(group.members) == 2


def test_heartbeats_are_in_no_group_and_what_fires_leads() -> None:
    assert arranged(alert("w", heartbeat=True)) == []
    over = alert("over", state=AlertState.ENDED, severity=Severity.CRIT)
    soon = alert("soon", T0 + 1, state=AlertState.PENDING, severity=Severity.CRIT)
    hushed = alert("hushed", T0 + 2, state=AlertState.SILENCED, severity=Severity.CRIT)
    (group,) = arranged(over, soon, hushed, alert("now", T0 + 3))
    assert group.members == ("now", "hushed", "soon", "over")


ENTITIES = st.sampled_from([CHECKOUT, FRONTEND, Entity("c1", node="n1"), Entity("c1", "shop", "cart", "", "n1")])
PLACED = st.lists(st.tuples(ENTITIES, st.floats(T0, T0 + 9000)), max_size=12)


@given(PLACED, st.randoms())
def test_every_alert_is_in_one_group_in_whatever_order_they_come(
    placed: list[tuple[Entity, float]], rnd: random.Random
) -> None:
    alerts = [alert(f"k{n}", onset, entity) for n, (entity, onset) in enumerate(placed)]
    groups = arranged(*alerts)
    members = [key for group in groups for key in group.members]
    assert sorted(members) == sorted(one.key for one in alerts)
    shuffled = list(alerts)
    rnd.shuffle(shuffled)
    assert {group.key: group for group in arranged(*shuffled)} == {each.key: each for each in groups}


@given(PLACED)
def test_arranging_again_changes_nothing(placed: list[tuple[Entity, float]]) -> None:
    alerts = {f"k{n}": alert(f"k{n}", onset, entity) for n, (entity, onset) in enumerate(placed)}
    groups = Groups()
    first = groups.arrange(alerts, NOW)
    assert groups.arrange(alerts, NOW + 10) == first


@pytest.mark.bench
def test_bench_5000_alerts_grouped() -> None:
    rnd = random.Random(7)  # noqa: S311 - test data
    names = [("shop", f"app-{n}") for n in range(1000)]
    alerts = {
        f"k{n}": alert(f"k{n}", T0 + rnd.random() * 7200, Entity("c1", *rnd.choice(names), "", f"n{n % 90}"))
        for n in range(5000)
    }
    storm = {f"s{n}": alert(f"s{n}", T0 + n * 0.1) for n in range(400)}
    for said, given_alerts in (("5,000 random", alerts), ("storm of 400", storm)):
        groups = Groups()
        began = time.perf_counter()
        found = groups.arrange(given_alerts, NOW)
        spent = (time.perf_counter() - began) * 1000
        again = time.perf_counter()
        groups.arrange(given_alerts, NOW + 10)
        later = (time.perf_counter() - again) * 1000
        most = max(len(group.members) for group in found.values())
        print(f"\n{said}: {spent:.0f} ms, again {later:.0f} ms, {len(found)} groups, at most {most}")  # noqa: T201
