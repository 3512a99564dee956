"""What befalls pods beside one that takes all of their node: probes time out, the kernel kills, pods are evicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.simulation import pods
from services.rehearsal.simulation.capacity import mebibytes

if TYPE_CHECKING:
    import random

    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

CRITICAL = 2_000_000_000
"""The priority from which on the kubelet evicts a pod last, and the kernel spares it (oom_score_adj -997)."""


class Starvation:
    """Takes from the other pods of a node what one of its pods has taken from the node."""

    def __init__(self, world: World, kubelet: Kubelet, rng: random.Random) -> None:
        self._world = world
        self._kubelet = kubelet
        self._rng = rng

    def neighbours(self, node: str) -> list[Json]:
        """Return the pods of a node that starve: they run, and the system does not depend on them."""
        return [
            pod
            for entry in self._world.store.collection(resources.PODS).ordered()
            if entry.fields["spec.nodeName"] == node and entry.fields["status.phase"] == "Running"
            for pod in (entry.read(),)
            if pod["spec"].get("priority", 0) < CRITICAL and "deletionTimestamp" not in pod["metadata"]
            if pod["metadata"]["namespace"] != "kube-system"
        ]

    def time_out(self, node: str) -> None:
        """Let a neighbour's liveness probe get no answer in time: its container is started again."""
        victims = [one for one in self.neighbours(node) if _moves(one)]
        if victims:
            metadata = self._rng.choice(victims)["metadata"]
            self._kubelet.restart(metadata["namespace"], metadata["name"], late=True)

    def kill(self, node: str) -> None:
        """Let the kernel kill a neighbour's process, since the node has no memory left."""
        owner = self._world.store.get(resources.NODES, "", node)
        victims = [one for one in self.neighbours(node) if _moves(one)]
        if owner is None or not victims:
            return
        metadata = self._rng.choice(victims)["metadata"]
        process = metadata["labels"].get("app.kubernetes.io/name", metadata["name"])
        message = f"System OOM encountered, victim process: {process}, pid: {self._rng.randint(2000, 60_000)}"
        self._world.warn(resources.NODES, owner, "SystemOOM", message, component="kubelet", host=node)
        self._kubelet.restart(metadata["namespace"], metadata["name"], reason="OOMKilled", probe=False)

    def evict(self, node: str) -> None:
        """Let the kubelet evict a neighbour to get memory back: the pod has failed, its controller makes another."""
        owner = self._world.store.get(resources.NODES, "", node)
        victims = [one for one in self.neighbours(node) if _moves(one)]
        if owner is None or not victims:
            return
        self._world.warn(
            resources.NODES,
            owner,
            "EvictionThresholdMet",
            "Attempting to reclaim memory",
            component="kubelet",
            host=node,
        )
        pod = self._rng.choice(victims)
        container = pod["spec"]["containers"][0]
        asked = mebibytes(container["resources"]["requests"]["memory"])
        used = int(asked * self._rng.uniform(1.1, 1.6))
        message = (
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: "
            f"{self._rng.randint(20, 95)}Mi. Container {container['name']} was using {used}Mi, request is {asked}Mi, "
            "has larger consumption of memory. "
        )
        self._world.warn(resources.PODS, pod, "Evicted", message, component="kubelet", host=node)
        for status in pod["status"]["containerStatuses"]:
            if "running" in status["state"]:
                pods.terminate(status, 137, "Error", self._world.now)
        pods.refresh(pod, self._world.now)
        pod["status"].update(phase="Failed", reason="Evicted", message=message)
        conditions = pod["status"]["conditions"]
        pods.set_condition(
            conditions,
            "DisruptionTarget",
            "True",
            self._world.now,
            reason="TerminationByKubelet",
            message=message.strip(),
        )
        self._world.store.update(resources.PODS, pod)


def _moves(pod: Json) -> bool:
    """Tell whether a pod is one of a ReplicaSet: it is replaced, and elsewhere."""
    return any(one["kind"] == "ReplicaSet" for one in pod["metadata"].get("ownerReferences", ()))
