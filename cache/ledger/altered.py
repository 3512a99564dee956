"""Reads out of the audit trail what was left altered: cordoned, paused, suspended, scaled by hand, and not put back."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from cache.faults import DatabaseFault
from cache.ledger.chain import Link
from cache.ledger.database import check_newer
from cache.ledger.looking import BUSY_SECONDS
from cache.ledger.records import EntryKind, Result
from cache.ledger.statements import AFTER
from cache.reading import connect_to_read
from cache.versions import LEDGER_FILE
from services.model.action import Altered, Undo
from services.model.ref import Ref

LASTING = {
    "cordon": "uncordon",
    "drain": "uncordon",
    "pause": "resume",
    "suspend-cronjob": "resume-cronjob",
    "suspend-gitops": "resume-gitops",
}
"""Actions whose effect stays until their inverse is done."""

HALFWAY = ("drain",)
"""Actions that leave their effect where they failed or were stopped as well, if there is something to undo."""

SILENCING = ("ack", "silence")
"""Actions that set a silence: what it is called is known once it is set, and it ends by itself."""

SCALE = "scale"
_PAGE = 1000


class _Begun(Struct, frozen=True):
    """An action whose outcome is not known yet: `body` is the intent's, with its title and the plan's parameters."""

    action: str
    ref: Ref
    body: Mapping[str, Any]
    who: str

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What it was given."""
        given: Mapping[str, Any] = self.body.get("plan", {}).get("parameters", {})
        return given

    def left(self, key: str, at: float, undo: Undo) -> Altered:
        """Return what it leaves altered since `at` (epoch seconds), and how that is put back."""
        return Altered(key, str(self.body.get("title") or self.action), self.ref, self.who, at, undo)


class AlteredReader:
    """Follows the audit trail of one folder; a look at one that has not grown costs a query. Blocks.

    `now` gives epoch seconds: what ends by itself is left out once it has. `elsewhere` tells what is not to be listed
    here: it is of another cluster, or somebody is known to have put it back.
    """

    def __init__(
        self, folder: Path, now: Callable[[], float] = time.time, elsewhere: Callable[[Altered], bool] = lambda _: False
    ) -> None:
        self._path = folder / LEDGER_FILE
        self._now = now
        self._elsewhere = elsewhere
        self._seq = 0
        self._begun: dict[str, _Begun] = {}
        self._left: dict[str, Altered] = {}
        self._from: dict[str, str] = {}

    def look(self) -> Mapping[str, Altered]:
        """Return what is left altered, by key; what cannot be read adds nothing to what was known."""
        try:
            self._path.stat()
            with closing(connect_to_read(self._path, BUSY_SECONDS)) as connection:
                check_newer(connection)
                while rows := connection.execute(AFTER, (self._seq, _PAGE)).fetchall():
                    for row in rows:
                        self._take(Link(*row))
        except (sqlite3.Error, OSError, DatabaseFault, ValueError):
            pass
        now = self._now()
        lasting = {key: one for key, one in self._left.items() if not 0 < one.undo.until <= now}
        return {key: one for key, one in lasting.items() if not self._elsewhere(one)}

    def _take(self, link: Link) -> None:
        self._seq = link.seq
        if link.kind == EntryKind.INTENT and link.target:
            ref, body = msgspec.json.decode(link.target, type=Ref), json.loads(link.body)
            self._begun[link.intent] = _Begun(link.action, ref, body, f"{link.user}@{link.host}")
        elif link.kind == EntryKind.OUTCOME and link.result != Result.UNKNOWN:
            begun = self._begun.pop(link.intent, None)
            partly = begun is not None and begun.action in HALFWAY and link.result == Result.FAILED
            if begun is None or not (link.result == Result.OK or partly):
                return
            said = json.loads(link.body).get("undo")
            undo = msgspec.convert(said, Undo) if said else None
            settle = self._settle_silence if begun.ref.kind in ("Alert", "Silence") else self._settle
            settle(begun, undo, link.at_us / 1_000_000)

    def _settle(self, begun: _Begun, undo: Undo | None, at: float) -> None:
        action, ref = begun.action, begun.ref
        same = f"{ref.cluster}/{ref.kind}/{ref.key}/{ref.uid}"
        for lasting, inverse in LASTING.items():
            if inverse == action:
                self._left.pop(f"{same}/{lasting}", None)
        if undo is None or (action not in LASTING and action != SCALE):
            return
        key = f"{same}/{action}"
        if action == SCALE:
            original = self._from.setdefault(key, str(begun.parameters.get("from", "")))
            if str(begun.parameters.get("replicas", "")) == original:
                self._left.pop(key, None)
                self._from.pop(key, None)
                return
            undo = structs.replace(undo, parameters={"replicas": original}, words=f"scale back to {original}")
        self._left[key] = begun.left(key, at, undo)

    def _settle_silence(self, begun: _Begun, undo: Undo | None, at: float) -> None:
        """Take that silences were set, extended or ended: known by their ids, whatever they were reached from."""
        of = f"{begun.ref.cluster}/silence"
        for one in str(begun.parameters.get("ids", "")).split():
            key = f"{of}/{one.rpartition('/')[2]}"
            known = self._left.pop(key, None)
            if begun.action == "extend" and known is not None:
                until = float(begun.parameters.get("until", 0.0))
                self._left[key] = structs.replace(known, undo=structs.replace(known.undo, until=until))
        if begun.action in SILENCING and undo is not None:
            key = f"{of}/{undo.ref.uid}"
            self._left[key] = begun.left(key, at, undo)
