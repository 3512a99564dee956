"""Remembers what became of pods, workloads and nodes, so that metrics of the past can be worked out when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.monitoring import records
from services.rehearsal.monitoring.stories import NodeStory, PodStory, Story, WorkloadStory

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change, Key

KEPT = 25 * 3600.0
"""Seconds for which things that are gone are remembered."""
_MOST_PENDING = 1000
_WORKLOADS = {
    resources.DEPLOYMENTS.key: "Deployment",
    resources.STATEFUL_SETS.key: "StatefulSet",
    resources.DAEMON_SETS.key: "DaemonSet",
}
_OTHERS = {resources.JOBS.key: "Job", resources.QUOTAS.key: "ResourceQuota", resources.CLAIMS.key: "Claim"}


class Chronicle:
    """Listens to the store; changes are read when somebody asks, or when many have gathered."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pending: list[tuple[float, Resource, Change]] = []
        self.since = world.now
        """The moment at which the estate was at rest."""
        self.pods: dict[str, PodStory] = {}
        """By uid, the dead of the last day among them."""
        self.workloads: dict[tuple[str, str, str], WorkloadStory] = {}
        """By (kind, namespace, name)."""
        self.nodes: dict[str, NodeStory] = {}
        self.others: dict[tuple[str, str, str], Story[records.Plain]] = {}
        """Jobs, quotas and claims by (kind, namespace, name)."""
        self.members = 0
        """Grows when a story begins or is forgotten."""
        self._swept = world.now
        self._rested = False

    def begin(self) -> None:
        """Listen from now on; what stands now has always stood."""
        self.since = self._world.now
        self._rest = [
            (resource, list(self._world.store.collection(resource).entries.values()))
            for resource in resources.BUILT_IN
            if resource.key in _FOLLOWED
        ]
        self._world.store.listeners.append(self._heard)

    def _heard(self, resource: Resource, change: Change) -> None:
        if resource.key in _FOLLOWED:
            self._pending.append((self._world.now, resource, change))
            if len(self._pending) > _MOST_PENDING:
                self.settle()

    def settle(self) -> None:
        """Read what has happened since the last time."""
        if not self._rested:
            self._rested = True
            for resource, entries in self._rest:
                for entry in entries:
                    self._take(self.since, resource, entry.key, entry.raw, at_rest=True)
            self._rest.clear()
        pending, self._pending = self._pending, []
        for moment, resource, change in pending:
            if change.type == "DELETED":
                self._end(moment, resource, change.entry.key, change.entry.uid)
            else:
                self._take(moment, resource, change.entry.key, change.entry.raw)
        if self._world.now - self._swept > 600:
            self._sweep()

    def _take(self, moment: float, resource: Resource, key: Key, raw: bytes, *, at_rest: bool = False) -> None:
        namespace, name = key
        if resource is resources.PODS:
            pod = records.pod(raw)
            story = self.pods.get(pod.metadata.uid)
            if story is None:
                story = self.pods[pod.metadata.uid] = PodStory(pod, moment)
                self.members += 1
            story.tell(pod, story.born if at_rest else moment)
        elif resource is resources.NODES:
            node = records.node(raw)
            known = self.nodes.get(name)
            if known is None:
                known = self.nodes[name] = NodeStory(node)
                self.members += 1
            known.add(known.born if at_rest else moment, node.state())
        elif resource.key in _WORKLOADS:
            kind = _WORKLOADS[resource.key]
            workload = records.workload(raw)
            one = self.workloads.get((kind, namespace, name))
            if one is None or one.uid != workload.metadata.uid:
                one = self.workloads[kind, namespace, name] = WorkloadStory(kind, workload, moment)
                self.members += 1
            one.add(one.born if at_rest else moment, workload.state())
        else:
            self._take_other(moment, resource, key, raw)

    def _take_other(self, moment: float, resource: Resource, key: Key, raw: bytes) -> None:
        plain = records.plain(raw)
        where = (_OTHERS[resource.key], *key)
        known = self.others.get(where)
        if known is None or known.uid != plain.metadata.uid:
            born = min(moment, plain.metadata.born())
            known = self.others[where] = Story(*key, plain.metadata.uid, born)
            self.members += 1
        known.add(moment if known.states else known.born, plain)

    def _end(self, moment: float, resource: Resource, key: Key, uid: str) -> None:
        story: Story[object] | PodStory | NodeStory | WorkloadStory | None
        if resource is resources.PODS:
            story = self.pods.get(uid)
        elif resource is resources.NODES:
            story = self.nodes.get(key[1])
        elif resource.key in _WORKLOADS:
            story = self.workloads.get((_WORKLOADS[resource.key], *key))
        else:
            story = self.others.get((_OTHERS[resource.key], *key))  # type: ignore[assignment]  # any story ends alike
        if story is not None:
            story.ended = moment

    def _sweep(self) -> None:
        """Forget what ended more than a day ago."""
        self._swept = self._world.now
        horizon = self._world.now - KEPT
        before = len(self.pods) + len(self.workloads) + len(self.nodes) + len(self.others)
        self.pods = {key: one for key, one in self.pods.items() if one.ended >= horizon}
        self.workloads = {key: one for key, one in self.workloads.items() if one.ended >= horizon}
        self.nodes = {key: one for key, one in self.nodes.items() if one.ended >= horizon}
        self.others = {key: one for key, one in self.others.items() if one.ended >= horizon}
        self.members += before - len(self.pods) - len(self.workloads) - len(self.nodes) - len(self.others)


_FOLLOWED = {resources.PODS.key, resources.NODES.key, *_WORKLOADS, *_OTHERS}
