"""The statements of the audit trail, in one place so that a ledger can be checked against all of them."""

from __future__ import annotations

from cache.ledger.chain import COLUMNS

APPEND = f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
HEAD = f"SELECT {COLUMNS} FROM audit ORDER BY seq DESC LIMIT 1"  # noqa: S608
TAIL = f"SELECT {COLUMNS} FROM audit ORDER BY seq DESC LIMIT ?"  # noqa: S608
AFTER = f"SELECT {COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
OF_INTENT = f"SELECT {COLUMNS} FROM audit WHERE intent = ? ORDER BY seq"  # noqa: S608
OPEN = """
SELECT intent FROM audit a WHERE kind = 'intent' AND NOT EXISTS (
  SELECT 1 FROM audit o WHERE o.intent = a.intent AND o.kind = 'outcome' AND o.result <> 'unknown'
) ORDER BY seq
"""

STATEMENTS = (APPEND, HEAD, TAIL, AFTER, OF_INTENT, OPEN)
TRIGGERS = frozenset(
    f"audit_{name}" for name in ("forbids_update", "forbids_delete", "appends_only", "promises_once", "settles_once")
)
