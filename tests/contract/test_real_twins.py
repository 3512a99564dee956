"""Twins on a real control plane, one treated by kubectl and one by us: the same in the end, but for what is listed."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from services.errors import Problem
from services.model.ref import CRONJOBS, DAEMONSETS, DEPLOYMENTS, JOBS, NODES, STATEFULSETS, Resource
from tests.contract.consoles import Operator, operator
from tests.contract.handed import eventually
from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane

IMAGE = "registry.example/shop/web"
KINDS = (DEPLOYMENTS, STATEFULSETS, DAEMONSETS)
SIDES = ("ours", "theirs")


DIFFERENT = {
    ("rollback", "metadata.annotations.kubernetes.io/change-cause"): (
        "kubectl puts the annotations of the old ReplicaSet back, and with them the cause of then; we say who went back"
    ),
}
"""Every place in which we leave an object otherwise than kubectl, on purpose, and why."""

MOVING = re.compile(
    r"metadata\.(uid|name|resourceVersion|creationTimestamp|generation|managedFields|selfLink)\b.*"
    r"|metadata\.annotations\.deployment\.kubernetes\.io/revision"
    r"|metadata\.annotations\.kubectl\.kubernetes\.io/last-applied-configuration"
    r"|.*\.(controller-uid|job-name|batch\.kubernetes\.io/(controller-uid|job-name))|.*\.uid"
)
"""What differs between any two objects, and between two moments."""


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Return a document's leaves by their paths."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from flat(inner, f"{path}.{number}")
    else:
        yield path, value


def compared(found: Mapping[str, Any], side: str) -> dict[str, Any]:
    """Return what is to be the same: metadata and spec, in which the twins are called alike; times are times."""
    kept = {"metadata": found["metadata"], "spec": found["spec"]}
    text = json.dumps(kept).replace(side, "twin")
    text = re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"', '"a time"', text)
    return {path: value for path, value in flat(json.loads(text)) if not MOVING.fullmatch(path)}


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> set[str]:
    """Return the paths on which two objects differ."""
    return {path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)}


@pytest.fixture(scope="module")
def shop(plane: ControlPlane) -> Iterator[str]:
    """A namespace with twins of each kind, at their third revision, none with pods."""
    name = f"t-{secrets.token_hex(4)}"
    plane.kubectl("create", "namespace", name)
    objects = []
    for side in SIDES:
        for kind in KINDS:
            template = manifests.pod_template(side, f"{IMAGE}:1")
            template["spec"]["nodeSelector"] = {"nowhere": "yes"}
            template["metadata"]["labels"]["kind"] = kind.kind
            spec: dict[str, Any] = {"replicas": 0} if kind is not DAEMONSETS else {}
            spec |= {"serviceName": side} if kind is STATEFULSETS else {}
            one = manifests.workload(kind.kind, name, side, template, **spec)
            one["spec"]["selector"]["matchLabels"] = template["metadata"]["labels"]
            objects.append(one)
        template = manifests.job_template(side, f"{IMAGE}:1", "600s")
        spec = {"schedule": "0 4 1 1 *", "jobTemplate": template}
        about = {"name": side, "namespace": name}
        objects.append({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": about, "spec": spec})
    plane.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in objects))
    for tag in ("2", "3"):
        _seen(plane, name)
        for side in SIDES:
            targets = [f"{kind.plural}/{side}" for kind in KINDS]
            plane.kubectl("-n", name, "set", "image", *targets, f"{side}={IMAGE}:{tag}")
    _seen(plane, name)
    yield name
    plane.kubectl("delete", "namespace", name, "--wait=false", check=False)


def _seen(plane: ControlPlane, namespace: str) -> None:
    """Wait until the controllers have seen every workload as it is."""
    for kind in KINDS:
        for side in SIDES:
            found = json.loads(plane.kubectl("-n", namespace, "get", f"{kind.plural}/{side}", "-o", "json").stdout)
            generation = found["metadata"]["generation"]
            wait = f"--for=jsonpath={{.status.observedGeneration}}={generation}"
            plane.kubectl("-n", namespace, "wait", wait, f"{kind.plural}/{side}", "--timeout=180s")


@pytest.fixture
async def alice(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Operator]:
    async with operator(plane, tmp_path) as made, asyncio.timeout(300):
        yield made


ON_WORKLOADS = [
    ("rollback", {"to": "1"}, ("rollout", "undo", "{}", "--to-revision=1"), KINDS),
    ("set-image", {"image": f"{IMAGE}:9"}, ("set", "image", "{}", f"theirs={IMAGE}:9"), KINDS),
    ("restart", {}, ("rollout", "restart", "{}"), KINDS),
    ("pause", {}, ("rollout", "pause", "{}"), (DEPLOYMENTS,)),
    ("resume", {}, ("rollout", "resume", "{}"), (DEPLOYMENTS,)),
    ("suspend-cronjob", {}, ("patch", "{}", "-p", '{{"spec":{{"suspend":true}}}}'), (CRONJOBS,)),
    ("resume-cronjob", {}, ("patch", "{}", "-p", '{{"spec":{{"suspend":false}}}}'), (CRONJOBS,)),
]
CASES = [(action, given, command, kind) for action, given, command, kinds in ON_WORKLOADS for kind in kinds]


@pytest.mark.parametrize(
    ("action", "given", "command", "kind"), CASES, ids=lambda one: getattr(one, "kind", None) or ""
)
async def test_a_twin_is_left_as_kubectl_leaves_the_other(
    alice: Operator,
    plane: ControlPlane,
    shop: str,
    action: str,
    given: Mapping[str, str],
    command: tuple[str, ...],
    kind: Resource,
) -> None:
    words = [part.format(f"{kind.plural}/theirs") for part in command]
    plan = await alice.plan(action, await alice.target(kind, shop, "ours"), **given)
    await alice.confirm(plan)
    await kubectl(plane, "-n", shop, *words)

    # the command that we show is the one that kubectl was given
    shown = plan.command.replace("ours", "theirs").replace(f"{kind.kind.lower()}/", f"{kind.plural}/")
    if command[0] != "patch":
        assert shown.split() == words
    await asyncio.to_thread(_seen, plane, shop)
    found = {side: compared(await alice.hands.get(kind, shop, side), side) for side in SIDES}
    expected = {path for (name, path) in DIFFERENT if name == action and kind is DEPLOYMENTS}
    assert differences(found["ours"], found["theirs"]) == expected
    assert found["ours"]["spec.selector.matchLabels.app" if kind is not CRONJOBS else "spec.schedule"]
    for path in expected:  # the next case begins with equal twins
        name = path.removeprefix("metadata.annotations.")
        await kubectl(
            plane, "-n", shop, "annotate", "--overwrite", f"{kind.plural}/ours", f"{name}={found['theirs'][path]}"
        )


@pytest.mark.parametrize("kind", [DEPLOYMENTS, STATEFULSETS], ids=lambda one: one.kind)
async def test_scaling_a_twin(alice: Operator, plane: ControlPlane, shop: str, kind: Resource) -> None:
    # pods of these twins find no node: only what is asked for counts, not that it comes up
    for wanted, current in ((2, 0), (0, 2)):
        target = await alice.target(kind, shop, "ours")
        plan = await alice.plan("scale", target, replicas=str(wanted))
        await alice.hands.send(plan.writes[0])
        flags = (f"--replicas={wanted}", f"--current-replicas={current}")
        await kubectl(plane, "-n", shop, "scale", f"{kind.plural}/theirs", *flags)
        assert plan.command.split()[-2:] == list(flags)
        found = {side: compared(await alice.hands.get(kind, shop, side), side) for side in SIDES}
        assert differences(found["ours"], found["theirs"]) == set()
        assert (await alice.hands.get(kind, shop, "ours"))["spec"]["replicas"] == wanted


async def test_a_run_out_of_turn(alice: Operator, plane: ControlPlane, shop: str) -> None:
    ended = await alice.does("trigger-cronjob", await alice.target(CRONJOBS, shop, "ours"))
    made = re.search(r"job (ours-trigger-\d+)", ended.text)
    assert made is not None
    await kubectl(plane, "-n", shop, "create", "job", "theirs-by-hand", "--from=cronjob/theirs")
    jobs = {"ours": made[1], "theirs": "theirs-by-hand"}
    found = {side: compared(await alice.hands.get(JOBS, shop, name), side) for side, name in jobs.items()}
    assert differences(found["ours"], found["theirs"]) == set()


async def test_closing_a_node(alice: Operator, plane: ControlPlane) -> None:
    names = {side: f"twin-of-{side}" for side in SIDES}
    for name in names.values():
        node = manifests.node(0)
        node["metadata"] = {**node["metadata"], "name": name}
        await apply(plane, node)
    try:
        await kubectl(
            plane, "wait", "--for=condition=Ready", *(f"node/{one}" for one in names.values()), "--timeout=180s"
        )
        for action, taints in (("cordon", 1), ("uncordon", 0)):

            async def settled(count: int = taints) -> bool:
                nodes = [await alice.hands.get(NODES, "", name) for name in names.values()]
                return all(len(one["spec"].get("taints", ())) == count for one in nodes)

            plan = await alice.plan(action, await alice.target(NODES, "", names["ours"]))
            await alice.confirm(plan)
            await kubectl(plane, action, names["theirs"])
            assert plan.command == f"{action} {names['ours']}"
            await eventually(settled, f"the taints after {action}")
            found = {side: compared(await alice.hands.get(NODES, "", name), side) for side, name in names.items()}
            assert differences(found["ours"], found["theirs"]) == set()
    finally:
        await kubectl(plane, "delete", "node", *names.values(), "--wait=false")


@pytest.mark.parametrize(
    ("words", "action", "given", "kind"),
    [
        (("rollout", "undo", "{}", "--to-revision=99"), "rollback", {"to": "99"}, DEPLOYMENTS),
        (("rollout", "resume", "{}"), "resume", {}, DEPLOYMENTS),
        (("scale", "{}", "--replicas=5", "--current-replicas=3"), "scale", {"replicas": "5", "from": "3"}, DEPLOYMENTS),
    ],
)
async def test_what_kubectl_refuses_is_refused(
    alice: Operator,
    plane: ControlPlane,
    shop: str,
    words: tuple[str, ...],
    action: str,
    given: dict[str, str],
    kind: Resource,
) -> None:
    command = [part.format(f"{kind.plural}/theirs") for part in words]
    done = await asyncio.to_thread(plane.kubectl, "-n", shop, *command, check=False)
    assert done.returncode != 0 or "error" in done.stderr
    with pytest.raises(Problem):
        await alice.plan(action, await alice.target(kind, shop, "ours"), **given)
