"""Hands that reach Alertmanagers too: what actions read, ask and send goes to whichever server it is meant for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from services.actions.spec import Document, Hands
from services.clock import Clock
from services.kubernetes.faults import WriteFault, WriteProblem
from services.model.action import Right, Write
from services.model.ref import ALERTMANAGERS, ALERTS, SILENCES, Ref, Resource
from services.model.workload import Healthy
from services.ports import AccessAnswer, Snapshot
from services.sanitize import safe_text

if TYPE_CHECKING:
    from services.alerts.alertmanagers import Alertmanagers, ClusterSeen

PREFIX = "alertmanager/"
SERVICES = Resource("", "v1", "services", "Service")
OF_ALERTING = frozenset({ALERTS, SILENCES, ALERTMANAGERS})
"""Kinds that Alertmanagers hold."""


class AlertingHands:
    """Implements `services.actions.spec.Hands` over those of a cluster. Of alerting there are two requests.

    `find(ALERTMANAGERS)` asks every peer now and returns a document for each cluster of them (`clusters_in`); a
    `Write` whose path begins with "alertmanager/NAME/" goes to one peer of that cluster. `alertmanagers` gives them,
    None where none is configured.
    """

    def __init__(self, cluster: Hands, alertmanagers: Callable[[], Alertmanagers | None]) -> None:
        self._cluster = cluster
        self._alertmanagers = alertmanagers

    @property
    def clock(self) -> Clock:
        """The clock that waits and times are taken from."""
        return self._cluster.clock

    @property
    def context(self) -> str:
        """The kubeconfig context."""
        return self._cluster.context

    @property
    def who(self) -> str:
        """Who acts."""
        return self._cluster.who

    def snapshot(self) -> Snapshot:
        """Live state as it is now."""
        return self._cluster.snapshot()

    async def observed(self, ref: Ref) -> Mapping[int, Healthy]:
        """The revisions of a workload that were seen healthy."""
        return await self._cluster.observed(ref)

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        """One object of the cluster."""
        return await self._cluster.get(resource, namespace, name, subresource)

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        """The objects of a kind; what Alertmanagers hold is read from all of them."""
        if resource != ALERTMANAGERS:
            return await self._cluster.find(resource, namespace, **params)
        alertmanagers = self._alertmanagers()
        return [msgspec.to_builtins(one) for one in await alertmanagers.look()] if alertmanagers is not None else ()

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        """Send a change where it is meant for. Raises WriteProblem; an Alertmanager knows no dry run."""
        if not write.path.startswith(PREFIX):
            return await self._cluster.send(write, dry_run=dry_run)
        alertmanagers = self._alertmanagers()
        if alertmanagers is None or dry_run:
            why = "an Alertmanager knows no dry run" if dry_run else "no Alertmanager is configured any more"
            kind = WriteFault.UNREHEARSABLE if dry_run else WriteFault.UNSENT
            raise WriteProblem(safe_text(f"Could not {write.what}: {why}; nothing was changed."), kind)
        return await alertmanagers.send(write)

    async def can(self, right: Right) -> AccessAnswer:
        """Whether this user may.

        An Alertmanager knows no rights that could be asked for; where the way leads through a Service of the cluster,
        that is asked about.
        """
        if right.resource not in OF_ALERTING:
            return await self._cluster.can(right)
        alertmanagers = self._alertmanagers()
        namespaces = dict.fromkeys(one.partition("/")[0] for one in alertmanagers.services) if alertmanagers else ()
        refused = AccessAnswer(True)
        for namespace in namespaces:
            refused = await self._cluster.can(Right(right.verb, SERVICES, namespace, "proxy"))
            if refused.allowed:
                break
        if refused.allowed:
            return refused
        said = f": {refused.reason}" if refused.reason else ""
        return AccessAnswer(False, safe_text(f"the way is services/proxy in {', '.join(namespaces)}{said}"))


def clusters_in(documents: Sequence[Document]) -> Sequence[ClusterSeen]:
    """Return what `find(ALERTMANAGERS)` found."""
    from services.alerts.alertmanagers import ClusterSeen

    return [msgspec.convert(one, ClusterSeen) for one in documents]
