"""What people and pipelines do to workloads: the only place where specs are changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.simulation import managed, revisions

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.world import World

_RESTARTED = "kubectl.kubernetes.io/restartedAt"


def set_image(
    world: World, resource: Resource, namespace: str, name: str, *, image: str, cause: str, actor: str, cpu: str = ""
) -> bool:
    """Give the first container another image, with change-cause and manager; return whether the workload exists.

    `cpu` is a new cpu request for it, a quantity; empty leaves the old one.
    """
    workload = world.store.get(resource, namespace, name)
    if workload is None:
        return False
    workload["spec"]["template"]["spec"]["containers"][0]["image"] = image
    if cpu:
        workload["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu
    workload["metadata"].setdefault("annotations", {})[revisions.CAUSE] = cause
    container = workload["spec"]["template"]["spec"]["containers"][0]["name"]
    fields = {
        "f:metadata": {"f:annotations": {f"f:{revisions.CAUSE}": {}}},
        "f:spec": {"f:template": {"f:spec": {"f:containers": {f'k:{{"name":"{container}"}}': {"f:image": {}}}}}},
    }
    managed.set_manager(workload, actor, stamp(world.now), fields, resource.api_version)
    return _save_spec(world, resource, workload)


def configure(world: World, namespace: str, name: str, data: dict[str, str], actor: str) -> bool:
    """Set keys of a ConfigMap; return whether it exists."""
    config = world.store.get(resources.CONFIG_MAPS, namespace, name)
    if config is None:
        return False
    config.setdefault("data", {}).update(data)
    fields: Json = {"f:data": {f"f:{key}": {} for key in data}}
    managed.set_manager(config, actor, stamp(world.now), fields, resources.CONFIG_MAPS.api_version)
    return world.store.update(resources.CONFIG_MAPS, config)


def scale(world: World, resource: Resource, namespace: str, name: str, replicas: int) -> bool:
    """Set spec.replicas; return whether the workload exists."""
    workload = world.store.get(resource, namespace, name)
    if workload is None:
        return False
    if workload["spec"]["replicas"] == replicas:
        return True
    workload["spec"]["replicas"] = replicas
    return _save_spec(world, resource, workload)


def restart(world: World, resource: Resource, namespace: str, name: str) -> bool:
    """Restart as `kubectl rollout restart` does; return whether the workload exists."""
    workload = world.store.get(resource, namespace, name)
    if workload is None:
        return False
    workload["spec"]["template"]["metadata"].setdefault("annotations", {})[_RESTARTED] = stamp(world.now)
    return _save_spec(world, resource, workload)


def pause(world: World, namespace: str, name: str, *, paused: bool) -> bool:
    """Pause or resume a Deployment; return whether it exists."""
    workload = world.store.get(resources.DEPLOYMENTS, namespace, name)
    if workload is None:
        return False
    if paused:
        workload["spec"]["paused"] = True
    else:
        workload["spec"].pop("paused", None)
    return _save_spec(world, resources.DEPLOYMENTS, workload)


def cordon(world: World, node: str, *, closed: bool) -> bool:
    """Close a node to new pods or open it again; return whether it exists."""
    obj = world.store.get(resources.NODES, "", node)
    if obj is None:
        return False
    if closed:
        obj["spec"]["unschedulable"] = True
    else:
        obj["spec"].pop("unschedulable", None)
    world.capacity.rooms[node].open = not closed
    return world.store.update(resources.NODES, obj)


def merge(world: World, resource: Resource, namespace: str, name: str, patch: Json) -> bool:
    """Apply a JSON merge patch (RFC 7386) to an object as it stands; return whether it exists."""
    obj = world.store.get(resource, namespace, name)
    if obj is None:
        return False
    _merge(obj, patch)
    world.store.update(resource, obj)
    return True


def _merge(target: Json, patch: Json) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            below = target.get(key)
            if not isinstance(below, dict):
                below = target[key] = {}
            _merge(below, value)
        else:
            target[key] = value


def _save_spec(world: World, resource: Resource, workload: Json) -> bool:
    workload["metadata"]["generation"] = workload["metadata"].get("generation", 1) + 1
    world.store.update(resource, workload)
    return True
