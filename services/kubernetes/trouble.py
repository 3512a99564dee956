"""Follows a workload's trouble from its begin to its end: what is on its way is neither well nor ill again."""

from __future__ import annotations

from collections import deque

from msgspec import Struct, structs

from services.model.delivery import PAUSED
from services.model.severity import Severity
from services.model.workload import Rollout

LEAST = Severity.WARN
"""The mildest severity that is trouble."""

MOST_CHANGES = 16
"""Changes of a workload's health that are remembered."""


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


class Troubles:
    """What is wrong with each workload by its uid, when its health changed, and when it recovered."""

    def __init__(self) -> None:
        self._present: dict[str, Trouble] = {}
        self._changes: dict[str, deque[float]] = {}
        self._recovered: dict[str, float] = {}

    def follow(self, row: Rollout, now: float, *, known: bool) -> Trouble | None:
        """Take a workload's new state; returns what was wrong before. Of one that was not `known` nothing changed."""
        uid = row.ref.uid
        was = self._present.pop(uid, None)
        trouble = followed(was, row, now)
        if trouble is not None:
            self._present[uid] = trouble
        if known and (was is None) != (trouble is None):
            self._changes.setdefault(uid, deque(maxlen=MOST_CHANGES)).append(now)
        if known and was is not None and trouble is None:
            self._recovered[uid] = now
        return was

    def changes(self, uid: str, since: float) -> tuple[float, ...]:
        """Return when a workload's health changed after a time."""
        return tuple(at for at in self._changes.get(uid, ()) if at > since)

    def recovered_at(self, uid: str) -> float:
        """Return when a workload recovered last, 0 when it has not."""
        return self._recovered.get(uid, 0.0)

    def forget(self, uid: str) -> None:
        """Forget a workload that is gone."""
        for known in (self._present, self._changes, self._recovered):
            known.pop(uid, None)
