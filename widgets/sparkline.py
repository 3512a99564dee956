"""A line of numbers in one row of text, for the cell of a table or the head of a pane."""

from __future__ import annotations

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*%#"


def sparkline(values: Sequence[float], width: int, bars: str = BARS, *, low: float = 0.0, high: float = 0.0) -> str:
    """Return values as `width` bars, the highest of those that fall into one bar; a gap is a blank.

    The scale runs from `low` (or the least value below it) to `high`, where given, or to the greatest value.
    """
    if width <= 0 or not values:
        return ""
    peaks = [_peak(values, column, width) for column in range(width)]
    known = [value for value in peaks if not math.isnan(value)]
    floor = min([low, *known])
    span = max([high, *known]) / 2 - floor / 2
    return "".join(_bar(value, floor, span, bars) for value in peaks)


def _peak(values: Sequence[float], column: int, width: int) -> float:
    first = column * len(values) // width
    last = max(first + 1, (column + 1) * len(values) // width)
    known = [value for value in values[first:last] if math.isfinite(value)]
    return max(known, default=math.nan)


def _bar(value: float, floor: float, span: float, bars: str) -> str:
    if math.isnan(value):
        return " "
    share = (value / 2 - floor / 2) / span if span > 0 else 0.0
    return bars[round(min(1.0, max(0.0, share)) * (len(bars) - 1))]
