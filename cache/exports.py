"""Writes what is exported into the state folder: whole or not at all, readable for this user alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cache.faults import DatabaseFault, fault_of, what_failed
from cache.folder import prepare, private_folder
from services.errors import Problem
from services.sanitize import safe_text

FOLDER = "exports"


def write_export(folder: Path, name: str, text: str) -> Path:
    """Write a file of mode 0600 below the state folder and return its path; one of the same name is replaced.

    Blocks until the disk has it. Raises Problem, and leaves nothing behind then.
    """
    place = folder / FOLDER
    path = place / name
    fresh = place / f".{name}-{secrets.token_hex(4)}"
    try:
        prepare(folder)
        private_folder(place)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    except (OSError, DatabaseFault) as error:
        raise Problem(safe_text(f"Nothing was exported: {what_failed(fault_of(error), path)}; try again.")) from None
    return path
