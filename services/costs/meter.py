"""Adds rates up over time: what each share has cost in this hour, day, week and month, and which time nobody saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.costs.periods import ENOUGH, HOUR, Guess, Seen, bounds, guess
from services.costs.rounding import apportioned, rounded
from services.model.cost import CostEntry, CostHour, CostPeriod, CostShare

LONGEST = 90.0
"""Seconds between two readings up to which the rate is taken to have held; longer ones count as not watched."""

_MILLIS = 1000
_UNIT = HOUR * _MILLIS
"""Micro-USD times milliseconds of an hour, in which everything is added up exactly."""

KEPT_HOURS = 32 * 24
_NOTHING = Seen(0.0, 0)


class _Tally:
    """What one period has cost in hours that are over."""

    def __init__(self, period: CostPeriod, now: float) -> None:
        self.period = period
        self.start, self.end = bounds(period, now)
        self.amounts: dict[CostShare, int] = {}

    def add(self, hour: CostHour) -> None:
        if self.start <= hour.hour < self.end:
            for entry in hour.entries:
                self.amounts[entry.share] = self.amounts.get(entry.share, 0) + entry.amount


class Meter:
    """Integrates rates. `past` are hours that were kept before; the one that `now` lies in is gone on with.

    `born` is when the cluster was made: nothing is guessed for the time before (0: not known).
    """

    def __init__(self, now: float, past: Iterable[CostHour] = (), born: float = 0.0) -> None:
        self.born = born
        self._hour = int(now) // HOUR * HOUR
        self._amounts: dict[CostShare, int] = {}
        self._watched = 0
        self._at = 0.0
        self._rates: Mapping[CostShare, int] = {}
        self._rate = 0
        self._seen: dict[int, Seen] = {}
        self._present: CostHour | None = None
        self._tallies = {period: _Tally(period, now) for period in CostPeriod}
        self.fills = 0
        """How many hours were filled in afterwards."""
        self.load(past)

    def load(self, past: Iterable[CostHour]) -> None:
        """Take hours that were kept before; before the first reading, in any order, each hour once."""
        for hour in past:
            if hour.hour == self._hour:
                self._amounts = {entry.share: entry.amount * _UNIT for entry in hour.entries}
                self._watched = round(hour.watched * _MILLIS)
            elif hour.hour < self._hour:
                self._close(hour)

    @property
    def since(self) -> float:
        """The start of the first hour that is of any use here: that of the periods, and of the trend."""
        return min(self._hour - 23.0 * HOUR, *(tally.start for tally in self._tallies.values()))

    # Reading the meter

    def read(self, now: float, rates: Mapping[CostShare, int]) -> list[CostHour]:
        """Take the rates (micro-USD an hour) that hold from now on; returns the hours that are over, to be kept."""
        over: list[CostHour] = []
        self._present = None
        if self._at and 0 < now - self._at <= LONGEST:
            over = self._run(now)
        elif now >= self._hour + HOUR:
            over = self._turn(now)
        self._at, self._rates, self._rate = now, rates, sum(rates.values())
        return over

    def unknown(self, now: float) -> list[int]:
        """Return the hours that are over and of which too little was seen, the newest first."""
        first = int(max(self.since, self.born)) // HOUR * HOUR
        hours = range(first, min(self._hour, int(now) // HOUR * HOUR), HOUR)
        return [hour for hour in reversed(hours) if self._seen.get(hour, _NOTHING).watched < ENOUGH]

    def fill(self, hour: CostHour) -> None:
        """Take what is told afterwards of an hour that is over, for the seconds of it that nobody watched."""
        seen = self._seen.get(hour.hour, _NOTHING)
        seconds = min(hour.watched, HOUR - seen.watched)
        if hour.hour >= self._hour or seconds <= 0:
            return
        parts = {entry.share: round(entry.amount * _MILLIS * seconds / hour.watched) for entry in hour.entries}
        entries = tuple(CostEntry(share, amount) for share, amount in rounded(parts, _MILLIS).items())
        more = CostHour(hour.hour, seconds, entries, measured=True)
        self.fills += 1
        self._seen[hour.hour] = Seen(seen.watched + seconds, seen.amount + more.total, seen.measured + seconds)
        for tally in self._tallies.values():
            tally.add(more)

    def measured(self, period: CostPeriod) -> float:
        """Return for how many seconds of a period we have only what was told afterwards."""
        start, end = self.bounds(period)
        return sum(one.measured for hour, one in self._seen.items() if start <= hour < end)

    def pause(self) -> None:
        """Take that nobody watches from the last reading on."""
        self._at = 0.0

    def _run(self, now: float) -> list[CostHour]:
        """Let the rates run from the last reading until now, over the end of hours."""
        over: list[CostHour] = []
        while True:
            until = min(now, self._hour + HOUR)
            millis = round((until - self._at) * _MILLIS)
            if millis > 0:
                for share, rate in self._rates.items():
                    if rate:
                        self._amounts[share] = self._amounts.get(share, 0) + rate * millis
                self._watched += millis
            self._at = until
            if now < self._hour + HOUR:
                return over
            over += self._turn(now)

    def _turn(self, now: float) -> list[CostHour]:
        """Close the hour, and begin the next one that `now` or the reading lies in."""
        self._present = None
        done = self.present()
        self._amounts, self._watched, self._present = {}, 0, None
        following = self._hour + HOUR
        self._hour = following if self._at == following else int(now) // HOUR * HOUR
        if done.watched:
            self._close(done)
        for period, tally in self._tallies.items():
            if self._hour >= tally.end:
                self._tallies[period] = _Tally(period, self._hour)
        return [done] if done.watched else []

    def _close(self, hour: CostHour) -> None:
        self._seen[hour.hour] = Seen(hour.watched, hour.total, hour.watched if hour.measured else 0.0)
        for tally in self._tallies.values():
            tally.add(hour)
        if len(self._seen) > KEPT_HOURS:
            del self._seen[min(self._seen)]

    # What it shows

    def present(self) -> CostHour:
        """Return the hour that runs, as far as it was seen."""
        if self._present is None:
            amounts = rounded(self._amounts, _UNIT)
            entries = tuple(CostEntry(share, amount) for share, amount in amounts.items() if amount)
            self._present = CostHour(self._hour, self._watched / _MILLIS, entries)
        return self._present

    def amounts(self, period: CostPeriod, now: float) -> tuple[dict[CostShare, int], Guess]:
        """Return what each share has cost in the period so far, in micro-USD, and how much of it all is guessed.

        What is guessed for unwatched time is shared out as what was seen is, or as the present rates are.
        """
        tally = self._tallies[period]
        seen = dict(tally.amounts)
        for entry in self.present().entries:
            seen[entry.share] = seen.get(entry.share, 0) + entry.amount
        missed = guess(self._known(), max(tally.start, self.born), now, self._rate)
        for share, amount in apportioned(missed.amount, seen if any(seen.values()) else self._rates).items():
            seen[share] = seen.get(share, 0) + amount
        return seen, missed

    def trend(self, hours: int = 24) -> tuple[int, ...]:
        """Return the mean rates of the last hours, oldest first and the present rate last; -1 where nobody watched."""
        known = self._known()
        listed = (known.get(self._hour - back * HOUR) for back in range(hours - 1, 0, -1))
        return (*(one.rate if one is not None and one.watched >= 1 else -1 for one in listed), self._rate)

    def bounds(self, period: CostPeriod) -> tuple[float, float]:
        """Return start and end of the period that runs."""
        tally = self._tallies[period]
        return tally.start, tally.end

    def _known(self) -> dict[int, Seen]:
        present = self.present()
        return {**self._seen, self._hour: Seen(present.watched, present.total)}
