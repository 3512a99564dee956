"""The DaemonSet controller: one pod a node, replaced a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.estate.templates import suffix
from services.rehearsal.jsonic import Json
from services.rehearsal.simulation import pods, revisions
from services.rehearsal.simulation.strategy import share

if TYPE_CHECKING:
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

_COMPONENT = "daemonset-controller"


class DaemonSetController:
    """Keeps one pod on every node."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet

    def sync(self, namespace: str, name: str) -> None:
        """Take one DaemonSet a step on."""
        world = self._world
        owner = world.store.get(resources.DAEMON_SETS, namespace, name)
        if owner is None:
            return
        revision = revisions.hash_value(resources.DAEMON_SETS, revisions.ensure(world, resources.DAEMON_SETS, owner))
        owned = list(world.store.owned(resources.PODS, owner["metadata"]["uid"]))
        seated = {node_of(pod): pod for pod in owned if "deletionTimestamp" not in pod["metadata"]}
        leaving = {node_of(pod) for pod in owned if "deletionTimestamp" in pod["metadata"]}
        for node in world.capacity.rooms:
            if node not in seated and node not in leaving:
                seated[node] = self._create(owner, node, revision)
        if owner["spec"]["updateStrategy"]["type"] == "RollingUpdate":
            self._replace(owner, seated, revision)
        self._report(owner, list(seated.values()), revision)

    def _create(self, owner: Json, node: str, revision: str) -> Json:
        world = self._world
        pod = daemon_pod(owner, node, revision, world, world.now)
        world.store.create(resources.PODS, pod)
        message = f"Created pod: {pod['metadata']['name']}"
        world.event(resources.DAEMON_SETS, owner, "SuccessfulCreate", message, component=_COMPONENT)
        return pod

    def _replace(self, owner: Json, seated: dict[str, Json], revision: str) -> None:
        nodes = len(self._world.capacity.rooms)
        rolling = owner["spec"]["updateStrategy"].get("rollingUpdate") or {}
        most = max(1, share(rolling.get("maxUnavailable", 1), nodes, up=True))
        broken = nodes - sum(pods.is_ready(pod) for pod in seated.values())
        for node, pod in list(seated.items()):
            if pod["metadata"]["labels"][revisions.HASH_LABEL] == revision:
                continue
            ready = pods.is_ready(pod)
            if ready and broken >= most:
                continue
            broken += ready
            del seated[node]
            name = pod["metadata"]["name"]
            self._kubelet.stop(pod["metadata"]["namespace"], name)
            self._world.event(
                resources.DAEMON_SETS, owner, "SuccessfulDelete", f"Deleted pod: {name}", component=_COMPONENT
            )

    def _report(self, owner: Json, living: list[Json], revision: str) -> None:
        ready = sum(pods.is_ready(pod) for pod in living)
        nodes = len(self._world.capacity.rooms)
        updated = sum(pod["metadata"]["labels"][revisions.HASH_LABEL] == revision for pod in living)
        status = owner["status"]
        status.update(
            currentNumberScheduled=len(living),
            desiredNumberScheduled=nodes,
            numberMisscheduled=0,
            numberReady=ready,
            numberAvailable=ready,
            numberUnavailable=nodes - ready,
            updatedNumberScheduled=updated,
            observedGeneration=owner["metadata"]["generation"],
        )
        for key in ("numberAvailable", "numberUnavailable", "updatedNumberScheduled"):
            if not status[key]:
                del status[key]
        self._world.store.update(resources.DAEMON_SETS, owner)


def node_of(pod: Json) -> str:
    """Return the node that a DaemonSet's pod is meant for."""
    terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    name: str = terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
    return name


def daemon_pod(owner: Json, node: str, revision: str, world: World, now: float) -> Json:
    """Return a new pod for one node."""
    name = f"{owner['metadata']['name']}-{suffix(world.rng)}"
    labels = {revisions.HASH_LABEL: revision, "pod-template-generation": str(owner["metadata"]["generation"])}
    reference = pods.owner_reference("apps/v1", "DaemonSet", owner)
    template = owner["spec"]["template"]
    pod = pods.build(
        template, owner["metadata"]["namespace"], name, owner=reference, extra_labels=labels, rng=world.rng, now=now
    )
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    pod["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return pod
