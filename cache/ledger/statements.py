"""The statements of the ledger, in one place so that a ledger can be checked against all of them."""

from __future__ import annotations

from cache.ledger.chain import COLUMNS
from cache.ledger.outbox_statements import OUTBOX_STATEMENTS, OUTBOX_TRIGGERS

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

INCIDENT_COLUMNS = "seq, incident, at_us, id, kind, user, host, console, body"
TELL = f"INSERT INTO incident_events ({INCIDENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
TOLD = f"SELECT {INCIDENT_COLUMNS} FROM incident_events ORDER BY seq"  # noqa: S608
TOLD_AS = "SELECT incident FROM incident_events WHERE id = ?"
LAST_TOLD = "SELECT coalesce(max(seq), 0), coalesce(max(incident), 0) FROM incident_events"
IS_DECLARED = "SELECT 1 FROM incident_events WHERE incident = ? LIMIT 1"

_OF_AUDIT = (APPEND, HEAD, TAIL, AFTER, OF_INTENT, OPEN)
_OF_INCIDENTS = (TELL, TOLD, TOLD_AS, LAST_TOLD, IS_DECLARED)
STATEMENTS = (*_OF_AUDIT, *_OF_INCIDENTS, *OUTBOX_STATEMENTS)
TRIGGERS = OUTBOX_TRIGGERS.union(
    (f"audit_{name}" for name in ("forbids_update", "forbids_delete", "appends_only", "promises_once", "settles_once")),
    (
        f"incident_events_{name}"
        for name in ("forbids_update", "forbids_delete", "appends_only", "declares_first", "declares_once")
    ),
)
