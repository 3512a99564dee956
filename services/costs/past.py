"""Fills in what nobody watched: asks Prometheus for what was requested, and prices it as the present is priced."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Iterator

from services.clock import Clock
from services.costs.allocation import IDLE, NANO, Allocation
from services.costs.meter import Meter
from services.costs.periods import HOUR
from services.costs.prices import weight_of
from services.costs.rounding import rounded
from services.errors import Problem
from services.model.cost import CostEntry, CostHour, CostKind, CostShare
from services.model.metric import Requests, Sizes
from services.ports import MetricsSession

STEP = 900.0
"""Seconds between two samples: each stands for a quarter of an hour, as kubelets' images and pods come and go."""

MOST_VALUES = 60_000
"""Values that are asked for at once: a large cluster is asked for fewer hours."""

AGAIN = 600.0
"""Seconds after which a server that failed is asked again."""

_HASHED = re.compile(r"(.+)-[bcdfghjklmnpqrstvwxz2456789]{1,10}")
_TIMED = re.compile(r"(.+)-\d{6,10}")
_ABOVE = {"ReplicaSet": (_HASHED, "Deployment"), "Job": (_TIMED, "CronJob")}


class Namer:
    """Names the shares of what is perhaps gone, as they would be named now."""

    def __init__(self, allocation: Allocation) -> None:
        self._allocation = allocation
        self._now = {(one.namespace, one.workload, one.name): one for one in allocation.shares()}

    def share(self, kind: str, namespace: str, name: str) -> CostShare:
        """Return the share of the pods of one owner; of the pod `name` itself, where it has none or a node is it."""
        kind, name = self._controller(kind, namespace, name)
        known = self._now.get((namespace, kind, name))
        return known or CostShare(CostKind.WORKLOAD, namespace, self._allocation.team_of(namespace), kind, name)

    def _controller(self, kind: str, namespace: str, name: str) -> tuple[str, str]:
        if not kind:
            return "Pod", name
        if kind == "Node":
            ends = (at for at, char in enumerate(name) if char == "-" and name[at + 1 :] in self._allocation.nodes)
            return "Static", name[: next(ends, len(name))]
        if (above := self._allocation.owner_of(kind, namespace, name)) is not None:
            return above.kind, above.name
        pattern, parent = _ABOVE.get(kind, (None, ""))
        made = pattern.fullmatch(name) if pattern is not None else None
        if made is None:
            return kind, name
        if kind == "ReplicaSet" and (namespace, "Rollout", made[1]) in self._now:
            parent = "Rollout"
        return parent, made[1]


def priced(found: Requests, allocation: Allocation) -> Iterator[CostHour]:
    """Return the hours that are known, oldest first; `found` begins in the first step of an hour.

    Requests are priced at the mean of all nodes, since it is not asked which pods were on which node; what nobody
    requested is idle. A sample without nodes is no sample: the exporter did not answer.
    """
    namer = Namer(allocation)
    shares = [(namer.share(one.kind, one.namespace, one.name), one) for one in found.owners]
    count = max((len(one.cpu) for one in found.nodes), default=0)
    steps = round(HOUR / found.step)
    for first in range(0, count - steps + 1, steps):
        parts: dict[CostShare, int] = {}
        known = 0
        for at in range(first, first + steps):
            known += _take(found, shares, allocation, at, parts)
        if known:
            entries = rounded(parts, NANO * steps)
            hour = int(found.start + first * found.step) // HOUR * HOUR
            listed = tuple(CostEntry(share, amount) for share, amount in entries.items() if amount)
            yield CostHour(hour, known * found.step, listed, measured=True)


def _take(
    found: Requests,
    shares: list[tuple[CostShare, Sizes]],
    allocation: Allocation,
    at: int,
    parts: dict[CostShare, int],
) -> bool:
    """Add one sample to the parts of its hour, in nano-USD an hour; returns whether it is one."""
    amount = weight = 0
    for node in found.nodes:
        if math.isfinite(node.cpu[at]) and math.isfinite(node.memory[at]):
            millicores, size = round(1000 * node.cpu[at]), round(node.memory[at])
            amount += NANO * allocation.price_of(node.name, millicores, size)
            weight += weight_of(millicores, size)
    if not weight:
        return False
    taken = 0
    for share, one in shares:
        cpu, memory = one.cpu[at], one.memory[at]
        asked = weight_of(round(1000 * cpu) if cpu > 0 else 0, round(memory) if memory > 0 else 0)
        if asked:
            cost = amount * asked // weight
            taken += cost
            parts[share] = parts.get(share, 0) + cost
    parts[IDLE] = parts.get(IDLE, 0) + max(0, amount - taken)
    for flat, cost in allocation.flat.items():
        parts[flat] = parts.get(flat, 0) + cost
    return True


class Backfill:
    """Asks for each hour once, the newest first, a day at a time at most, until nobody knows any older ones."""

    def __init__(self, metrics: Callable[[], MetricsSession | None], clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._asked: set[int] = set()
        self._again_at = 0.0

    async def look(self, meter: Meter, allocation: Allocation, take: Callable[[CostHour], None]) -> None:
        """Ask for the hours that are over and of which too little was seen; hand over what is found."""
        while (metrics := self._metrics()) is not None and self._clock.monotonic() >= self._again_at:
            wanted = [hour for hour in meter.unknown(self._clock.now()) if hour not in self._asked]
            if not wanted or not allocation.nodes:
                return
            until = wanted[0] + HOUR
            since = max(wanted[-1], until - _at_once(allocation) * HOUR)
            try:
                found = await metrics.requests(since, until, STEP, allocation.nodes)
            except Problem:
                self._again_at = self._clock.monotonic() + AGAIN
                return
            self._asked.update(range(since, until, HOUR))
            if not found.nodes:
                # What is older than the oldest sample that is kept need not be asked for.
                self._asked.update(wanted)
            for hour in priced(found, allocation):
                if hour.hour in wanted:
                    take(hour)
                await asyncio.sleep(0)


def _at_once(allocation: Allocation) -> int:
    """Return how many hours may be asked for at once: two values an owner or node for each step."""
    lines = len(allocation.nodes) + sum(1 for _ in allocation.shares())
    return max(1, min(24, round(MOST_VALUES * STEP / HOUR) // (2 * lines)))
