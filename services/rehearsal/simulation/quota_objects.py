"""ResourceQuota objects that follow what the quotas count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.simulation.capacity import requests
from services.rehearsal.simulation.quotas import Quota, bytes_text, cores

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.world import World


def set_quota(world: World, namespace: str, spare: int, name: str = "compute") -> None:
    """Give a namespace a quota: the millicores that its pods request now and about `spare` more.

    Memory and the number of pods get ample room.
    """
    quota = Quota(name, 0, 4 * 1024 * 1024, 500)
    world.quotas.by_namespace[namespace] = quota
    for entry in world.store.collection(resources.PODS).ordered():
        if entry.namespace == namespace and entry.fields["status.phase"] not in {"Succeeded", "Failed"}:
            asked, memory = requests(entry.read()["spec"])
            world.quotas.charge(entry.uid, namespace, asked, memory)
    quota.cpu = -(-(quota.cpu_used + spare) // 100) * 100
    body: Json = {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hard": _hard(quota)},
        "status": {"hard": _hard(quota), "used": _used(quota)},
    }
    world.store.create(resources.QUOTAS, body)


class QuotaController:
    """Writes what is used into the status."""

    def __init__(self, world: World) -> None:
        self._world = world

    def sync(self, namespace: str, name: str) -> None:
        """Bring one quota's status up to date."""
        quota = self._world.quotas.by_namespace.get(namespace)
        obj = self._world.store.get(resources.QUOTAS, namespace, name)
        if quota is not None and obj is not None:
            obj["status"] = {"hard": _hard(quota), "used": _used(quota)}
            self._world.store.update(resources.QUOTAS, obj)


def _hard(quota: Quota) -> Json:
    return {"requests.cpu": cores(quota.cpu), "requests.memory": bytes_text(quota.memory), "pods": str(quota.pods)}


def _used(quota: Quota) -> Json:
    return {
        "requests.cpu": cores(quota.cpu_used),
        "requests.memory": bytes_text(quota.memory_used),
        "pods": str(quota.pods_used),
    }
