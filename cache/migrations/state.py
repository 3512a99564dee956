"""The schema of state.db, step by step and only forward."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from cache.versions import STATE_APPLICATION

STATE = Migrations("state")


@STATE(name="0001 first paint, timeline, marks and places")
def _first(db: Database) -> None:
    """Rows belong to an identity (a server, its authority and a user), named once in `identities`."""
    db.execute(f"PRAGMA application_id = {STATE_APPLICATION}")
    db.table("identities").create({"id": int, "key": str}, pk="id", not_null={"key"}, strict=True)
    db.table("identities").create_index(["key"], unique=True)
    db.table("first_paint").create(
        {"identity": int, "name": str, "as_of": float, "saved_at": float, "rows": int},
        pk=("identity", "name"),
        not_null={"as_of", "saved_at", "rows"},
        strict=True,
    )
    db.table("first_paint_rows").create(
        {"identity": int, "name": str, "packed": bytes}, pk=("identity", "name"), not_null={"packed"}, strict=True
    )
    db.table("events").create(
        {
            "identity": int,
            "id": str,
            "at": float,
            "seen_at": float,
            "kind": str,
            "severity": int,
            "text": str,
            "packed": bytes,
        },
        pk=("identity", "id"),
        not_null={"at", "seen_at", "kind", "severity", "text", "packed"},
        strict=True,
    )
    db.table("events").create_index(["identity", "at"])
    db.table("healthy_revisions").create(
        {"identity": int, "workload": str, "revision": int, "first_seen": float, "last_seen": float},
        pk=("identity", "workload", "revision"),
        not_null={"first_seen", "last_seen"},
        strict=True,
    )
    db.table("places").create(
        {"identity": int, "packed": bytes, "seen_at": float}, pk="identity", not_null={"packed", "seen_at"}, strict=True
    )
    db.table("kubeconfigs").create(
        {"fingerprint": str, "packed": bytes, "used_at": float},
        pk="fingerprint",
        not_null={"packed", "used_at"},
        strict=True,
    )
    db.execute("PRAGMA user_version = 1")
