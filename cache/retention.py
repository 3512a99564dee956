"""Forgets what is too old, a little at a time, so that the writer is never away for long."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from cache.samples import HOUR
from cache.state.measures import thin_samples

DAY = 86_400.0


class Retention(Struct, frozen=True):
    """How long history is kept, in days; `step` is how many rows at most one transaction forgets.

    Samples are kept as they are for `samples` days, and thinned to five minutes until `thinned` days.
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


def shrink(connection: sqlite3.Connection, pages: int = 256) -> None:
    """Give back at most `pages` free pages to the file system; outside any transaction. Raises sqlite3.Error."""
    connection.execute(f"PRAGMA incremental_vacuum({int(pages)})").fetchall()
