"""Each happening is told once, with the server's time, and a first list is no news."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from services.kubernetes.happenings import change_of, finished, revision_events
from services.model.cluster import Job
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Condition
from services.ports import Replace
from tests.unit.kubernetes.estate_of import NOW, crashing, node, pod, replicaset, rolling, workload
from tests.unit.kubernetes.test_derivation import Joined


def shop(**tables: dict[str, Any]) -> Joined:
    joined = Joined()
    whole = {
        "deployments": {"shop/cart": workload()},
        "replicasets": {one.ref.key: one for one in (replicaset(1, created_at=NOW - 9000), replicaset(2))},
        "pods": {one.ref.key: one for one in (pod("a"), pod("b"), pod("c"))},
        "nodes": {"node-1": node()},
    }
    joined.list_all(**{**whole, **tables})
    joined.live.publish()
    return joined


def events(joined: Joined, kind: EventKind) -> list[Event]:
    return [event for event in joined.live.publish().events if event.kind is kind]


def test_trouble_that_a_first_list_shows_is_no_news() -> None:
    joined = Joined()
    sick = workload(ready=2, available=2, updated=1, conditions=rolling())
    joined.derivation.apply("k", Replace("deployments.apps", {"shop/cart": sick}))
    joined.live.publish()
    partial = structs.replace(crashing("a"), owner=None, ref=structs.replace(crashing("a").ref, uid=""))
    joined.derivation.apply("k", Replace("pods", {partial.ref.key: partial}))
    joined.derivation.apply("k", Replace("replicasets.apps", {"shop/cart-2": replicaset(2)}))
    joined.live.publish()
    joined.derivation.apply("k", Replace("pods", {partial.ref.key: crashing("a")}))
    assert joined.cart.severity is Severity.CRIT
    assert events(joined, EventKind.UNHEALTHY) == []
    joined.put("deployments.apps", workload(resource_version="9"))
    joined.put("pods", pod("a"))
    assert [event.text for event in events(joined, EventKind.RECOVERED)] == ["recovered"]


def test_trouble_begins_when_the_pod_ceased_to_be_ready() -> None:
    joined = shop()
    joined.put("pods", structs.replace(crashing("a"), created_at=NOW - 30 * 86400, unready_since=NOW - 40))
    joined.put("deployments.apps", workload(ready=0, available=0))
    assert joined.cart.since == NOW - 40
    told = events(joined, EventKind.UNHEALTHY)
    assert {event.at for event in told} == {NOW - 40}
    assert Severity.CRIT in {event.severity for event in told}


def test_trouble_that_grows_is_told_again() -> None:
    joined = shop()
    joined.put("deployments.apps", workload(ready=2))
    assert [event.severity for event in events(joined, EventKind.UNHEALTHY)] == [Severity.WARN]
    joined.put("deployments.apps", workload(ready=0, available=0))
    assert {event.severity for event in events(joined, EventKind.UNHEALTHY)} == {Severity.CRIT, Severity.WARN}


def test_a_roll_back_is_told_though_its_replicaset_is_old() -> None:
    old = replicaset(1, created_at=NOW - 30 * 86400)
    joined = shop(replicasets={one.ref.key: one for one in (old, replicaset(2, created_at=NOW - 9e5))})
    assert [event.text for event in events(joined, EventKind.ROLLOUT)] == ["rev 2 complete"]
    joined.put("deployments.apps", workload(changed_by="kubectl", changed_at=NOW - 2, revision="3", images=old.images))
    again = structs.replace(old, revision=3, revision_history="1")
    joined.put("replicasets.apps", again)
    event = events(joined, EventKind.ROLLOUT)[0]
    assert (event.text, event.at, event.ref.kind) == ("rev 3 (was 1)  v2→v1", NOW - 2, "Deployment")
    later = workload(changed_by="kubectl", changed_at=NOW - 2, revision="3")
    (known,) = revision_events(again, [again, replicaset(2)], later, NOW + 100, live=False)
    assert known.id == event.id


def test_old_numbers_of_a_revision_keep_their_time() -> None:
    again = replicaset(5, revision_history="1,3", created_at=NOW - 100)
    told = revision_events(again, [again, replicaset(2), replicaset(4)], None, NOW, live=False)
    assert [(event.text, event.at) for event in told] == [("rev 1  v5", NOW - 100)]


def test_a_stateful_set_tells_of_its_new_template_and_its_end() -> None:
    old = workload("StatefulSet", "db", revision="", update_revision="a", current_revision="a")
    joined = shop(statefulsets={"shop/db": old})
    rolls = structs.replace(old, update_revision="b", images=("shop/db:v3",), updated=1)
    joined.put("statefulsets.apps", rolls)
    joined.live.publish()
    joined.put("statefulsets.apps", structs.replace(rolls, current_revision="b", updated=3, partition=0))
    told = [event.text for event in events(joined, EventKind.ROLLOUT) if event.ref.name == "db"]
    assert sorted(told) == ["complete", "v2→v3"]


def test_scaling_is_no_roll_out() -> None:
    joined = shop()
    joined.put("deployments.apps", workload(desired=5, ready=3, available=3, updated=3))
    joined.live.publish()
    joined.put("deployments.apps", workload(desired=5))
    assert [event.text for event in events(joined, EventKind.SCALE)] == ["scaled to 5"]
    ends = [event.at for event in events(joined, EventKind.ROLLOUT) if event.text == "rev 2 complete"]
    assert ends == [NOW - 3600], "the end that was known before"


def test_an_end_that_comes_before_the_last_ill_pod_is_gone_is_told_once_it_is() -> None:
    joined = shop()
    told = [event.text for event in events(joined, EventKind.ROLLOUT)]
    rolled = workload(revision="3", generation=3, observed_generation=3)
    joined.put("replicasets.apps", replicaset(3, created_at=NOW))
    joined.put("deployments.apps", structs.replace(rolled, conditions=rolling(), updated=1))
    joined.put("pods", crashing("a"))
    joined.live.publish()
    ended = Condition("Progressing", "True", "NewReplicaSetAvailable", changed_at=NOW - 9, updated_at=NOW - 2)
    rolled = structs.replace(rolled, conditions=(ended,), resource_version="11")
    joined.put("deployments.apps", rolled)
    assert "rev 3 complete" not in [event.text for event in events(joined, EventKind.ROLLOUT)]
    joined.drop("pods", "shop/cart-a")
    new = [event for event in events(joined, EventKind.ROLLOUT) if event.text not in told]
    assert ("rev 3 complete", NOW - 2) in [(event.text, event.at) for event in new]
    joined.put("pods", crashing("a"))
    joined.live.publish()
    joined.drop("pods", "shop/cart-a")
    again = [event.text for event in events(joined, EventKind.ROLLOUT)]
    assert again.count("rev 3 complete") == 1


@pytest.mark.parametrize(
    ("before", "now", "ended"),
    [
        (workload(conditions=rolling()), workload(), True),
        (workload(), workload(), False),
        (workload("DaemonSet", updated=1), workload("DaemonSet"), True),
        (workload("DaemonSet", updated=1), workload("DaemonSet", desired=4), False),
    ],
)
def test_a_roll_out_ends(before: Any, now: Any, ended: bool) -> None:
    assert finished(before, now) is ended


def test_a_workload_made_anew_under_its_name_is_another() -> None:
    joined = shop()
    other = workload(ready=1, available=1)
    joined.put("deployments.apps", structs.replace(other, ref=structs.replace(other.ref, uid="new")))
    assert joined.cart.ref.uid == "new"
    joined.drop("pods", "shop/cart-a")
    assert joined.cart.ref.uid == "new"
    assert events(joined, EventKind.UNHEALTHY) == []


def test_a_node_that_goes_and_a_job_that_fails_are_told_with_the_servers_time() -> None:
    joined = shop()
    gone = (Condition("Ready", "Unknown", changed_at=NOW - 33), Condition("DiskPressure", "False", changed_at=NOW - 1))
    joined.put("nodes", node(status="NotReady", conditions=gone))
    job = Job(Ref("c", "batch", "Job", "shop", "export", "u"), "Failed", Severity.WARN, NOW - 60, finished_at=NOW - 30)
    joined.put("jobs.batch", job)
    assert [(event.text, event.at) for event in events(joined, EventKind.NODE)] == [
        ("NotReady: its kubelet is silent", NOW - 33)
    ]
    assert [(event.text, event.at) for event in events(joined, EventKind.JOB)] == [("job failed", NOW - 30)]


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (("r/a:v1",), ("r/a:v2",), "v1→v2"),
        (("r/a:v1", "r/b:1"), ("r/a:v1", "r/b:2"), "1→2"),
        (("r:5000/a",), ("r:5000/a@sha256:0123456789abcdef",), "a→0123456789ab"),
        ((), ("r/a:v1@sha256:00",), "v1"),
        ((), (), ""),
    ],
)
def test_images_are_told_by_their_tags(before: tuple[str, ...], now: tuple[str, ...], text: str) -> None:
    assert change_of(before, now) == text
