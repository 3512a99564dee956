"""How many pods a rolling update may add and miss (kubernetes deployment util, ResolveFenceposts)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json


def limits(deployment: Json) -> tuple[int, int]:
    """Return max surge and max unavailable in pods; both zero means one unavailable."""
    rolling = deployment["spec"]["strategy"].get("rollingUpdate")
    if rolling is None:
        return 0, 0
    replicas = deployment["spec"]["replicas"]
    surge = share(rolling["maxSurge"], replicas, up=True)
    unavailable = share(rolling["maxUnavailable"], replicas, up=False)
    return surge, 1 if surge == unavailable == 0 else unavailable


def share(value: int | str, whole: int, *, up: bool) -> int:
    """Return a count that is given in pods or as a percentage of `whole`, rounded up or down."""
    if isinstance(value, int):
        return value
    part = int(value.rstrip("%")) * whole / 100
    return math.ceil(part) if up else math.floor(part)
