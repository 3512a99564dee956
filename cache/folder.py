"""Finds and guards the folder that holds the databases: for this user alone, whatever the umask says."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cache.faults import DatabaseFault, Fault

VARIABLE = "QUARTERDECK_STATE_DIR"
_OURS = ("state.", "ledger.", "locks", "crash-", "exports")


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the databases belong: QUARTERDECK_STATE_DIR, else the XDG state folder of this platform.

    The path may be relative or below "~" where there is no home; `prepare` refuses it then.
    """
    environ = os.environ if environ is None else environ
    if chosen := environ.get(VARIABLE):
        return Path(chosen)
    if base := environ.get("XDG_STATE_HOME", "").strip():
        return Path(base) / "quarterdeck"
    from platformdirs import user_state_path

    return user_state_path("quarterdeck", appauthor=False)


def prepare(folder: Path) -> None:
    """Make the folder, or check it: ours, mode 0700. Raises DatabaseFault or OSError, and changes nothing then.

    A folder that others can read and that holds other things too is refused, not tightened: it was not made for this.
    """
    if not folder.is_absolute():
        raise DatabaseFault(Fault.MISSING, f"this user has no home folder; set {VARIABLE} to a folder of its own")
    if not folder.exists():
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_folder(folder)
    state = folder.stat()
    if not stat.S_ISDIR(state.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "its folder is a file", str(folder))
    if state.st_uid != os.geteuid():
        raise DatabaseFault(Fault.FORBIDDEN, f"the folder belongs to another user; set {VARIABLE} to one of your own")
    if state.st_mode & 0o077:
        foreign = next((entry.name for entry in folder.iterdir() if not entry.name.startswith(_OURS)), "")
        if foreign and folder.name != "quarterdeck":
            raise DatabaseFault(
                Fault.FORBIDDEN, f"the folder is open to others and not ours alone; set {VARIABLE} to one of its own"
            )
        folder.chmod(0o700)


def private_folder(folder: Path) -> None:
    """Make a folder of mode 0700 inside ours, where there is none. Raises OSError."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    folder.chmod(0o700)


def private_file(path: Path) -> None:
    """Make the file, or tighten it, to mode 0600; SQLite gives its own side files the same mode. Raises OSError.

    A file that is there is never opened: closing it would take away every lock that SQLite has on it in this process
    (fcntl(2)), and the next console that ends would delete the write-ahead log which this one still writes to.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
        if mode & 0o777 != 0o600:
            path.chmod(0o600)
        return
    if path.stat().st_mode & 0o777 != 0o600:
        path.chmod(0o600)


def open_private(path: Path) -> int:
    """Open the file for reading and writing, made or tightened to mode 0600; the caller closes it. Raises OSError."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(handle).st_mode & 0o777 != 0o600:
            os.fchmod(handle, 0o600)
    except BaseException:
        os.close(handle)
        raise
    return handle
