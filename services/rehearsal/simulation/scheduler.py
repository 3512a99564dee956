"""Finds a node for each new pod, or says why none will do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.simulation import pods
from services.rehearsal.simulation.capacity import requests

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change

_COMPONENT = "default-scheduler"
_RETRY = 30.0


class Scheduler:
    """Binds pods to nodes and frees their seats when they go."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet
        self._waiting: dict[tuple[str, str], None] = {}
        world.pod_listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        entry = change.entry
        if change.type == "ADDED":
            key = entry.key
            self._world.after(self._world.rng.uniform(0.02, 0.2), lambda: self.schedule(key))
        elif change.type == "DELETED" or entry.fields["status.phase"] in {"Succeeded", "Failed"}:
            self._waiting.pop(entry.key, None)
            if self._world.capacity.release(entry.uid):
                self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = list(self._waiting), {}
        for index, key in enumerate(waiting):
            self._world.after(0.5 + index * 0.05, lambda key=key: self.schedule(key))  # type: ignore[misc]

    def nodes_changed(self) -> None:
        """Try the waiting pods again: a node has come or opened."""
        self._wake()

    def schedule(self, key: tuple[str, str]) -> None:
        """Try to bind one pod."""
        world = self._world
        pod = world.store.get(resources.PODS, *key)
        if pod is None or "deletionTimestamp" in pod["metadata"] or pod["spec"].get("nodeName") in world.capacity.rooms:
            return
        cpu, memory = requests(pod["spec"])
        owner = next((one["uid"] for one in pod["metadata"].get("ownerReferences", ())), pod["metadata"]["uid"])
        node = _pinned(pod) or world.capacity.choose(owner, cpu, memory)
        conditions = pod["status"].setdefault("conditions", [])
        if node is None:
            message = world.capacity.why_not(cpu, memory)
            pods.set_condition(conditions, "PodScheduled", "False", world.now, reason="Unschedulable", message=message)
            world.store.update(resources.PODS, pod)
            world.warn(resources.PODS, pod, "FailedScheduling", message, component=_COMPONENT)
            self._waiting[key] = None
            world.after(_RETRY, lambda: self._again(key))
            return
        world.capacity.take(pod["metadata"]["uid"], owner, node, cpu, memory)
        pod["spec"]["nodeName"] = node
        pods.set_condition(conditions, "PodScheduled", "True", world.now)
        world.store.update(resources.PODS, pod)
        message = f"Successfully assigned {key[0]}/{key[1]} to {node}"
        world.event(resources.PODS, pod, "Scheduled", message, component=_COMPONENT)
        self._kubelet.bound(pod)

    def _again(self, key: tuple[str, str]) -> None:
        if self._waiting.pop(key, self) is None:
            self.schedule(key)


def _pinned(pod: Json) -> str | None:
    """Return the node that a DaemonSet's pod is made for."""
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    for term in required.get("nodeSelectorTerms", ()):
        for field in term.get("matchFields", ()):
            if field["key"] == "metadata.name":
                name: str = field["values"][0]
                return name
    return None
