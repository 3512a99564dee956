"""The plan of a drain pod by pod, what may not be planned, what blocks it, and how far a run is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from services.actions.drain import BUDGETS, Drain
from services.actions.guard import Circumstances, Deny, guard
from services.actions.halting import HaltingHands
from services.actions.runner import resolve
from services.actions.spec import Refused
from services.clock import ManualClock
from services.config_policy import Policy
from services.kubernetes.faults import WriteFault, WriteProblem
from services.model.action import Outcome, Plan, Progress, Step, Target, Write
from services.model.ref import DAEMONSETS, NODES, PODS, REPLICASETS, Ref, Resource
from services.model.severity import Severity
from services.sanitize import safe_text

Document = dict[str, Any]
N1 = Target(Ref("c", "", "Node", "", "n1", "u-n1"), NODES)


def a_node(name: str, *, closed: bool = False) -> Document:
    ready = [{"type": "Ready", "status": "True"}]
    spec = {"unschedulable": True} if closed else {}
    return {"metadata": {"name": name, "uid": f"u-{name}"}, "spec": spec, "status": {"conditions": ready}}


def pod(name: str, owner: str = "ReplicaSet", **spec: Any) -> Document:
    owners = [{"kind": owner, "name": "own", "uid": f"u-{owner}", "controller": True, "apiVersion": "apps/v1"}]
    metadata = {"name": name, "namespace": "shop", "uid": f"u-{name}", "labels": {"app": name}}
    metadata |= {"ownerReferences": owners} if owner else {}
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
    return {"metadata": metadata, "spec": {"nodeName": "n1", **spec}, "status": ready}


def budget(app: str, allowed: int) -> Document:
    selector = {"matchLabels": {"app": app}}
    status = {"disruptionsAllowed": allowed, "desiredHealthy": 2, "currentHealthy": 2 + allowed}
    about = {"name": f"{app}-stays", "namespace": "shop"}
    return {"metadata": about, "spec": {"selector": selector}, "status": status}


class Cluster:
    """Hands on a cluster whose pods go as soon as they are asked to, unless `keeps` says how often they may refuse."""

    def __init__(self, *pods: Document, nodes: int = 4, closed: int = 0, node: Ref = N1.ref) -> None:
        self.clock = ManualClock()
        self.nodes = [a_node(f"n{number}", closed=1 < number <= closed + 1) for number in range(1, nodes + 1)]
        self.nodes[0]["metadata"] = {"name": node.name, "uid": node.uid}
        self.pods = {one["metadata"]["name"]: one for one in pods}
        for one in pods:
            one["spec"]["nodeName"] = node.name
        self.budgets: list[Document] = []
        self.keeps: dict[str, int] = {}
        self.sent: list[str] = []

    @property
    def cordoned(self) -> Document:
        """The node once it is closed."""
        return {**self.nodes[0], "spec": {"unschedulable": True}}

    async def get(self, resource: Resource, _namespace: str, name: str, _subresource: str = "") -> Document:
        return self.nodes[0] if resource is NODES else self.pods[name]

    async def find(self, resource: Resource, _namespace: str = "", **_params: str) -> Sequence[Document]:
        scaled = {"metadata": {"uid": "u-ReplicaSet"}, "spec": {"replicas": 1}}
        daemon = {"metadata": {"namespace": "shop", "name": "own"}}
        found = {NODES: self.nodes, PODS: list(self.pods.values()), BUDGETS: self.budgets}
        return found.get(resource, {REPLICASETS: [scaled], DAEMONSETS: [daemon]}.get(resource, []))

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        if dry_run:
            return self.cordoned
        self.sent.append(write.what)
        name = write.path.split("/")[-2]
        if write.method == "PATCH":
            self.nodes[0] = self.cordoned
        elif self.keeps.get(name, 0):
            self.keeps[name] -= 1
            problem = WriteProblem(safe_text("Could not evict"), WriteFault.BUDGET, 429)
            problem.causes = (
                {"message": f"The disruption budget {name}-stays needs 2 healthy pods and has 2 currently"},
            )
            raise problem
        else:
            del self.pods[name]
        return {}


async def planned(cluster: Cluster, **given: str) -> Plan:
    return await Drain().plan(N1, given, cluster)  # type: ignore[arg-type]


async def driven(work: Coroutine[Any, Any, None], clock: ManualClock) -> None:
    """Let time pass until something is done."""
    task = asyncio.ensure_future(work)
    for _ in range(200):
        await clock.advance(0.5)
        if task.done():
            return task.result()
    raise AssertionError("it never ended")


def told(plan: Plan, name: str) -> Step:
    return next(one for one in plan.steps if one.name == f"shop/{name}")


async def test_every_pod_has_its_verdict_its_room_and_its_price() -> None:
    scratch = {"volumes": [{"name": "t", "emptyDir": {}}]}
    cluster = Cluster(pod("agent", "DaemonSet"), pod("free", "StatefulSet"), pod("db"), pod("cache", **scratch))
    cluster.budgets = [budget("db", 0), budget("cache", 1)]
    plan = await planned(cluster, empty_dirs="true")
    assert [one.name.partition("/")[2] for one in plan.steps] == ["db", "cache", "free", "agent"]  # worst first
    assert told(plan, "db") == Step(
        "shop/db", "waits", "needs 2 healthy pods, has 2; no second one of it", "0 (db-stays)", 30.0, Severity.WARN
    )
    cache = told(plan, "cache")
    assert (cache.fate, cache.limit, cache.severity) == ("goes", "1 (cache-stays)", Severity.WARN)
    assert "its emptyDir would be lost" in cache.why
    assert told(plan, "free") == Step("shop/free", "goes", seconds=30.0)
    assert told(plan, "agent") == Step("shop/agent", "stays", "its DaemonSet would make it again")
    assert (plan.blocked, plan.touches, plan.typed) == ("", 3, "n1")
    facts = {one.label: one.text for one in plan.facts}
    assert facts["budget"] == "1 cannot go yet (db-stays): they are asked again until their time is over"
    assert {"single", "emptyDir"} <= set(facts)


@pytest.mark.parametrize(
    ("blocks", "given", "why"),
    [
        (pod("bare", ""), {}, "nothing manages it"),
        (pod("cache", volumes=[{"name": "t", "emptyDir": {}}]), {}, "its emptyDir would be lost"),
        (pod("lost", "DaemonSet", nodeName="n1") | {"metadata": {}}, {}, ""),
    ],
)
async def test_one_pod_that_may_not_go_keeps_all_and_is_shown(
    blocks: Document, given: dict[str, str], why: str
) -> None:
    if not why:
        blocks = pod("lost", "DaemonSet")
        blocks["metadata"]["ownerReferences"][0]["name"] = "deleted"
        why = "its DaemonSet is gone"
    cluster = Cluster(pod("web"), blocks)
    plan = await planned(cluster, **given)
    step = plan.steps[0]
    assert (step.fate, why in step.why, step.severity) == ("blocks", True, Severity.CRIT)
    assert why in plan.blocked
    judged = guard(plan, Policy(), Circumstances(now=0.0))
    assert isinstance(judged, Deny)
    assert judged.reason == plan.blocked
    allowed = await planned(cluster, empty_dirs="true", unmanaged="true")
    assert (allowed.blocked, allowed.touches) == ("", 2)
    assert cluster.sent == []


@pytest.mark.parametrize(("nodes", "closed", "said"), [(4, 2, "2 of 4 nodes are closed"), (1, 0, "the only node")])
async def test_there_must_be_room_elsewhere(nodes: int, closed: int, said: str) -> None:
    with pytest.raises(Refused, match=said):
        await planned(Cluster(pod("web"), nodes=nodes, closed=closed))


async def test_a_run_tells_every_pod_and_can_be_stopped_and_taken_up_again() -> None:
    cluster = Cluster(pod("web"), pod("db"), pod("agent", "DaemonSet"))
    cluster.budgets, cluster.keeps = [budget("db", 0)], {"db": 99}
    plan = await planned(cluster)
    seen: list[Progress] = []

    async def note(progress: Progress) -> None:
        seen.append(progress)

    def stopped() -> str:
        return "stopped, as asked" if cluster.sent.count("evict pod shop/db") == 3 else ""

    await driven(Drain().execute(plan, HaltingHands(cluster, stopped), note), cluster.clock)  # type: ignore[arg-type]
    waiting = [step for one in seen for step in one.steps if step.name == "shop/db"]
    assert any(one.fate.startswith("refused again in ") for one in waiting)
    assert {one.why for one in waiting if one.fate.startswith("refused")} == {"needs 2 healthy pods, has 2"}
    assert len({one.fate for one in waiting}) > 4  # it is counted down
    last = {one.name: one.fate for one in seen[-1].steps}
    assert last == {"shop/db": "not asked any more", "shop/web": "gone"}
    ended = await Drain().verify(plan, cluster, note)  # type: ignore[arg-type]
    assert (ended.outcome, "1 of 2 pods are still there (shop/db)" in ended.text) == (Outcome.FAILED, True)
    # a console that died in the middle left the cordon too: what finds that out offers to take it away
    found = await resolve(Drain(), plan, cluster, note)  # type: ignore[arg-type]
    assert found.undo is not None
    assert (found.undo, found.undo.action) == (plan.undo, "uncordon")

    cluster.keeps.clear()
    again = await planned(cluster)
    assert (again.writes, again.touches, "cordoned before" in again.no_undo) == ((), 1, True)
    await driven(Drain().execute(again, cluster, note), cluster.clock)  # type: ignore[arg-type]
    ended = await Drain().verify(again, cluster, note)  # type: ignore[arg-type]
    assert ended.outcome is Outcome.OK
    assert cluster.sent.count("evict pod shop/web") == 1
    assert "evict pod shop/agent" not in cluster.sent
