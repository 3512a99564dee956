"""Writes one batch into state.db, inside the transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from msgspec import structs

from cache.state import measures
from cache.state.backlog import Batch, Marked, Saved
from cache.state.packing import object_key, pack, pack_event, pack_rows
from cache.state.records import Memo, Place
from services.model.timeline import Event
from services.ports import Table
from services.sanitize import MAX_LINE, safe_text

_EVENT = """
INSERT INTO events (identity, id, at, seen_at, kind, severity, text, namespace, object, packed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (identity, id) DO NOTHING
"""
_AGE = """
INSERT INTO first_paint (identity, name, as_of, saved_at, rows) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (identity, name) DO UPDATE SET as_of = excluded.as_of, saved_at = excluded.saved_at, rows = excluded.rows
"""
_ROWS = """
INSERT INTO first_paint_rows (identity, name, packed) VALUES (?, ?, ?)
ON CONFLICT (identity, name) DO UPDATE SET packed = excluded.packed
"""
_VOUCH = "UPDATE first_paint SET as_of = max(as_of, ?) WHERE identity = ? AND name = ?"
_MARK = """
INSERT INTO healthy_revisions (identity, workload, revision, first_seen, last_seen) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (identity, workload, revision) DO UPDATE SET
  first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)
"""
_PLACE = """
INSERT INTO places (identity, packed, seen_at) VALUES (?, ?, ?)
ON CONFLICT (identity) DO UPDATE SET packed = excluded.packed, seen_at = excluded.seen_at
"""
_MEMO = """
INSERT INTO kubeconfigs (fingerprint, packed, used_at) VALUES (?, ?, ?)
ON CONFLICT (fingerprint) DO UPDATE SET packed = excluded.packed, used_at = excluded.used_at
"""

_NAME = "INSERT INTO identities (key) VALUES (?) ON CONFLICT (key) DO NOTHING"
_NUMBER = "SELECT id FROM identities WHERE key = ?"

STATEMENTS = (_EVENT, _AGE, _ROWS, _VOUCH, _MARK, _PLACE, _MEMO, _NAME, _NUMBER, *measures.STATEMENTS)
"""All that a batch may run: a database that compiles them has the schema that is needed."""


def write(connection: sqlite3.Connection, batch: Batch, now: float) -> None:
    """Write all of a batch. Raises sqlite3.Error, and TypeError for a row that must not be stored (a Secret)."""
    for key, entries in batch.identities.items():
        identity = _identity(connection, key)
        _write_events(connection, identity, entries.events)
        _write_tables(connection, identity, entries.tables, now)
        _vouch(connection, identity, entries.vouched)
        _write_marks(connection, identity, entries.marks.values())
        measures.write_samples(connection, identity, entries.samples)
        measures.write_spans(connection, identity, entries.spans)
        measures.write_costs(connection, identity, entries.costs.values())
    for key, place in batch.places.items():
        _write_place(connection, _identity(connection, key), place)
    for fingerprint, memo in batch.memos.items():
        _write_memo(connection, fingerprint, memo, now)


def _identity(connection: sqlite3.Connection, key: str) -> int:
    connection.execute(_NAME, (key,))
    (number,) = connection.execute(_NUMBER, (key,)).fetchone()
    return int(number)


def _write_events(connection: sqlite3.Connection, identity: int, events: Iterable[Event]) -> None:
    connection.executemany(
        _EVENT,
        (
            (
                identity,
                event.id,
                event.at,
                event.seen_at,
                event.kind.value,
                int(event.severity),
                safe_text(event.text),
                event.ref.namespace,
                object_key(event.ref),
                pack_event(event),
            )
            for event in map(_shown, events)
        ),
    )


def _shown(event: Event) -> Event:
    return structs.replace(event, payload={key: safe_text(value, MAX_LINE) for key, value in event.payload.items()})


def _write_tables(connection: sqlite3.Connection, identity: int, tables: Mapping[Table, Saved], now: float) -> None:
    for name, saved in tables.items():
        connection.execute(_AGE, (identity, name, saved.as_of, now, len(saved.rows)))
        connection.execute(_ROWS, (identity, name, pack_rows(saved.rows)))


def _vouch(connection: sqlite3.Connection, identity: int, vouched: Mapping[Table, float]) -> None:
    connection.executemany(_VOUCH, ((as_of, identity, name) for name, as_of in vouched.items()))


def _write_marks(connection: sqlite3.Connection, identity: int, marks: Iterable[Marked]) -> None:
    connection.executemany(
        _MARK, ((identity, mark.workload, mark.revision, mark.first_seen, mark.last_seen) for mark in marks)
    )


def _write_place(connection: sqlite3.Connection, identity: int, place: Place) -> None:
    connection.execute(_PLACE, (identity, pack(place), place.seen_at))


def _write_memo(connection: sqlite3.Connection, fingerprint: str, memo: Memo, now: float) -> None:
    connection.execute(_MEMO, (fingerprint, pack(memo), now))
