"""Compares one look at the costs with those before: what jumped, which limit was crossed, what an hour ago cost."""

from __future__ import annotations

from collections.abc import Mapping

from services.costs.allocation import Rates
from services.costs.drift import KEPT, LEAST, Level, Reading, Readings, by_namespace, scaled_back
from services.costs.events import crossings, namespace_event, total_event
from services.model.cost import CostPeriod, Spend
from services.model.ref import NODES, PODS
from services.model.timeline import Event
from services.ports import Snapshot

NAMESPACE_PERCENT = 25
"""Change of a namespace's rate, in percent, that is told at least: a pod more or less is none."""


class Moves:
    """What has moved since the looks before; `percent` is the change of the whole rate that is told."""

    def __init__(self, percent: int) -> None:
        self._percent = percent
        self._measure: tuple[object, ...] = ()
        self.level = Level(percent)
        self._levels: dict[str, Level] = {}
        self._readings = Readings()
        self._spends: tuple[int, Mapping[CostPeriod, Spend]] = (0, {})

    def past(self, snapshot: Snapshot, now: float) -> Reading | None:
        """Return what to compare with: an hour ago, for the time before the first reading by what the cluster tells."""
        oldest, since = self._readings.oldest, now - KEPT
        return scaled_back(oldest, snapshot.events, since) if oldest is not None and oldest.at > since else oldest

    def look(
        self, snapshot: Snapshot, rates: Rates, spends: Mapping[CostPeriod, Spend], fills: tuple[int, int], now: float
    ) -> list[Event]:
        """Return what has moved since the last look; after a change of what is measured, nothing has.

        `fills` counts the hours that had been filled in before and after the amounts were added up: what comes to be
        known of the past crosses no limit now.
        """
        settled, before = fills[0] == fills[1], self._spends
        comparable = settled and before[0] == fills[0]
        self._spends = (fills[0] if settled else -1, spends)
        cluster = next((pod.ref.cluster for pod in snapshot.tables.get(PODS.table, {}).values()), "")
        told = crossings(cluster, before[1], spends, now) if comparable else []
        return [*told, *self._jumps(snapshot, rates, cluster, now)]

    def _jumps(self, snapshot: Snapshot, rates: Rates, cluster: str, now: float) -> list[Event]:
        namespaces = by_namespace(rates.shares)
        measure = (bool(rates.used), bool(rates.nodes), rates.sized >= 0.98 * rates.counted)
        first = measure != self._measure
        if first:
            self._measure = measure
            self._readings.clear()
            self.level.settle(rates.total, now)
            self._levels = {}
        self._readings.note(now, rates)
        told: list[Event | None] = []
        jump = self.level.look(rates.total, now)
        if jump is not None:
            nodes = snapshot.tables.get(NODES.table, {})
            told.append(total_event(cluster, jump, self._readings.before(jump.at), rates=rates, nodes=nodes, now=now))
        rollouts = snapshot.tables.get("rollouts", {})
        for name in namespaces.keys() | self._levels.keys():
            level = self._levels.get(name)
            if level is None:
                level = self._levels[name] = Level(max(NAMESPACE_PERCENT, self._percent), 2 * LEAST)
                level.settle(namespaces[name] if first else 0, now)
            moved = level.look(namespaces.get(name, 0), now)
            if moved is not None:
                past = self._readings.before(moved.at)
                told.append(namespace_event(cluster, name, moved, past, rates=rates, rollouts=rollouts, now=now))
        return [event for event in told if event is not None]
