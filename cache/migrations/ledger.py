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
