"""Follows a workload's trouble from its begin to its end: what is on its way is neither well nor ill again."""

from __future__ import annotations

from msgspec import Struct, structs

from services.model.delivery import PAUSED
from services.model.severity import Severity
from services.model.workload import Rollout

LEAST = Severity.WARN
"""The mildest severity that is trouble."""


class Trouble(Struct, frozen=True, gc=False):
    """What was wrong and is not known to be right again: since when, how bad it was last.

    `eased_at` is when something was begun that may end it, such as a new roll-out; 0 while it goes on.
    """

    since: float
    severity: Severity
    eased_at: float = 0.0


def right_again(row: Rollout) -> bool:
    """Return whether nothing is wrong, as many are ready as are wanted, and nothing is on its way that could yet fail.

    A roll-out that waits for a person is not on its way; one that is scaled to nothing has proven nothing.
    """
    workload = row.workload
    if row.severity <= LEAST or not 0 < workload.desired <= workload.ready:
        return False
    waits = workload.paused or (workload.delivery is not None and workload.delivery.phase == PAUSED)
    return row.done or (waits and workload.ready >= workload.replicas)


def followed(trouble: Trouble | None, row: Rollout, now: float) -> Trouble | None:
    """Return the trouble as a workload's new state leaves it; None when there is none, or none any more."""
    if row.severity <= LEAST:
        return Trouble(row.since, row.severity)
    if trouble is None or right_again(row):
        return None
    return trouble if trouble.eased_at else structs.replace(trouble, eased_at=now)


def worsened(trouble: Trouble | None, row: Rollout) -> bool:
    """Return whether a state is trouble that is new or worse; what was there before it eased is neither."""
    if row.severity > LEAST:
        return False
    if trouble is None or row.severity < trouble.severity:
        return True
    return trouble.eased_at > 0 and not 0 < row.since <= trouble.eased_at
