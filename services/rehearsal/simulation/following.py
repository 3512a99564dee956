"""Lends a Rollout with a `workloadRef` the pod template of what it follows.

Source: argo-rollouts v1.10 rollout/templateref.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change

_FOLLOWED = {one.kind: one for one in (resources.DEPLOYMENTS, resources.REPLICA_SETS)}


def lend(world: World, rollout: Json) -> bool:
    """Put template and selector of the followed object into a Rollout that has none; False where that is gone.

    What was seen of it stands in the status as the controller writes it.
    """
    reference = rollout["spec"].get("workloadRef")
    if not reference:
        return True
    resource = _FOLLOWED.get(reference.get("kind", ""))
    namespace = rollout["metadata"]["namespace"]
    followed = world.store.get(resource, namespace, reference.get("name", "")) if resource is not None else None
    if followed is None:
        return False
    rollout["spec"]["template"] = followed["spec"]["template"]
    rollout["spec"]["selector"] = followed["spec"]["selector"]
    rollout["status"]["workloadObservedGeneration"] = str(followed["metadata"]["generation"])
    return True


def give_back(rollout: Json) -> None:
    """Take out of a Rollout what was lent to it: it is stored as it was written."""
    if rollout["spec"].get("workloadRef"):
        for name in ("template", "selector"):
            rollout["spec"].pop(name, None)


def wake_followers(world: World) -> None:
    """Have the controller look at every Rollout whose followed object changes."""

    def changed(resource: resources.Resource, change: Change) -> None:
        entry = change.entry
        if resource.kind not in _FOLLOWED or _FOLLOWED[resource.kind] is not resource:
            return
        for rollout in world.store.collection(resources.ROLLOUTS).ordered():
            if rollout.namespace == entry.namespace and _names(world, rollout.namespace, rollout.name, entry.name):
                world.enqueue("Rollout", rollout.namespace, rollout.name)

    world.store.listeners.append(changed)


def _names(world: World, namespace: str, name: str, followed: str) -> bool:
    rollout = world.store.get(resources.ROLLOUTS, namespace, name) or {}
    return bool((rollout.get("spec", {}).get("workloadRef") or {}).get("name") == followed)
