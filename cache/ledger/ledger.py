"""Keeps what was done and promised: written before it is done, durable, chained, never changed and never dropped."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cache.faults import DatabaseFault, Fault, fault_of, what_failed
from cache.ledger.chain import GENESIS, Link, follows
from cache.ledger.database import BUSY_SECONDS, check_newer, inspect, open_ledger
from cache.ledger.records import Entry, EntryKind, LedgerRefused, LedgerStatus, OpenIntent, Request, Result, Verdict
from cache.ledger.statements import AFTER, APPEND, HEAD, OF_INTENT, OPEN
from cache.reading import connect_to_read
from cache.versions import LEDGER_FILE
from services.clock import Clock
from services.model.actor import Actor
from services.model.ref import Ref
from services.model.text import SafeText
from services.sanitize import safe_text

T = TypeVar("T")
Beside = Callable[[sqlite3.Connection], object]
"""What else is written in the transaction of an entry: both are there afterwards, or neither (`Outbox.beside`)."""

_PAGE = 1000
_STILL = "nothing is done without an entry in it"
_NEXT = {
    Fault.DAMAGED: "it is left as it is; find out what happened, then restore it or move it away",
    Fault.NEWER: "it is left as it is; start the newer version to act",
    Fault.FULL: "free some space and try again",
    Fault.FORBIDDEN: "check who may write there and try again",
    Fault.LOCKED: "try again",
}


class Ledger:
    """The way into ledger.db. Blocks for as long as the disk takes to be sure: call it on a thread. Thread-safe.

    What cannot be written raises LedgerRefused, and then must not be done. `status` says the same beforehand.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path = folder / LEDGER_FILE
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._log = 0
        self._inode = 0
        self.status = LedgerStatus(False, safe_text(f"{self._path} was not opened yet: {_STILL}."))

    def open(self) -> LedgerStatus:
        """Open the ledger, making it where there is none; raises nothing. May be called again after a fault."""
        with self._lock:
            self._opened()
        return self.status

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._shut()

    def record(
        self,
        kind: EntryKind,
        actor: Actor,
        action: str,
        target: Ref | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        beside: Beside | None = None,
    ) -> int:
        """Append an entry that promises nothing (a session, another context, a note); returns its number.

        Raises LedgerRefused.
        """
        return self._append(_draft(kind, "", actor=actor, action=action, target=target, body=body or {}), beside)

    def intent(self, request: Request) -> str:
        """Write down what is about to be done, and return its id once the disk has it. Raises LedgerRefused."""
        name = uuid.uuid4().hex
        self._append(
            _draft(
                EntryKind.INTENT,
                name,
                actor=request.actor,
                action=request.action,
                target=request.target,
                body=request.body,
            )
        )
        return name

    def step(self, intent: str, actor: Actor, action: str, body: Mapping[str, Any] | None = None) -> int:
        """Note how far an open intent has come; returns the entry's number. Raises LedgerRefused."""
        return self._append(_draft(EntryKind.STEP, intent, actor=actor, action=action, body=body or {}))

    def outcome(
        self,
        intent: str,
        actor: Actor,
        result: Result,
        body: Mapping[str, Any] | None = None,
        *,
        beside: Beside | None = None,
    ) -> int:
        """Settle an intent; after UNKNOWN it stays open until somebody found out. Returns the entry's number.

        Raises LedgerRefused, also for an intent that is not known or was settled before.
        """
        return self._append(_draft(EntryKind.OUTCOME, intent, actor=actor, result=result, body=body or {}), beside)

    def open_intents(self) -> tuple[OpenIntent, ...]:
        """Return the intents without a final outcome, oldest first. Raises LedgerRefused where it cannot be read."""
        with self._reading() as connection:
            found = []
            for (name,) in connection.execute(OPEN).fetchall():
                entries = [_entry(Link(*row)) for row in connection.execute(OF_INTENT, (name,))]
                steps = tuple(entry.action for entry in entries if entry.kind is EntryKind.STEP)
                unknown = any(entry.result == Result.UNKNOWN for entry in entries)
                found.append(OpenIntent(name, entries[0], steps, unknown))
            return tuple(found)

    def entries(self, after: int = 0, limit: int = _PAGE) -> tuple[Entry, ...]:
        """Return entries in order, from the one after number `after`. Raises LedgerRefused where it cannot be read."""
        with self._reading() as connection:
            return tuple(_entry(Link(*row)) for row in connection.execute(AFTER, (after, limit)))

    def verify(self) -> Verdict:
        """Follow the whole chain, in one reading of the file as it stands; raises nothing."""
        before: Link | None = None
        try:
            with self._reading() as connection:
                connection.execute("BEGIN")
                while rows := connection.execute(AFTER, (before.seq if before else 0, _PAGE)).fetchall():
                    for row in rows:
                        link = Link(*row)
                        if not follows(link, before):
                            return _verdict(before, holds=False)
                        before = link
        except LedgerRefused as refused:
            entries, head = (before.seq, before.hash) if before else (0, GENESIS)
            return Verdict(False, entries, head, entries + 1, refused.sentence)
        return _verdict(before, holds=True)

    # Inside.

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one durable transaction that no other process can come between, and return its result.

        Raises LedgerRefused where it cannot be written, or where `work` does; nothing of it is kept then.
        """
        with self._lock:
            connection = self._opened()
            if connection is None:
                raise LedgerRefused(self.status.sentence)
            try:
                self._check_place()
                connection.execute("BEGIN IMMEDIATE")
                check_newer(connection)
                result = work(connection)
                connection.execute("COMMIT")
                self._log = self._log or self._inode_of_log()
            except (sqlite3.Error, OSError, DatabaseFault) as error:
                self._shut()
                raise LedgerRefused(self._failed(fault_of(error))) from None
            except LedgerRefused:
                connection.execute("ROLLBACK")
                raise
            except BaseException:
                self._shut()
                raise
            return result

    def _append(self, draft: Link, beside: Beside | None = None) -> int:
        def append(connection: sqlite3.Connection) -> int:
            link = self._linked(connection, draft)
            connection.execute(APPEND, link)
            if beside is not None:
                beside(connection)
            return link.seq

        return self.write(append)

    def _linked(self, connection: sqlite3.Connection, draft: Link) -> Link:
        """Tie a draft to the head of the chain, which no other process can move meanwhile."""
        row = connection.execute(HEAD).fetchone()
        head = Link(*row) if row else None
        if head is not None and not head.intact:
            raise DatabaseFault(Fault.DAMAGED, f"entry {head.seq} of the audit trail was altered")
        if draft.kind in {EntryKind.STEP, EntryKind.OUTCOME}:
            links = [Link(*row) for row in connection.execute(OF_INTENT, (draft.intent,))]
            if not links:
                raise LedgerRefused(safe_text(f"There is no intent {draft.intent[:40]} to add to."))
            if any(link.result not in {"", Result.UNKNOWN} for link in links):
                raise LedgerRefused(safe_text(f"Intent {draft.intent[:40]} was settled before."))
        return draft._replace(
            seq=head.seq + 1 if head else 1,
            at_us=round(self._clock.now() * 1_000_000),
            prev=head.hash if head else GENESIS,
        ).sealed()

    def _opened(self) -> sqlite3.Connection | None:
        if self._connection is None:
            try:
                if self._inode:
                    self._check_place()
                self._connection = open_ledger(self._path)
                self._inode = self._path.stat().st_ino
                self.status = LedgerStatus(True)
            except (sqlite3.Error, OSError, DatabaseFault) as error:
                self._shut()
                self._failed(fault_of(error))
        return self._connection

    def _check_place(self) -> None:
        """Stay with the file that was opened: one that is put in its place is not taken up while this console runs."""
        if not self._path.exists() or self._path.stat().st_ino != self._inode:
            raise DatabaseFault(Fault.DAMAGED, "it was replaced or removed while in use")
        if self._log and self._log != self._inode_of_log():
            raise DatabaseFault(Fault.DAMAGED, "its write-ahead log was removed while in use")

    def _inode_of_log(self) -> int:
        try:
            return self._path.with_name(f"{self._path.name}-wal").stat().st_ino
        except FileNotFoundError:
            return 0

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        self._log = 0
        if connection is not None:
            connection.close()

    def _failed(self, fault: DatabaseFault) -> SafeText:
        sentence = _sentence(fault, self._path)
        self.status = LedgerStatus(False, sentence, fault.fault)
        return sentence

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.stat()
            with closing(connect_to_read(self._path, BUSY_SECONDS)) as connection:
                check_newer(connection)
                yield connection
        except (sqlite3.Error, OSError, DatabaseFault, msgspec.MsgspecError, ValueError, TypeError) as error:
            fault = fault_of(error)
            raise LedgerRefused(safe_text(f"The ledger cannot be read: {what_failed(fault, self._path)}.")) from None


def look_over(folder: Path) -> SafeText:
    """Return what is wrong with the ledger of a folder, "" for nothing; touches nothing, and blocks."""
    path = folder / LEDGER_FILE
    try:
        inspect(path)
    except (sqlite3.Error, OSError, DatabaseFault) as error:
        fault = fault_of(error)
        if fault.fault not in (Fault.MISSING, Fault.LOCKED):
            return _sentence(fault, Path(path.name))
    return SafeText("")


def _sentence(fault: DatabaseFault, path: Path) -> SafeText:
    return safe_text(f"{what_failed(fault, path)}: {_STILL}; {_NEXT.get(fault.fault, 'try again')}.")


def _draft(
    kind: EntryKind,
    intent: str,
    *,
    actor: Actor,
    body: Mapping[str, Any],
    action: str = "",
    target: Ref | None = None,
    result: str = "",
) -> Link:
    try:
        content = json.dumps(body, ensure_ascii=True, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise LedgerRefused(safe_text(f"An audit entry cannot hold what it was given: {error}.")) from None
    where = json.dumps(msgspec.to_builtins(target), ensure_ascii=True, separators=(",", ":")) if target else ""
    user, host, console, act = (safe_text(text) for text in (actor.user, actor.host, actor.console, action))
    return Link(0, 0, kind.value, intent, user, host, console, act, where, str(result), content, "")


def _entry(link: Link) -> Entry:
    return Entry(
        seq=link.seq,
        at=link.at_us / 1_000_000,
        kind=EntryKind(link.kind),
        intent=link.intent,
        actor=Actor(link.user, link.host, link.console),
        action=link.action,
        target=msgspec.json.decode(link.target, type=Ref) if link.target else None,
        result=link.result,
        body=link.body,
        hash=link.hash,
    )


def _verdict(before: Link | None, *, holds: bool) -> Verdict:
    entries, head = (before.seq, before.hash) if before else (0, GENESIS)
    if holds:
        sentence = f"The audit trail holds together: {entries} entries, head {head[:16]}."
    else:
        sentence = f"The audit trail is broken at entry {entries + 1}: the {entries} before it hold together."
    return Verdict(holds, entries, head, 0 if holds else entries + 1, safe_text(sentence))
