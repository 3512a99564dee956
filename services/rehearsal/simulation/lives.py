"""Pods by identity, as kubelets hold on to them from one timer to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.simulation import pods

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.world import World

_COMPONENT = "kubelet"


@dataclass(frozen=True, slots=True)
class Life:
    """One pod by identity: a pod of the same name that came later is another life."""

    namespace: str
    name: str
    uid: str


class Lives:
    """Reads, saves and reports on pods for the kubelets."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.silent: set[str] = set()
        """Nodes on which nothing moves any more."""

    def read(self, life: Life) -> Json | None:
        """Return the pod while it lives on a node that is heard of and is not being deleted."""
        pod = self.world.store.get(resources.PODS, life.namespace, life.name)
        if pod is None or pod["metadata"]["uid"] != life.uid or "deletionTimestamp" in pod["metadata"]:
            return None
        if pod["spec"].get("nodeName") in self.silent:
            return None
        return pod

    def save(self, pod: Json) -> None:
        """Work out phase and conditions and store the pod."""
        pods.refresh(pod, self.world.now)
        self.world.store.update(resources.PODS, pod)

    def tell(self, pod: Json, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event about a pod, from its node."""
        write = self.world.warn if warning else self.world.event
        host = pod["spec"].get("nodeName", "")
        write(resources.PODS, pod, reason, message, component=_COMPONENT, host=host)

    def tell_later(self, life: Life, delay: float, reason: str, message: str) -> None:
        """Record an event after a while, if the pod still lives."""

        def tell() -> None:
            pod = self.read(life)
            if pod is not None:
                self.tell(pod, reason, message)

        self.world.after(delay, tell)

    def while_running(
        self, life: Life, container: str, run: str, action: Callable[[Json, Json], None]
    ) -> Callable[[], None]:
        """Return a call of `action` with pod and container status, made only if the same run still goes on."""

        def act() -> None:
            pod = self.read(life)
            if pod is not None:
                status = status_of(pod, container)
                if status.get("containerID", "") == run and "running" in status["state"]:
                    action(pod, status)

        return act


def life_of(pod: Json) -> Life:
    """Return the identity of a pod."""
    metadata = pod["metadata"]
    return Life(metadata["namespace"], metadata["name"], metadata["uid"])


def status_of(pod: Json, container: str) -> Json:
    """Return the status of one container; raise StopIteration when the pod has none of that name."""
    found: Json = next(one for one in pod["status"]["containerStatuses"] if one["name"] == container)
    return found
