"""Reads what was recorded, for screens and reports that look further back than live state does."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from cache.faults import DatabaseFault, Fault, fault_of, what_failed
from cache.reading import connect_to_read
from cache.samples import HOUR, STEP, unit_of
from cache.state.first_paint import check_version
from cache.state.hours import Buckets
from cache.state.packing import unpack_event
from cache.state.records import BRIDGED, EventQuery, HealthyMark, Span
from cache.versions import STATE_FILE, STATE_VERSION
from services.model.cost import CostHour
from services.model.metric import Series
from services.model.severity import Severity
from services.model.text import SafeText
from services.model.timeline import Event, EventKind
from services.sanitize import MAX_LINE, safe_text

T = TypeVar("T")

_BUSY_SECONDS = 1.0
_EVENTS = """
SELECT e.id, e.at, e.seen_at, e.kind, e.severity, e.text, e.packed
FROM events e JOIN identities i ON i.id = e.identity
WHERE e.at >= ? AND e.at < ?{narrowed}
ORDER BY e.at DESC, e.seen_at DESC, e.id DESC LIMIT ?
"""
_SERIES = "SELECT s.id FROM series s JOIN identities i ON i.id = s.identity WHERE i.key = ? AND s.name = ?"
_HOURS = """
WITH RECURSIVE hours(hour) AS (SELECT ? UNION ALL SELECT hour + 1 FROM hours WHERE hour < ?)
SELECT hours.hour, packed FROM hours JOIN {table} s ON s.hour = hours.hour AND s.series = ?
"""
_WATCHED = """
SELECT w.began, w.ended FROM watched w JOIN identities i ON i.id = w.identity
WHERE i.key = ? AND w.ended >= ? AND w.began <= ? ORDER BY w.began
"""
_MARKS = """
SELECT h.revision, h.first_seen, h.last_seen FROM healthy_revisions h JOIN identities i ON i.id = h.identity
WHERE i.key = ? AND h.workload = ?
"""
_COSTS = """
SELECT c.packed FROM cost_hours c JOIN identities i ON i.id = c.identity
WHERE i.key = ? AND c.hour >= ? AND c.hour < ? ORDER BY c.hour
"""
_SPOKEN = (
    "((e.kind || ' ' || e.object || ' ' || e.text) LIKE ? ESCAPE '\\' OR CAST(e.packed AS TEXT) LIKE ? ESCAPE '\\')"
)
_ALL_WELL = SafeText("")


class HistoryPage(Struct, frozen=True):
    """Events, newest onset first. `reason` is one sentence where history could not be read (whole), else "".

    `more` says whether there are older ones than the page holds.
    """

    events: tuple[Event, ...] = ()
    reason: SafeText = _ALL_WELL
    more: bool = False


class HistoryReader:
    """Reads state.db; blocks for as long as the disk takes, so call it on a thread. Safe from any thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE_FILE

    def events(self, wanted: EventQuery) -> HistoryPage:
        """Return the newest events that a query wants. Raises nothing."""
        narrowed, values = _narrowed(wanted)
        statement = _EVENTS.format(narrowed=narrowed)
        bounds = (wanted.since, wanted.until)
        rows, reason = self._rows(statement, (*bounds, *values, wanted.limit + 1))
        more = len(rows) > wanted.limit
        rows = rows[: wanted.limit]
        events = [event for row in rows if (event := _event(row)) is not None]
        lost = len(rows) - len(events)
        if lost:
            reason = safe_text(f"{lost} of {len(rows)} recorded events cannot be read.")
        return HistoryPage(tuple(events), reason, more)

    def gaps(self, identity: str, since: float, until: float) -> tuple[Span, ...]:
        """Return the spans within [since, until] in which nobody watched, oldest first; () where nothing is known."""
        rows, reason = self._rows(_WATCHED, (identity, since, until))
        return () if reason else between([Span(*row) for row in rows], since, until)

    def series(self, identity: str, name: str, since: float, until: float, buckets: int) -> Series:
        """Return what was sampled under a name (`cache.samples`) in at most `buckets` steps from `since` to `until`.

        A step is never shorter than the samples are apart. All values are NaN where nothing is known. Raises nothing.
        """
        span = max(until - since, STEP)
        step = max(STEP, span / max(1, buckets))
        chart = Buckets(since, step, max(1, min(buckets, -int(-span // step))))
        hours = (int(since) // HOUR, int(until) // HOUR)

        def read(db: sqlite3.Connection) -> None:
            found = db.execute(_SERIES, (identity, name)).fetchone()
            if found is None:
                return
            for table, spread in (("thinned", chart.add_thinned), ("samples", chart.add)):
                for hour, packed in db.execute(_HOURS.format(table=table), (*hours, found[0])):
                    spread(hour, packed)

        self._asked(read, None)
        crowded = step > STEP
        lows, highs = (chart.lows, chart.highs) if crowded else ((), ())
        return Series(name, unit_of(name), since, step, chart.values, lows, highs)

    def healthy(self, identity: str, workload_uid: str) -> tuple[HealthyMark, ...]:
        """Return which revisions of a workload were seen complete; () where nothing is known."""
        rows, _ = self._rows(_MARKS, (identity, workload_uid))
        return tuple(HealthyMark(*row) for row in rows)

    def cost_hours(self, identity: str, since: float, until: float) -> tuple[CostHour, ...]:
        """Return the hours of cost that begin in [since, until), oldest first; what cannot be read is left out."""
        rows, _ = self._rows(_COSTS, (identity, since, until))
        return tuple(one for (packed,) in rows if (one := _cost_hour(packed)) is not None)

    def _rows(self, statement: str, values: Sequence[Any]) -> tuple[list[tuple[Any, ...]], SafeText]:
        instead: list[tuple[Any, ...]] = []
        return self._asked(lambda db: db.execute(statement, values).fetchall(), instead)

    def _asked(self, read: Callable[[sqlite3.Connection], T], instead: T) -> tuple[T, SafeText]:
        """Return what was read and "", or what stands instead and one sentence that says why."""
        try:
            self._path.stat()
            with closing(connect_to_read(self._path, _BUSY_SECONDS)) as connection:
                if check_version(connection) < STATE_VERSION:
                    return instead, safe_text("The history is of an older version; the next console carries it over.")
                return read(connection), _ALL_WELL
        except (sqlite3.Error, OSError, DatabaseFault) as error:
            fault = fault_of(error)
            if fault.fault is Fault.MISSING:
                return instead, safe_text("No history has been recorded yet.")
            return instead, safe_text(f"The history cannot be read: {what_failed(fault, self._path)}.")


def between(watched: Sequence[Span], since: float, until: float) -> tuple[Span, ...]:
    """Return what lies between the spans that were watched, within [since, until], where it is worth a word."""
    gaps = []
    seen = since
    for span in sorted(watched):
        if span.began - seen > BRIDGED:
            gaps.append(Span(seen, span.began))
        seen = max(seen, span.ended)
    if until - seen > BRIDGED:
        gaps.append(Span(seen, until))
    return tuple(gaps)


def _narrowed(query: EventQuery) -> tuple[str, list[Any]]:
    """Return what a query adds to the statement, and the values of it."""
    clauses: list[str] = []
    values: list[Any] = []
    if not query.anywhere:
        clauses.append("i.key = ?")
        values.append(query.identity)
    if query.kinds:
        clauses.append(f"e.kind IN ({', '.join('?' * len(query.kinds))})")
        values += [kind.value for kind in query.kinds]
    if query.namespace:
        clauses.append("e.namespace = ?")
        values.append(query.namespace)
    if query.object:
        clauses.append("e.object = ?")
        values.append(query.object)
    for word in query.words:
        clauses.append(_SPOKEN)
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values += [f"%{escaped}%"] * 2
    if query.after is not None:
        clauses.append("(e.at, e.seen_at, e.id) < (?, ?, ?)")
        values += [query.after.at, query.after.seen_at, query.after.id]
    return "".join(f" AND {clause}" for clause in clauses), values


def _event(row: tuple[Any, ...]) -> Event | None:
    event_id, at, seen_at, kind, severity, text, packed = row
    try:
        ref, payload = unpack_event(packed)
        return Event(
            id=event_id,
            at=at,
            seen_at=seen_at,
            kind=EventKind(kind),
            ref=ref,
            text=safe_text(text),
            severity=Severity(severity),
            payload={key: safe_text(value, MAX_LINE) for key, value in payload.items()},
        )
    except (msgspec.MsgspecError, zlib.error, ValueError):
        return None


def _cost_hour(packed: bytes) -> CostHour | None:
    try:
        return msgspec.msgpack.decode(zlib.decompress(packed), type=CostHour)
    except (msgspec.MsgspecError, zlib.error):
        return None
