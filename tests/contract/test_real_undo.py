"""Going back does to a twin what kubectl does to the other, drains judge as kubectl's dry run, and the trap opens."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import structs

from services.actions.registry import action
from services.kubernetes.drain import Allowed, plan_drain
from services.kubernetes.draining import Phase, drain
from services.kubernetes.hands import KubernetesHands
from services.kubernetes.undo import CannotUndo, rollback
from services.kubernetes.undo_risks import blocking_pods
from services.model.action import Target, Write
from services.model.ref import (
    CONTROLLERREVISIONS,
    DAEMONSETS,
    DEPLOYMENTS,
    NODES,
    PODS,
    REPLICASETS,
    STATEFULSETS,
    Ref,
    Resource,
)
from services.model.severity import Severity
from tests.contract.handed import as_json, eventually, handed, patch
from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.clusters import Cluster
from tests.controlplane.plane import ControlPlane

IMAGE = "registry.example/shop/web"
KINDS = {"Deployment": DEPLOYMENTS, "StatefulSet": STATEFULSETS, "DaemonSet": DAEMONSETS}
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture
async def hands(cluster: Cluster) -> AsyncIterator[KubernetesHands]:
    async with handed(cluster) as made, asyncio.timeout(300):
        yield made


async def rolled(cluster: Cluster, namespace: str, kind: str, app: str, *tags: str) -> None:
    """Make a workload without pods, with a revision for each tag."""
    template = manifests.pod_template(app, f"{IMAGE}:{tags[0]}")
    template["spec"]["nodeSelector"] = {"nowhere": "yes"}
    spec: dict[str, Any] = {"replicas": 0} if kind != "DaemonSet" else {}
    spec |= {"serviceName": app} if kind == "StatefulSet" else {}
    await apply(cluster, manifests.workload(kind, namespace, app, template, **spec))
    await _observed(cluster, namespace, kind, app)
    for tag in tags[1:]:
        await kubectl(cluster, "-n", namespace, "set", "image", f"{kind}/{app}", f"{app}={IMAGE}:{tag}")
        await _observed(cluster, namespace, kind, app)


async def _observed(cluster: Cluster, namespace: str, kind: str, app: str) -> None:
    async def seen() -> bool:
        found = await as_json(cluster, namespace, kind, app)
        generation = found["metadata"]["generation"]
        return bool(found.get("status", {}).get("observedGeneration", 0) >= generation)

    await eventually(seen, f"{kind} {app} observed")


async def found_of(hands: KubernetesHands, namespace: str, kind: str, app: str) -> tuple[Any, Any]:
    holders: Resource = REPLICASETS if kind == "Deployment" else CONTROLLERREVISIONS
    return await hands.get(KINDS[kind], namespace, app), await hands.find(
        holders, namespace, labelSelector=f"app={app}"
    )


def plain(template: dict[str, Any], app: str) -> Any:
    """Return a template in which twins are called alike."""
    return json.loads(json.dumps(template).replace(f'"{app}"', '"twin"').replace(f"-{app}", "-twin"))


@pytest.mark.parametrize("kind", list(KINDS))
async def test_a_twin_rolled_back_by_kubectl_is_the_same(
    hands: KubernetesHands, cluster: Cluster, namespace: str, kind: str
) -> None:
    for app in ("ours", "theirs"):
        await rolled(cluster, namespace, kind, app, "1", "2", "3")
    workload, holders = await found_of(hands, namespace, kind, "ours")
    way = rollback(workload, holders, to=1, cause="rollback by a test")
    write = patch(workload, None, way.content_type, KINDS[kind])
    write = structs.replace(write, body=way.body)
    assert (await hands.send(write, dry_run=True))["spec"]["template"] != workload["spec"]["template"]
    await hands.send(write)
    said = await kubectl(cluster, "-n", namespace, "rollout", "undo", f"{kind}/theirs", "--to-revision=1")
    assert "rolled back" in said
    for app in ("ours", "theirs"):
        await _observed(cluster, namespace, kind, app)
    ours, theirs = [await as_json(cluster, namespace, kind, app) for app in ("ours", "theirs")]
    templates = [plain(ours["spec"]["template"], "ours"), plain(theirs["spec"]["template"], "theirs")]
    assert templates[0] == templates[1]
    assert templates[0]["spec"]["containers"][0]["image"] == f"{IMAGE}:1"
    numbers = []
    for app in ("ours", "theirs"):
        printed = await kubectl(cluster, "-n", namespace, "rollout", "history", f"{kind}/{app}")
        numbers.append(re.findall(r"^(\d+)", printed, re.MULTILINE))
    assert numbers[0] == numbers[1] == ["2", "3", "4"]
    # on purpose unlike kubectl: a change-cause says who went back, and the annotations stay
    if kind == "Deployment":
        assert ours["metadata"]["annotations"]["kubernetes.io/change-cause"] == "rollback by a test"

    # the refusals are kubectl's, word by word
    workload, holders = await found_of(hands, namespace, kind, "ours")
    for to in (9, 4):
        command = ("-n", namespace, "rollout", "undo", f"{kind}/theirs", f"--to-revision={to}")
        done = await asyncio.to_thread(cluster.kubectl, *command, check=False)
        with pytest.raises(CannotUndo) as problem:
            rollback(workload, holders, to=to)
        assert problem.value.sentence in done.stdout + done.stderr


async def test_kubectl_s_other_refusals(hands: KubernetesHands, cluster: Cluster, namespace: str) -> None:
    await rolled(cluster, namespace, "Deployment", "web", "1")
    await rolled(cluster, namespace, "StatefulSet", "db", "1")

    async def both(kind: str, app: str, *, to: int) -> None:
        command = ["-n", namespace, "rollout", "undo", f"{kind}/{app}", *([f"--to-revision={to}"] if to else [])]
        done = await asyncio.to_thread(cluster.kubectl, *command, check=False)
        with pytest.raises(CannotUndo) as problem:
            rollback(*await found_of(hands, namespace, kind, app), to=to)
        assert problem.value.sentence in done.stderr + done.stdout

    await both("Deployment", "web", to=0)
    await both("StatefulSet", "db", to=0)
    await kubectl(cluster, "-n", namespace, "set", "image", "deployment/web", f"web={IMAGE}:2")
    await _observed(cluster, namespace, "Deployment", "web")
    await kubectl(cluster, "-n", namespace, "rollout", "pause", "deployment/web")
    await both("Deployment", "web", to=1)


async def test_what_going_back_does_not_bring_back_is_said_before(
    hands: KubernetesHands, cluster: Cluster, namespace: str
) -> None:
    """As a chart does it: its config first, then a job that migrates the schema, then the workload."""

    def config(kind: str, name: str, value: str) -> dict[str, Any]:
        field = "data" if kind == "ConfigMap" else "stringData"
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, field: {"tax": value}}

    template = manifests.pod_template("web", f"{IMAGE}:1")
    template["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    template["spec"]["volumes"] = [{"name": "keys", "secret": {"secretName": "keys"}}]
    web = manifests.workload("Deployment", namespace, "web", template, replicas=1)
    web["metadata"]["labels"] = {"app": "web"}
    await apply(cluster, config("ConfigMap", "settings", "19"), config("Secret", "keys", "old"), web)
    await kubectl(cluster, "-n", namespace, "rollout", "status", "deployment/web", "--timeout=180s")

    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "web-hook", "namespace": namespace, "labels": {"app": "web"}},
        "spec": manifests.job_template("migrate", "registry.example/shop/migrate:2", "1s")["spec"],
    }
    await apply(cluster, config("ConfigMap", "settings", "20"), config("Secret", "keys", "new"), job)
    newer = json.loads(json.dumps(web))
    pod = newer["spec"]["template"]["spec"]
    pod["containers"][0]["image"] = f"{IMAGE}:2"
    pod["initContainers"] = [{"name": "schema", "image": f"{IMAGE}:2", "command": ["alembic", "upgrade", "head"]}]
    await apply(cluster, newer)
    await _observed(cluster, namespace, "Deployment", "web")
    await kubectl(cluster, "-n", namespace, "delete", "secret", "keys")

    document = await hands.get(DEPLOYMENTS, namespace, "web")
    ref = Ref("c", "apps", "Deployment", namespace, "web", document["metadata"]["uid"])
    plan = await action("rollback").plan(Target(ref, DEPLOYMENTS), {"to": "1"}, hands)
    said = {(one.label, one.severity): one.text for one in plan.facts if one.label in ("config", "schema")}
    assert said["config", Severity.CRIT] == "Secret keys is gone, and that revision needs it"
    assert said["config", Severity.WARN].startswith("ConfigMap settings was changed by kubectl-client-side-apply at ")
    schema = [one.text for one in plan.facts if one.label == "schema"]
    assert [one.partition(" looks like")[0] for one in schema] == ["init container schema", "job web-hook"]


async def test_the_ordered_ready_trap_is_found_and_opens(
    hands: KubernetesHands, cluster: Cluster, namespace: str
) -> None:
    template = manifests.pod_template("db", f"{IMAGE}:1")
    await apply(cluster, manifests.workload("StatefulSet", namespace, "db", template, replicas=2, serviceName="db"))
    await kubectl(cluster, "-n", namespace, "rollout", "status", "statefulset/db", "--timeout=180s")
    await kubectl(cluster, "-n", namespace, "set", "image", "statefulset/db", f"db={IMAGE}:nopull")

    async def stuck() -> bool:
        pods = await hands.find(PODS, namespace, labelSelector="app=db")
        return any(
            status.get("state", {}).get("waiting", {}).get("reason") in {"ErrImagePull", "ImagePullBackOff"}
            for pod in pods
            for status in pod.get("status", {}).get("containerStatuses", ())
        )

    await eventually(stuck, "the new pod stuck")
    workload, holders = await found_of(hands, namespace, "StatefulSet", "db")
    way = rollback(workload, holders)
    assert (way.revision.number, way.words.startswith("inferred")) == (1, True)
    pods = await hands.find(PODS, namespace, labelSelector="app=db")
    before = [pod["metadata"]["name"] for pod in blocking_pods(workload, pods, way.revision.name)]
    write = patch(workload, None, way.content_type, STATEFULSETS)
    write = structs.replace(write, body=way.body)
    await hands.send(write)
    await _observed(cluster, namespace, "StatefulSet", "db")
    workload = await hands.get(STATEFULSETS, namespace, "db")
    blocking = blocking_pods(workload, await hands.find(PODS, namespace, labelSelector="app=db"))
    assert [pod["metadata"]["name"] for pod in blocking] == before == ["db-1"]
    uid = blocking[0]["metadata"]["uid"]
    await hands.send(Write("DELETE", PODS.path(namespace, "db-1"), "delete pod db-1", uid=uid))
    await kubectl(cluster, "-n", namespace, "rollout", "status", "statefulset/db", "--timeout=180s")
    assert blocking_pods(workload, await hands.find(PODS, namespace, labelSelector="app=db")) == []


async def test_cordon_does_to_a_twin_what_kubectl_does(hands: KubernetesHands, plane: ControlPlane) -> None:
    names = [f"twin-{number}" for number in range(2)]
    for name in names:
        node = manifests.node(0)
        node["metadata"] = {**node["metadata"], "name": name}
        await apply(plane, node)
    try:
        nodes = [f"node/{name}" for name in names]
        await kubectl(plane, "wait", "--for=condition=Ready", *nodes, "--timeout=180s")
        document = await hands.get(NODES, "", names[0])
        await hands.send(patch(document, {"spec": {"unschedulable": True}}, STRATEGIC, NODES))
        await kubectl(plane, "cordon", names[1])

        async def closed() -> bool:
            specs = [(await hands.get(NODES, "", name))["spec"] for name in names]
            taints = [[one["key"] for one in spec.get("taints", ())] for spec in specs]
            assert [spec["unschedulable"] for spec in specs] == [True, True]
            return taints == [["node.kubernetes.io/unschedulable"]] * 2

        await eventually(closed, "both tainted alike")
        document = await hands.get(NODES, "", names[0])
        await hands.send(patch(document, {"spec": {"unschedulable": None}}, STRATEGIC, NODES))
        await kubectl(plane, "uncordon", names[1])
        specs = [(await hands.get(NODES, "", name))["spec"] for name in names]
        assert [spec.get("unschedulable") for spec in specs] == [None, None]
    finally:
        await kubectl(plane, "delete", "node", *names, "--wait=false")


def _drained(namespace: str) -> list[dict[str, Any]]:
    """Return a node, and pods on it of every kind that a drain judges in its own way."""
    node = manifests.node(0)
    node["metadata"] = {**node["metadata"], "name": "drained"}
    node["metadata"]["labels"] = {**node["metadata"].get("labels", {}), "kubernetes.io/hostname": "drained"}
    node["spec"] = {**node.get("spec", {}), "taints": [{"key": "drained", "value": "yes", "effect": "NoSchedule"}]}
    place = {
        "nodeSelector": {"kubernetes.io/hostname": "drained"},
        "tolerations": [{"key": "drained", "operator": "Exists"}],
    }
    web, cache, agent, bare = (manifests.pod_template(app, f"{IMAGE}:1") for app in ("web", "cache", "agent", "bare"))
    web["spec"] |= place
    cache["spec"] |= place | {"volumes": [{"name": "t", "emptyDir": {}}]}
    agent["spec"] |= place
    alone = bare["spec"] | {"nodeName": "drained"}
    return [
        node,
        manifests.workload("Deployment", namespace, "web", web, replicas=2),
        manifests.workload("Deployment", namespace, "cache", cache, replicas=1),
        manifests.workload("DaemonSet", namespace, "agent", agent),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": namespace}, "spec": alone},
    ]


async def test_a_drain_judges_like_kubectl_and_empties_the_node(
    hands: KubernetesHands, plane: ControlPlane, namespace: str
) -> None:
    try:
        await apply(plane, *_drained(namespace))
        for each in ("deployment/web", "deployment/cache", "daemonset/agent"):
            await kubectl(plane, "-n", namespace, "rollout", "status", each, "--timeout=180s")

        async def seen(**allowed: bool) -> Any:
            pods = await hands.find(PODS, "", fieldSelector="spec.nodeName=drained")
            daemonsets = {f"{namespace}/agent"}
            return plan_drain("drained", pods, daemonsets=daemonsets, allowed=Allowed(**allowed))

        def theirs(*flags: str) -> tuple[set[str], str]:
            command = ("drain", "drained", "--dry-run=server", "--ignore-daemonsets", *flags)
            done = plane.kubectl(*command, check=False)
            return set(re.findall(r"evicting pod \S+/(\S+)", done.stdout)), done.stderr

        evicted, said = await asyncio.to_thread(theirs)
        plan = await seen()
        assert {one.name for one in plan.blocked} == set(re.findall(rf"{namespace}/([a-z0-9-]+)", _errors(said)))
        assert evicted == set()
        evicted, _ = await asyncio.to_thread(theirs, "--force", "--delete-emptydir-data")
        plan = await seen(empty_dirs=True, unmanaged=True)
        assert {one.name for one in plan.evicted} == evicted
        assert len(plan.evicted) == 4
        assert [one.owner for one in plan.skipped] == ["DaemonSet agent"]

        document = await hands.get(NODES, "", "drained")
        await hands.send(patch(document, {"spec": {"unschedulable": True}}, STRATEGIC, NODES))
        told: list[Any] = []

        async def report(rows: Any) -> None:
            told.append(rows)

        ended = await drain("drained", plan.evicted, hands, report, within=60)
        assert {one.phase for one in ended} == {Phase.GONE}
        assert told
        left = await hands.find(PODS, "", fieldSelector="spec.nodeName=drained")
        assert [one["metadata"]["labels"]["app"] for one in left] == ["agent"]
    finally:
        await kubectl(plane, "delete", "node", "drained", "--wait=false")


def _errors(said: str) -> str:
    """Return the part of kubectl's complaint that names the pods which block the drain."""
    return said.partition("cannot delete")[2] if "cannot delete" in said else said
