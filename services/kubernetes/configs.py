"""Notes which keys of which ConfigMap change, holding no value; those that never rest are passed over."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from services.kubernetes.happenings_beside import config_event
from services.model.cluster import ConfigDigest
from services.model.timeline import Event
from services.ports import Change, Key, Replace

MOST = 10_000
"""ConfigMaps that are told apart; what comes beyond them is not known, and so never changes."""

RESTLESS = 4
WITHIN = 900.0
"""A ConfigMap that changes so often within so many seconds is somebody's memory: its next changes are no news."""


class ConfigChanges:
    """Keeps the digests of ConfigMaps, and says what changed; not safe across threads."""

    def __init__(self) -> None:
        self._known: dict[Key, ConfigDigest] = {}
        self._changed: dict[Key, deque[float]] = {}

    def take(self, change: Change, now: float) -> list[Event]:
        """Take the content of the table "config.digests", or a part of it; returns what it tells (`now`: epoch s)."""
        if isinstance(change, Replace):
            self._forget([key for key in self._known if key not in change.rows])
            return self._put(change.rows, now)
        self._forget(change.removals)
        return self._put(change.upserts, now)

    def _put(self, rows: Mapping[Key, ConfigDigest], now: float) -> list[Event]:
        told = []
        for key, row in rows.items():
            before = self._known.get(key)
            if before is None and len(self._known) >= MOST:
                continue
            self._known[key] = row
            if before is not None and before.ref.uid != row.ref.uid:
                before = None
            event = config_event(before, row, now)
            if event is not None and not self._restless(key, now):
                told.append(event)
        return told

    def _restless(self, key: Key, now: float) -> bool:
        times = self._changed.setdefault(key, deque(maxlen=RESTLESS))
        times.append(now)
        return len(times) == RESTLESS and now - times[0] < WITHIN

    def _forget(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._known.pop(key, None)
            self._changed.pop(key, None)
