"""Looks at the outbox without ever changing it: for the screen, the worker, and commands without a screen."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from cache.faults import DatabaseFault, Fault, fault_of, what_failed
from cache.ledger.database import check_newer
from cache.ledger.outbox_statements import LIST
from cache.reading import connect_to_read
from cache.versions import LEDGER_FILE
from services.model.message import OutboxRow, OutboxState
from services.model.text import SafeText
from services.sanitize import safe_text

OUTBOX_SINCE = 3
"""The version of the ledger that has an outbox first."""

MOST = 500
"""Settled messages that are shown, the newest; those that wait are all shown."""

_BUSY_SECONDS = 1.0
_MICRO = 1_000_000
NONE: Mapping[str, OutboxRow] = MappingProxyType({})


class OutboxGlance(Struct, frozen=True):
    """What a look found: the messages by id, and one sentence on what is wrong with them ("" for nothing)."""

    rows: Mapping[str, OutboxRow] = NONE
    problem: SafeText = SafeText("")


class OutboxReader:
    """Reads; one connection is kept open between looks, and an unchanged ledger costs one `stat` and one pragma.

    Blocks for as long as the disk takes: call it on a thread. Raises nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER_FILE
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._mark: tuple[int, int] = (0, 0)
        self._glance = OutboxGlance()

    def look(self) -> OutboxGlance:
        """Return the messages as they are now; unchanged ones are the same objects as the last time."""
        with self._lock:
            try:
                return self._look()
            except FileNotFoundError as error:
                self._shut()
                return self._failed(error) if self._glance.rows else OutboxGlance()
            except (sqlite3.Error, OSError, DatabaseFault) as error:
                self._shut()
                return self._failed(error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._shut()

    def _look(self) -> OutboxGlance:
        inode = self._path.stat().st_ino
        if self._connection is None or self._mark[0] != inode:
            self._shut()
            self._connection = connect_to_read(self._path, _BUSY_SECONDS)
            self._mark = (inode, -1)
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if self._mark == (inode, version) and not self._glance.problem:
            return self._glance
        known = check_newer(self._connection)
        if known < 1:
            raise DatabaseFault(Fault.DAMAGED, "it is empty")
        if known < OUTBOX_SINCE:
            return OutboxGlance()
        before = self._glance.rows
        rows = (_row(row) for row in self._connection.execute(LIST, (MOST,)).fetchall())
        found = {row.id: old if (old := before.get(row.id)) == row else row for row in rows}
        self._mark, self._glance = (inode, version), OutboxGlance(found)
        return self._glance

    def _failed(self, error: Exception) -> OutboxGlance:
        """Return what was known, and why it is not known to be so any more."""
        sentence = f"The outbox cannot be read: {what_failed(fault_of(error), self._path)}."
        self._glance = OutboxGlance(self._glance.rows, safe_text(sentence))
        return self._glance

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _row(row: tuple[Any, ...]) -> OutboxRow:
    id_, seq, channel, to, subject, thread, state, reason, attempts, folded, created, next_us, settled, by = row
    return OutboxRow(
        id_,
        seq,
        channel,
        to,
        subject,
        thread,
        OutboxState(state),
        reason,
        attempts,
        folded,
        created / _MICRO,
        (next_us or 0) / _MICRO,
        (settled or 0) / _MICRO,
        by,
    )
