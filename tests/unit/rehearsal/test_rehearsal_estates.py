from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rehearsal import resources
from services.rehearsal.clock import ManualClock, parse_stamp
from services.rehearsal.estate.blueprint import SIZES, draft
from services.rehearsal.hostile import TRICKS
from services.rehearsal.scenarios.registry import NAMES, find
from services.rehearsal.server import Options, Rehearsal
from tests.examples import share

if TYPE_CHECKING:
    from services.rehearsal.store import Store

Json = dict[str, Any]
_DNS = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def build(scenario: str = "bad-deploy", seed: int = 7, **more: object) -> Rehearsal:
    return Rehearsal(Options(scenario, seed, **more), ManualClock())


def names(store: Store, resource: resources.Resource) -> set[tuple[str, str]]:
    return set(store.collection(resource).entries)


@share(0.3)
@given(st.integers(0, 2**31))
def test_any_seed_makes_a_sound_plan(seed: int) -> None:
    plan = draft(seed, "small")
    assert plan == draft(seed, "small")
    keys = [(one.namespace, one.name) for one in plan.apps]
    assert len(set(keys)) == len(keys) == 40
    for word in [*plan.namespaces, *(one.name for one in plan.apps), *(one.name for one in plan.nodes), plan.cluster]:
        assert _DNS.fullmatch(word)
        assert len(word) < 50
    assert len({one.address for one in plan.nodes}) == len(plan.nodes) == SIZES["small"].nodes
    for app in plan.apps:
        numbers = [one.revision for one in app.releases]
        assert numbers == sorted(set(numbers))
        assert [one.age for one in app.releases] == sorted((one.age for one in app.releases), reverse=True)
        assert len({one.tag for one in app.releases}) == len(app.releases)
    assert sum(one.chatty for one in plan.apps) == 1


def test_two_seeds_are_two_estates() -> None:
    one, other = build(seed=1), build(seed=2)
    assert one.plan.namespaces != other.plan.namespaces
    for resource in (resources.DEPLOYMENTS, resources.PODS, resources.NODES):
        shared = names(one.store, resource) & names(other.store, resource)
        assert all(namespace in {"kube-system", "monitoring"} for namespace, _ in shared)
    images = [{app.image for app in estate.plan.deployments()} for estate in (one, other)]
    assert not images[0] & images[1]


def test_one_seed_is_one_estate() -> None:
    one, other = build(seed=5), build(seed=5)
    for key, collection in one.store.collections.items():
        assert {k: e.raw for k, e in collection.entries.items()} == {
            k: e.raw for k, e in other.store.collections[key].entries.items()
        }


def test_the_sizes_are_as_promised() -> None:
    store = build("calm", past=0).store
    count = {key: len(collection.entries) for key, collection in store.collections.items()}
    assert count["nodes"] == 12
    assert count["pods"] == 214
    workloads = ("deployments.apps", "statefulsets.apps", "daemonsets.apps", "cronjobs.batch")
    assert sum(count[one] for one in workloads) == 40
    large = draft(7, "large")
    pods = sum(one.replicas for one in large.apps if one.kind in {"Deployment", "StatefulSet"})
    pods += len(large.nodes) * sum(one.kind == "DaemonSet" for one in large.apps)
    pods += 2 * sum(one.kind == "CronJob" for one in large.apps)
    assert (len(large.nodes), pods) == (60, 10_000)
    assert sum(one.kind == "Deployment" for one in large.apps) >= 500


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_calm_is_healthy(seed: int) -> None:
    store = build("calm", seed).store
    for entry in store.collection(resources.DEPLOYMENTS).ordered():
        status = {one["type"]: one["status"] for one in entry.read()["status"]["conditions"]}
        assert status["Available"] == "True"
        assert status["Progressing"] == "True"
    for entry in store.collection(resources.NODES).ordered():
        ready = next(one for one in entry.read()["status"]["conditions"] if one["type"] == "Ready")
        assert ready["status"] == "True"


