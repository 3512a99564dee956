"""Remembers which changes are suspected of which alert, so that a screen may ask for each row it draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.insight.changes import changes_of, context_of
from services.insight.correlation import NO_CONTEXT, Context, Trouble, suspects, suspects_of_group
from services.model.alert import Alert
from services.model.change import Change, Suspect
from services.ports import Snapshot

AGAIN_AFTER = 2.0
"""Seconds for which what changed is not gathered again, however often live state does."""

MOST_KEPT = 2000


class Suspicion:
    """Asks the correlation once for each alert and set of changes. Pure besides what it remembers; UI thread only."""

    def __init__(self, snapshot: Callable[[], Snapshot], now: Callable[[], float]) -> None:
        self._snapshot = snapshot
        self._now = now
        self._made_of: tuple[Any, ...] = ()
        self._made_at = 0.0
        self._changes: tuple[Change, ...] = ()
        self._context: Context = NO_CONTEXT
        self._of: dict[tuple[Any, ...], tuple[Suspect, ...]] = {}

    def look(self) -> bool:
        """Gather the changes anew where there may be other ones; returns whether there are."""
        snapshot, now = self._snapshot(), self._now()
        tables = snapshot.tables
        made_of = (snapshot.events, tables.get("rollouts"), tables.get("replicasets.apps"))
        same = len(self._made_of) == len(made_of) and all(
            old is new for old, new in zip(self._made_of, made_of, strict=True)
        )
        if same or (self._made_of and 0 <= now - self._made_at < AGAIN_AFTER):
            return False
        before = self._changes
        self._made_of, self._made_at = made_of, now
        self._changes, self._context = changes_of(snapshot, now), context_of(snapshot)
        if self._changes == before:
            return False
        self._of.clear()
        return True

    @property
    def changes(self) -> Sequence[Change]:
        """The changes of the last day, newest first."""
        self.look()
        return self._changes

    def of(self, alert: Alert) -> tuple[Suspect, ...]:
        """Return the changes suspected of an alert, the strongest first."""
        return self._remember(
            (alert.key, alert.onset, alert.entity), lambda: suspects(alert, self._changes, self._context)
        )

    def of_group(self, alerts: Sequence[Alert]) -> tuple[Suspect, ...]:
        """Return the changes suspected of alerts that belong together."""
        key = tuple((alert.key, alert.onset) for alert in alerts)
        return self._remember(key, lambda: suspects_of_group(alerts, self._changes, self._context))

    def of_trouble(self, trouble: Trouble) -> tuple[Suspect, ...]:
        """Return the changes suspected of what broke without an alert."""
        return self._remember((trouble,), lambda: suspects(trouble, self._changes, self._context))

    def _remember(self, key: tuple[Any, ...], ask: Callable[[], tuple[Suspect, ...]]) -> tuple[Suspect, ...]:
        self.look()
        known = self._of.get(key)
        if known is None:
            if len(self._of) >= MOST_KEPT:
                self._of.clear()
            known = self._of[key] = ask()
        return known
