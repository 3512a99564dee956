"""Finds in the audit trail what was last done to an object and how that is undone: also after the console has ended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from cache.faults import DatabaseFault
from cache.ledger.chain import Link
from cache.ledger.database import check_newer
from cache.ledger.looking import BUSY_SECONDS
from cache.ledger.records import EntryKind, Result
from cache.ledger.statements import TAIL
from cache.reading import connect_to_read
from cache.versions import LEDGER_FILE
from services.model.action import Undo
from services.model.ref import Ref

LOOKED_AT = 5_000
"""Entries, the newest ones, among which it is looked for: what is older is in the trail alone."""


class Undoable(Struct, frozen=True):
    """The last thing done to an object: what, by whom ("alice@bastion-2"), when (epoch seconds), and its inverse."""

    title: str
    who: str
    at: float
    undo: Undo


def last_undoable(folder: Path, ref: Ref, now: float) -> Undoable | None:
    """Return what was last done to an object of that uid from this machine, None where that has no inverse (any more).

    `now` is in epoch seconds. Blocks; what cannot be read has none.
    """
    path = folder / LEDGER_FILE
    try:
        path.stat()
        with closing(connect_to_read(path, BUSY_SECONDS)) as connection:
            check_newer(connection)
            rows = connection.execute(TAIL, (LOOKED_AT,)).fetchall()
        found = _last([Link(*row) for row in reversed(rows)], ref)
    except (sqlite3.Error, OSError, DatabaseFault, ValueError, msgspec.ValidationError):
        return None
    return None if found is None or 0 < found.undo.until <= now else found


def _last(links: Sequence[Link], ref: Ref) -> Undoable | None:
    begun: dict[str, Link] = {}
    last: Undoable | None = None
    for link in links:
        if link.kind == EntryKind.INTENT and link.target and _is_of(link, ref):
            begun[link.intent] = link
        elif link.kind == EntryKind.OUTCOME and link.intent in begun and link.result in (Result.OK, Result.FAILED):
            said = json.loads(link.body).get("undo")
            if said:
                intent = begun[link.intent]
                title = str(json.loads(intent.body).get("title") or intent.action)
                who, at = f"{intent.user}@{intent.host}", link.at_us / 1_000_000
                last = Undoable(title, who, at, msgspec.convert(said, Undo))
            elif link.result == Result.OK:
                last = None
    return last


def _is_of(link: Link, ref: Ref) -> bool:
    if ref.uid not in link.target:
        return False
    target = msgspec.json.decode(link.target, type=Ref)
    return (target.cluster, target.uid) == (ref.cluster, ref.uid)
