"""The upright scale of a chart: from where to where, and the few round numbers that are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

LARGEST = 1e300
"""Beyond this a number is as good as infinite; sums and differences of what is below stay finite."""

FAR = 3.0
"""A limit further off than so many times the values is named, not drawn: it would flatten them."""

_ROUNDING = 1e-9
"""Share of a step by which a value may pass a tick and still count as being on it: sums of binary fractions."""

_MOVES = 0.005
"""The part of the values by which they must move to be drawn apart: with three digits no ticks could say less."""

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_BINARY = tuple(2.0**power for power in range(11))
_TIMES = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0, 43200.0, 86400.0)


class Scale(Struct, frozen=True):
    """From `low` (bottom) to `high` (top), with the values that are written beside it, lowest first."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return how high a value stands, 0 at the bottom and 1 at the top; what lies outside is at the edge."""
        if value >= self.high:
            return 1.0
        if value <= self.low:
            return 0.0
        return (value - self.low) / (self.high - self.low)


def scale_of(values: Iterable[float], limits: Sequence[float], unit: str, most_ticks: int) -> Scale:
    """Return a scale that holds the values, and the limits that lie near them, with at most `most_ticks` ticks.

    It begins at zero, unless the values lie so close together that their movement could not be seen.
    """
    known = [max(-LARGEST, min(LARGEST, value)) for value in values if not math.isnan(value) and not math.isinf(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    near = [limit for limit in limits if math.isfinite(limit) and _near(limit, low, high)]
    if low > 0 and (not _MOVES * high < high - low <= 0.1 * high or near):
        low = 0.0
    elif high < 0 and not -_MOVES * low < high - low <= -0.1 * low:
        high = 0.0
    low, high = min([low, *near]), max([high, *near])
    if high - low < 1e-290:
        low, high = min(0.0, low), max(high, low + 1.0)
    steps = max(1, most_ticks - 1)
    step = _step((high - low) / steps, unit)
    while _last(high, step) - _first(low, step) > max(steps, 2):
        step = _step(step * 1.01, unit)
    first, last = _first(low, step), _last(high, step)
    every = 1 if last - first <= steps else last - first
    return Scale(first * step, last * step, tuple(index * step for index in range(first, last + 1, every)))


def _first(low: float, step: float) -> int:
    return math.floor(low / step + _ROUNDING)


def _last(high: float, step: float) -> int:
    return math.ceil(high / step - _ROUNDING)


def drawn(limit: float, scale: Scale) -> bool:
    """Return whether a limit lies on the scale."""
    return math.isfinite(limit) and scale.low <= limit <= scale.high


def _near(limit: float, low: float, high: float) -> bool:
    return abs(limit) <= FAR * max(abs(low), abs(high)) and abs(limit) < LARGEST


def _step(least: float, unit: str) -> float:
    """Return the least round step that is not below `least`."""
    least *= 1.0 - _ROUNDING
    if unit == "bytes" and least >= 1:
        power = 1024.0 ** math.floor(math.log(least, 1024))
        return next((power * each for each in _BINARY if power * each >= least), power * 1024)
    if unit == "seconds" and _TIMES[0] < least * 2 and least <= _TIMES[-1]:
        return next(each for each in _TIMES if each >= least)
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * each for each in _ROUND if power * each >= least), power * 10)
