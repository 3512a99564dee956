"""The horizontal pod autoscaler: it keeps to its own count, against anybody who scales by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.simulation import operations

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change

_EVERY = 15.0
_COMPONENT = "horizontal-pod-autoscaler"
_TARGETS = {one.kind: one for one in (resources.DEPLOYMENTS, resources.STATEFUL_SETS)}


class Autoscaler:
    """Brings scaled workloads back to what their autoscaler wants; one that stands at zero is left alone."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._watched: dict[tuple[str, str, str], str] = {}

    def begin(self) -> None:
        """Take in the autoscalers that are there and follow the workloads."""
        for entry in self._world.store.collection(resources.AUTOSCALERS).ordered():
            self._note(entry.namespace, entry.name, entry.look())
        self._world.store.listeners.append(self._changed)

    def _note(self, namespace: str, name: str, autoscaler: Json) -> None:
        target = autoscaler["spec"].get("scaleTargetRef", {})
        self._watched[namespace, str(target.get("kind")), str(target.get("name"))] = name

    def _changed(self, resource: Resource, change: Change) -> None:
        entry = change.entry
        if resource is resources.AUTOSCALERS:
            if change.type != "DELETED":
                self._note(entry.namespace, entry.name, entry.look())
                self._world.enqueue("HorizontalPodAutoscaler", entry.namespace, entry.name, _EVERY)
        elif resource.kind in _TARGETS:
            name = self._watched.get((entry.namespace, resource.kind, entry.name))
            if name is not None and change.type == "MODIFIED":
                self._world.enqueue("HorizontalPodAutoscaler", entry.namespace, name, _EVERY)

    def sync(self, namespace: str, name: str) -> None:
        """Look at one autoscaler and its workload."""
        store = self._world.store
        autoscaler = store.get(resources.AUTOSCALERS, namespace, name)
        if autoscaler is None:
            return
        reference = autoscaler["spec"].get("scaleTargetRef", {})
        resource = _TARGETS.get(reference.get("kind", ""))
        workload = None if resource is None else store.get(resource, namespace, reference.get("name", ""))
        if workload is None or resource is None:
            return
        present, status = int(workload["spec"].get("replicas", 1)), autoscaler["status"]
        wanted = min(
            max(int(status.get("desiredReplicas") or present), autoscaler["spec"].get("minReplicas", 1)),
            autoscaler["spec"].get("maxReplicas", present),
        )
        if present == 0:
            _set(
                autoscaler,
                "ScalingActive",
                "False",
                reason="ScalingDisabled",
                message="scaling is disabled since the replica count of the target is zero",
                now=self._world.now,
            )
        else:
            _set(
                autoscaler,
                "ScalingActive",
                "True",
                reason="ValidMetricFound",
                message="the HPA was able to successfully calculate a replica count",
                now=self._world.now,
            )
            if wanted != present:
                self._rescale(resource, autoscaler, workload, wanted)
        status["currentReplicas"] = present
        status["desiredReplicas"] = status.get("desiredReplicas") if present == 0 else wanted
        store.update(resources.AUTOSCALERS, autoscaler)

    def _rescale(self, resource: Resource, autoscaler: Json, workload: Json, wanted: int) -> None:
        metadata = workload["metadata"]
        why = (
            "All metrics below target"
            if wanted < workload["spec"]["replicas"]
            else "cpu resource utilization (percentage of request) above target"
        )
        operations.scale(self._world, resource, metadata["namespace"], metadata["name"], wanted)
        message = f"New size: {wanted}; reason: {why}"
        self._world.event(resources.AUTOSCALERS, autoscaler, "SuccessfulRescale", message, component=_COMPONENT)
        autoscaler["status"]["lastScaleTime"] = stamp(self._world.now)


def _set(autoscaler: Json, kind: str, status: str, *, reason: str, message: str, now: float) -> None:
    conditions = autoscaler["status"].setdefault("conditions", [])
    found = next((one for one in conditions if one["type"] == kind), None)
    if found is None:
        found = {"type": kind, "status": "", "lastTransitionTime": "", "reason": "", "message": ""}
        conditions.append(found)
    if found["status"] != status:
        found["lastTransitionTime"] = stamp(now)
    found.update(status=status, reason=reason, message=message)
