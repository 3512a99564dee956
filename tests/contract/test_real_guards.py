"""On a real control plane nobody slips: budgets, races, narrow rights, changes in the last moment, pods that crash."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.actions.drain import BUDGETS
from services.actions.guard import Allow
from services.actions.registry import listed_for
from services.errors import Problem
from services.model.action import Outcome, Progress, Stage, Target
from services.model.ref import CRONJOBS, DAEMONSETS, DEPLOYMENTS, JOBS, NODES, PODS, STATEFULSETS, Ref
from tests.contract.consoles import Operator, changed, merge, operator
from tests.contract.handed import eventually
from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane

IMAGE = "registry.example/shop/web"
ON_DEPLOYMENTS = {"rollback", "restart", "scale", "pause", "resume", "set-image"}


@pytest.fixture
async def alice(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Operator]:
    async with operator(plane, tmp_path) as made, asyncio.timeout(300):
        yield made


async def web(plane: ControlPlane, namespace: str, *tags: str, kind: str = "Deployment") -> None:
    """Make a workload of two pods, rolled out with each tag in turn."""
    spec = {"serviceName": "web"} if kind == "StatefulSet" else {}
    for tag in tags or ("1",):
        template = manifests.pod_template("web", f"{IMAGE}:{tag}")
        await apply(plane, manifests.workload(kind, namespace, "web", template, replicas=2, **spec))
        await kubectl(plane, "-n", namespace, "rollout", "status", f"{kind}/web", "--timeout=180s")


async def test_a_budget_s_no_names_the_budget(alice: Operator, plane: ControlPlane, namespace: str) -> None:
    await web(plane, namespace)
    selector = {"matchLabels": {"app": "web"}}
    about = {"name": "web-stays", "namespace": namespace}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": about}
    await apply(plane, budget | {"spec": {"minAvailable": 2, "selector": selector}})

    async def observed() -> bool:
        found = await alice.hands.get(BUDGETS, namespace, "web-stays")
        return bool(found.get("status", {}).get("currentHealthy") == 2)

    await eventually(observed, "the budget at work")
    pod = (await alice.hands.find(PODS, namespace, labelSelector="app=web"))[0]["metadata"]["name"]
    target = await alice.target(PODS, namespace, pod)
    with pytest.raises(Problem) as problem:
        await alice.plan("evict-pod", target)
    assert "disruption budget web-stays needs 2 healthy pods and has 2 currently" in problem.value.sentence
    assert changed(plane, f"/namespaces/{namespace}/", 0) == []

    # it forbids only once the plan is confirmed
    await merge(plane, f"{BUDGETS.path(namespace)}/web-stays", {"spec": {"minAvailable": 1}})
    await eventually(lambda: _allows(alice, namespace), "a budget that allows one")
    plan = await alice.plan("evict-pod", target)

    async def forbid(progress: Progress) -> None:
        if progress.stage is Stage.EXECUTE:
            await merge(plane, f"{BUDGETS.path(namespace)}/web-stays", {"spec": {"minAvailable": 2}})
            await eventually(lambda: _allows(alice, namespace, 0), "a budget that allows none")

    alice.meanwhile = forbid
    ended = await alice.confirm(plan)
    assert (ended.outcome, ended.undo) == (Outcome.FAILED, None)
    assert "web-stays" in ended.text
    assert "nothing was changed" in ended.text
    assert changed(plane, f"/pods/{pod}", 1) == [("create", "pods/eviction", 429)]


async def _allows(alice: Operator, namespace: str, count: int = 1) -> bool:
    found = await alice.hands.get(BUDGETS, namespace, "web-stays")
    seen = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
    return bool(seen and found["status"]["disruptionsAllowed"] == count)


async def test_of_two_consoles_one_acts_and_the_other_says_who(
    alice: Operator, plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    await web(plane, namespace)
    async with operator(plane, tmp_path, name="bob") as bob:
        target = await alice.target(DEPLOYMENTS, namespace, "web")
        plans = [
            await alice.plan("set-image", target, image=f"{IMAGE}:2"),
            await bob.plan("restart", target),
        ]
        ends = await asyncio.gather(alice.confirm(plans[0]), bob.confirm(plans[1]))
    assert sorted(one.outcome for one in ends) == [Outcome.CANCELLED, Outcome.OK]
    lost = next(one for one in ends if one.outcome is Outcome.CANCELLED)
    winner, title = ("alice", "Set the image") if lost is ends[1] else ("bob", "Restart")
    assert f"admin@bastion-{winner} is at it ({title}" in lost.text
    assert "nothing was changed" in lost.text
    written = changed(plane, f"/namespaces/{namespace}/deployments", 1)
    assert [one for one in written if one[2] == 200] == [("patch", "deployments", 200)]


@pytest.mark.parametrize(("action", "code"), [("set-image", 409), ("rollback", 422)])
async def test_a_change_in_the_last_moment_wins(
    alice: Operator, plane: ControlPlane, namespace: str, action: str, code: int
) -> None:
    await web(plane, namespace, "1", "2")
    target = await alice.target(DEPLOYMENTS, namespace, "web")
    plan = await alice.plan(action, target, **({"image": f"{IMAGE}:3"} if action == "set-image" else {}))

    async def change(progress: Progress) -> None:
        if progress.stage is Stage.EXECUTE:
            await merge(plane, DEPLOYMENTS.path(namespace, "web"), {"spec": {"minReadySeconds": 1}})

    alice.meanwhile = change
    ended = await alice.confirm(plan)
    assert (ended.outcome, ended.undo) == (Outcome.FAILED, None)
    assert "somebody changed it since you looked" in ended.text
    assert "nothing was changed" in ended.text
    assert set(changed(plane, f"/namespaces/{namespace}/deployments", 1)) == {("patch", "deployments", code)}


async def test_keys_that_may_not_be_used_say_so_and_send_nothing(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    await web(plane, namespace)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]}]
    binding = role | {"kind": "RoleBinding", "metadata": {"name": "patches", "namespace": namespace}}
    group = "rbac.authorization.k8s.io"
    reference = {"apiGroup": group, "kind": "Role", "name": "patches"}
    subjects = [{"apiGroup": group, "kind": "User", "name": "viewer"}]
    async with operator(plane, tmp_path, "viewer", "carol") as carol, asyncio.timeout(300):
        target = await carol.target(DEPLOYMENTS, namespace, "web")
        forbidden = await carol.acting.forbidden(target)
        assert set(forbidden) >= ON_DEPLOYMENTS
        assert forbidden["scale"].startswith("you may not patch deployments")
        with pytest.raises(Problem) as problem:
            await carol.plan("restart", target)
        assert "ask for a role" in problem.value.sentence
        assert "403" not in problem.value.sentence
        assert changed(plane, f"/namespaces/{namespace}/", 0) == []

    await apply(plane, role | {"metadata": binding["metadata"], "rules": rules})
    await apply(plane, binding | {"roleRef": reference, "subjects": subjects})
    async with operator(plane, tmp_path, "viewer", "dave") as dave, asyncio.timeout(300):
        assert set(await dave.acting.forbidden(target)) & ON_DEPLOYMENTS == {"scale"}
        # the lock is not for this user either: it is done, and said that nobody else is kept away
        ended = await dave.does("pause", target)
        assert any("other operators are not kept away" in one.text for one in dave.seen)
        await dave.undoes(ended)
        await kubectl(plane, "-n", namespace, "delete", "rolebinding", "patches")
        plan = dave.acting.plan("pause", target, {})
        with pytest.raises(Problem, match="ask for a role"):
            await plan
    written = changed(plane, f"/namespaces/{namespace}/", 2)
    assert [one for one in written if one[2] != 409] == [("patch", "deployments", 200)] * 2  # a lost race goes again


async def test_who_may_only_look_is_offered_nothing_and_nothing_is_sent(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """Every action on every kind there is on a cluster; what is greyed is refused too where somebody asks for it."""
    await web(plane, namespace)
    async with operator(plane, tmp_path, "viewer", "carol") as carol, asyncio.timeout(300):
        for kind in (DEPLOYMENTS, STATEFULSETS, DAEMONSETS, PODS, NODES, JOBS, CRONJOBS):
            ref = Ref("c", kind.group, kind.kind, namespace if kind.namespaced else "", "web", "u")
            offered = {one.id for one in listed_for(kind.group, kind.kind)}
            assert set(await carol.acting.forbidden(Target(ref, kind))) == offered

        node = (await carol.hands.find(NODES))[0]["metadata"]["name"]
        pod = (await carol.hands.find(PODS, namespace, labelSelector="app=web"))[0]["metadata"]["name"]
        nodes, pods = await carol.target(NODES, "", node), await carol.target(PODS, namespace, pod)
        asked = [(nodes, "cordon"), (nodes, "uncordon"), (nodes, "drain")]
        asked += [(pods, "evict-pod"), (pods, "delete-pod"), (pods, "shell"), (pods, "break-lock")]
        for target, action in asked:
            planned = None
            with contextlib.suppress(Problem):
                planned = (await carol.acting.plan(action, target, {})).verdict
            assert not isinstance(planned, Allow), action
        for place in (f"/nodes/{node}", f"/namespaces/{namespace}/"):
            assert changed(plane, place, 0) == []


async def test_new_pods_that_crash_are_told_long_before_the_deadline(
    alice: Operator, plane: ControlPlane, namespace: str
) -> None:
    await web(plane, namespace)
    target = await alice.target(DEPLOYMENTS, namespace, "web")
    began = alice.hands.clock.monotonic()
    ended = await alice.confirm(await alice.plan("set-image", target, image=f"{IMAGE}:2-crash"))
    assert alice.hands.clock.monotonic() - began < 90
    assert ended.outcome is Outcome.FAILED
    assert "crash" in ended.text
    assert "the cluster goes on trying" in ended.text
    await alice.undoes(ended)


async def test_the_pod_that_blocks_an_ordered_stateful_set_goes_with_the_roll_back(
    alice: Operator, plane: ControlPlane, namespace: str
) -> None:
    await web(plane, namespace, kind="StatefulSet")
    await kubectl(plane, "-n", namespace, "set", "image", "statefulset/web", f"web={IMAGE}:2-nopull")

    async def stuck() -> bool:
        states = [
            state for pod in await alice.hands.find(PODS, namespace, labelSelector="app=web") for state in _waits(pod)
        ]
        return bool({"ErrImagePull", "ImagePullBackOff"} & set(states))

    await eventually(stuck, "a pod without its image")
    plan = await alice.plan("rollback", await alice.target(STATEFULSETS, namespace, "web"))
    assert [one.text for one in plan.facts if one.label == "trap"] == [
        "pod web-1 blocks the roll-out for good: it is deleted too"
    ]
    assert [(one.verb, one.resource) for one in plan.rights] == [("patch", STATEFULSETS), ("delete", PODS)]
    assert plan.command.startswith("rollout undo statefulset/web --to-revision=1 && kubectl --context ")
    assert plan.command.endswith(f" -n {namespace} delete pod web-1")
    ended = await alice.confirm(plan)
    assert ended.outcome is Outcome.OK, ended
    done = [one for one in changed(plane, f"/namespaces/{namespace}/", 2) if one[2] < 400]
    assert done == [("patch", "statefulsets", 200), ("delete", "pods", 200)]
    images = [
        pod["spec"]["containers"][0]["image"]
        for pod in await alice.hands.find(PODS, namespace, labelSelector="app=web")
    ]
    assert images == [f"{IMAGE}:1"] * 2


def _waits(pod: dict[str, Any]) -> list[str]:
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return [one.get("state", {}).get("waiting", {}).get("reason", "") for one in statuses]


async def test_the_command_does_the_same_and_its_trail_holds(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    await web(plane, namespace, "1", "2")
    environment = {
        "QUARTERDECK_STATE_DIR": str(tmp_path),
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "NO_COLOR": "1",
    }
    config = ("--kubeconfig", str(plane.kubeconfig()))

    async def says(*words: str) -> tuple[int, str]:
        command = (sys.executable, "-m", "tui.cli", *words)
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
        running = await asyncio.create_subprocess_exec(*command, env=environment, **pipes)  # type: ignore[arg-type]
        printed, _ = await asyncio.wait_for(running.communicate(), 60)
        return running.returncode or 0, printed.decode()

    rollback = ("act", "rollback", f"{namespace}/deployment/web", *config)
    code, printed = await says(*rollback, "--dry-run")
    assert (code, f"{IMAGE}:1" in printed, "--to-revision=1" in printed) == (0, True, True)
    code, printed = await says(*rollback)
    assert (code, "--yes confirms it" in printed) == (1, True)
    assert changed(plane, f"/namespaces/{namespace}/deployments", 0) == []
    code, printed = await says(*rollback, "--to", "1", "--yes", "--reason", "INC-42")
    assert (code, "OK" in printed) == (0, True), printed
    assert changed(plane, f"/namespaces/{namespace}/deployments", 1)[-1] == ("patch", "deployments", 200)
    code, printed = await says(*rollback, "--to", "77", "--yes")
    assert (code, "unable to find specified revision 77" in printed) == (1, True), printed
    code, printed = await says("audit", "verify")
    assert code == 0, printed
    _, printed = await says("audit", "export")
    entries = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert any("INC-42" in json.dumps(one) for one in entries)
