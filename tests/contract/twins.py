"""Twins on the real controller of Argo Rollouts: what we do to one, its plugin does to the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from services.actions.registry import action
from services.actions.spec import Refused
from services.kubernetes.decode import decode_list
from services.kubernetes.hands import KubernetesHands
from services.kubernetes.rollout_status import rollout_status
from services.model.action import Ended, Outcome, Plan, Progress, Target
from services.model.ref import ARGO_ROLLOUTS
from services.model.workload import Workload
from tests.contract.handed import as_json, eventually
from tests.contract.watched import apply
from tests.controlplane import manifests
from tests.controlplane.deliveries import Deliveries
from tests.controlplane.plane import ControlPlane

IMAGE = "registry.example/shop/front"
STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
TWINS = ("ours", "theirs")
UNWATCHED = "it is not known as a workload yet"


def rollout(namespace: str, name: str, strategy: Mapping[str, Any], replicas: int = 5) -> dict[str, Any]:
    """Return a Rollout with a template of its own."""
    template = manifests.pod_template(name, f"{IMAGE}:1")
    selector = {"matchLabels": template["metadata"]["labels"]}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": selector, "template": template, "strategy": strategy},
    }


def following(namespace: str, name: str, strategy: Mapping[str, Any], replicas: int = 5) -> list[dict[str, Any]]:
    """Return a Rollout that takes its template from a Deployment without pods, and that Deployment."""
    made = rollout(namespace, name, strategy, replicas)
    template = made["spec"].pop("template")
    del made["spec"]["selector"]
    made["spec"]["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-app"}
    followed = manifests.workload("Deployment", namespace, f"{name}-app", template, replicas=0)
    followed["spec"]["selector"] = {"matchLabels": template["metadata"]["labels"]}
    return [followed, made]


class Stage:
    """Twins in a namespace: what we do to one is done to the other by the plugin."""

    def __init__(self, plane: ControlPlane, argo: Deliveries, hands: KubernetesHands, namespace: str) -> None:
        self.plane, self.argo, self.hands, self.namespace = plane, argo, hands, namespace
        self.said: list[str] = []

    async def make(self, strategy: Mapping[str, Any], replicas: int = 5) -> None:
        """Make both, and wait until they are Healthy."""
        await apply(self.plane, *(rollout(self.namespace, name, strategy, replicas) for name in TWINS))
        await self.both("Healthy")

    async def image(self, tag: str) -> None:
        """Give both another image, as the plugin does."""
        for name in TWINS:
            await self.theirs("set", "image", name, f"{name}={IMAGE}:{tag}")

    async def theirs(self, *words: str) -> str:
        """Run the plugin."""
        done = await asyncio.to_thread(self.argo.argo, "-n", self.namespace, *words)
        return done.stdout

    async def workload(self, name: str = "ours") -> Workload:
        """Return one of them as it is now."""
        document = await as_json(self.plane, self.namespace, "rollouts.argoproj.io", name)
        body = json.dumps({"metadata": {}, "items": [document]}).encode()
        found = decode_list(ARGO_ROLLOUTS.table, body, "c").rows[f"{self.namespace}/{name}"]
        assert isinstance(found, Workload)
        return found

    async def target(self, name: str = "ours") -> Target:
        """Return one of them as it is aimed at."""
        workload = await self.workload(name)
        return Target(workload.ref, ARGO_ROLLOUTS, workload.generation, workload.resource_version)

    async def both(self, *words: str) -> None:
        """Wait until both are as these words say, and agree that the twins are alike."""
        for name in TWINS:
            await self.until(name, *words)

        async def alike() -> bool:
            ours, theirs = [await self.picture(name) for name in TWINS]
            return bool(ours == theirs)

        await eventually(alike, f"twins alike at {words}")

    async def until(self, name: str, *words: str) -> None:
        """Wait until one of them is as these words say."""

        async def seen() -> bool:
            found = await self.workload(name)
            text = rollout_status(found).text + f" step {found.delivery and found.delivery.step}"
            return all(word in text for word in words)

        await eventually(seen, f"{name}: {words}")

    async def picture(self, name: str) -> Any:
        """Return what of a Rollout an order moves, under a name that both share."""
        found = await as_json(self.plane, self.namespace, "rollouts.argoproj.io", name)
        spec, status = found["spec"], found["status"]
        written = spec.get("template")
        if "workloadRef" in spec:
            followed = await as_json(self.plane, self.namespace, "deployments.apps", spec["workloadRef"]["name"])
            written = followed["spec"]["template"]
        template = json.loads(json.dumps(written).replace(f'"{name}"', '"twin"').replace(f"-{name}", "-twin"))
        pauses = [one["reason"] for one in status.get("pauseConditions") or ()]
        return (
            template,
            spec.get("paused") or False,
            [status.get(key) for key in ("phase", "message", "currentStepIndex", "replicas", "updatedReplicas")],
            [status.get(key) or False for key in ("abort", "promoteFull", "controllerPause")],
            pauses,
            status.get("stableRS") == status.get("currentPodHash"),
            found["metadata"]["annotations"]["rollout.argoproj.io/revision"],
        )

    async def plan(self, name: str, **given: str) -> Plan:
        """Return what an action would do to ours."""
        return await action(name).plan(await self.target(), given, self.hands)

    async def run(self, name: str, **given: str) -> Ended:
        """Do it to ours; the dry run must have said what became true."""
        doing, plan = action(name), await self.plan(name, **given)
        assert doing.available(await self.workload(), self.hands.snapshot()) in ("", UNWATCHED)

        async def note(progress: Progress) -> None:
            self.said.append(progress.text)

        await doing.execute(plan, self.hands, note)
        ended = await doing.verify(plan, self.hands, note)
        assert ended.outcome is Outcome.OK, ended.text
        return ended

    async def offered(self) -> set[str]:
        """Return which of a Rollout's own actions plan now; the others refuse with a reason."""
        found = set()
        for name in ("promote", "promote-full", "abort", "retry"):
            try:
                await self.plan(name)
            except Refused:
                continue
            found.add(name)
        return found
