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
