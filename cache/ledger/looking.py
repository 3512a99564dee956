"""Looks at one part of the ledger again and again without ever changing it, and reads only what has changed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from msgspec import Struct

from cache.faults import DatabaseFault, Fault, fault_of, what_failed
from cache.ledger.database import check_newer
from cache.reading import connect_to_read
from cache.versions import LEDGER_FILE
from services.model.text import SafeText
from services.sanitize import safe_text

BUSY_SECONDS = 1.0
"""How long a reader of the ledger waits for who writes it."""

Row = TypeVar("Row")
NONE: Mapping[str, Any] = MappingProxyType({})


class Glance(Struct, Generic[Row], frozen=True):
    """What a look found: the rows by their names, and one sentence on what is wrong with them ("" for nothing)."""

    rows: Mapping[str, Row] = NONE
    problem: SafeText = SafeText("")


class LedgerReader(Generic[Row]):
    """Reads; one connection is kept open between looks, and an unchanged ledger costs one `stat` and one pragma.

    `what` names the part, `since` is the first version of a ledger that has it, `read` returns its rows and what is
    wrong with them. Blocks for as long as the disk takes: call it on a thread. Raises nothing.
    """

    def __init__(
        self, folder: Path, what: str, since: int, read: Callable[[sqlite3.Connection], tuple[Mapping[str, Row], str]]
    ) -> None:
        self._path = folder / LEDGER_FILE
        self._what = what
        self._since = since
        self._read = read
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._mark: tuple[int, int] = (0, 0)
        self._glance = Glance[Row]()

    def look(self) -> Glance[Row]:
        """Return the rows as they are now; unchanged ones are the same objects as the last time."""
        with self._lock:
            try:
                return self._look()
            except FileNotFoundError as error:
                self._shut()
                return self._failed(error) if self._glance.rows else Glance()
            except (sqlite3.Error, OSError, DatabaseFault) as error:
                self._shut()
                return self._failed(error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._shut()

    def _look(self) -> Glance[Row]:
        inode = self._path.stat().st_ino
        if self._connection is None or self._mark[0] != inode:
            self._shut()
            self._connection = connect_to_read(self._path, BUSY_SECONDS)
            self._mark = (inode, -1)
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if self._mark == (inode, version) and not self._glance.problem:
            return self._glance
        known = check_newer(self._connection)
        if known < 1:
            raise DatabaseFault(Fault.DAMAGED, "it is empty")
        if known < self._since:
            return Glance()
        rows, problem = self._read(self._connection)
        before = self._glance.rows
        found = {name: old if (old := before.get(name)) == row else row for name, row in rows.items()}
        self._mark, self._glance = (inode, version), Glance(found, safe_text(problem))
        return self._glance

    def _failed(self, error: Exception) -> Glance[Row]:
        """Return what was known, and why it is not known to be so any more."""
        sentence = f"The {self._what} cannot be read: {what_failed(fault_of(error), self._path)}."
        self._glance = Glance(self._glance.rows, safe_text(sentence))
        return self._glance

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
