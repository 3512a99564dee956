"""Every action of the registry on a real control plane: rehearsed, refused when things moved, done, seen, put back."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from services.actions.reading import edits
from services.errors import Problem
from services.model.action import Outcome, Plan, Target
from services.model.ref import CRONJOBS, DAEMONSETS, DEPLOYMENTS, JOBS, NODES, PODS, STATEFULSETS, Resource
from tests.contract.consoles import Operator, changed, merge, operator
from tests.contract.handed import eventually
from tests.contract.watched import kubectl
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane

IMAGE = "registry.example/shop/web"
KINDS = (DEPLOYMENTS, STATEFULSETS, DAEMONSETS)
AT_ONCE = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}
MOVED = "revisionHistoryLimit"
"""A field of a workload's spec that moves no pod."""


class Case(Struct, frozen=True):
    """One action: on which kind, with which answers, the requests it makes, what puts it back ("" for nothing).

    `twist` is what somebody else merges into the object meanwhile, `first` an action that is needed before.
    """

    action: str
    kind: Resource
    name: str = "web"
    given: Mapping[str, str] = {}
    asked: tuple[tuple[str, str], ...] = ()
    back: str = ""
    twist: Mapping[str, Any] = {}
    first: str = ""

    @property
    def words(self) -> str:
        """What a test of it is called."""
        return f"{self.action}-{self.kind.kind}"


def _workloads() -> Iterator[Case]:
    for kind in KINDS:
        patched = (("patch", kind.plural),)
        twist = {"spec": {MOVED: 5}}
        image = {"image": f"{IMAGE}:3"}
        yield Case("set-image", kind, given=image, asked=patched, back="set-image", twist=twist)
        yield Case("rollback", kind, asked=patched, back="rollback", twist=twist)
        yield Case("restart", kind, asked=patched, twist=twist)
        if kind is not DAEMONSETS:
            scaled = (("patch", f"{kind.plural}/scale"),)
            yield Case(
                "scale", kind, given={"replicas": "1"}, asked=scaled, back="scale", twist={"spec": {"replicas": 4}}
            )
    patched = (("patch", "deployments"),)
    yield Case("pause", DEPLOYMENTS, asked=patched, back="resume", twist={"spec": {MOVED: 5}})
    yield Case("resume", DEPLOYMENTS, asked=patched, back="pause", twist={"spec": {MOVED: 5}}, first="pause")


def _clockwork() -> Iterator[Case]:
    patched, twist = (("patch", "cronjobs"),), {"spec": {"startingDeadlineSeconds": 99}}
    yield Case("suspend-cronjob", CRONJOBS, "night", asked=patched, back="resume-cronjob", twist=twist)
    yield Case(
        "resume-cronjob", CRONJOBS, "night", asked=patched, back="suspend-cronjob", twist=twist, first="suspend-cronjob"
    )
    other = {"spec": {"jobTemplate": {"spec": {"backoffLimit": 5}}}}
    yield Case("trigger-cronjob", CRONJOBS, "night", asked=(("create", "jobs"),), twist=other)
    yield Case(
        "retry-job", JOBS, "broken", asked=(("create", "jobs"),), twist={"spec": {"ttlSecondsAfterFinished": 9999}}
    )


CASES = [*_workloads(), *_clockwork()]