@pytest.mark.parametrize("seed", [1, 2, 7, 42])
def test_a_bad_deploy_fails_in_four_ways(seed: int) -> None:
    estate = build(seed=seed)
    reasons: dict[str, set[tuple[str, str]]] = {}
    for entry in estate.store.collection(resources.PODS).ordered():
        for status in entry.read()["status"].get("containerStatuses", ()):
            reason = status["state"].get("waiting", {}).get("reason") or status["state"].get("terminated", {}).get(
                "reason"
            )
            if reason and reason != "Completed":
                app = (entry.namespace, entry.labels["app.kubernetes.io/name"])
                reasons.setdefault(reason, set()).add(app)
    assert len(reasons.get("CrashLoopBackOff", reasons.get("Error", set()))) == 1
    assert len(reasons.get("ImagePullBackOff", reasons.get("ErrImagePull", set()))) == 1
    states: list[Json] = [one.read() for one in estate.store.collection(resources.DEPLOYMENTS).ordered()]
    stalled = [one for one in states if any(c["type"] == "ReplicaFailure" for c in one["status"]["conditions"])]
    assert len(stalled) == 1
    message = next(c for c in stalled[0]["status"]["conditions"] if c["type"] == "ReplicaFailure")["message"]
    assert "exceeded quota: compute, requested: requests.cpu=" in message
    assert stalled[0]["status"]["updatedReplicas"] < stalled[0]["spec"]["replicas"]
    rolling = [
        one
        for one in states
        if one is not stalled[0]
        and one["status"].get("readyReplicas", 0) >= one["spec"]["replicas"]
        and 0 < one["status"].get("updatedReplicas", 0) < one["spec"]["replicas"]
    ]
    assert len(rolling) >= 1


def test_history_reaches_back_for_weeks_and_events_for_an_hour() -> None:
    estate = build("calm")
    now = estate.clock.now()
    created = [
        parse_stamp(one.read()["metadata"]["creationTimestamp"])
        for one in estate.store.collection(resources.REPLICA_SETS).ordered()
    ]
    assert min(created) < now - 20 * 86400
    assert max(created) <= now
    events = [parse_stamp(one.read()["lastTimestamp"]) for one in estate.store.collection(resources.EVENTS).ordered()]
    assert events
    assert min(events) < now - 1800
    assert max(events) <= now


def test_a_hostile_estate_carries_tricks_and_a_plain_one_none() -> None:
    def text(estate: Rehearsal) -> str:
        return "".join(
            str(one.read()) + str(one.read().get("message", ""))
            for key in ("deployments.apps", "events", "pods")
            for one in estate.store.collections[key].ordered()
        )

    hostile, plain = text(build(hostile=True)), text(build())
    assert sum(repr(trick)[1:-1] in hostile for trick in TRICKS) > 10
    assert not any(repr(trick)[1:-1] in plain for trick in TRICKS if trick.isprintable() is False)
    tags = [app.current.tag for app in build(hostile=True).plan.apps]
    assert any(trick.strip()[:20] in tag for tag in tags for trick in TRICKS)


def test_scenarios_are_found_by_name() -> None:
    assert [find(name).name for name in NAMES] == list(NAMES)
    with pytest.raises(ValueError, match="choose one of: calm, bad-deploy, node-down"):
        find("flood")


@pytest.mark.parametrize("seed", [7, 42])
def test_a_bad_evening_changes_a_config_too(seed: int) -> None:
    store = build(seed=seed).store
    changed = {}
    for entry in store.collection(resources.CONFIG_MAPS).ordered():
        told = [one for one in entry.read()["metadata"].get("managedFields", ()) if "f:data" in one["fieldsV1"]]
        keys = {key for one in told for key in one["fieldsV1"]["f:data"]}
        if "f:limits.yaml" in keys:
            changed[entry.name] = told
    assert len(changed) == 1
    (name,) = changed
    assert name.endswith("-settings")
