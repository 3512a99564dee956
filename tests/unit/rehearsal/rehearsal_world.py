"""Estates without ports, moved through time by hand, and what must be true of them at any moment."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from services.rehearsal import resources
from services.rehearsal.clock import ManualClock
from services.rehearsal.server import Options, Rehearsal
from services.rehearsal.simulation import operations, pods
from services.rehearsal.simulation.deployments import REVISION
from services.rehearsal.simulation.strategy import limits

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App
    from services.rehearsal.simulation.world import World

Json = dict[str, Any]


def estate(scenario: str = "calm", seed: int = 7, past: float | None = 0, life: bool = False) -> Rehearsal:
    return Rehearsal(Options(scenario, seed, past=past, life=life), ManualClock())


def run(world: World, seconds: float) -> None:
    world.timeline.run_until(world.now + seconds)


def everything(world: World, resource: resources.Resource) -> list[Json]:
    return [entry.look() for entry in world.store.collection(resource).ordered()]


def of_app(world: World, app: App, resource: resources.Resource = resources.DEPLOYMENTS) -> Json:
    found = world.store.get(resource, app.namespace, app.name)
    assert found is not None
    return found


def pods_of(world: World, app: App) -> list[Json]:
    return [
        entry.look()
        for entry in world.store.collection(resources.PODS).ordered()
        if entry.namespace == app.namespace and entry.labels.get("app.kubernetes.io/name") == app.name
    ]


def deploy(world: World, app: App, tag: str) -> str:
    image = app.image_of(tag)
    operations.set_image(
        world, resources.DEPLOYMENTS, app.namespace, app.name, image=image, cause=f"ci: {tag}", actor="ci"
    )
    return image


def check(world: World) -> None:
    """Hold everything that must be true of an estate that has come to rest for a moment."""
    owned: dict[str, list[Json]] = {}
    for pod in everything(world, resources.PODS):
        for owner in pod["metadata"].get("ownerReferences", ()):
            owned.setdefault(owner["uid"], []).append(pod)
    for replica_set in everything(world, resources.REPLICA_SETS):
        active = [pod for pod in owned.get(replica_set["metadata"]["uid"], []) if pods.is_active(pod)]
        status = replica_set["status"]
        assert status["replicas"] == len(active), replica_set["metadata"]["name"]
        assert status.get("readyReplicas", 0) == sum(map(pods.is_ready, active))
        assert len(active) <= replica_set["spec"]["replicas"]
    sets: dict[str, list[Json]] = {}
    for replica_set in everything(world, resources.REPLICA_SETS):
        sets.setdefault(replica_set["metadata"]["ownerReferences"][0]["uid"], []).append(replica_set)
    for deployment in everything(world, resources.DEPLOYMENTS):
        family = sets[deployment["metadata"]["uid"]]
        status, spec = deployment["status"], deployment["spec"]
        assert status.get("replicas", 0) == sum(one["status"]["replicas"] for one in family)
        assert status.get("availableReplicas", 0) <= status.get("readyReplicas", 0) <= status.get("replicas", 0)
        assert status.get("replicas", 0) <= spec["replicas"] + limits(deployment)[0]
        revisions = [int(one["metadata"]["annotations"][REVISION]) for one in family]
        assert len(set(revisions)) == len(revisions)
        assert int(deployment["metadata"]["annotations"][REVISION]) == max(revisions)
        assert len(family) <= 11
    seats = Counter(
        pod["spec"].get("nodeName")
        for pod in everything(world, resources.PODS)
        if pod["status"]["phase"] not in {"Succeeded", "Failed"}
    )
    for name, room in world.capacity.rooms.items():
        assert room.pods_taken == seats[name], name
        assert 0 <= room.cpu_taken <= room.cpu
        assert 0 <= room.memory_taken <= room.memory
