"""Tells when the rate has moved for good, and who moved it: a jump is a step that has lasted, not a flicker."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct, structs

from services.costs.allocation import Rates
from services.model.cost import MICRO, CostKind, CostMover, CostShare
from services.model.timeline import Event, EventKind

LEAST = MICRO // 10
"""Micro-USD an hour below which no change of the rate is worth a line: a dime."""

LASTED = 45.0
"""Seconds a change must have lasted."""

_SCALED = re.compile(r"scaled to \d{1,9}")

EVERY = 300.0
KEPT = 3600.0
"""Seconds between two remembered readings, and how far back they reach."""


class Jump(Struct, frozen=True, gc=False):
    """A step of the rate, in micro-USD an hour; `at` is when it was first seen."""

    before: int
    after: int
    at: float


class Level:
    """The rate as it settled last; `at` is since when, `step` by how much it jumped then (0: it did not)."""

    def __init__(self, percent: int, least: int = LEAST) -> None:
        self.rate = -1
        self.at = 0.0
        self.step = 0
        self._percent = percent
        self._least = least
        self._moved_at = 0.0

    def settle(self, rate: int, now: float) -> None:
        """Take a rate as the level, and tell nobody: the first one, or after a change of the measure itself."""
        self.rate, self.at, self.step, self._moved_at = rate, now, 0, 0.0

    def look(self, rate: int, now: float) -> Jump | None:
        """Take a reading; returns the jump that has just lasted long enough."""
        if self.rate < 0:
            self.settle(rate, now)
            return None
        if abs(rate - self.rate) < max(self._least, self.rate * self._percent // 100):
            self._moved_at = 0.0
            return None
        self._moved_at = self._moved_at or now
        if now - self._moved_at < LASTED:
            return None
        jump = Jump(self.rate, rate, self._moved_at)
        self.settle(rate, self._moved_at)
        self.step = jump.after - jump.before
        return jump


class Reading(Struct, frozen=True):
    """The rates at a moment."""

    at: float
    rates: Rates


class Readings:
    """The readings of the last hour, so that the present can be compared."""

    def __init__(self) -> None:
        self._kept: deque[Reading] = deque()

    def clear(self) -> None:
        """Forget them: the measure itself has changed, and a comparison would mislead."""
        self._kept.clear()

    def note(self, now: float, rates: Rates) -> None:
        """Remember a reading now and then."""
        if not self._kept or now - self._kept[-1].at >= EVERY:
            self._kept.append(Reading(now, rates))
        while len(self._kept) > 1 and now - self._kept[1].at >= KEPT:
            self._kept.popleft()

    @property
    def oldest(self) -> Reading | None:
        """The reading to compare with: an hour old, or as old as there is."""
        return self._kept[0] if self._kept else None

    def before(self, at: float) -> Reading | None:
        """Return the last reading taken before a moment, else the oldest."""
        earlier = [reading for reading in self._kept if reading.at < at]
        return earlier[-1] if earlier else self.oldest


def scaled_back(reading: Reading, events: Iterable[Event], since: float) -> Reading:
    """Return a reading as it was at `since`, by the scalings that the cluster still tells of.

    Each took place before the reading, and says how many pods there were before; their shares are taken to be alike.
    """
    first: dict[tuple[str, str, str], tuple[float, int]] = {}
    for event in events:
        scaled = event.kind is EventKind.SCALE and _SCALED.fullmatch(event.text)
        before = event.payload.get("before", "")
        if not scaled or not before.isdecimal() or not since <= event.at < reading.at:
            continue
        key = (event.ref.kind, event.ref.namespace, event.ref.name)
        if key not in first or event.at < first[key][0]:
            first[key] = (event.at, int(before))
    shares, pods, at = dict(reading.rates.shares), dict(reading.rates.pods), reading.at
    for share in reading.rates.shares:
        key = (share.workload, share.namespace, share.name)
        if share.kind is not CostKind.WORKLOAD or key not in first or not pods.get(share):
            continue
        moment, then = first[key]
        shares[share] = shares[share] * then // pods[share]
        pods[share] = then
        at = min(at, moment)
    return Reading(at, structs.replace(reading.rates, shares=shares, pods=pods))


def movers(before: Mapping[CostShare, int], now: Mapping[CostShare, int]) -> list[tuple[CostShare, int]]:
    """Return the workloads whose rate differs, the largest difference first, with the difference."""
    moved = [(share, rate - was) for share, rate in now.items() if rate != (was := before.get(share, 0))]
    moved += [(share, -was) for share, was in before.items() if was and share not in now]
    moved = [one for one in moved if one[0].kind is CostKind.WORKLOAD]
    return sorted(moved, key=lambda one: (-abs(one[1]), one[0]))


def moved_most(before: Reading | None, rates: Rates, most: int = 3) -> tuple[CostMover, ...]:
    """Return the namespaces whose rate changed most since a reading, by a cent an hour at least."""
    if before is None:
        return ()
    past = before.rates
    changed: dict[str, int] = {}
    leading: dict[str, tuple[CostShare, int]] = {}
    for share, step in movers(past.shares, rates.shares):
        changed[share.namespace] = changed.get(share.namespace, 0) + step
        leading.setdefault(share.namespace, (share, step))
    largest = sorted(changed, key=lambda name: (-abs(changed[name]), name))[:most]
    return tuple(
        CostMover(
            name,
            changed[name],
            leading[name][0].name,
            leading[name][1],
            past.pods.get(leading[name][0], 0),
            rates.pods.get(leading[name][0], 0),
        )
        for name in largest
        if abs(changed[name]) >= MICRO // 100
    )


def by_namespace(rates: Mapping[CostShare, int]) -> dict[str, int]:
    """Return the rates of the workloads, added up by namespace."""
    sums: dict[str, int] = {}
    for share, rate in rates.items():
        if share.kind is CostKind.WORKLOAD:
            sums[share.namespace] = sums.get(share.namespace, 0) + rate
    return sums
