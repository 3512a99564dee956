"""The schema of ledger.db, step by step and only forward; nothing in it is ever changed or taken away."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from cache.versions import LEDGER_APPLICATION

LEDGER = Migrations("ledger")

_TEXTS = ("kind", "intent", "user", "host", "console", "action", "target", "result", "body", "prev", "hash")
_SETTLED = "SELECT 1 FROM audit WHERE intent = NEW.intent AND kind = 'outcome' AND result <> 'unknown'"
_REFUSALS = (
    ("appends_only", "NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM audit)", "the audit trail is append-only"),
    (
        "promises_once",
        "NEW.kind = 'intent' AND EXISTS (SELECT 1 FROM audit WHERE intent = NEW.intent)",
        "an intent is written once",
    ),
    ("settles_once", f"NEW.kind = 'outcome' AND EXISTS ({_SETTLED})", "an intent is settled once"),
)


@LEDGER(name="0001 audit")
def _first(db: Database) -> None:
    """One append-only chain: intents, steps and outcomes are entries of it, tied together by the intent's id."""
    db.execute(f"PRAGMA application_id = {LEDGER_APPLICATION}")
    columns: dict[str, type] = {"seq": int, "at_us": int, **dict.fromkeys(_TEXTS, str)}
    db.table("audit").create(columns, pk="seq", not_null=columns.keys() - {"seq"}, strict=True)
    db.table("audit").create_index(["intent", "kind"])
    for verb in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER audit_forbids_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END"
        )
    for name, when, message in _REFUSALS:
        db.execute(
            f"CREATE TRIGGER audit_{name} BEFORE INSERT ON audit WHEN {when} "
            f"BEGIN SELECT raise(ABORT, '{message}'); END"
        )
    db.execute("PRAGMA user_version = 1")


_INCIDENT_TEXTS = ("id", "kind", "user", "host", "console", "body")
_INCIDENT_REFUSALS = (
    (
        "appends_only",
        "NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM incident_events)",
        "what was said of incidents is append-only",
    ),
    (
        "declares_first",
        "NEW.kind <> 'declared' AND NOT EXISTS (SELECT 1 FROM incident_events WHERE incident = NEW.incident)",
        "an incident is declared first",
    ),
    (
        "declares_once",
        "NEW.kind = 'declared' AND NEW.incident <> (SELECT coalesce(max(incident), 0) + 1 FROM incident_events)",
        "an incident is declared once, under the next number",
    ),
)


@LEDGER(name="0002 incidents")
def _second(db: Database) -> None:
    """What was said of incidents, one row an event; an incident is what its events leave."""
    columns: dict[str, type] = {"seq": int, "incident": int, "at_us": int, **dict.fromkeys(_INCIDENT_TEXTS, str)}
    db.table("incident_events").create(columns, pk="seq", not_null=columns.keys() - {"seq"}, strict=True)
    db.table("incident_events").create_index(["id"], unique=True)
    db.table("incident_events").create_index(["incident"])
    for verb in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER incident_events_forbids_{verb.lower()} BEFORE {verb} ON incident_events "
            "BEGIN SELECT raise(ABORT, 'what was said of incidents is append-only'); END"
        )
    for name, when, message in _INCIDENT_REFUSALS:
        db.execute(
            f"CREATE TRIGGER incident_events_{name} BEFORE INSERT ON incident_events WHEN {when} "
            f"BEGIN SELECT raise(ABORT, '{message}'); END"
        )
    db.execute("PRAGMA user_version = 2")


_OUTBOX = """
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  channel TEXT NOT NULL,
  thread TEXT NOT NULL,
  recipient TEXT NOT NULL,
  subject TEXT NOT NULL,
  user TEXT NOT NULL,
  digest TEXT NOT NULL,
  body TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'accepted', 'unknown', 'dead')),
  reason TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0,
  doubts INTEGER NOT NULL DEFAULT 0,
  folded INTEGER NOT NULL DEFAULT 0,
  lease TEXT NOT NULL DEFAULT '',
  next_us INTEGER,
  settled_us INTEGER,
  CHECK (next_us IS NULL OR state IN ('queued', 'sending', 'unknown')),
  CHECK (next_us IS NOT NULL OR state IN ('accepted', 'unknown', 'dead'))
) STRICT
"""
_WORDS = "id, channel, thread, recipient, subject, user, digest, body, created_us"


@LEDGER(name="0003 outbox")
def _third(db: Database) -> None:
    """What is told to people outside, one row a message; `next_us` is when it may be claimed, null once it is settled.

    What a message says is never changed, and none goes before it is settled.
    """
    db.execute(_OUTBOX)
    db.execute("CREATE INDEX outbox_waiting ON outbox (channel, thread, seq) WHERE next_us IS NOT NULL")
    db.execute("CREATE INDEX outbox_due ON outbox (next_us) WHERE next_us IS NOT NULL")
    db.execute("CREATE INDEX outbox_said ON outbox (digest, created_us)")
    db.execute("CREATE INDEX outbox_settled ON outbox (settled_us) WHERE settled_us IS NOT NULL")
    db.execute(
        f"CREATE TRIGGER outbox_keeps_words BEFORE UPDATE OF {_WORDS} ON outbox "
        "BEGIN SELECT raise(ABORT, 'what a message says is never changed'); END"
    )
    db.execute(
        "CREATE TRIGGER outbox_keeps_waiting BEFORE DELETE ON outbox WHEN OLD.next_us IS NOT NULL "
        "BEGIN SELECT raise(ABORT, 'a message is settled before it goes'); END"
    )
    db.execute("PRAGMA user_version = 3")
