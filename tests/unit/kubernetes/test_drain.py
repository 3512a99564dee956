"""Which pods a drain lets go, keeps or is blocked by: kubectl's filters and the server's budgets, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kubernetes.drain import Allowed, Verdict, closed, covers, plan_drain, selects

NOW = 1_800_000_000.0
LONG_AGO = "2026-01-01T00:00:00Z"


def owner(kind: str, name: str = "web-1", uid: str = "o1", api: str = "apps/v1") -> dict[str, Any]:
    return {"controller": True, "kind": kind, "name": name, "uid": uid, "apiVersion": api}


def pod(name: str = "web-1-a", *owners: Any, phase: str = "Running", **changes: Any) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "uid": f"u-{name}", "labels": {"app": "web"}}
    metadata |= {"ownerReferences": list(owners)} if owners else {}
    spec: dict[str, Any] = {"nodeName": "n1", "terminationGracePeriodSeconds": 45} | changes.pop("spec", {})
    ready = [{"type": "Ready", "status": str(changes.pop("ready", True))}]
    return {
        "metadata": metadata | changes,
        "spec": spec,
        "status": {"phase": phase, "conditions": ready},
    }


RS, DS = owner("ReplicaSet"), owner("DaemonSet", "agent")
EMPTY = {"volumes": [{"name": "t", "emptyDir": {}}]}
MIRROR = {"annotations": {"kubernetes.io/config.mirror": "x"}}
ALL = Allowed(empty_dirs=True, unmanaged=True)


@pytest.mark.parametrize(
    ("given", "allowed", "verdict", "warnings"),
    [
        # managed pods go
        (pod("a", RS), Allowed(), Verdict.EVICT, 0),
        (pod("a", owner("StatefulSet")), Allowed(), Verdict.EVICT, 0),
        (pod("a", owner("Job", api="batch/v1")), Allowed(), Verdict.EVICT, 0),
        # of a DaemonSet: stays, unless it has finished; one of another API group is not it
        (pod("a", DS), Allowed(), Verdict.DAEMONSET, 0),
        (pod("a", DS), ALL, Verdict.DAEMONSET, 0),
        (pod("a", DS, phase="Succeeded"), Allowed(), Verdict.EVICT, 0),
        (pod("a", owner("DaemonSet", "agent", api="example.com/v1")), Allowed(), Verdict.EVICT, 0),
        # of a DaemonSet that is gone
        (pod("a", owner("DaemonSet", "other")), Allowed(), Verdict.ORPHANED, 0),
        (pod("a", owner("DaemonSet", "other")), ALL, Verdict.EVICT, 1),
        # a static pod's mirror stays, whatever else it has
        (pod("a", **MIRROR), Allowed(), Verdict.MIRROR, 0),
        (pod("a", owner("Node", "n1", api="v1"), spec=EMPTY, **MIRROR), Allowed(), Verdict.MIRROR, 0),
        # emptyDir
        (pod("a", RS, spec=EMPTY), Allowed(), Verdict.LOCAL, 0),
        (pod("a", RS, spec=EMPTY), Allowed(empty_dirs=True), Verdict.EVICT, 1),
        (pod("a", RS, spec=EMPTY, phase="Failed"), Allowed(), Verdict.EVICT, 0),
        (pod("a", RS, spec={"volumes": [{"name": "c", "configMap": {"name": "x"}}]}), Allowed(), Verdict.EVICT, 0),
        # the DaemonSet filter comes first
        (pod("a", DS, spec=EMPTY), Allowed(), Verdict.DAEMONSET, 0),
        # unmanaged
        (pod("a"), Allowed(), Verdict.UNMANAGED, 0),
        (pod("a"), Allowed(unmanaged=True), Verdict.EVICT, 1),
        (pod("a", phase="Succeeded"), Allowed(), Verdict.EVICT, 0),
        (pod("a", {**RS, "controller": False}), Allowed(), Verdict.UNMANAGED, 0),
        # both, and both are said
        (pod("a", spec=EMPTY), Allowed(), Verdict.LOCAL, 0),
        (pod("a", spec=EMPTY), ALL, Verdict.EVICT, 2),
        # shutting down for long
        (pod("a", RS, deletionTimestamp=LONG_AGO), Allowed(skip_leaving=60), Verdict.LEAVING, 0),
        (pod("a", RS, deletionTimestamp=LONG_AGO), Allowed(), Verdict.EVICT, 0),
        (pod("a", deletionTimestamp=LONG_AGO), Allowed(skip_leaving=60), Verdict.LEAVING, 0),
    ],
)
def test_kubectl_s_filters(given: Any, allowed: Allowed, verdict: Verdict, warnings: int) -> None:
    found = plan_drain("n1", [given], daemonsets={"shop/agent"}, allowed=allowed, now=NOW)
    assert (found.pods[0].verdict, len(found.pods[0].warnings)) == (verdict, warnings)
    assert bool(found.blocked) is verdict.blocks


@pytest.mark.parametrize(
    ("given", "running"),
    [
        (pod("a", owner("Job", api="batch/v1")), True),
        (pod("a", owner("Job", api="batch/v1"), phase="Succeeded"), False),
        (pod("a", RS), False),
    ],
)
def test_a_run_of_a_job_begins_anew_elsewhere(given: Any, running: bool) -> None:
    assert plan_drain("n1", [given], daemonsets=(), now=NOW).pods[0].running is running


def budget(name: str = "web", allowed: int = 0, selector: Any = "web", **changes: Any) -> dict[str, Any]:
    chosen = {"matchLabels": {"app": selector}} if isinstance(selector, str) else selector
    return {
        "metadata": {"namespace": changes.pop("namespace", "shop"), "name": name},
        "spec": {"selector": chosen, **changes.pop("spec", {})},
        "status": {"disruptionsAllowed": allowed, "desiredHealthy": 2, "currentHealthy": 2} | changes,
    }


ALWAYS = {"unhealthyPodEvictionPolicy": "AlwaysAllow"}
SENTENCE = "The disruption budget web needs 2 healthy pods and has 2 currently"


@pytest.mark.parametrize(
    ("given", "budgets", "verdict", "stuck"),
    [
        (pod("a", RS), [budget(allowed=1)], Verdict.EVICT, ""),
        (pod("a", RS), [budget()], Verdict.EVICT, SENTENCE),
        (pod("a", RS), [budget(selector="other")], Verdict.EVICT, ""),
        (pod("a", RS), [budget(namespace="other")], Verdict.EVICT, ""),
        (pod("a", RS), [budget(selector={})], Verdict.EVICT, SENTENCE),
        (pod("a", RS), [budget("a", 1), budget("b", 1)], Verdict.MANY_BUDGETS, ""),
        # finished, pending and leaving pods are not protected
        (pod("a", RS, phase="Pending"), [budget()], Verdict.EVICT, ""),
        (pod("a", RS, phase="Failed"), [budget("a"), budget("b")], Verdict.EVICT, ""),
        (pod("a", RS, deletionTimestamp=LONG_AGO), [budget()], Verdict.EVICT, ""),
        # pods that are not ready, by the policy
        (pod("a", RS, ready=False), [budget(currentHealthy=2)], Verdict.EVICT, ""),
        (pod("a", RS, ready=False), [budget(currentHealthy=1, spec=ALWAYS)], Verdict.EVICT, ""),
        (pod("a", RS, ready=False), [budget(currentHealthy=1)], Verdict.EVICT, "AlwaysAllow in the budget"),
    ],
)
def test_what_a_budget_says(given: Any, budgets: list[Any], verdict: Verdict, stuck: str) -> None:
    (found,) = plan_drain("n1", [given], budgets=budgets).pods
    assert found.verdict is verdict
    assert stuck in found.stuck
    assert bool(stuck) is bool(found.stuck)


def test_the_plan_is_whole() -> None:
    owners = [
        {"metadata": {"uid": "o1"}, "spec": {"replicas": 1}},
        {"metadata": {"uid": "o2"}, "spec": {"replicas": 3}},
    ]
    pods = [
        pod("b", RS),
        pod("a", owner("ReplicaSet", "api-1", "o2"), spec={"terminationGracePeriodSeconds": 300}),
        pod("c", DS),
        pod("d"),
        pod("elsewhere", RS, spec={"nodeName": "n2"}),
    ]
    plan = plan_drain("n1", pods, owners=owners)
    assert [one.name for one in plan.pods] == ["d", "c", "a", "b"]
    assert [(one.name, one.singleton, one.owner) for one in plan.evicted] == [
        ("a", False, "ReplicaSet api-1"),
        ("b", True, "ReplicaSet web-1"),
    ]
    assert plan.summary == "evict 2, skip 1, blocked 1, singletons 1, longest grace 300 s"


@pytest.mark.parametrize(
    ("expression", "labels", "matches"),
    [
        ({"key": "a", "operator": "In", "values": ["1", "2"]}, {"a": "1"}, True),
        ({"key": "a", "operator": "In", "values": ["1"]}, {}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, {"a": "1"}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, {}, True),
        ({"key": "a", "operator": "Exists"}, {"a": ""}, True),
        ({"key": "a", "operator": "DoesNotExist"}, {"a": ""}, False),
        ({"key": "a", "operator": "Odd"}, {"a": ""}, False),
    ],
)
def test_selectors(expression: Any, labels: dict[str, str], matches: bool) -> None:
    assert selects({"matchExpressions": [expression]}, labels) is matches


def test_a_budget_without_selector_covers_nothing() -> None:
    assert list(covers(pod(), [budget(selector=None)])) == []


def test_nodes_that_take_no_pods_are_counted() -> None:
    def node(ready: str, **spec: Any) -> dict[str, Any]:
        return {"spec": spec, "status": {"conditions": [{"type": "Ready", "status": ready}]}}

    assert closed([node("True"), node("True", unschedulable=True), node("Unknown")]) == (2, 3)


@given(st.lists(st.sampled_from(["replica", "daemon", "bare", "empty", "mirror"]), max_size=8), st.booleans())
def test_every_pod_of_the_node_has_exactly_one_verdict(kinds: list[str], generous: bool) -> None:
    made = {
        "replica": lambda name: pod(name, RS),
        "daemon": lambda name: pod(name, DS),
        "bare": pod,
        "empty": lambda name: pod(name, RS, spec=EMPTY),
        "mirror": lambda name: pod(name, **MIRROR),
    }
    pods = [made[kind](f"p{number}") for number, kind in enumerate(kinds)]
    plan = plan_drain("n1", pods, allowed=ALL if generous else Allowed())
    assert sorted(one.name for one in plan.pods) == sorted(one["metadata"]["name"] for one in pods)
    assert len(plan.evicted) + len(plan.skipped) + len(plan.blocked) == len(pods)
    assert not generous or not plan.blocked
    assert {one.name for one in plan.evicted} & {f"p{n}" for n, kind in enumerate(kinds) if kind == "daemon"} == set()
