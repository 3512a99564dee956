"""Lets one console of a machine be the one that writes: a lock that the kernel gives up when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from pathlib import Path

from cache.folder import open_private

_PAUSE = 0.02


class FileLock:
    """An advisory lock (flock) on a file of mode 0600. Where the file system has none, it counts as held."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._handle >= 0

    def acquire(self, wait: float = 0.0) -> bool:
        """Take the lock, waiting at most `wait` seconds; False when another has it. Raises OSError."""
        if self.held:
            return True
        handle = open_private(self._path)
        deadline = time.monotonic() + wait
        while not _locked(handle):
            if time.monotonic() >= deadline:
                os.close(handle)
                return False
            threading.Event().wait(_PAUSE)
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock up; the file stays, since removing it would let two hold it."""
        if self.held:
            os.close(self._handle)
            self._handle = -1


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EWOULDBLOCK, errno.EACCES, errno.EINTR}
    return True
