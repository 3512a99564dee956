"""The estate as its exporters see it: stories of things, requests at the edge, use of machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.monitoring.chronicle import Chronicle
from services.rehearsal.monitoring.load import Heat, Machine, Use
from services.rehearsal.monitoring.traffic import Flare, Service, Traffic
from services.rehearsal.monitoring.waves import chance

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import Blueprint
    from services.rehearsal.monitoring.records import ContainerSpec
    from services.rehearsal.monitoring.stories import PodStory
    from services.rehearsal.simulation.world import World

_BEFORE = 30 * 3600.0
"""Counters began to count so long before the estate was at rest."""


class Estate:
    """What metrics are made of."""

    def __init__(self, world: World, plan: Blueprint, chronicle: Chronicle) -> None:
        self.plan = plan
        self.world = world
        self.chronicle = chronicle
        self.origin = chronicle.since - _BEFORE
        self.heat = Heat(chronicle, world.behaviours)
        self.flares = _flares(plan, chronicle.since)
        self.traffic = Traffic(chronicle, set(plan.namespaces), self.origin, self.flares)
        self.flood = 0
        """How many alerts a test has asked for."""
        self.peers = 2
        self.down_peers: dict[int, float] = {}
        """Alertmanagers that do not answer, and since when."""
        self._uses: dict[tuple[str, str], Use] = {}
        self._machines: dict[str, Machine] = {}

    def refresh(self) -> None:
        """Take in what has happened."""
        self.chronicle.settle()
        self.heat.refresh()

    def version(self) -> object:
        """Return what changes when series come or go."""
        return (self.chronicle.members, self.flood)

    def services(self) -> list[Service]:
        """Return the services that answer requests."""
        return self.traffic.services()

    def pods(self) -> list[PodStory]:
        """Return the pods there are and were."""
        return list(self.chronicle.pods.values())

    def use(self, pod: PodStory, container: ContainerSpec) -> Use:
        """Return the use of one container."""
        key = (pod.uid, container.name)
        found = self._uses.get(key)
        if found is None:
            if len(self._uses) > 4 * len(self.chronicle.pods) + 100:
                self._uses.clear()
            behaviour = self.heat.behaviour(container.image)
            found = self._uses[key] = Use(pod, container, behaviour, self.origin)
        return found

    def machines(self) -> list[Machine]:
        """Return the nodes' hardware."""
        for name, node in self.chronicle.nodes.items():
            known = self._machines.get(name)
            if known is None or known.node is not node:
                self._machines[name] = Machine(node, self.heat, self.origin)
        return [self._machines[name] for name in sorted(self.chronicle.nodes)]


def _flares(plan: Blueprint, since: float) -> list[Flare]:
    """Return the small troubles of the day before: what each console finds when it looks back."""
    deployments = plan.deployments()
    rng = plan.rng("flares")
    found = []
    for hours in (21.5, 13.2, 6.4, 2.6):
        app = rng.choice(deployments)
        start = since - hours * 3600 - 900 * chance(f"{plan.seed}:{hours}")
        start = start // 15 * 15
        failing = 0.08 + 0.2 * rng.random()
        end = start + 60 * rng.randint(5, 14)
        found.append(Flare(app.namespace, app.name, start, end, failing, 1 + 3 * rng.random()))
    return found
