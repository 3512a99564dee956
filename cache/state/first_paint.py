"""Reads what the first frame shows before any network library is loaded: standard library and msgspec only."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from cache.faults import DatabaseFault, Fault, fault_of, what_failed
from cache.reading import connect_to_read
from cache.state.packing import PACKED, unpack_rows
from cache.state.records import Memo, Place, SavedTable, content_hash
from cache.versions import STATE_APPLICATION, STATE_FILE, STATE_VERSION
from services.model.text import SafeText
from services.ports import Table
from services.sanitize import safe_text

T = TypeVar("T")

_BUSY_SECONDS = 0.05
_LARGEST_FILE = 1 << 20

_ROWS = """
SELECT p.as_of, p.saved_at, p.rows, r.packed
FROM identities i
JOIN first_paint p ON p.identity = i.id
JOIN first_paint_rows r ON r.identity = p.identity AND r.name = p.name
WHERE i.key = ? AND p.name = ?
"""
_PLACE = "SELECT p.packed, p.seen_at FROM places p JOIN identities i ON i.id = p.identity WHERE i.key = ?"
_MEMO = "SELECT packed FROM kubeconfigs WHERE fingerprint = ?"


class FirstPaint:
    """A read-only look into state.db that never raises and never migrates.

    Whatever is wrong (missing, damaged, newer, locked, not permitted) leaves empty answers and one sentence in
    `reason`, which is "" while all is well; `fault` says which it was. One thread at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE_FILE
        self._connection: sqlite3.Connection | None = None
        self.reason = SafeText("")
        self.fault: Fault | None = None
        self._asked(self._open, None)

    def __enter__(self) -> FirstPaint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._asked(connection.close, None)

    def memo(self, fingerprint: str) -> Memo | None:
        """Return what a kubeconfig of this fingerprint meant; None when unknown, or a file it depends on changed."""

        def read() -> Memo | None:
            for (packed,) in self._all(_MEMO, (fingerprint,)):
                memo = msgspec.msgpack.decode(packed, type=Memo)
                return memo if all(_unchanged(path, digest) for path, digest in memo.files.items()) else None
            return None

        return self._asked(read, None)

    def place(self, identity: str) -> Place | None:
        """Return where this identity's operator was, None when never there."""

        def read() -> Place | None:
            for packed, seen_at in self._all(_PLACE, (identity,)):
                return msgspec.structs.replace(msgspec.msgpack.decode(packed, type=Place), seen_at=seen_at)
            return None

        return self._asked(read, None)

    def tables(self, identity: str, names: Iterable[Table]) -> dict[Table, SavedTable]:
        """Return the saved rows of these tables, and of this identity only; what cannot be read is left out."""
        saved: dict[Table, SavedTable] = {}
        for name in names:
            table = self._asked(partial(self._table, identity, name), None)
            if table is not None:
                saved[name] = table
        return saved

    def _table(self, identity: str, name: Table) -> SavedTable | None:
        if name not in PACKED:
            return None
        for as_of, saved_at, count, packed in self._all(_ROWS, (identity, name)):
            return SavedTable(unpack_rows(name, packed), as_of, saved_at, count)
        return None

    def _open(self) -> None:
        self._path.stat()
        self._connection = connect_to_read(self._path, _BUSY_SECONDS)
        check_version(self._connection)

    def _all(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return [] if self._connection is None else self._connection.execute(statement, values).fetchall()

    def _asked(self, read: Callable[[], T], instead: T) -> T:
        try:
            return read()
        except (sqlite3.Error, OSError, zlib.error, msgspec.MsgspecError, KeyError, DatabaseFault) as error:
            self._note(error)
            return instead

    def _note(self, error: Exception) -> None:
        if isinstance(error, zlib.error | msgspec.MsgspecError | KeyError):
            fault = DatabaseFault(Fault.DAMAGED, "a saved row is not readable")
        else:
            fault = fault_of(error)
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
        if self.fault is None:
            self.fault = fault.fault
            if fault.fault is Fault.MISSING:
                self.reason = safe_text("Nothing is remembered from an earlier run")
            else:
                self.reason = safe_text(f"Nothing is shown from the last run: {what_failed(fault, self._path)}.")


def check_version(connection: sqlite3.Connection) -> int:
    """Return the version of an open state.db; raise DatabaseFault where it is newer, or no state.db with content."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != STATE_APPLICATION:
        raise DatabaseFault(Fault.DAMAGED, "it is not Quarterdeck's" if application or version else "it is empty")
    if version > STATE_VERSION:
        raise DatabaseFault(Fault.NEWER, f"version {version}; this one knows {STATE_VERSION}")
    return int(version)


def _unchanged(path: str, digest: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return content_hash(file.read(_LARGEST_FILE)) == digest
    except OSError:
        return False
