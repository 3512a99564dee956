"""Reads the timeline that was recorded, for screens and reports that look further back than live state does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cache.faults import DatabaseFault, Fault, fault_of, what_failed
from cache.reading import connect_to_read
from cache.state.first_paint import check_version
from cache.state.packing import EventDetail
from cache.versions import STATE_FILE
from services.model.severity import Severity
from services.model.text import SafeText
from services.model.timeline import Event, EventKind
from services.sanitize import MAX_LINE, safe_text

_BUSY_SECONDS = 1.0
_EVENTS = """
SELECT e.id, e.at, e.seen_at, e.kind, e.severity, e.text, e.packed
FROM events e JOIN identities i ON i.id = e.identity
WHERE i.key = ? AND e.at >= ? AND e.at < ? ORDER BY e.at DESC, e.seen_at DESC, e.id DESC LIMIT ?
"""


class HistoryPage(Struct, frozen=True):
    """Events, newest onset first. `reason` is one sentence where history could not be read (whole), else ""."""

    events: tuple[Event, ...] = ()
    reason: SafeText = SafeText("")


class HistoryReader:
    """Reads state.db; blocks for as long as the disk takes, so call it on a thread. Safe from any thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE_FILE

    def events(self, identity: str, since: float, until: float, limit: int = 1000) -> HistoryPage:
        """Return this identity's newest events with an onset in [since, until), epoch seconds. Raises nothing."""
        try:
            self._path.stat()
            with closing(connect_to_read(self._path, _BUSY_SECONDS)) as connection:
                check_version(connection)
                rows = connection.execute(_EVENTS, (identity, since, until, limit)).fetchall()
        except (sqlite3.Error, OSError, DatabaseFault) as error:
            fault = fault_of(error)
            if fault.fault is Fault.MISSING:
                return HistoryPage(reason=safe_text("No history has been recorded yet."))
            return HistoryPage(reason=safe_text(f"The history cannot be read: {what_failed(fault, self._path)}."))
        events = [event for row in rows if (event := _event(row)) is not None]
        lost = len(rows) - len(events)
        reason = f"{lost} of {len(rows)} recorded events cannot be read." if lost else ""
        return HistoryPage(tuple(events), safe_text(reason))


def _event(row: tuple[Any, ...]) -> Event | None:
    event_id, at, seen_at, kind, severity, text, packed = row
    try:
        detail = msgspec.msgpack.decode(packed, type=EventDetail)
        return Event(
            id=event_id,
            at=at,
            seen_at=seen_at,
            kind=EventKind(kind),
            ref=detail.ref,
            text=safe_text(text),
            severity=Severity(severity),
            payload={key: safe_text(value, MAX_LINE) for key, value in detail.payload.items()},
        )
    except (msgspec.MsgspecError, ValueError):
        return None
