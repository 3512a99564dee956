"""Finds the reader's line again when a document comes back changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

LineType = TypeVar("LineType")

REACH = 2_000
"""Lines looked at in each direction; a line further away is not the one that was read."""
AROUND = 3
"""Lines after the first that may stand in for it when it is gone."""


def relocated(old: Sequence[LineType], new: Sequence[LineType], line: int) -> int:
    """Return where line number `line` of `old` is in `new`: the nearest equal line, best with equal neighbours.

    When the line itself is gone, the lines after it are sought instead; without any of them the number stays, as far as
    there are lines. An empty `new` gives 0.
    """
    if not new:
        return 0
    for ahead in range(AROUND + 1):
        sought = line + ahead
        if not 0 <= sought < len(old):
            break
        found = _nearest(old, new, sought)
        if found is not None:
            return max(0, found - ahead)
    return min(max(0, line), len(new) - 1)


def _nearest(old: Sequence[LineType], new: Sequence[LineType], line: int) -> int | None:
    wanted = old[line]
    alike: int | None = None
    for distance in range(REACH):
        for place in {line - distance, line + distance}:
            if 0 <= place < len(new) and new[place] == wanted:
                if _neighbours_agree(old, line, new, place):
                    return place
                alike = place if alike is None else alike
        if line - distance < 0 and line + distance >= len(new):
            break
    return alike


def _neighbours_agree(old: Sequence[LineType], line: int, new: Sequence[LineType], place: int) -> bool:
    before = line == 0 or place == 0 or old[line - 1] == new[place - 1]
    after = line + 1 >= len(old) or place + 1 >= len(new) or old[line + 1] == new[place + 1]
    return before and after
