"""Tells the roll-outs of StatefulSets and DaemonSets from their ControllerRevisions, seen live or found afterwards."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from services.kubernetes.decode_revisions import Chosen
from services.kubernetes.happenings import chosen_event
from services.model.timeline import Event
from services.model.workload import Rollout, Workload
from services.ports import Change, Key, Replace


class Revisions:
    """Keeps the ControllerRevisions of every workload; `known` once they were listed. Not safe across threads."""

    def __init__(self) -> None:
        self.known = False
        self._rows: dict[Key, Chosen] = {}
        self._of: dict[str, dict[Key, Chosen]] = {}
        self._renumbered: set[str] = set()

    def take(self, change: Change, workloads: Mapping[str, Workload], now: float) -> list[Event]:
        """Take the content of the table "controller.revisions", or a part of it; returns what it tells.

        `workloads` are those known by uid, `now` is epoch seconds.
        """
        if isinstance(change, Replace):
            self.known = True
            gone = [key for key in self._rows if key not in change.rows]
            rows: Mapping[Key, Chosen] = change.rows
        else:
            gone, rows = list(change.removals), change.upserts
        for key in gone:
            self._drop(key)
        news = [(key, row) for key, row in rows.items() if row.owner is not None and self._number(key) != row.number]
        for key, row in news:
            self._drop(key)
            if row.owner is not None:
                self._rows[key] = row
                self._of.setdefault(row.owner.uid, {})[key] = row
        self._renumbered.update(row.owner.uid for _, row in news if row.owner is not None)
        told = []
        for _, row in news:
            if row.owner is not None:
                siblings = self._of[row.owner.uid].values()
                told.append(chosen_event(row, siblings, workloads.get(row.owner.uid), now))
        return [event for event in told if event is not None]

    def renumbered(self) -> set[str]:
        """Return the uids of the workloads that got other revisions since the last time."""
        found, self._renumbered = self._renumbered, set()
        return found

    def numbered(self, row: Rollout) -> Rollout:
        """Return a row with the number of its revision and what was before, where ControllerRevisions tell it."""
        mine = self._of.get(row.ref.uid)
        if not mine:
            return row
        wanted = row.workload.update_revision
        fitting = [one for one in mine.values() if not wanted or one.ref.name == wanted]
        current = max(fitting, key=lambda one: one.number, default=None)
        if current is None:
            return row
        older = [one for one in mine.values() if one.number < current.number]
        before = max(older, key=lambda one: one.number, default=None)
        return structs.replace(
            row,
            revision=current.number,
            previous_revision=before.number if before is not None else 0,
            previous_images=before.images if before is not None else (),
        )

    def _number(self, key: Key) -> int:
        known = self._rows.get(key)
        return known.number if known is not None else 0

    def _drop(self, key: Key) -> None:
        row = self._rows.pop(key, None)
        if row is not None and row.owner is not None:
            mine = self._of.get(row.owner.uid, {})
            mine.pop(key, None)
            if not mine:
                self._of.pop(row.owner.uid, None)
