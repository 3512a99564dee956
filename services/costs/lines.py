"""Turns shares into what is shown: lines by namespace, team and workload, and the summary above them."""

from __future__ import annotations

from collections.abc import Mapping
from operator import add
from typing import NamedTuple

from services.config_costs import CostSettings
from services.costs.allocation import IDLE, Rates
from services.costs.drift import Reading
from services.costs.meter import Meter
from services.model.cost import MICRO, CostBy, CostKind, CostLine, CostPeriod, CostShare, Spend

Limits = Mapping[CostPeriod, tuple[int, int]]
"""Warning and critical amount of a period, in micro-USD; 0: none."""


SEVERAL = "(several)"
"""Stands for the team of a namespace that belongs to more than one; no label can be called so."""


class Amounts(NamedTuple):
    """What each share has cost in the three periods so far."""

    today: Mapping[CostShare, int]
    week: Mapping[CostShare, int]
    month: Mapping[CostShare, int]


Place = tuple[CostBy, CostKind, str, str, str]
"""Where a share is added to: what is added up over, kind, name, namespace, workload."""


def places(share: CostShare) -> tuple[Place, Place, Place]:
    """Return the three lines a share belongs to."""
    kind = share.kind
    if kind is not CostKind.WORKLOAD:
        return (
            (CostBy.NAMESPACE, kind, share.name, "", ""),
            (CostBy.TEAM, kind, share.name, "", ""),
            (CostBy.WORKLOAD, kind, share.name, "", ""),
        )
    return (
        (CostBy.NAMESPACE, kind, share.namespace, share.namespace, ""),
        (CostBy.TEAM, kind, share.team, "", ""),
        (CostBy.WORKLOAD, kind, share.name, share.namespace, share.workload),
    )


class Sheet:
    """Adds shares up to lines, a few at a time if need be: each of the three ways of adding up sums to the whole."""

    def __init__(self, rates: Rates, before: Reading | None, amounts: Amounts) -> None:
        past = before.rates if before is not None else None
        self._known = bool(rates.used)
        self._columns: tuple[Mapping[CostShare, int], ...] = (
            rates.shares,
            past.shares if past is not None else {},
            rates.used,
            *amounts,
            rates.pods,
            past.pods if past is not None else {},
        )
        self.shares: list[CostShare] = list(dict.fromkeys(share for column in self._columns for share in column))
        self._rows: dict[Place, list[int]] = {}
        self._teams: dict[Place, str] = {}
        self._namespaces: dict[Place, set[str]] = {}

    def add(self, share: CostShare) -> None:
        """Add one of `shares` to its three lines."""
        values = [column.get(share, 0) for column in self._columns]
        for place in places(share):
            row = self._rows.get(place)
            if row is None:
                self._rows[place] = values.copy()
                self._teams[place] = share.team
            else:
                self._rows[place] = list(map(add, row, values))
                if self._teams[place] != share.team:
                    self._teams[place] = SEVERAL
            if place[0] is CostBy.TEAM and share.namespace:
                self._namespaces.setdefault(place, set()).add(share.namespace)

    def lines(self) -> dict[str, CostLine]:
        """Return every line that costs or cost anything, by its key."""
        listed = (self._line(place, row) for place, row in self._rows.items())
        return {line.key: line for line in listed if line.pods or line.rate or line.before or line.month or line.week}

    def _line(self, place: Place, row: list[int]) -> CostLine:
        by, kind, name, namespace, workload = place
        rate, before, used, today, week, month, pods, pods_before = row
        measured = used if self._known and kind is CostKind.WORKLOAD else -1
        team = self._teams[place]
        spread = tuple(sorted(self._namespaces.get(place, ())))
        facts = (rate, before, measured, today, week, month, pods, pods_before)
        return CostLine(by, kind, name, *facts, namespace, team, workload, spread)


def spend(
    meter: Meter, period: CostPeriod, now: float, rate: int, limits: Limits
) -> tuple[Spend, dict[CostShare, int]]:
    """Return what a period has cost against its limits, and by share."""
    start, end = meter.bounds(period)
    shares, guessed = meter.amounts(period, now)
    amount = sum(shares.values())
    warning, critical = limits.get(period, (0, 0))
    crosses, at = _crossing(amount, rate, now, end, (warning, critical))
    sure = min(guessed.amount, amount)
    told = meter.measured(period)
    absent = max(0.0, min(meter.born, now) - start)
    spent = Spend(period, start, end, amount, sure, guessed.seconds, warning, critical, crosses, at, told, absent)
    return spent, shares


def _crossing(amount: int, rate: int, now: float, end: float, limits: tuple[int, int]) -> tuple[int, float]:
    """Return the next limit that the rate reaches before the period ends, and when; (0, 0.0) for none."""
    ahead = [limit for limit in limits if limit > amount]
    if not rate or not ahead:
        return 0, 0.0
    at = now + (ahead[0] - amount) * 3600 / rate
    return (ahead[0], at) if at < end else (0, 0.0)


def limits_for(settings: CostSettings) -> Limits:
    """Return the limits that are configured."""
    return {
        CostPeriod.DAY: (settings.daily_warning * MICRO, settings.daily_limit * MICRO),
        CostPeriod.WEEK: (settings.weekly_warning * MICRO, settings.weekly_limit * MICRO),
        CostPeriod.MONTH: (settings.monthly_warning * MICRO, settings.monthly_limit * MICRO),
    }


def idle_rate(rates: Rates) -> int:
    """Return what nobody takes, in micro-USD an hour."""
    return rates.shares.get(IDLE, 0)
