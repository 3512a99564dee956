"""Lends the program's hands on a real cluster to a test, as one of the cluster's users."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.clock import SystemClock
from services.kubernetes import settings
from services.kubernetes.hands import KubernetesHands
from services.kubernetes.kubeconfig import identify
from services.kubernetes.session import KubernetesSession
from services.kubernetes.source import KubernetesSource
from services.kubernetes.writing import spec_digest
from services.model.action import Progress, Write
from services.model.ref import DEPLOYMENTS, Resource
from services.ports import Interest, Snapshot
from tests.contract.watched import kubectl
from tests.controlplane.access import User
from tests.controlplane.clusters import Cluster

ATTEMPTS = 600


@asynccontextmanager
async def handed(cluster: Cluster, user: User = "admin", host: str = "bastion") -> AsyncIterator[KubernetesHands]:
    """Lend hands that are closed afterwards; nothing is watched."""
    clock = SystemClock()
    loaded = await asyncio.to_thread(settings.load, identify([str(cluster.kubeconfig(user))]))
    source = KubernetesSource(loaded, Interest(), _Nowhere(), clock)
    session = KubernetesSession(source, clock)
    hands = KubernetesHands(
        session, source.transport, clock, lambda: Snapshot(0, {}, {}), context="test", user=str(user), host=host
    )
    try:
        yield hands
    finally:
        await source.transport.close()
        await source.credentials.close()


class _Nowhere:
    """A sink nobody writes to."""

    def apply(self, source: str, change: object) -> None:
        raise AssertionError(source, change)

    def status(self, status: object) -> None:
        raise AssertionError(status)

    def happened(self, events: object) -> None:
        raise AssertionError(events)


async def as_json(cluster: Cluster, namespace: str, *arguments: str) -> Any:
    """Return what ``kubectl -n NAMESPACE get ...`` says."""
    return json.loads(await kubectl(cluster, "-n", namespace, "get", *arguments, "-o", "json"))


async def eventually(holds: Any, what: str) -> Any:
    """Ask until a coroutine function returns something true, and return that."""
    for _ in range(ATTEMPTS):
        if found := await holds():
            return found
        await asyncio.sleep(0.1)  # the cluster can only be asked again
    raise AssertionError(f"never saw {what}")


def patch(document: dict[str, Any], body: object, content_type: str, resource: Resource = DEPLOYMENTS) -> Write:
    """Return a change of an object as it was read, with every precondition."""
    metadata = document["metadata"]
    return Write(
        "PATCH",
        resource.path(metadata.get("namespace", ""), metadata["name"]),
        f"change {resource.kind.lower()} {metadata['name']}",
        json.dumps(body).encode(),
        content_type,
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        spec=spec_digest(document),
    )


async def quiet(_progress: Progress) -> None:
    """Hear nothing of how far an action is."""