@pytest.fixture(scope="module")
def shop(plane: ControlPlane) -> Iterator[str]:
    """A namespace with a workload of each kind at its second revision, a CronJob, a failed Job."""
    name = f"t-{secrets.token_hex(4)}"
    plane.kubectl("create", "namespace", name)
    template = manifests.pod_template("web", f"{IMAGE}:1")
    objects = [
        manifests.workload("Deployment", name, "web", template, replicas=2),
        manifests.workload("StatefulSet", name, "web", _labelled(template, "s"), replicas=2, serviceName="web"),
        manifests.workload("DaemonSet", name, "web", _labelled(template, "d"), updateStrategy=AT_ONCE),
    ]
    for one in objects[1:]:
        one["spec"]["selector"] = {"matchLabels": one["spec"]["template"]["metadata"]["labels"]}
    job = manifests.job_template("broken", f"{IMAGE}:1-fail", "1s")
    job["spec"]["backoffLimit"] = 0
    night = {"schedule": "0 4 1 1 *", "jobTemplate": manifests.job_template("night", f"{IMAGE}:1", "600s")}
    objects += [
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "broken", "namespace": name}, **job},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "night", "namespace": name}, "spec": night},
    ]
    objects[-2] = {**objects[-2], "metadata": {"name": "broken", "namespace": name, "labels": {"app": "broken"}}}
    plane.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in objects))
    kinds = ("deployment/web", "statefulset/web", "daemonset/web")
    for image in (":1", ":2"):
        if image != ":1":
            plane.kubectl("-n", name, "set", "image", *kinds, f"web={IMAGE}{image}")
        for one in kinds:
            plane.kubectl("-n", name, "rollout", "status", one, "--timeout=180s")
    plane.kubectl("-n", name, "wait", "--for=condition=Failed", "job/broken", "--timeout=180s")
    yield name
    plane.kubectl("delete", "namespace", name, "--wait=false", check=False)


def _labelled(template: dict[str, Any], value: str) -> dict[str, Any]:
    return {**template, "metadata": {"labels": {"app": "web", "set": value}}}


@pytest.fixture
async def alice(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Operator]:
    async with operator(plane, tmp_path) as made, asyncio.timeout(300):
        yield made


async def refused(alice: Operator, plan: Plan) -> str:
    """Confirm what must not be done any more; returns why."""
    ended = await alice.confirm(plan)
    assert ended.outcome is Outcome.CANCELLED, ended
    assert "nothing was changed" in ended.text
    return ended.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
async def test_it_is_rehearsed_refused_done_seen_and_put_back(
    alice: Operator, plane: ControlPlane, shop: str, case: Case
) -> None:
    kind, place = case.kind, f"/namespaces/{shop}/"
    target = await alice.target(kind, shop, case.name)
    if case.first:
        await alice.does(case.first, target)
    so_far = len(changed(plane, place, 0))
    plan = await alice.plan(case.action, target, **case.given)
    assert "the server would take it" in {one.text for one in plan.facts}

    # somebody changes it between the plan and the confirmation: not a single request but dry runs
    before = await alice.hands.get(kind, shop, case.name)
    await merge(plane, kind.path(shop, case.name), case.twist)
    assert "look at it again" in await refused(alice, plan) or case.action == "scale"
    assert len(changed(plane, place, so_far)) == so_far
    put_back = {"spec": _only(before["spec"], case.twist["spec"])}
    await merge(plane, kind.path(shop, case.name), put_back)

    # done, and what the dry run showed is what the server holds then
    before = await alice.hands.get(kind, shop, case.name)
    plan = await alice.plan(case.action, await alice.target(kind, shop, case.name), **case.given)
    ended = await alice.confirm(plan)
    assert ended.outcome is Outcome.OK, ended
    after = await alice.hands.get(kind, shop, case.name)
    if case.action != "scale":
        assert [one for one in edits(before, after) if one.path.startswith("spec")] == [
            one for one in plan.edits if one.path.startswith("spec")
        ]
    assert (before["spec"] == after["spec"]) is (case.asked[0][0] == "create")
    done = changed(plane, place, so_far + len(case.asked))[so_far:]
    assert {code for _, _, code in done} <= {200, 201, 409, 422}  # a lost race is sent again, with the newer version
    assert [one for one in done if one[2] < 400] == [
        (verb, resource, 201 if verb == "create" else 200) for verb, resource in case.asked
    ]

    # and put back where that can be
    assert (ended.undo.action if ended.undo is not None else "") == case.back
    assert bool(case.back) is not bool(plan.no_undo)
    if case.back:
        await alice.undoes(ended)
        assert (await alice.hands.get(kind, shop, case.name))["spec"] == before["spec"]
    if case.action == "resume":
        await alice.does("resume", target)


