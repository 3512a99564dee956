"""Opens a database for reading only, so that looking never changes what is looked at."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote


def connect_to_read(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open a database read-only, as it is; the caller closes it. Raises sqlite3.Error."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
