"""Traffic and use as smooth functions of time whose sums are known in closed form: counters cost nothing to keep."""

from __future__ import annotations

import bisect
import math
import zlib
from collections.abc import Sequence

_DAY = 86400.0
_PERIODS = (_DAY, 5400.0, 780.0, 97.0)
_HEIGHTS = (0.28, 0.06, 0.05, 0.04)


def chance(key: str) -> float:
    """Return a number from 0 to 1 that a text always gives."""
    return zlib.crc32(key.encode()) / 0xFFFFFFFF


class Wave:
    """A positive rate: a day's swing and smaller ripples around `base`; the peak of the day is near 13 h UTC."""

    __slots__ = ("_phases", "base", "origin")

    def __init__(self, base: float, key: str, origin: float) -> None:
        self.base = base
        self.origin = origin
        """The moment from which totals count."""
        first = -math.tau * (0.29 + 0.08 * chance(f"{key}/0"))
        self._phases = (first, *(math.tau * chance(f"{key}/{number}") for number in range(1, len(_PERIODS))))

    def level(self, moment: float) -> float:
        """Return the rate at a moment, as a multiple of the base."""
        swing = 1.0
        for period, height, phase in zip(_PERIODS, _HEIGHTS, self._phases, strict=True):
            swing += height * math.sin(math.tau * moment / period + phase)
        return swing

    def rate(self, moment: float) -> float:
        """Return the rate at a moment."""
        return self.base * self.level(moment)

    def total(self, moment: float) -> float:
        """Return the integral of the rate from the origin to a moment."""
        result = moment - self.origin
        for period, height, phase in zip(_PERIODS, _HEIGHTS, self._phases, strict=True):
            pace = math.tau / period
            result -= height / pace * (math.cos(pace * moment + phase) - math.cos(pace * self.origin + phase))
        return self.base * result


class Shares:
    """Counters that share one flow: in each span of time every counter takes a fixed share of what flows."""

    __slots__ = ("_known", "_rows", "_starts", "_sums", "wave")
    MOST_KNOWN = 1300

    def __init__(self, wave: Wave, starts: Sequence[float], rows: Sequence[Sequence[float]]) -> None:
        """`rows[i]` are the shares from `starts[i]` to the next start; before the first start its row holds."""
        self.wave = wave
        self._starts = list(starts)
        self._rows = rows
        self._known: dict[float, list[float]] = {}
        width = len(rows[0])
        sums = [[0.0] * width]
        before = 0.0
        for number, start in enumerate(self._starts):
            now = wave.total(start)
            row = rows[max(0, number - 1)]
            last = sums[-1]
            sums.append([last[column] + row[column] * (now - before) for column in range(width)])
            before = now
        self._sums = sums

    def counts(self, moment: float) -> list[float]:
        """Return all counters' values at a moment; the list is kept and not to be changed."""
        found = self._known.get(moment)
        if found is None:
            number = bisect.bisect_right(self._starts, moment)
            flowed = self.wave.total(moment) - (self.wave.total(self._starts[number - 1]) if number else 0.0)
            row = self._rows[max(0, number - 1)]
            found = [known + share * flowed for known, share in zip(self._sums[number], row, strict=True)]
            if len(self._known) > self.MOST_KNOWN:
                self._known.clear()
            self._known[moment] = found
        return found

    def share(self, column: int, moment: float) -> float:
        """Return a counter's share of the flow at a moment."""
        return self._rows[max(0, bisect.bisect_right(self._starts, moment) - 1)][column]
