"""Notes which revision of each workload is seen complete and well, from when to when, so that a way back is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cache.state.store import StateStore
from services.model.workload import Rollout
from services.ports import Key

RENEWED = 600.0
"""Seconds after which what is still healthy is noted again: so much is lost where a console is killed."""


class HealthMarks:
    """Follows the rows of one identity; not safe across threads."""

    def __init__(self, store: StateStore, identity: str) -> None:
        self._store = store
        self._identity = identity
        self._good: dict[Key, tuple[str, int]] = {}
        self._seen_at = 0.0
        self._renewed_at = float("-inf")

    def take(self, rows: Mapping[Key, Rollout], changed: Collection[Key] | None, at: float) -> None:
        """Note what is healthy at `at` (epoch seconds) and what ceased to be; `changed` None stands for every row.

        What ceased to be so was seen healthy for the last time when this was called before.
        """
        if changed is None or at - self._renewed_at >= RENEWED:
            changed, self._renewed_at = rows.keys() | self._good.keys(), at
        for key in changed:
            now, before = _healthy(rows.get(key)), self._good.get(key)
            if before is not None and before != now:
                self._store.mark_healthy(self._identity, *before, self._seen_at, ended=True)
                del self._good[key]
            if now is not None:
                self._store.mark_healthy(self._identity, *now, at)
                self._good[key] = now
        self._seen_at = at


def _healthy(row: Rollout | None) -> tuple[str, int] | None:
    """Return the uid and the revision that a row shows at work; none where no pod has shown that it works."""
    if row is None or not row.done or row.cause or not row.workload.available:
        return None
    return (row.ref.uid, row.revision) if row.ref.uid and row.revision else None
