"""Turns what SQLite and the file system raise into the few things an operator can do something about."""

from __future__ import annotations

import errno
import sqlite3
from enum import StrEnum
from pathlib import Path

from services.model.text import SafeText
from services.sanitize import safe_text


class Fault(StrEnum):
    """Why a database cannot be used."""

    DAMAGED = "damaged"
    NEWER = "newer"
    FULL = "full"
    FORBIDDEN = "forbidden"
    LOCKED = "locked"
    MISSING = "missing"
    FAILED = "failed"


class DatabaseFault(Exception):  # noqa: N818 - a fault of the database, not of the program
    """A database cannot be used; `detail` is what the system said."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


_OF_SQLITE = {
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
    sqlite3.SQLITE_FORMAT: Fault.DAMAGED,
    sqlite3.SQLITE_ERROR: Fault.DAMAGED,
    sqlite3.SQLITE_SCHEMA: Fault.DAMAGED,
    sqlite3.SQLITE_CONSTRAINT: Fault.DAMAGED,
    sqlite3.SQLITE_MISMATCH: Fault.DAMAGED,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_IOERR: Fault.FULL,
    sqlite3.SQLITE_READONLY: Fault.FORBIDDEN,
    sqlite3.SQLITE_PERM: Fault.FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: Fault.FORBIDDEN,
    sqlite3.SQLITE_BUSY: Fault.LOCKED,
    sqlite3.SQLITE_LOCKED: Fault.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Fault.LOCKED,
}
_OF_SYSTEM = {
    errno.ENOSPC: Fault.FULL,
    errno.EDQUOT: Fault.FULL,
    errno.EFBIG: Fault.FULL,
    errno.EIO: Fault.FULL,
    errno.EACCES: Fault.FORBIDDEN,
    errno.EPERM: Fault.FORBIDDEN,
    errno.EROFS: Fault.FORBIDDEN,
    errno.ENOTDIR: Fault.FORBIDDEN,
    errno.ENOENT: Fault.MISSING,
}
_SENTENCES = {
    Fault.DAMAGED: "{file} is damaged ({detail})",
    Fault.NEWER: "{file} was written by a newer Quarterdeck ({detail})",
    Fault.FULL: "{file} could not be written, the disk is full or failing ({detail})",
    Fault.FORBIDDEN: "{file} could not be opened for writing ({detail})",
    Fault.LOCKED: "{file} is held by another program ({detail})",
    Fault.MISSING: "{file} is not there ({detail})",
    Fault.FAILED: "{file} could not be used ({detail})",
}


def fault_of(error: Exception) -> DatabaseFault:
    """Return what an exception of SQLite or the file system means.

    SQLite's result codes: https://www.sqlite.org/rescode.html; the low byte is the primary code.
    """
    if isinstance(error, DatabaseFault):
        return error
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", -1)
        return DatabaseFault(_OF_SQLITE.get(code & 0xFF, Fault.FAILED) if code >= 0 else Fault.FAILED, str(error))
    if isinstance(error, OSError):
        return DatabaseFault(_OF_SYSTEM.get(error.errno or 0, Fault.FAILED), error.strerror or str(error))
    return DatabaseFault(Fault.FAILED, f"{type(error).__name__}: {error}")


def what_failed(fault: DatabaseFault, path: Path) -> SafeText:
    """Return the first half of the operator's sentence: which file, and why, without a full stop."""
    return safe_text(_SENTENCES[fault.fault].format(file=path, detail=safe_text(fault.detail, 160)))
