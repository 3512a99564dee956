"""Says when an alert's condition began, and how far that may be off."""

from __future__ import annotations

import re
from functools import lru_cache

_STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_SELECTOR = re.compile(r"\[\s*((?:\d+(?:ms|[smhdwy]))+)\s*(?::[^\]]*)?\]")
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604_800.0, "y": 31_536_000.0}
LONGEST_EXPRESSION = 16_384
WIDEST = 86400.0
"""Seconds: a wider range selector (a month's budget) says nothing about a lag."""


@lru_cache(maxsize=2048)
def widest_range(expression: str) -> float:
    """Return the seconds of the widest range selector or subquery of a PromQL expression, 0 where it has none.

    A rate over five minutes may rise above its limit up to five minutes after the trouble began.
    """
    plain = _STRINGS.sub("", expression[:LONGEST_EXPRESSION])
    return min(WIDEST, max((seconds(found[1]) for found in _SELECTOR.finditer(plain)), default=0.0))


def seconds(duration: str) -> float:
    """Return a PromQL duration ("1h30m") in seconds."""
    return sum(float(number[:15]) * _SECONDS[unit] for number, unit in _PART.findall(duration))
