"""Rounds amounts so that the parts still add up to the whole: the largest remainders are rounded up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar


class Ordered(Protocol):
    """A name that can stand before or after another one."""

    def __lt__(self, other: Any, /) -> bool: ...  # noqa: ANN401


Name = TypeVar("Name", bound=Ordered)


def rounded(parts: Mapping[Name, int], unit: int) -> dict[Name, int]:
    """Return each part in whole units; together they are the sum of the parts, rounded half up.

    Parts are not negative. Where remainders are equal, the order of the names decides, so that the result does not
    depend on the order of the parts (the method of Hamilton).
    """
    floors = {name: part // unit for name, part in parts.items()}
    total = (2 * sum(parts.values()) + unit) // (2 * unit)
    return _topped_up(floors, {name: part % unit for name, part in parts.items()}, total - sum(floors.values()))


def apportioned(total: int, weights: Mapping[Name, int]) -> dict[Name, int]:
    """Return `total` shared out in proportion to the weights, in whole numbers that add up to it.

    Without any weight nothing is shared out: {} is returned.
    """
    whole = sum(weights.values())
    if whole <= 0:
        return {}
    floors = {name: total * weight // whole for name, weight in weights.items()}
    remainders = {name: total * weight % whole for name, weight in weights.items()}
    return _topped_up(floors, remainders, total - sum(floors.values()))


def _topped_up(floors: dict[Name, int], remainders: Mapping[Name, int], missing: int) -> dict[Name, int]:
    if missing > 0:
        for name in sorted(remainders, key=lambda one: (-remainders[one], one))[:missing]:
            floors[name] += 1
    return floors
