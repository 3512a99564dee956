"""Forgets what is too old, a little at a time, so that the writer is never away for long."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from cache.samples import HOUR
from cache.state.measures import thin_samples

DAY = 86_400.0


class Retention(Struct, frozen=True):
    """How long history is kept, in days; `step` is how many rows at most one transaction forgets.

    Samples are kept as they are for `samples` days, and thinned to five minutes until `thinned` days. Beyond
    `most_bytes` the oldest goes, however young it is.
    """

    events: float = 30
    first_paint: float = 30
    healthy_revisions: float = 400
    places: float = 400
    kubeconfigs: float = 90
    samples: float = 7
    thinned: float = 30
    watched: float = 90
    cost_hours: float = 397
    most_bytes: int = 512 << 20
    step: int = 500


_RULES = (
    ("events", "at", "events"),
    ("first_paint_rows", "", "first_paint"),
    ("first_paint", "saved_at", "first_paint"),
    ("healthy_revisions", "last_seen", "healthy_revisions"),
    ("places", "seen_at", "places"),
    ("kubeconfigs", "used_at", "kubeconfigs"),
    ("watched", "ended", "watched"),
    ("cost_hours", "hour", "cost_hours"),
)
_OLDEST_FIRST = (
    ("events", "at", 1),
    ("samples", "hour", HOUR),
    ("thinned", "hour", HOUR),
    ("cost_hours", "hour", 1),
)
"""What goes where there is too much: a table, the column of its time, and the seconds that this one counts in."""

_OLD_THINNED = """
DELETE FROM thinned WHERE (hour, series) IN (SELECT hour, series FROM thinned WHERE hour < ? LIMIT ?)
"""
_OLD_SERIES = "DELETE FROM series WHERE id IN (SELECT id FROM series WHERE last_hour < ? LIMIT ?)"
_OLD_PACKED_ROWS = """
SELECT r.rowid FROM first_paint_rows r JOIN first_paint p ON p.identity = r.identity AND p.name = r.name
WHERE p.saved_at < ? LIMIT ?
"""


def forget(connection: sqlite3.Connection, retention: Retention, now: float) -> int:
    """Delete at most `retention.step` rows that are older than allowed, inside the caller's transaction.

    `now` is epoch seconds. Returns how many went; 0 when nothing is too old. Raises sqlite3.Error.
    """
    left = retention.step
    for table, column, rule in _RULES:
        limit = now - getattr(retention, rule) * DAY
        chosen = f"SELECT rowid FROM {table} WHERE {column} < ? LIMIT ?" if column else _OLD_PACKED_ROWS  # noqa: S608
        cursor = connection.execute(f"DELETE FROM {table} WHERE rowid IN ({chosen})", (limit, left))  # noqa: S608
        left -= cursor.rowcount
        if left <= 0:
            return retention.step
    left -= thin_samples(connection, now - retention.samples * DAY, left)
    oldest = int(now - max(retention.thinned, retention.samples) * DAY) // HOUR
    for statement in (_OLD_THINNED, _OLD_SERIES):
        if left > 0:
            left -= connection.execute(statement, (oldest, left)).rowcount
    return retention.step - left


def forget_beyond(connection: sqlite3.Connection, retention: Retention) -> int:
    """Delete at most `retention.step` rows of the oldest day, where the content is larger than allowed.

    Inside the caller's transaction. Returns how many went; 0 when it is small enough, or nothing is left that may go:
    what is shown first at the next start, places and marks of health stay. Raises sqlite3.Error.
    """
    if content_bytes(connection) <= retention.most_bytes:
        return 0
    firsts = {
        table: connection.execute(f"SELECT min({column}) FROM {table}").fetchone()[0]  # noqa: S608
        for table, column, _ in _OLDEST_FIRST
    }
    began = [firsts[table] * unit for table, _, unit in _OLDEST_FIRST if firsts[table] is not None]
    left = retention.step
    for table, column, unit in _OLDEST_FIRST if began else ():
        if left > 0 and firsts[table] is not None:
            limit = (min(began) + DAY) / unit
            left -= _drop_oldest(connection, table, column, limit, left)
    return retention.step - left


def content_bytes(connection: sqlite3.Connection) -> int:
    """Return how large the content is: the file without its free pages."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _drop_oldest(connection: sqlite3.Connection, table: str, column: str, limit: float, most: int) -> int:
    key = {"events": "rowid", "cost_hours": "rowid"}.get(table, "hour, series")
    chosen = f"SELECT {key} FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT ?"  # noqa: S608
    return connection.execute(f"DELETE FROM {table} WHERE ({key}) IN ({chosen})", (limit, most)).rowcount  # noqa: S608


def shrink(connection: sqlite3.Connection, pages: int = 256) -> None:
    """Give back at most `pages` free pages to the file system; outside any transaction. Raises sqlite3.Error."""
    connection.execute(f"PRAGMA incremental_vacuum({int(pages)})").fetchall()
