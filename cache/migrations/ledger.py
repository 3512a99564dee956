"""The schema of ledger.db, step by step and only forward; nothing in it is ever changed or taken away."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from cache.versions import LEDGER_APPLICATION

LEDGER = Migrations("ledger")


@LEDGER(name="0001 audit")
def _first(db: Database) -> None:
    """One append-only chain: intents, steps and outcomes are entries of it, tied together by the intent's id."""
    db.execute(f"PRAGMA application_id = {LEDGER_APPLICATION}")
    db.table("audit").create(
        {
            "seq": int,
            "at_us": int,
            "kind": str,
            "intent": str,
            "user": str,
            "host": str,
            "console": str,
            "action": str,
            "target": str,
            "result": str,
            "body": str,
            "prev": str,
            "hash": str,
        },
        pk="seq",
        not_null={
            "at_us",
            "kind",
            "intent",
            "user",
            "host",
            "console",
            "action",
            "target",
            "result",
            "body",
            "prev",
            "hash",
        },
        strict=True,
    )
    db.table("audit").create_index(["intent", "kind"])
    db.execute("CREATE UNIQUE INDEX audit_intent_once ON audit (intent) WHERE kind = 'intent'")
    db.execute(
        "CREATE UNIQUE INDEX audit_settled_once ON audit (intent) WHERE kind = 'outcome' AND result <> 'unknown'"
    )
    for verb in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER audit_forbids_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END"
        )
    db.execute("PRAGMA user_version = 1")
