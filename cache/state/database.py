"""Opens state.db for its writer: migrated, checked, and rebuilt where it was damaged."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from cache.faults import DatabaseFault, Fault, fault_of
from cache.folder import prepare, private_file
from cache.locks import FileLock
from cache.reading import connect_to_read
from cache.state.first_paint import check_version
from cache.state.statements import STATEMENTS
from cache.versions import STATE_FILE, STATE_VERSION
from services.model.text import SafeText
from services.sanitize import safe_text

_BUSY_SECONDS = 5.0
_DOOR_SECONDS = 5.0
_JOURNAL_LIMIT = 16 << 20
_CHECKED_WHOLE = 32 << 20
_SIDE_FILES = ("", "-wal", "-shm", "-journal")


class StateDatabase:
    """The writer's one connection. Methods raise DatabaseFault, sqlite3.Error or OSError; `fault_of` reads them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / STATE_FILE
        self._folder = folder
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def open(self, now: float, condemned: DatabaseFault | None = None, rebuild: bool = True) -> SafeText:
        """Open the file, making or migrating it; where it is damaged, set it aside first and begin anew.

        `now` (epoch seconds) names the file that is set aside; `condemned` is damage that was met while writing;
        without `rebuild` a damaged file is left and raised. Returns a notice about a rebuilt file, else "".
        One process at a time gets through here, so that two cannot migrate or set aside at once.
        """
        prepare(self._folder)
        door = FileLock(self._folder / "state.lock")
        if not door.acquire(_DOOR_SECONDS):
            raise DatabaseFault(Fault.LOCKED, "another console is opening it")
        try:
            if condemned is not None and rebuild and not self._moved():
                return self._begin_anew(condemned, now)
            try:
                self._open()
            except (sqlite3.Error, DatabaseFault) as error:
                fault = fault_of(error)
                if fault.fault is not Fault.DAMAGED or not rebuild:
                    raise
                return self._begin_anew(fault, now)
        except BaseException:
            self.close()
            raise
        finally:
            door.release()
        return SafeText("")

    def begin(self) -> sqlite3.Connection:
        """Begin a transaction on the file that stands at the path now, of a version that is known still."""
        connection = self._connection
        if connection is None or self._moved():
            raise DatabaseFault(Fault.MISSING, "it was moved away")
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > STATE_VERSION:
            connection.execute("ROLLBACK")
            raise DatabaseFault(Fault.NEWER, f"version {version}; this one knows {STATE_VERSION}")
        return connection

    def commit(self) -> None:
        """End the transaction, keeping it."""
        if self._connection is not None:
            self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """End the transaction, whatever became of it; raises nothing."""
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self.close()

    def close(self) -> None:
        """Close the file; raises nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                return

    def _open(self) -> None:
        there = self.path.exists() and self.path.stat().st_size > 0
        known = there and self._inspect()
        private_file(self.path)
        try:
            self._connect(known)
        except BaseException:
            self.close()
            if not there:
                self._unmake()
            raise
        self._inode = self.path.stat().st_ino

    def _unmake(self) -> None:
        """Take away a file that could not be made whole, on a full disk say: it would be taken for a damaged one."""
        for suffix in _SIDE_FILES:
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _connect(self, known: bool) -> None:
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._connection = connection
        if not known:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")
        if not known:
            _migrate(connection)
            self._check(connection)

    def _inspect(self) -> bool:
        """Look at an existing file without touching it, since a newer or a damaged one must stay as it is.

        Returns whether it is of the version that is known; an older one wants migrating.
        """
        connection = connect_to_read(self.path, _BUSY_SECONDS)
        try:
            version = check_version(connection)
            if version == STATE_VERSION:
                self._check(connection)
            return version == STATE_VERSION
        finally:
            connection.close()

    def _check(self, connection: sqlite3.Connection) -> None:
        """Let SQLite compile each statement of the writer, which finds what the schema lacks, and check the pages."""
        for statement in STATEMENTS:
            connection.execute(f"EXPLAIN {statement}", (None,) * statement.count("?")).fetchall()
        if self.path.stat().st_size <= _CHECKED_WHOLE:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise DatabaseFault(Fault.DAMAGED, str(verdict).splitlines()[0])

    def _begin_anew(self, fault: DatabaseFault, now: float) -> SafeText:
        self.close()
        notice = self._set_aside(fault, now)
        self._open()
        return notice

    def _set_aside(self, fault: DatabaseFault, now: float) -> SafeText:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        aside = _free_name(self.path.with_name(f"{STATE_FILE}.damaged-{stamp}"))
        for suffix in _SIDE_FILES:
            side = self.path.with_name(self.path.name + suffix)
            if side.exists():
                side.rename(aside.with_name(aside.name + suffix))
        return safe_text(
            f"The history database was damaged ({safe_text(fault.detail, 120)}): it was set aside as {aside.name} "
            "and history begins anew."
        )

    def _moved(self) -> bool:
        try:
            return self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True


def _migrate(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database

    from cache.migrations.state import STATE

    STATE.apply(Database(connection, execute_plugins=False))


def _free_name(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
