"""A real API server holds changes to their preconditions, and refuses in the words that are told apart here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import structs

from services.actions.locks import BreakLock
from services.kubernetes.drain import PodVerdict, Verdict
from services.kubernetes.draining import eviction
from services.kubernetes.hands import KubernetesHands
from services.kubernetes.lease import Lease, Leases, LeaseTaken, Unleased, spot_of
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Right, Target, Write
from services.model.ref import DEPLOYMENTS, PODS, Ref
from tests.contract.handed import as_json, eventually, handed, patch, quiet
from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.access import SHOP
from tests.controlplane.clusters import Cluster

IMAGE = "registry.example/shop/web:1.0.0"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
PAUSES: list[tuple[str, object]] = [
    (MERGE, {"spec": {"paused": True}}),
    (STRATEGIC, {"spec": {"paused": True}}),
    (JSON_PATCH, [{"op": "add", "path": "/spec/paused", "value": True}]),
]


@pytest.fixture
async def hands(cluster: Cluster) -> AsyncIterator[KubernetesHands]:
    async with handed(cluster) as made, asyncio.timeout(300):
        yield made


async def web(cluster: Cluster, namespace: str, replicas: int = 0) -> dict[str, Any]:
    template = manifests.pod_template("web", IMAGE)
    await apply(cluster, manifests.workload("Deployment", namespace, "web", template, replicas=replicas))
    if replicas:
        await kubectl(cluster, "-n", namespace, "rollout", "status", "deployment/web", "--timeout=180s")
    found: dict[str, Any] = await as_json(cluster, namespace, "deployment", "web")
    return found


async def refused(hands: KubernetesHands, write: Write, **options: bool) -> WriteProblem:
    with pytest.raises(WriteProblem) as problem:
        await hands.send(write, **options)
    return problem.value


@pytest.mark.parametrize(("content_type", "body"), PAUSES)
async def test_a_change_holds_to_its_preconditions(
    hands: KubernetesHands, cluster: Cluster, namespace: str, content_type: str, body: object
) -> None:
    before = await web(cluster, namespace)
    write = patch(before, body, content_type)

    rehearsed = await hands.send(write, dry_run=True)
    assert rehearsed["spec"]["paused"] is True
    assert "paused" not in (await as_json(cluster, namespace, "deployment", "web"))["spec"]

    # somebody writes in between, and the spec stays the same: it is done with the newer version
    await kubectl(cluster, "-n", namespace, "label", "deployment", "web", "touched=yes")
    done = await hands.send(write)
    assert done["spec"]["paused"] is True
    assert done["metadata"]["labels"]["touched"] == "yes"
    managers = {entry["manager"] for entry in done["metadata"]["managedFields"]}
    assert "quarterdeck" in managers

    # the spec is another one: nothing is done
    late = await refused(hands, write)
    assert late.kind is WriteFault.CHANGED
    assert "somebody changed it since you looked" in late.sentence

    # another object has its name
    await kubectl(cluster, "-n", namespace, "delete", "deployment", "web", "--wait=true")
    assert (await refused(hands, write)).kind is WriteFault.GONE
    anew = await web(cluster, namespace)
    assert anew["metadata"]["uid"] != before["metadata"]["uid"]
    assert (await refused(hands, write)).kind is WriteFault.GONE
    only_uid = structs.replace(write, resource_version="")
    assert (await refused(hands, only_uid)).kind in {WriteFault.GONE, WriteFault.INVALID}
    assert "paused" not in (await as_json(cluster, namespace, "deployment", "web"))["spec"]


async def test_the_scale_subresource_holds_to_them_too(
    hands: KubernetesHands, cluster: Cluster, namespace: str
) -> None:
    before = await web(cluster, namespace)
    scale = await hands.get(DEPLOYMENTS, namespace, "web", "scale")
    write = patch(scale, {"spec": {"replicas": 2}}, MERGE)
    write = structs.replace(write, path=f"{write.path}/scale")
    assert (await hands.send(write, dry_run=True))["spec"]["replicas"] == 2
    await kubectl(cluster, "-n", namespace, "label", "deployment", "web", "touched=yes")
    assert (await hands.send(write))["spec"]["replicas"] == 2
    assert (await refused(hands, write)).kind is WriteFault.CHANGED
    assert (await as_json(cluster, namespace, "deployment", "web"))["spec"]["replicas"] == 2
    assert before["spec"]["replicas"] == 0


async def test_a_delete_holds_to_its_uid_and_is_rehearsed(
    hands: KubernetesHands, cluster: Cluster, namespace: str
) -> None:
    before = await web(cluster, namespace)
    path = DEPLOYMENTS.path(namespace, "web")
    write = Write("DELETE", path, "delete deployment web", uid=before["metadata"]["uid"])
    await hands.send(write, dry_run=True)
    assert (await as_json(cluster, namespace, "deployment", "web"))["metadata"]["uid"] == write.uid
    other = structs.replace(write, uid="00000000-0000-0000-0000-000000000000")
    assert (await refused(hands, other)).kind is WriteFault.GONE
    await hands.send(write)
    assert (await refused(hands, write)).kind is WriteFault.GONE


async def test_refusals_are_told_apart(hands: KubernetesHands, cluster: Cluster, namespace: str) -> None:
    before = await web(cluster, namespace)
    for body in ({"spec": {"replicas": -1}}, {"spec": {"nonsense": 1}}, {"spec": {"replicas": "x"}}):
        problem = await refused(hands, patch(before, body, MERGE))
        assert problem.kind is WriteFault.INVALID
    ends = patch(before, [{"op": "test", "path": "/spec/replicas", "value": 99}], JSON_PATCH)
    assert (await refused(hands, ends)).kind is WriteFault.INVALID
    twice = Write("POST", DEPLOYMENTS.path(namespace), "make web", _created(before))
    problem = await refused(hands, twice)
    assert (problem.kind, "of that name already" in problem.sentence) == (WriteFault.CONFLICT, True)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": namespace}}
    await apply(cluster, quota | {"spec": {"hard": {"count/configmaps": "0"}}})
    made = Write("POST", f"/api/v1/namespaces/{namespace}/configmaps", "make c", b'{"metadata":{"name":"c"}}')

    async def denied() -> WriteProblem | None:
        try:
            await hands.send(made, dry_run=True)
        except WriteProblem as problem:
            return problem
        return None

    problem = await eventually(denied, "the quota at work")
    assert problem.kind is WriteFault.DENIED
    assert "exceeded quota" in problem.sentence


def _created(document: dict[str, Any]) -> bytes:
    metadata = {"name": document["metadata"]["name"]}
    return json.dumps({"metadata": metadata, "spec": document["spec"]}).encode()


async def test_a_user_with_narrow_rights_is_told_so(cluster: Cluster) -> None:
    async with handed(cluster, "shop-only") as narrow, asyncio.timeout(300):
        assert (await narrow.introduce()).startswith("shop-only@")
        assert not (await narrow.can(Right("patch", DEPLOYMENTS, SHOP))).allowed
        assert (await narrow.can(Right("get", PODS, SHOP))).allowed
        path = DEPLOYMENTS.path(SHOP, "web")
        write = Write("PATCH", path, "pause web", b'{"spec":{"paused":true}}', MERGE, uid="u")
        problem = await refused(narrow, write)
        assert problem.kind is WriteFault.FORBIDDEN
        assert "ask for a role" in problem.sentence
        spot = spot_of(Ref("", "apps", "Deployment", SHOP, "web"))
        assert isinstance(await Leases(narrow, "one").acquire(spot, "pause"), Unleased)


def _verdict(pod: dict[str, Any]) -> PodVerdict:
    metadata = pod["metadata"]
    return PodVerdict(metadata["namespace"], metadata["name"], metadata["uid"], Verdict.EVICT)


async def test_an_eviction_asks_the_budget_and_hits_this_pod_alone(
    hands: KubernetesHands, cluster: Cluster, namespace: str
) -> None:
    await web(cluster, namespace, replicas=2)
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    await apply(cluster, budget | {"metadata": {"name": "web", "namespace": namespace}, "spec": spec})

    async def observed() -> bool:
        found = await as_json(cluster, namespace, "pdb", "web")
        return found.get("status", {}).get("currentHealthy") == 2

    await eventually(observed, "the budget at work")
    pods = await hands.find(PODS, namespace, labelSelector="app=web")
    for dry_run in (True, False):
        problem = await refused(hands, eviction(_verdict(pods[0])), dry_run=dry_run)
        assert problem.kind is WriteFault.BUDGET
        assert "The disruption budget web needs 2 healthy pods and has 2 currently" in str(problem.causes)

    two = budget | {"metadata": {"name": "also", "namespace": namespace}, "spec": spec | {"minAvailable": 0}}
    await apply(cluster, two)

    async def many() -> WriteProblem | None:
        problem = await refused(hands, eviction(_verdict(pods[0])))
        return problem if "more than one" in problem.sentence else None

    assert (await eventually(many, "two budgets")).kind is WriteFault.BUDGET
    await kubectl(cluster, "-n", namespace, "delete", "pdb", "--all")
    other = structs.replace(_verdict(pods[0]), uid="00000000-0000-0000-0000-000000000000")
    assert (await refused(hands, eviction(other))).kind is WriteFault.GONE
    await hands.send(eviction(_verdict(pods[0])), dry_run=True)
    assert (await hands.get(PODS, namespace, pods[0]["metadata"]["name"]))["metadata"]["uid"] == pods[0]["metadata"][
        "uid"
    ]
    await hands.send(eviction(_verdict(pods[0])))


async def test_of_two_consoles_one_has_the_lock(hands: KubernetesHands, cluster: Cluster, namespace: str) -> None:
    ref = Ref("", "apps", "Deployment", namespace, "web")
    spot = spot_of(ref)
    async with handed(cluster, host="other") as second:
        one, two = Leases(hands, "one"), Leases(second, "two")
        results = await asyncio.gather(
            one.acquire(spot, "rollback", 120), two.acquire(spot, "restart", 60), return_exceptions=True
        )
        won = [found for found in results if isinstance(found, Lease)]
        lost = [found for found in results if isinstance(found, LeaseTaken)]
        assert (len(won), len(lost)) == (1, 1)
        document = await as_json(cluster, namespace, "lease", spot.name)
        assert document["spec"]["holderIdentity"] == won[0].document["spec"]["holderIdentity"]
        assert document["spec"]["leaseDurationSeconds"] == 60
        owner, loser = (one, two) if isinstance(results[0], Lease) else (two, one)
        renewed = await owner.renewed(won[0].document)
        assert renewed["spec"]["renewTime"] != won[0].document["spec"]["renewTime"]
        with pytest.raises(LeaseTaken):
            await loser.acquire(spot, "restart")
        theirs, target = (second if owner is one else hands), Target(ref, DEPLOYMENTS)
        await BreakLock().execute(await BreakLock().plan(target, {}, theirs), theirs, quiet)
        taken = await loser.acquire(spot, "restart")
        assert isinstance(taken, Lease)
        assert taken.document["spec"]["leaseTransitions"] == 1
        with pytest.raises(LeaseTaken):
            await owner.renewed(renewed)
        await taken.release()
        freed = await as_json(cluster, namespace, "lease", spot.name)
        assert not freed["spec"].get("holderIdentity")
