"""Keeps the rows that are being written, and hands readers pictures of them that never change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from services.ports import Key, Table

Rows = Mapping[Key, Any]
ChangedKeys = Mapping[Table, frozenset[Key] | None]

NO_ROWS: Rows = MappingProxyType({})
_ABSENT = object()


class WorkingTables:
    """The tables on the writer's side.

    A picture shares its rows with the working table until the next write, which then copies first: a table that is
    quiet is kept once and costs nothing.
    """

    def __init__(self) -> None:
        self._tables: dict[Table, dict[Key, Any]] = {}
        self._shared: set[Table] = set()
        self._pending: dict[Table, set[Key] | None] = {}

    def replace(self, table: Table, rows: Rows) -> bool:
        """Swap in a whole table; rows equal to those known stay the same objects. True when anything changed."""
        known = self._tables.get(table)
        if known is None:
            self._tables[table] = dict(rows)
            self._pending[table] = None
            return True
        fresh: dict[Key, Any] = {}
        changed: set[Key] = {key for key in known if key not in rows}
        for key, row in rows.items():
            old = known.get(key, _ABSENT)
            if _same(old, row):
                fresh[key] = old
            else:
                fresh[key] = row
                changed.add(key)
        if changed:
            self._tables[table] = fresh
            self._shared.discard(table)
            self._touch(table, changed)
        return bool(changed)

    def merge(self, table: Table, upserts: Rows, removals: Sequence[Key]) -> bool:
        """Take some rows, after removing some; True when anything changed."""
        known = self._tables.get(table, NO_ROWS)
        changed = {key: row for key, row in upserts.items() if not _same(known.get(key, _ABSENT), row)}
        gone = {key for key in removals if key in known and key not in upserts}
        if not changed and not gone:
            return False
        rows = self._owned(table)
        for key in gone:
            del rows[key]
        rows.update(changed)
        self._touch(table, gone.union(changed))
        return True

    def clear(self, tables: Iterable[Table] | None) -> None:
        """Forget these tables, or all."""
        for table in tuple(self._tables if tables is None else tables):
            if self._tables.pop(table, None) is not None:
                self._shared.discard(table)
                self._pending[table] = None

    def settle(self, published: Mapping[Table, Rows]) -> ChangedKeys:
        """Name what differs from the published tables and count it as published.

        A row that changed and changed back does not count. None stands for a table that is new, gone or was cleared.
        """
        pending, self._pending = self._pending, {}
        net: dict[Table, frozenset[Key] | None] = {}
        for table, keys in pending.items():
            old, new = published.get(table), self._tables.get(table)
            if old is None and new is None:
                continue
            if keys is None or old is None or new is None:
                net[table] = None
                continue
            real = frozenset(key for key in keys if not _same(old.get(key, _ABSENT), new.get(key, _ABSENT)))
            if real:
                net[table] = real
        return net

    def picture(self, published: Mapping[Table, Rows], changed: Iterable[Table]) -> Mapping[Table, Rows]:
        """Return the published tables with the changed ones as they are now; the others stay the same objects."""
        tables = dict(published)
        for table in changed:
            rows = self._tables.get(table)
            if rows is None:
                tables.pop(table, None)
            else:
                tables[table] = MappingProxyType(rows)
                self._shared.add(table)
        return MappingProxyType(tables)

    def _owned(self, table: Table) -> dict[Key, Any]:
        """Return the table's rows for writing: a copy where readers hold the present ones."""
        if table not in self._tables:
            self._tables[table] = {}
            self._pending[table] = None
        elif table in self._shared:
            self._tables[table] = self._tables[table].copy()
            self._shared.discard(table)
        return self._tables[table]

    def _touch(self, table: Table, keys: set[Key]) -> None:
        pending = self._pending.setdefault(table, set())
        if pending is not None:
            pending |= keys


def _same(old: object, new: object) -> bool:
    return old is new or (old is not _ABSENT and new is not _ABSENT and bool(old == new))