def _only(value: Any, like: Any) -> Any:
    """Return the part of a document that another one names; null where it is not there."""
    if not isinstance(like, Mapping):
        return value
    found = value if isinstance(value, Mapping) else {}
    return {name: _only(found.get(name), inner) for name, inner in like.items()}


@pytest.mark.parametrize("action", ["cordon", "uncordon"])
async def test_a_node_is_closed_and_opened(alice: Operator, plane: ControlPlane, action: str) -> None:
    node = manifests.node(0)
    name = node["metadata"]["name"] = f"closing-{action}"
    await kubectl(plane, "apply", "-f", "-", stdin=json.dumps(node))
    try:
        await eventually(lambda: _settled(alice, name), "the node at rest")
        target = await alice.target(NODES, "", name)
        if action == "uncordon":
            await alice.does("cordon", target)
            await eventually(lambda: _settled(alice, name, "unschedulable"), "the node's taint")
        so_far = len(changed(plane, f"/nodes/{name}", 0))
        plan = await alice.plan(action, target)
        await kubectl(plane, "taint", "node", name, "moved=yes:PreferNoSchedule")
        assert "somebody changed the object" in await refused(alice, plan)
        assert len(changed(plane, f"/nodes/{name}", so_far)) == so_far
        await kubectl(plane, "taint", "node", name, "moved-")
        before = await alice.hands.get(NODES, "", name)
        ended = await alice.does(action, await alice.target(NODES, "", name))
        after = await alice.hands.get(NODES, "", name)
        assert bool(after["spec"].get("unschedulable")) is (action == "cordon")
        await alice.undoes(ended)
        again = await alice.hands.get(NODES, "", name)
        assert again["spec"].get("unschedulable") == before["spec"].get("unschedulable")
    finally:
        await kubectl(plane, "delete", "node", name, "--wait=false")


async def _settled(alice: Operator, name: str, taint: str = "") -> bool:
    """Tell whether the controllers have done with a node: it is ready, and has this taint or none."""
    found = await alice.hands.get(NODES, "", name)
    spec, conditions = found["spec"], found.get("status", {}).get("conditions", ())
    taints = [one["key"].rpartition("/")[2] for one in spec.get("taints", ())]
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and taints == ([taint] if taint else [])


@pytest.mark.parametrize(
    ("action", "asked"), [("delete-pod", ("delete", "pods")), ("evict-pod", ("create", "pods/eviction"))]
)
async def test_a_pod_goes_and_never_its_namesake(
    alice: Operator, plane: ControlPlane, shop: str, action: str, asked: tuple[str, str]
) -> None:
    name = f"lone-{action}"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": shop}}
    pod["spec"] = manifests.pod_template("lone", f"{IMAGE}:1")["spec"] | {"terminationGracePeriodSeconds": 1}

    async def born() -> Target:
        await kubectl(plane, "apply", "-f", "-", stdin=json.dumps(pod))
        await kubectl(plane, "-n", shop, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=180s")
        return await alice.target(PODS, shop, name)

    target, place = await born(), f"/pods/{name}"
    plan = await alice.plan(action, target)
    await kubectl(plane, "-n", shop, "delete", "pod", name, "--wait=true")
    namesake = await born()
    assert namesake.ref.uid != target.ref.uid
    assert "was deleted and made anew" in await refused(alice, plan)
    with pytest.raises(Problem, match="made anew"):
        await alice.plan(action, target)
    assert changed(plane, place, 0) == []
    ended = await alice.does(action, namesake)
    assert ended.undo is None
    ((verb, resource, code),) = [one for one in changed(plane, place, 1) if one[2] != 409]
    assert ((verb, resource), code in (200, 201)) == (asked, True)
