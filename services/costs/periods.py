"""Cuts time into days, weeks and months in UTC, and says what an hour that nobody watched may have cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from services.model.cost import CostPeriod

HOUR = 3600
ENOUGH = 300.0
"""Seconds of an hour that must have been seen for its own rate to stand for the rest of it."""


def bounds(period: CostPeriod, now: float) -> tuple[float, float]:
    """Return start and end of the period that `now` (epoch seconds) lies in."""
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period is CostPeriod.DAY:
        start, end = day, day + timedelta(days=1)
    elif period is CostPeriod.WEEK:
        start = day - timedelta(days=day.weekday())
        end = start + timedelta(days=7)
    else:
        start = day.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    return start.timestamp(), end.timestamp()


class Seen(Struct, frozen=True, gc=False):
    """What is known of one hour: seconds watched, and micro-USD spent in them.

    `measured` of the seconds no console watched: Prometheus told of them afterwards.
    """

    watched: float
    amount: int
    measured: float = 0.0

    @property
    def rate(self) -> int:
        """The mean rate while it was watched, in micro-USD an hour."""
        return round(self.amount * HOUR / self.watched) if self.watched > 0 else 0


class Guess(Struct, frozen=True, gc=False):
    """What unwatched time may have cost: micro-USD, and the seconds that are guessed at."""

    amount: int = 0
    seconds: float = 0.0


def guess(seen: Mapping[int, Seen], since: float, until: float, rate: int) -> Guess:
    """Return what the unwatched time between two moments may have cost.

    `seen` is by the start of the hour. An hour of which enough was watched speaks for the rest of itself; any other
    takes the rate of the last such hour before it, else of the first one after it, else `rate`, the present one.
    """
    speaking = sorted(hour for hour, one in seen.items() if one.watched >= ENOUGH)
    known = seen[speaking[0]].rate if speaking else rate
    amount = seconds = 0.0
    first = int(since) // HOUR * HOUR
    if speaking and speaking[0] < first:
        before = [hour for hour in speaking if hour < first]
        known = seen[before[-1]].rate
    for hour in range(first, int(until) + 1, HOUR):
        one = seen.get(hour)
        if one is not None and one.watched >= ENOUGH:
            known = one.rate
        span = min(until, hour + HOUR) - max(since, hour)
        missed = span - (one.watched if one is not None else 0.0)
        if missed >= 1.0:
            seconds += missed
            amount += missed * known / HOUR
    return Guess(round(amount), seconds)
