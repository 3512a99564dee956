"""What a console that has just come finds out is what one that watched all the time has recorded."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from services.kubernetes.happenings import (
    COMPLETE,
    FOLLOWED,
    known_events,
    scaled_event,
    template_events,
)
from services.kubernetes.happenings_beside import config_event, core_event, node_events
from services.model.cluster import ConfigDigest, KubeEvent, Node
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Condition, Workload
from services.ports import Replace
from tests.unit.kubernetes.estate_of import NOW, node, rolling, workload
from tests.unit.kubernetes.test_derivation import Joined

DAY = 86400.0
Facts = set[tuple[str, float, str]]


def facts(events: list[Event] | list[Event | None]) -> Facts:
    return {(event.id, event.at, event.text) for event in events if event is not None}


def readiness(status: str, at: float, **more: str) -> tuple[Condition, ...]:
    return (
        Condition("Ready", status, changed_at=at),
        *(Condition(kind, state, changed_at=at) for kind, state in more.items()),
    )


def made(conditions: tuple[Condition, ...], **fields: Any) -> Node:
    return structs.replace(node(conditions=conditions), created_at=NOW - 30 * DAY, **fields)


def test_a_scaling_through_the_subresource_has_one_name_for_all() -> None:
    complete = (Condition("Progressing", "True", COMPLETE, changed_at=NOW - 900, updated_at=NOW - 800),)
    before = workload(desired=3, conditions=complete)
    after = structs.replace(before, desired=5, scaled_by="kubectl", generation=4, observed_generation=4)
    (seen,) = template_events(before, after, NOW)
    same_second = (followed("up", 3, 4, NOW), followed("up", 3, 5, NOW))
    steps = [followed("down", 4, 3, NOW - 60), *same_second, followed("up", 0, 4, NOW - 850)]
    (known,) = known_scalings(after, steps, NOW + 3600)
    assert facts([seen]) == facts([known]) == {(seen.id, NOW, "scaled to 5")}
    assert seen.payload == known.payload == {"before": "3", "actor": "kubectl"}
    again = structs.replace(after, generation=5)
    assert template_events(before, again, NOW)[0].id != seen.id
    old = structs.replace(followed("up", 3, 5, NOW), message="Scaled up replica set cart-1 to 5")
    assert [event.payload for event in known_scalings(after, [old], NOW)] == [{"actor": "kubectl"}]


@pytest.mark.parametrize(
    ("at", "fields"),
    [
        (NOW - 800, {}),
        (NOW, {"desired": 6}),
        (NOW, {"observed_generation": 3}),
        (NOW, {"conditions": rolling()}),
        (NOW - DAY - 3600, {"conditions": (Condition("Progressing", "True", COMPLETE, updated_at=1.0),)}),
    ],
    ids=["part of the roll-out", "not the present number", "not followed yet", "during a roll-out", "long ago"],
)
def test_a_step_that_may_be_something_else_is_not_told_as_a_scaling(at: float, fields: dict[str, Any]) -> None:
    complete = (Condition("Progressing", "True", COMPLETE, changed_at=NOW - 900, updated_at=NOW - 800),)
    one = workload(desired=5, generation=4, conditions=complete)
    assert known_scalings(structs.replace(one, observed_generation=4), [followed("up", 3, 5, NOW)], NOW)
    other = structs.replace(one, **({"observed_generation": 4} | fields))
    assert known_scalings(other, [followed("up", 3, 5, at)], NOW) == []


@pytest.mark.parametrize("first", ["deployments.apps", "events"])
def test_the_last_scaling_is_told_when_both_lists_are_known(first: str) -> None:
    complete = (Condition("Progressing", "True", COMPLETE, changed_at=NOW - 900, updated_at=NOW - 800),)
    one = workload(desired=5, generation=4, observed_generation=4, conditions=complete)
    step = followed("up", 3, 5, NOW - 60)
    lists = {"deployments.apps": {one.ref.key: one}, "events": {"step": step}}
    joined = Joined()
    for table in sorted(lists, key=lambda name: name != first):
        assert [event for event in joined.live.publish().events if event.kind is EventKind.SCALE] == []
        joined.derivation.apply("k", Replace(table, lists[table]))
    told = [event.text for event in joined.live.publish().events if event.kind is EventKind.SCALE]
    assert told == ["scaled to 5"]


def followed(way: str, before: int, now: int, at: float) -> KubeEvent:
    """Return the Event in which the controller tells how it followed."""
    about = workload().ref
    message = f"Scaled {way} replica set {about.name}-5b656ff776 from {before} to {now}"
    return KubeEvent(Ref("c", "", "Event", about.namespace, f"e{at}"), about, "Normal", FOLLOWED, message, at)


def known_scalings(of: Workload, told: list[KubeEvent], seen_at: float) -> list[Event]:
    event = scaled_event(of, told, seen_at)
    return [event] if event is not None else []


@pytest.mark.parametrize(("hours", "known"), [(1, True), (23, True), (25, False)])
def test_the_end_of_a_roll_out_is_known_for_a_day(hours: int, known: bool) -> None:
    at = NOW - hours * 3600
    ended = (Condition("Progressing", "True", "NewReplicaSetAvailable", changed_at=at, updated_at=at),)
    found = known_events(workload(conditions=ended), NOW)
    assert [event.text for event in found] == (["rev 2 complete"] if known else [])
    assert known_events(workload(conditions=rolling()), NOW) == []


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        (readiness("True", NOW - DAY * 9), readiness("False", NOW - 60), "NotReady"),
        (readiness("True", NOW - DAY * 9), readiness("Unknown", NOW - 60), "NotReady: its kubelet is silent"),
        (readiness("False", NOW - 600), readiness("True", NOW - 60), "Ready"),
    ],
)
def test_a_node_that_came_or_went_is_told_alike(
    was: tuple[Condition, ...], now: tuple[Condition, ...], words: str
) -> None:
    seen = node_events(made(was), made(now), NOW)
    known = node_events(None, made(now), NOW + 9000)
    assert facts(seen) == facts(known) == {(seen[0].id, NOW - 60, words)}


def test_pressure_is_told_when_it_begins_and_when_it_ends() -> None:
    calm = readiness("True", NOW - DAY * 9, MemoryPressure="False")
    full = (calm[0], Condition("MemoryPressure", "True", changed_at=NOW - 50))
    over = (calm[0], Condition("MemoryPressure", "False", changed_at=NOW - 5))
    (begun,) = node_events(made(calm), made(full), NOW - 49)
    assert (begun.text, begun.severity, begun.at) == ("MemoryPressure", Severity.WARN, NOW - 50)
    assert facts([begun]) == facts(node_events(None, made(full), NOW))
    (ended,) = node_events(made(full), made(over), NOW)
    assert (ended.text, ended.severity) == ("MemoryPressure over", Severity.OK)
    silent = (calm[0], Condition("MemoryPressure", "Unknown", changed_at=NOW - 5))
    assert node_events(made(silent), made(over), NOW) == []


def test_what_a_node_is_made_with_is_no_news() -> None:
    fresh = structs.replace(made(readiness("False", NOW - 30, MemoryPressure="False")), created_at=NOW - 31)
    assert node_events(None, fresh, NOW) == []
    ready = structs.replace(fresh, conditions=readiness("True", NOW - 10, MemoryPressure="False"))
    assert facts(node_events(fresh, ready, NOW)) == facts(node_events(None, ready, NOW + 60)) != set()
    assert node_events(None, made(readiness("True", NOW - 2 * DAY)), NOW) == []


def test_a_cordon_is_named_by_who_wrote_it_and_when() -> None:
    calm = readiness("True", NOW - DAY * 9)
    shut = made(calm, unschedulable=True, cordoned_by="kubectl-cordon", cordoned_at=NOW - 40)
    (seen,) = node_events(made(calm), shut, NOW - 39)
    assert (seen.text, seen.payload) == ("cordoned", {"actor": "kubectl-cordon"})
    assert facts([seen]) == facts(node_events(None, shut, NOW + 400))
    assert [event.text for event in node_events(shut, made(calm), NOW)] == ["uncordoned"]


def digest(changed_at: float = 0.0, created_at: float = NOW - 30 * DAY, **keys: str) -> ConfigDigest:
    ref = Ref("c", "", "ConfigMap", "shop", "cart-settings", "uid-settings")
    return ConfigDigest(ref, tuple(sorted(keys.items())), created_at, "kubectl", changed_at)


def test_a_changed_config_map_says_which_keys_and_their_hashes() -> None:
    before, after = digest(tax="aa", vat="bb", old="cc"), digest(NOW - 5, tax="a1", vat="bb", new="dd")
    event = config_event(before, after, NOW)
    assert event is not None
    assert (event.text, event.at, event.kind) == ("changed: +new, -old, tax", NOW - 5, EventKind.CONFIG)
    assert event.payload == {"key new": "→dd", "key old": "cc→", "key tax": "aa→a1", "actor": "kubectl"}
    known = config_event(None, after, NOW + 3600)
    assert known is not None
    assert (known.id, known.at, known.text) == (event.id, event.at, "changed")
    other = config_event(before, digest(NOW - 5, tax="a2", vat="bb"), NOW)
    assert other is not None
    assert other.id != event.id


def test_a_config_map_whose_data_stays_is_no_news() -> None:
    assert config_event(digest(tax="aa"), digest(NOW - 5, tax="aa"), NOW) is None
    assert config_event(None, digest(0.0, tax="aa"), NOW) is None
    assert config_event(None, digest(NOW - 2 * DAY, tax="aa"), NOW) is None
    assert config_event(None, digest(NOW - 60, created_at=NOW - 60, tax="aa"), NOW) is None


def test_many_keys_are_counted() -> None:
    event = config_event(digest(), digest(NOW, **{f"k{one:03}": "x" for one in range(50)}), NOW)
    assert event is not None
    assert event.text == "changed: +k000, +k001, +k002 and 47 more"
    assert len(event.payload) == 21


@pytest.mark.parametrize(
    ("reason", "age", "kind"),
    [
        ("Rebooted", 60, EventKind.NODE),
        ("SystemOOM", 60, EventKind.NODE),
        ("SuccessfulRescale", 60, EventKind.SCALE),
        ("Rebooted", 2 * DAY, None),
        ("Pulled", 60, None),
    ],
)
def test_events_of_the_cluster_that_no_object_keeps(reason: str, age: float, kind: EventKind | None) -> None:
    about = Ref("c", "", "Node", "", "node-1", "node-1")
    ref = Ref("c", "", "Event", "default", "e", "uid-e")
    one = KubeEvent(ref, about, "Warning", reason, "it was\nso", NOW, first_at=NOW - age, count=3)
    told = core_event(one, NOW)
    assert (told.kind if told is not None else None) == kind
    if told is not None:
        assert (told.at, told.text) == (NOW - age, f"{reason}: it was")
        again = core_event(structs.replace(one, count=4, at=NOW + 9), NOW + 10)
        assert again is not None
        assert again.id == told.id
