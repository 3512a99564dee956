"""Writes what was measured: samples by the hour, the spans in which somebody watched, hours of cost."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence

from cache.samples import HOUR, STEP, Sampled
from cache.state.hours import pack_hour, thin
from cache.state.packing import pack
from cache.state.records import BRIDGED, Span
from services.model.cost import CostHour

_SERIES = "SELECT id FROM series WHERE identity = ? AND name = ?"
_NEW_SERIES = "INSERT INTO series (identity, name, last_hour) VALUES (?, ?, ?)"
_LAST_HOUR = "UPDATE series SET last_hour = ? WHERE id = ? AND last_hour < ?"
_KNOWN = "SELECT packed FROM samples WHERE hour = ? AND series = ?"
_SAMPLES = """
INSERT INTO samples (hour, series, packed) VALUES (?, ?, ?)
ON CONFLICT (hour, series) DO UPDATE SET packed = excluded.packed
"""
_LAST_SPAN = """
SELECT began, ended FROM watched WHERE identity = ? AND began <= ? ORDER BY began DESC LIMIT 1
"""
_EXTEND = "UPDATE watched SET ended = max(ended, ?) WHERE identity = ? AND began = ?"
_SPAN = """
INSERT INTO watched (identity, began, ended) VALUES (?, ?, ?)
ON CONFLICT (identity, began) DO UPDATE SET ended = max(ended, excluded.ended)
"""
_COSTS = """
INSERT INTO cost_hours (identity, hour, watched, packed) VALUES (?, ?, ?, ?)
ON CONFLICT (identity, hour) DO UPDATE SET watched = excluded.watched, packed = excluded.packed
WHERE excluded.watched >= watched
"""
_OLD_SAMPLES = "SELECT hour, series, packed FROM samples WHERE hour < ? ORDER BY hour, series LIMIT ?"
_THINNED = "INSERT OR REPLACE INTO thinned (hour, series, packed) VALUES (?, ?, ?)"
_DROP = "DELETE FROM samples WHERE hour = ? AND series = ?"

STATEMENTS = (
    _SERIES,
    _NEW_SERIES,
    _LAST_HOUR,
    _KNOWN,
    _SAMPLES,
    _LAST_SPAN,
    _EXTEND,
    _SPAN,
    _COSTS,
    _OLD_SAMPLES,
    _THINNED,
    _DROP,
)


def write_samples(connection: sqlite3.Connection, identity: int, samples: Iterable[Sampled]) -> None:
    """Put samples into the hours they belong to, the last one winning where two fall into one slot."""
    hours: dict[tuple[int, str], dict[int, float]] = {}
    for sampled in samples:
        hour, second = divmod(int(sampled.at), HOUR)
        for name, value in sampled.values.items():
            hours.setdefault((hour, name), {})[second // STEP] = value
    numbers: dict[str, int] = {}
    for (hour, name), slots in sorted(hours.items()):
        if name not in numbers:
            numbers[name] = _number(connection, identity, name, hour)
        number = numbers[name]
        known = connection.execute(_KNOWN, (hour, number)).fetchone()
        connection.execute(_SAMPLES, (hour, number, pack_hour(known[0] if known else None, slots)))
        connection.execute(_LAST_HOUR, (hour, number, hour))


def _number(connection: sqlite3.Connection, identity: int, name: str, hour: int) -> int:
    found = connection.execute(_SERIES, (identity, name)).fetchone()
    if found is not None:
        return int(found[0])
    return int(connection.execute(_NEW_SERIES, (identity, name, hour)).lastrowid or 0)


def write_spans(connection: sqlite3.Connection, identity: int, spans: Iterable[Span]) -> None:
    """Note that somebody watched; a span that follows closely on the one before makes that one longer."""
    for span in spans:
        before = connection.execute(_LAST_SPAN, (identity, span.began)).fetchone()
        if before is not None and span.began - before[1] <= BRIDGED:
            connection.execute(_EXTEND, (span.ended, identity, before[0]))
        else:
            connection.execute(_SPAN, (identity, span.began, span.ended))


def write_costs(connection: sqlite3.Connection, identity: int, hours: Iterable[CostHour]) -> None:
    """Keep hours of cost; one that was watched for longer stays."""
    connection.executemany(_COSTS, ((identity, one.hour, one.watched, zlib.compress(pack(one), 1)) for one in hours))


def thin_samples(connection: sqlite3.Connection, before: float, most: int) -> int:
    """Replace at most `most` hours of samples that ended before `before` (epoch seconds); returns how many."""
    old: Sequence[tuple[int, int, bytes]] = connection.execute(_OLD_SAMPLES, (int(before) // HOUR, most)).fetchall()
    connection.executemany(_THINNED, ((hour, series, thin(packed)) for hour, series, packed in old))
    connection.executemany(_DROP, ((hour, series) for hour, series, _ in old))
    return len(old)
