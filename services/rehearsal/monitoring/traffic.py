"""Requests at the edge: how many fail and how long they take follows from the workloads behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.waves import Shares, Wave, chance

if TYPE_CHECKING:
    from services.rehearsal.monitoring.chronicle import Chronicle
    from services.rehearsal.monitoring.load import Heat
    from services.rehearsal.monitoring.records import WorkloadState
    from services.rehearsal.monitoring.stories import WorkloadStory

CODES = ("200", "404", "500", "503")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, math.inf)
SUM = len(CODES) + len(BUCKETS)
_STARVED = 16.0
"""How many times slower a service is whose pods all sit beside a greedy one."""
_SPREAD = 0.8
"""Standard deviation of the logarithm of a duration."""


@dataclass(frozen=True, slots=True)
class Flare:
    """A short trouble of one service in the past: a share of failing requests, and slowness as a factor."""

    namespace: str
    name: str
    start: float
    end: float
    failing: float = 0.0
    slowness: float = 1.0


def _below(bound: float, median: float) -> float:
    """Return the share of requests that take at most `bound` seconds: a log-normal distribution."""
    if math.isinf(bound):
        return 1.0
    return 0.5 * (1 + math.erf(math.log(bound / median) / (_SPREAD * math.sqrt(2))))


def row(base_errors: float, median: float, available: float, failing: float, slowness: float) -> list[float]:
    """Return the shares of codes, of buckets and of the sum of seconds for one state of a service; pure.

    `available` is ready pods over wanted ones: too few are overloaded, none at all means 503 for everyone.
    """
    missing = 1.0 - min(1.0, available)
    unavailable = 1.0 if available <= 0 else 0.55 * missing**2
    broken = (1 - unavailable) * min(1.0, base_errors + failing)
    lost = (1 - unavailable - broken) * 0.008
    slow = median * slowness * (1 + 7 * missing)
    codes = [1 - unavailable - broken - lost, lost, broken, unavailable]
    mean = slow * math.exp(_SPREAD**2 / 2)
    return [*codes, *(_below(bound, slow) for bound in BUCKETS), mean]


class Service:
    """The requests to one Deployment."""

    def __init__(self, story: WorkloadStory, origin: float, flares: list[Flare]) -> None:
        key = f"{story.namespace}/{story.name}"
        self.story = story
        self.wave = Wave(5 * 14 ** chance(f"{key}:rate"), key, origin)
        self.median = 0.018 * 4 ** chance(f"{key}:duration")
        self.errors = 0.0004 + 0.002 * chance(f"{key}:errors")
        self._flares = flares
        self._last: WorkloadState | None = None
        self._heat = -1
        self._shares: Shares

    def counts(self, moment: float, heat: Heat) -> list[float] | None:
        """Return the counters of codes, buckets and seconds at a moment, None where there is no such service."""
        story = self.story
        if not story.born <= moment < story.ended:
            return None
        if self._last is not story.states[-1] or self._heat != heat.version:
            self._last, self._heat = story.states[-1], heat.version
            self._shares = self._make(heat)
        return self._shares.counts(moment)

    def _make(self, heat: Heat) -> Shares:
        story = self.story
        edges = set(story.times)
        for flare in self._flares:
            edges |= {flare.start, flare.end}
        edges |= heat.edges(story.kind, story.namespace, story.name)
        starts = sorted(edges)
        return Shares(self.wave, starts, [self._row(start, heat) for start in starts])

    def _row(self, moment: float, heat: Heat) -> list[float]:
        story = self.story
        state = story.at(max(moment, story.times[0])) or story.states[-1]
        available = state.ready / state.desired if state.desired else 1.0
        failing, slowness = 0.0, 1.0 + _STARVED * heat.of(story.kind, story.namespace, story.name, moment)
        for flare in self._flares:
            if flare.start <= moment < flare.end:
                failing, slowness = failing + flare.failing, slowness * flare.slowness
        return row(self.errors, self.median, available, failing, slowness)


class Traffic:
    """The services of the teams' namespaces."""

    def __init__(self, chronicle: Chronicle, namespaces: set[str], origin: float, flares: list[Flare]) -> None:
        self._chronicle = chronicle
        self._namespaces = namespaces
        self._origin = origin
        self._flares = flares
        self._known: dict[str, Service] = {}

    def services(self) -> list[Service]:
        """Return the services there are and were, by namespace and name."""
        found = []
        for (kind, namespace, _), story in sorted(self._chronicle.workloads.items()):
            if kind != "Deployment" or namespace not in self._namespaces:
                continue
            service = self._known.get(story.uid)
            if service is None:
                own = [one for one in self._flares if (one.namespace, one.name) == (namespace, story.name)]
                service = self._known[story.uid] = Service(story, self._origin, own)
            found.append(service)
        return found
