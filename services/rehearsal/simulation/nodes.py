"""What befalls machines: a kubelet that falls silent, memory or disk that runs short, and recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.estate.objects import node_conditions
from services.rehearsal.simulation import pods

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

Pressure = Literal["MemoryPressure", "DiskPressure", "PIDPressure"]
_EVICT_AFTER = 300.0
_COMPONENT = "node-controller"
_PRESSED: dict[Pressure, tuple[str, str, str]] = {
    "MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available", "memory-pressure"),
    "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure", "disk-pressure"),
    "PIDPressure": ("KubeletHasInsufficientPID", "kubelet has insufficient PID available", "pid-pressure"),
}
_HEALTHY = {one["type"]: (one["status"], one["reason"], one["message"]) for one in node_conditions(0, 0)}
_UNREACHABLE = ("NodeStatusUnknown", "Kubelet stopped posting node status.")


class Nodes:
    """Breaks and mends nodes as the node lifecycle and taint eviction controllers would see it."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet
        self.silent = kubelet.lives.silent

    def lose(self, name: str) -> bool:
        """Let a node's kubelet fall silent; after five minutes its pods are evicted. Return whether it exists."""
        node = self._world.store.get(resources.NODES, "", name)
        if node is None:
            return False
        self.silent.add(name)
        for condition in node["status"]["conditions"]:
            self._set(condition, "Unknown", *_UNREACHABLE)
        self._taint(node, "node.kubernetes.io/unreachable", "NoSchedule", "NoExecute")
        self._world.event(
            resources.NODES, node, "NodeNotReady", f"Node {name} status is now: NodeNotReady", component=_COMPONENT
        )
        for pod in self._seated(name):
            pods.set_condition(pod["status"]["conditions"], "Ready", "False", self._world.now)
            self._world.store.update(resources.PODS, pod)
            self._world.warn(resources.PODS, pod, "NodeNotReady", "Node is not ready", component=_COMPONENT)
        self._world.after(_EVICT_AFTER, lambda: self._evict(name))
        return True

    def recover(self, name: str) -> bool:
        """Let a node be healthy again; pods that were marked for deletion go. Return whether it exists."""
        node = self._world.store.get(resources.NODES, "", name)
        if node is None:
            return False
        self.silent.discard(name)
        for condition in node["status"]["conditions"]:
            self._set(condition, *_HEALTHY[condition["type"]])
        node["spec"].pop("taints", None)
        self._world.store.update(resources.NODES, node)
        room = self._world.capacity.rooms[name]
        room.open, room.taint = not node["spec"].get("unschedulable", False), ""
        self._world.event(
            resources.NODES, node, "NodeReady", f"Node {name} status is now: NodeReady", component="kubelet", host=name
        )
        for pod in self._seated(name):
            if "deletionTimestamp" in pod["metadata"]:
                self._world.store.delete(resources.PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
            else:
                pods.refresh(pod, self._world.now)
                self._world.store.update(resources.PODS, pod)
        return True

    def press(self, name: str, kind: Pressure) -> bool:
        """Put a node under pressure: it takes no new pods. Return whether it exists."""
        node = self._world.store.get(resources.NODES, "", name)
        if node is None:
            return False
        reason, message, taint = _PRESSED[kind]
        for condition in node["status"]["conditions"]:
            if condition["type"] == kind:
                self._set(condition, "True", reason, message)
        self._taint(node, f"node.kubernetes.io/{taint}", "NoSchedule")
        message = f"Node {name} status is now: NodeHas{kind}"
        self._world.event(resources.NODES, node, f"NodeHas{kind}", message, component="kubelet", host=name)
        return True

    def relieve(self, name: str, kind: Pressure) -> bool:
        """Take a pressure from a node: pods may come again. Return whether it exists."""
        node = self._world.store.get(resources.NODES, "", name)
        if node is None:
            return False
        for condition in node["status"]["conditions"]:
            if condition["type"] == kind:
                self._set(condition, *_HEALTHY[kind])
        key = f"node.kubernetes.io/{_PRESSED[kind][2]}"
        node["spec"]["taints"] = [one for one in node["spec"].get("taints", ()) if one["key"] != key]
        room = self._world.capacity.rooms[name]
        room.open = not node["spec"]["taints"] and not node["spec"].get("unschedulable")
        room.taint = node["spec"]["taints"][0]["key"] if node["spec"]["taints"] else ""
        self._world.store.update(resources.NODES, node)
        reason = f"NodeHasNo{kind}" if kind == "DiskPressure" else f"NodeHasSufficient{kind.removesuffix('Pressure')}"
        message = f"Node {name} status is now: {reason}"
        self._world.event(resources.NODES, node, reason, message, component="kubelet", host=name)
        return True

    def _set(self, condition: Json, status: str, reason: str, message: str) -> None:
        moment = stamp(self._world.now)
        if condition["status"] != status:
            condition["lastTransitionTime"] = moment
        condition.update(status=status, reason=reason, message=message)

    def _taint(self, node: Json, key: str, *effects: str) -> None:
        taints = [one for one in node["spec"].get("taints", ()) if one["key"] != key]
        taints += [{"key": key, "effect": effect, "timeAdded": stamp(self._world.now)} for effect in effects]
        node["spec"]["taints"] = taints
        room = self._world.capacity.rooms[node["metadata"]["name"]]
        room.open, room.taint = False, key
        self._world.store.update(resources.NODES, node)

    def _evict(self, name: str) -> None:
        """Mark the pods of a silent node for deletion: they stay Terminating, for nobody stops them."""
        if name not in self.silent:
            return
        for pod in self._seated(name):
            owner = pod["metadata"].get("ownerReferences", [{}])[0].get("kind")
            if owner == "DaemonSet" or "deletionTimestamp" in pod["metadata"]:
                continue
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
            pod["metadata"]["deletionTimestamp"] = stamp(self._world.now + grace)
            pod["metadata"]["deletionGracePeriodSeconds"] = grace
            self._world.store.update(resources.PODS, pod)
            message = f"Marking for deletion Pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
            self._world.event(
                resources.PODS, pod, "TaintManagerEviction", message, component="taint-eviction-controller"
            )

    def _seated(self, name: str) -> list[Json]:
        collection = self._world.store.collection(resources.PODS)
        return [
            entry.read()
            for entry in collection.ordered()
            if entry.fields["spec.nodeName"] == name and entry.fields["status.phase"] == "Running"
        ]
