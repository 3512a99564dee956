"""Opens ledger.db: made once, carried forward, checked without being touched, and never rebuilt."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from cache.faults import DatabaseFault, Fault
from cache.folder import prepare, private_file
from cache.ledger.chain import Link, last_good
from cache.ledger.statements import STATEMENTS, TAIL, TRIGGERS
from cache.locks import FileLock
from cache.reading import connect_to_read
from cache.versions import LEDGER_APPLICATION, LEDGER_VERSION

BUSY_SECONDS = 5.0
_CHECKED_WHOLE = 64 << 20
_CHECKED_TAIL = 256


def open_ledger(path: Path) -> sqlite3.Connection:
    """Return a connection that writes durably (WAL, synchronous=FULL), after every check.

    Raises DatabaseFault, sqlite3.Error or OSError. A file that is damaged, empty, newer or whose last entries do not
    hold together is left exactly as it was found.
    """
    prepare(path.parent)
    door = FileLock(path.with_name("ledger.lock"))
    if not door.acquire(BUSY_SECONDS):
        raise DatabaseFault(Fault.LOCKED, "another console is opening it")
    try:
        if not path.exists():
            _make(path)
        version = inspect(path)
        private_file(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            if version < LEDGER_VERSION:
                _migrate(connection)
            connection.execute("SELECT seq FROM audit LIMIT 1").fetchall()
            _sync(path.parent)
        except BaseException:
            connection.close()
            raise
        return connection
    finally:
        door.release()


def check_newer(connection: sqlite3.Connection) -> int:
    """Return the version of an open ledger; raise DatabaseFault where it is newer than this program knows."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > LEDGER_VERSION:
        raise DatabaseFault(Fault.NEWER, f"version {version}; this one knows {LEDGER_VERSION}")
    return int(version)


def _make(path: Path) -> None:
    """Make a ledger beside its place and move it there whole: a crash never leaves half of one."""
    if path.with_name(f"{path.name}-wal").exists():
        raise DatabaseFault(Fault.DAMAGED, "the file is gone, and its write-ahead log is still there")
    fresh = path.with_name(f"{path.name}.new-{secrets.token_hex(4)}")
    try:
        private_file(fresh)
        with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            _migrate(connection)
        _sync(fresh)
        fresh.rename(path)
        _sync(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def inspect(path: Path) -> int:
    """Check a ledger without touching it and return its version. Raises DatabaseFault, sqlite3.Error or OSError."""
    if not path.stat().st_size:
        raise DatabaseFault(Fault.DAMAGED, "it is empty")
    with closing(connect_to_read(path, BUSY_SECONDS)) as connection:
        version = check_newer(connection)
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application != LEDGER_APPLICATION:
            raise DatabaseFault(Fault.DAMAGED, "it is not Quarterdeck's")
        if path.stat().st_size <= _CHECKED_WHOLE:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise DatabaseFault(Fault.DAMAGED, str(verdict).splitlines()[0])
        if version == LEDGER_VERSION:
            _check_schema(connection)
        _check_tail(connection)
        return version


def _check_schema(connection: sqlite3.Connection) -> None:
    for statement in STATEMENTS:
        connection.execute(f"EXPLAIN {statement}", (None,) * statement.count("?")).fetchall()
    triggers = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    if not triggers >= TRIGGERS:
        raise DatabaseFault(Fault.DAMAGED, "what forbids changing it was removed")


def _check_tail(connection: sqlite3.Connection) -> None:
    tail = connection.execute(TAIL, (_CHECKED_TAIL,)).fetchall()
    links = [Link(*row) for row in reversed(tail)]
    before = links.pop(0) if len(links) == _CHECKED_TAIL else None
    if before is not None and not before.intact:
        raise DatabaseFault(Fault.DAMAGED, f"entry {before.seq} of the audit trail was altered")
    _, broken = last_good(links, before)
    if broken is not None:
        raise DatabaseFault(Fault.DAMAGED, f"the audit trail is broken at entry {broken.seq}")


def _migrate(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database

    from cache.migrations.ledger import LEDGER

    LEDGER.apply(Database(connection, execute_plugins=False))


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
