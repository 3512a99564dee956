"""The ReplicaSet controller: as many pods as asked for, and an honest status when that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp, stamp
from services.rehearsal.estate.templates import suffix
from services.rehearsal.simulation import pods
from services.rehearsal.simulation.capacity import requests

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Entry

_COMPONENT = "replicaset-controller"
_BURST = 500


class ReplicaSetController:
    """Creates and deletes pods; reports counts and the ReplicaFailure condition."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet
        self._failures: dict[str, int] = {}

    def sync(self, namespace: str, name: str) -> None:
        """Bring one ReplicaSet to its replicas."""
        world = self._world
        replica_set = world.store.get(resources.REPLICA_SETS, namespace, name)
        if replica_set is None:
            return
        uid = replica_set["metadata"]["uid"]
        active = [pod for pod in world.store.owned_entries(resources.PODS, uid) if pods.counts(pod)]
        missing = replica_set["spec"]["replicas"] - len(active)
        failure = ""
        if missing > 0:
            failure = self._create(replica_set, min(missing, _BURST))
        elif missing < 0:
            self._remove(replica_set, active, -missing)
        self._report(replica_set, failure)

    def _create(self, replica_set: Json, count: int) -> str:
        """Create pods; return the message of the first refusal."""
        world, metadata = self._world, replica_set["metadata"]
        cpu, memory = requests(replica_set["spec"]["template"]["spec"])
        for _ in range(count):
            refusal = world.quotas.refusal(metadata["namespace"], cpu, memory)
            name = f"{metadata['name']}-{suffix(world.rng)}"
            if refusal:
                message = f'pods "{name}" is forbidden: {refusal}'
                world.warn(
                    resources.REPLICA_SETS,
                    replica_set,
                    "FailedCreate",
                    f"Error creating: {message}",
                    component=_COMPONENT,
                )
                failures = self._failures[metadata["uid"]] = self._failures.get(metadata["uid"], 0) + 1
                delay = min(120.0, 0.5 * 2**failures)
                world.enqueue("ReplicaSet", metadata["namespace"], metadata["name"], delay)
                return message
            owner = pods.owner_reference("apps/v1", "ReplicaSet", replica_set)
            pod = pods.build(
                replica_set["spec"]["template"],
                metadata["namespace"],
                name,
                owner=owner,
                extra_labels={},
                rng=world.rng,
                now=world.now,
            )
            world.store.create(resources.PODS, pod)
            world.quotas.charge(pod["metadata"]["uid"], metadata["namespace"], cpu, memory)
            world.event(
                resources.REPLICA_SETS, replica_set, "SuccessfulCreate", f"Created pod: {name}", component=_COMPONENT
            )
        self._failures.pop(metadata["uid"], None)
        return ""

    def _remove(self, replica_set: Json, active: list[Entry], count: int) -> None:
        for pod in sorted(active, key=_expendable)[:count]:
            self._kubelet.stop(pod.namespace, pod.name)
            message = f"Deleted pod: {pod.name}"
            self._world.event(resources.REPLICA_SETS, replica_set, "SuccessfulDelete", message, component=_COMPONENT)

    def _report(self, replica_set: Json, failure: str) -> None:
        world, status = self._world, replica_set["status"]
        owned = world.store.owned_entries(resources.PODS, replica_set["metadata"]["uid"])
        active = [pod for pod in owned if pods.counts(pod)]
        finished = sum(pod.fields["status.phase"] in {"Succeeded", "Failed"} for pod in owned)
        patience = replica_set["spec"].get("minReadySeconds", 0)
        ready = [since for pod in active if (since := pods.ready_since(pod))]
        available = len(ready)
        if patience:
            available = sum(world.now - parse_stamp(since) >= patience for since in ready)
        if patience and available < len(ready):
            metadata = replica_set["metadata"]
            world.enqueue("ReplicaSet", metadata["namespace"], metadata["name"], float(patience))
        counts = {"fullyLabeledReplicas": len(active), "readyReplicas": len(ready), "availableReplicas": available}
        status["replicas"] = len(active)
        for key, value in counts.items():
            if value:
                status[key] = value
            else:
                status.pop(key, None)
        status["terminatingReplicas"] = len(owned) - len(active) - finished
        status["observedGeneration"] = replica_set["metadata"]["generation"]
        self._report_failure(status, failure, missing=replica_set["spec"]["replicas"] - len(active))
        world.store.update(resources.REPLICA_SETS, replica_set)

    def _report_failure(self, status: Json, failure: str, missing: int) -> None:
        known = [one for one in status.get("conditions", ()) if one["type"] == "ReplicaFailure"]
        if failure and not known:
            status["conditions"] = [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "lastTransitionTime": stamp(self._world.now),
                    "reason": "FailedCreate",
                    "message": failure,
                }
            ]
        elif known and not failure and missing <= 0:
            status.pop("conditions")


def _expendable(entry: Entry) -> tuple[bool, bool, bool, int, str]:
    """Order pods by how little is lost when they go (kubernetes pkg/controller, ActivePodsWithRanks)."""
    restarts = sum(one["restartCount"] for one in entry.look()["status"].get("containerStatuses", ()))
    return (
        bool(entry.fields["spec.nodeName"]),
        entry.fields["status.phase"] == "Running",
        bool(pods.ready_since(entry)),
        -restarts,
        entry.name,
    )
