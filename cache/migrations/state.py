"""The schema of state.db, step by step and only forward."""

from __future__ import annotations

import msgspec
from sqlite_utils import Database, Migrations

from cache.state.packing import EventDetail, object_key
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


@STATE(name="0002 samples, watch spans, hours of cost; events by namespace and object")
def _second(db: Database) -> None:
    """Samples stand hour by hour: what is written now, and what is forgotten, lies together on the disk."""
    db.table("series").create(
        {"id": int, "identity": int, "name": str, "last_hour": int},
        pk="id",
        not_null={"identity", "name", "last_hour"},
        strict=True,
    )
    db.table("series").create_index(["identity", "name"], unique=True)
    for name in ("samples", "thinned"):
        db.execute(
            f"CREATE TABLE {name} (hour INTEGER NOT NULL, series INTEGER NOT NULL, packed BLOB NOT NULL, "
            "PRIMARY KEY (hour, series)) STRICT, WITHOUT ROWID"
        )
    db.table("watched").create(
        {"identity": int, "began": float, "ended": float}, pk=("identity", "began"), not_null={"ended"}, strict=True
    )
    db.table("cost_hours").create(
        {"identity": int, "hour": int, "watched": float, "packed": bytes},
        pk=("identity", "hour"),
        not_null={"watched", "packed"},
        strict=True,
    )
    db.table("events").add_column("namespace", str, not_null_default="")
    db.table("events").add_column("object", str, not_null_default="")
    found = []
    for number, packed in db.execute("SELECT rowid, packed FROM events").fetchall():
        try:
            ref = msgspec.msgpack.decode(packed, type=EventDetail).ref
        except msgspec.MsgspecError:
            continue
        found.append((ref.namespace, object_key(ref), number))
    db.conn.executemany("UPDATE events SET namespace = ?, object = ? WHERE rowid = ?", found)
    db.table("events").create_index(["identity", "object", "at"])
    db.execute("PRAGMA user_version = 2")
