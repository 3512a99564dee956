"""The garbage collector and the namespace controller: what is owned goes with its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change

_DELAY = 0.2
_EMPTIED = 2.0
_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"


class Garbage:
    """Deletes what is left behind."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet

    def begin(self) -> None:
        """Follow deletions from now on."""
        self._world.store.listeners.append(self._changed)

    def _changed(self, _: Resource, change: Change) -> None:
        if change.type == "DELETED":
            uid = change.entry.uid
            if self._children(uid):
                self._world.after(_DELAY, lambda: self._sweep(uid))

    def _children(self, uid: str) -> list[tuple[Resource, str, str]]:
        return [
            (collection.resource, *key)
            for collection in self._world.store.collections.values()
            for key in collection.children.get(uid, ())
        ]

    def _sweep(self, uid: str) -> None:
        for resource, namespace, name in self._children(uid):
            self._remove(resource, namespace, name)

    def _remove(self, resource: Resource, namespace: str, name: str) -> None:
        if resource is resources.PODS:
            self._kubelet.stop(namespace, name)
        else:
            self._world.store.delete(resource, namespace, name)

    def leaving(self, resource: Resource, namespace: str, name: str) -> None:
        """Do what the finalizers of an object wait for that has been marked for deletion."""
        self._world.after(_DELAY, lambda: self._finalize(resource, namespace, name))

    def _finalize(self, resource: Resource, namespace: str, name: str) -> None:
        store = self._world.store
        obj = store.get(resource, namespace, name)
        if obj is None or "deletionTimestamp" not in obj["metadata"]:
            return
        finalizers = list(obj["metadata"].get("finalizers", ()))
        children = self._children(obj["metadata"]["uid"])
        if _ORPHAN in finalizers:
            self._orphan(children, obj["metadata"]["uid"])
            finalizers.remove(_ORPHAN)
        if _FOREGROUND in finalizers:
            if children:
                self._sweep(obj["metadata"]["uid"])
                self._world.after(1.0, lambda: self._finalize(resource, namespace, name))
                return
            finalizers.remove(_FOREGROUND)
        if finalizers:
            obj["metadata"]["finalizers"] = finalizers
            store.update(resource, obj)
        else:
            store.delete(resource, namespace, name)

    def _orphan(self, children: list[tuple[Resource, str, str]], uid: str) -> None:
        store = self._world.store
        for resource, namespace, name in children:
            child = store.get(resource, namespace, name)
            if child is not None:
                kept = [one for one in child["metadata"]["ownerReferences"] if one["uid"] != uid]
                child["metadata"]["ownerReferences"] = kept
                store.update(resource, child)
            store.collection(resource).children.get(uid, {}).pop((namespace, name), None)

    def empty(self, namespace: str) -> None:
        """Let a namespace that has been marked for deletion go with all that is in it."""
        self._world.after(_EMPTIED, lambda: self._empty(namespace))

    def _empty(self, namespace: str) -> None:
        store = self._world.store
        for collection in store.collections.values():
            for key in [key for key in collection.entries if key[0] == namespace]:
                store.delete(collection.resource, *key)
        store.delete(resources.NAMESPACES, "", namespace)
