"""Drains on a real control plane: judged as kubectl judges, one at a time, patient with budgets, stopped, taken up."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cache.ledger.altered import AlteredReader
from services.actions.drain import BUDGETS
from services.actions.locks import BreakLock
from services.kubernetes.lease import DRAINS, Lease, Leases
from services.model.action import Outcome, Plan
from services.model.ref import NODES, PODS
from tests.contract.consoles import Operator, changed, merge, operator
from tests.contract.handed import eventually, quiet
from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane

IMAGE = "registry.example/shop/web:1"
Nodes = tuple[str, str]


@pytest.fixture
async def alice(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Operator]:
    async with operator(plane, tmp_path) as made, asyncio.timeout(300):
        yield made


@pytest.fixture
async def nodes(plane: ControlPlane) -> AsyncIterator[Nodes]:
    """Two nodes that only pods of one test go to."""
    made = (f"drained-{secrets.token_hex(3)}", f"drained-{secrets.token_hex(3)}")
    for name in made:
        node = manifests.node(0)
        labels = {**node["metadata"]["labels"], "kubernetes.io/hostname": name}
        node["metadata"] = {**node["metadata"], "name": name, "labels": labels}
        node["spec"] = {"taints": [{"key": "drained", "value": "yes", "effect": "NoSchedule"}]}
        await apply(plane, node)
    await kubectl(plane, "wait", "--for=condition=Ready", *(f"node/{name}" for name in made), "--timeout=180s")
    yield made
    await kubectl(plane, "delete", "node", *made, "--wait=false")


def placed(app: str, node: str, **spec: Any) -> dict[str, Any]:
    """Return a pod template for one node alone."""
    template = manifests.pod_template(app, IMAGE)
    template["spec"] |= {"nodeSelector": {"kubernetes.io/hostname": node}, **spec}
    template["spec"]["tolerations"] = [{"key": "drained", "operator": "Exists"}]
    template["spec"]["terminationGracePeriodSeconds"] = 1
    return template


def budget(namespace: str, app: str, needed: int) -> dict[str, Any]:
    spec = {"minAvailable": needed, "selector": {"matchLabels": {"app": app}}}
    about = {"name": f"{app}-stays", "namespace": namespace}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": about, "spec": spec}


async def guarded(alice: Operator, plane: ControlPlane, namespace: str, node: str, *, needed: int) -> None:
    """Make two pods behind a budget that needs some of them, and wait until it counts."""
    await apply(plane, manifests.workload("Deployment", namespace, "web", placed("web", node), replicas=2))
    await apply(plane, budget(namespace, "web", needed))
    await kubectl(plane, "-n", namespace, "rollout", "status", "deployment/web", "--timeout=180s")

    async def counted() -> bool:
        status = (await alice.hands.get(BUDGETS, namespace, "web-stays")).get("status", {})
        return bool(status.get("currentHealthy") == 2)

    await eventually(counted, "the budget at work")


def by_fate(plan: Plan) -> dict[str, set[str]]:
    """Return the pods of a plan, without namespace, by what becomes of them."""
    found: dict[str, set[str]] = {}
    for step in plan.steps:
        found.setdefault(step.fate, set()).add(step.name.rpartition("/")[2])
    return found


async def test_every_pod_is_judged_as_kubectl_judges_it_and_the_node_is_emptied(
    alice: Operator, plane: ControlPlane, namespace: str, nodes: Nodes
) -> None:
    drained, _ = nodes
    await guarded(alice, plane, namespace, drained, needed=1)
    cache = placed("cache", drained, volumes=[{"name": "t", "emptyDir": {}}])
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": namespace}}
    await apply(
        plane,
        manifests.workload("Deployment", namespace, "cache", cache, replicas=1),
        manifests.workload("DaemonSet", namespace, "agent", placed("agent", drained)),
        bare | {"spec": placed("bare", drained)["spec"]},
    )
    for one in ("deployment/cache", "daemonset/agent"):
        await kubectl(plane, "-n", namespace, "rollout", "status", one, "--timeout=180s")
    await kubectl(plane, "-n", namespace, "wait", "--for=condition=Ready", "pod/bare", "--timeout=180s")
    target = await alice.target(NODES, "", drained)
    for given, flags in (
        ({}, ()),
        ({"empty_dirs": "true"}, ("--delete-emptydir-data",)),
        ({"unmanaged": "true"}, ("--force",)),
        ({"empty_dirs": "true", "unmanaged": "true"}, ("--delete-emptydir-data", "--force")),
    ):
        plan = (await alice.acting.plan("drain", target, given)).plan
        command = ("drain", drained, "--dry-run=server", "--ignore-daemonsets", *flags)
        done = await asyncio.to_thread(plane.kubectl, *command, check=False)
        goes = set(re.findall(r"evicting pod \S+/(\S+)", done.stdout))
        complaint = done.stderr.partition("cannot delete")[2]
        blocks = set(re.findall(rf"{namespace}/([a-z0-9-]+)", complaint))
        ours = by_fate(plan)
        assert ours.get("blocks", set()) == blocks, (given, done.stderr)
        assert bool(plan.blocked) is bool(blocks)
        if not blocks:
            assert ours["goes"] | ours.get("waits", set()) == goes
            assert plan.command.split() == [part for part in command if not part.startswith("--dry-run")]
        assert {name.partition("-")[0] for name in ours["stays"]} == {"agent"}
    assert "no second one of it" in next(one.why for one in plan.steps if "/cache-" in one.name)
    assert {one.limit for one in plan.steps if "/web-" in one.name} == {"1 (web-stays)"}
    assert changed(plane, f"/nodes/{drained}", 0) == []

    # the second one of web has to wait for its budget: it is asked again, and that is told
    running = asyncio.ensure_future(alice.confirm(plan))
    await eventually(lambda: _refused(alice), "a pod that its budget keeps")
    await merge(plane, f"{BUDGETS.path(namespace)}/web-stays", {"spec": {"minAvailable": 0}})
    ended = await running
    assert ended.outcome is Outcome.OK, ended
    left = await alice.hands.find(PODS, "", fieldSelector=f"spec.nodeName={drained}")
    assert {one["metadata"]["labels"]["app"] for one in left} == {"agent"}
    assert (await alice.hands.get(NODES, "", drained))["spec"]["unschedulable"] is True
    codes = [code for _, resource, code in changed(plane, f"/namespaces/{namespace}/pods", 4) if "eviction" in resource]
    assert codes.count(201) == 4
    assert 429 in codes
    await alice.undoes(ended)
    assert "unschedulable" not in (await alice.hands.get(NODES, "", drained))["spec"]


async def _refused(alice: Operator) -> bool:
    steps = alice.seen[-1].steps if alice.seen else ()
    return any(one.fate.startswith("refused again in") and "needs" in one.why for one in steps)


async def test_one_drain_at_a_time_and_it_ends_when_the_lock_is_lost_or_a_stop_is_asked_for(
    alice: Operator, plane: ControlPlane, namespace: str, nodes: Nodes, tmp_path: Path
) -> None:
    drained, other = nodes
    await guarded(alice, plane, namespace, drained, needed=2)
    target = await alice.target(NODES, "", drained)
    plan = await alice.plan("drain", target)
    assert by_fate(plan).keys() == {"waits"}
    running = asyncio.ensure_future(alice.confirm(plan))
    await eventually(lambda: _refused(alice), "pods that their budget keeps")
    async with operator(plane, tmp_path, name="bob") as bob:
        kept = await bob.confirm(await bob.plan("drain", await bob.target(NODES, "", other)))
        assert kept.outcome is Outcome.CANCELLED
        assert f"admin@bastion-alice is at it (Drain {drained})" in kept.text
        assert changed(plane, f"/nodes/{other}", 0) == []

        # bob breaks the lock, whose holder's name he has to type: alice's console sends nothing more, and says so
        locks, breaking = Leases(bob.hands, "console-bob"), BreakLock()
        broken = await breaking.plan(await bob.target(NODES, "", other), {}, bob.hands)
        assert broken.typed == "admin@bastion-alice"
        await breaking.execute(broken, bob.hands, quiet)
        taken = await locks.acquire(DRAINS, f"Drain {other}")
        assert isinstance(taken, Lease)
        ended = await running
        assert ended.outcome is Outcome.FAILED
        assert f"The lock was lost: admin@bastion-bob is at it (Drain {other})" in ended.text
        assert "2 of 2 pods are still there" in ended.text
        asked = len(changed(plane, f"/namespaces/{namespace}/pods", 0))
        await taken.release()

    # it stays cordoned; taken up again, and stopped
    plan = await alice.plan("drain", target)
    assert plan.writes == ()
    assert asked == len(changed(plane, f"/namespaces/{namespace}/pods", 0))
    alice.seen.clear()
    running = asyncio.ensure_future(alice.confirm(plan))
    await eventually(lambda: _refused(alice), "pods that are asked again")
    alice.stopped = "stopped, as asked"
    ended = await running
    assert ended.outcome is Outcome.FAILED
    assert ended.text.startswith("stopped, as asked: 2 of 2 pods are still there")

    # and to its end, once the budget lets them go
    alice.stopped = ""
    await merge(plane, f"{BUDGETS.path(namespace)}/web-stays", {"spec": {"minAvailable": 0}})
    ended = await alice.confirm(await alice.plan("drain", target))
    assert ended.outcome is Outcome.OK, ended


async def test_ctrl_c_on_the_command_stops_it_at_a_known_point_and_it_is_taken_up_again(
    alice: Operator, plane: ControlPlane, namespace: str, nodes: Nodes, tmp_path: Path
) -> None:
    drained, _ = nodes
    await guarded(alice, plane, namespace, drained, needed=1)
    config, state = tmp_path / "config.toml", tmp_path / "state"
    config.write_text("")
    words = ["-m", "tui.cli", "act", "drain", f"node/{drained}", f"--yes={drained}", "--reason", "OPS-7"]
    words += ["--kubeconfig", str(plane.kubeconfig()), "--config", str(config)]
    environ = os.environ | {"QUARTERDECK_STATE_DIR": str(state)}
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=pipe, stderr=pipe, env=environ)
    assert running.stderr is not None
    while b"refused" not in (line := await running.stderr.readline()):
        assert line, "it ended before a budget refused a pod"
    running.send_signal(signal.SIGINT)
    out, err = await running.communicate()
    text = " ".join(out.decode().split())
    assert running.returncode == 1, text
    assert b"stopping: nothing more is sent" in err
    assert f"stopped by ctrl-c: 1 of 2 pods are still there ({namespace}/web-" in text
    assert "; 1 are gone; it stays cordoned: drain it again to go on" in text
    (left,) = AlteredReader(state).look().values()
    assert (left.title, left.undo.action) == (f"Drain {drained}", "uncordon")

    await merge(plane, f"{BUDGETS.path(namespace)}/web-stays", {"spec": {"minAvailable": 0}})
    again = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=pipe, stderr=pipe, env=environ)
    out, err = await again.communicate()
    assert again.returncode == 0, (out, err)
    assert f"{drained} is drained and cordoned" in " ".join(out.decode().split())
    assert [one.title for one in AlteredReader(state).look().values()] == [f"Drain {drained}"]
