"""Keeps what is to be told until it was: written with what caused it, claimed by one worker at a time, in order."""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cache.ledger import outbox_statements as sql
from cache.ledger.ledger import Ledger
from cache.ledger.records import EntryKind, LedgerRefused
from cache.ledger.told import note_outcome
from cache.locks import FileLock
from cache.plain import plain
from services.clock import Clock
from services.model.actor import Actor
from services.model.message import DROPPED as TAKEN_BACK
from services.model.message import Message, OutboxState
from services.notifications.model import Claimed, Step
from services.notifications.outbox_policy import FAR
from services.sanitize import safe_text

TOLD, RETRIED, DROPPED = "outbox.tell", "outbox.retry", "outbox.drop"
"""What the audit trail calls it when a person tells, tries again, or takes back."""

_MICRO = 1_000_000
_message = msgspec.json.Decoder(Message)


class Terms(Struct, frozen=True):
    """For how many seconds equal messages are folded, a message is tried at most, a settled one is kept."""

    fold: float = 60.0
    give_up: float = 7200.0
    keep: float = 30 * 86400.0


class Queued(Struct, frozen=True):
    """What became of a message that was to be queued; a folded one is told by `id`, which was queued before it."""

    id: str
    folded: bool = False


class Outbox:
    """The messages of ledger.db. Blocks for as long as the disk takes to be sure: call it on a thread. Thread-safe.

    Every method raises LedgerRefused where the ledger cannot be written, and then nothing of it was. `host` tells this
    machine's leases from others'; other `terms` hold from when they are set.
    """

    def __init__(self, ledger: Ledger, folder: Path, clock: Clock, terms: Terms | None = None, host: str = "") -> None:
        self._ledger = ledger
        self._folder = folder
        self._clock = clock
        self.terms = terms or Terms()
        self._host = re.sub(r"[^A-Za-z0-9_.-]", "_", host) or "local"
        self._locks: dict[str, FileLock] = {}

    # Telling

    def enqueue(self, transaction: sqlite3.Connection, message: Message, key: str = "") -> Queued:
        """Queue a message within a transaction of the ledger, behind those of its channel and `key` (its thread).

        One that is known by its id is not queued twice; one that says what an equal one said a moment ago is folded.
        """
        now = self._now()
        if transaction.execute(sql.IS_KNOWN, (message.id,)).fetchone() is not None:
            return Queued(message.id)
        thread = key or message.thread
        digest = _digest(message, thread)
        same = transaction.execute(sql.SAME, (digest, now - _us(self.terms.fold))).fetchone()
        if same is not None and self.terms.fold > 0:
            transaction.execute(sql.FOLD, (same[0],))
            return Queued(same[1], folded=True)
        transaction.execute(
            sql.PUT,
            (
                message.id,
                message.channel,
                thread,
                str(safe_text(message.to)),
                str(safe_text(message.subject)),
                str(safe_text(message.by)),
                digest,
                _encoded(message),
                now,
                now + _us(self.terms.give_up),
                now,
            ),
        )
        return Queued(message.id)

    def beside(self, messages: Iterable[Message]) -> Callable[[sqlite3.Connection], None]:
        """Return what queues these messages in the transaction of the audit entry that caused them."""
        told = tuple(messages)

        def queue(transaction: sqlite3.Connection) -> None:
            for message in told:
                self.enqueue(transaction, message)

        return queue

    def tell(self, actor: Actor, messages: Sequence[Message], body: Mapping[str, Any] | None = None) -> None:
        """Queue what a person tells, and write down that they did."""
        listed = [{"id": one.id, "channel": one.channel, "to": str(one.to), "digest": _digest(one)} for one in messages]
        noted = {**(body or {}), "messages": listed}
        self._ledger.record(EntryKind.NOTE, actor, TOLD, None, noted, beside=self.beside(messages))

    def retry(self, id: str, actor: Actor) -> None:  # noqa: A002 - the seam's name
        """Send a message that is waiting, dead or of unknown fate, now, with all its attempts; it is written down."""

        def retry(transaction: sqlite3.Connection) -> None:
            row = _known(transaction, id)
            if row.state in (OutboxState.ACCEPTED, OutboxState.SENDING):
                raise LedgerRefused(safe_text(f"Message {id[:8]} is {row.state.value}: there is nothing to try again."))
            now = self._now()
            transaction.execute(sql.RETRY, (now, now + _us(self.terms.give_up), row.seq))

        self._ledger.record(EntryKind.NOTE, actor, RETRIED, None, {"message": id}, beside=retry)

    def drop(self, id: str, actor: Actor, reason: str = "") -> None:  # noqa: A002 - the seam's name
        """Never send a message that is waiting, or let one that came to nothing be; it stays listed as dead.

        It is written down, and so is what had become of it.
        """

        def drop(transaction: sqlite3.Connection) -> None:
            row = _known(transaction, id)
            over = row.next_us is None and row.state is OutboxState.ACCEPTED
            if over or row.reason.startswith(TAKEN_BACK):
                raise LedgerRefused(safe_text(f"Message {id[:8]} is {row.state.value}: there is nothing to drop."))
            if row.state is OutboxState.SENDING and (row.next_us or 0) > self._now():
                raise LedgerRefused(safe_text(f"Message {id[:8]} is being sent; it can be dropped if that fails."))
            before = f" (it was {row.state.value}: {row.reason})" if row.next_us is None else ""
            words = f"{TAKEN_BACK}{actor.user}{f': {reason}' if reason else ''}{before}"
            transaction.execute(sql.DROP, (self._now(), str(safe_text(words)), row.seq))
            note_outcome(transaction, id)

        self._ledger.record(EntryKind.NOTE, actor, DROPPED, None, {"message": id, "reason": reason}, beside=drop)

    # Delivering

    def claim(self, worker: str, n: int, ttl: float, channels: Iterable[str]) -> tuple[Claimed, ...]:
        """Take up to `n` messages of these channels that are due, for `ttl` seconds, oldest first.

        Of each thread only the first that waits; one whose claim ran out is taken again, with a doubt. What is too old
        is given up here.
        """
        now = self._now()
        until = now + _us(ttl)
        lease = f"{self._host}/{worker}/{secrets.token_hex(6)}"
        listed = msgspec.json.encode(sorted(channels)).decode()

        def claim(transaction: sqlite3.Connection) -> list[tuple[Any, ...]]:
            for (given_up,) in transaction.execute(sql.EXPIRE, (now, now, now)).fetchall():
                note_outcome(transaction, given_up)
            return transaction.execute(sql.CLAIM, (until, lease, now, now + _us(FAR), listed, n)).fetchall()

        claims = []
        for row in sorted(self._ledger.write(claim)):
            try:
                claims.append(_claimed(row, until))
            except msgspec.MsgspecError:
                self.settle(row[1], Step(OutboxState.DEAD, 0.0, "it cannot be read"), lease)
        return tuple(claims)

    def settle(self, id: str, result: Step, lease: str) -> bool:  # noqa: A002 - the seam's name
        """Write down what becomes of a claimed message; False where the claim had run out and another has it."""
        next_us = round(result.next_at * _MICRO) if result.next_at else None
        settled = None if next_us is not None else self._now()
        row = (result.state.value, next_us, settled, str(safe_text(result.reason)), result.doubts, id, lease)

        def settle(transaction: sqlite3.Connection) -> bool:
            ours = transaction.execute(sql.SETTLE, row).rowcount == 1
            if ours and settled is not None:
                note_outcome(transaction, id)
            return ours

        return self._ledger.write(settle)

    def release(self, id: str, lease: str) -> bool:  # noqa: A002 - the seam's name
        """Give back a claimed message that was not sent; the attempt does not count."""
        row = (self._now(), id, lease)
        return self._ledger.write(lambda transaction: transaction.execute(sql.RELEASE, row).rowcount == 1)

    def forget(self) -> int:
        """Remove what was settled longer ago than it is kept, and return how many that were."""
        before = self._now() - _us(self.terms.keep)
        return self._ledger.write(lambda transaction: transaction.execute(sql.FORGET, (before,)).rowcount)

    def lead(self, channels: Iterable[str]) -> frozenset[str]:
        """Return which of these channels this console delivers: one console of a machine each, until it ends.

        What the one before left half sent is due at once. Raises OSError where no lock can be had.
        """
        for name in channels:
            lock = self._locks.setdefault(name, FileLock(self._folder / f"ledger.outbox-{name}.lock"))
            if not lock.held and lock.acquire():
                self._take_over(name)
        return frozenset(name for name, lock in self._locks.items() if lock.held)

    def _take_over(self, channel: str) -> None:
        row = (self._now(), f"{self._host}/*", channel)
        self._ledger.write(lambda transaction: transaction.execute(sql.TAKE_OVER, row))

    def resign(self) -> None:
        """Let another console deliver."""
        for lock in self._locks.values():
            lock.release()

    def _now(self) -> int:
        return _us(self._clock.now())


class _Row(Struct, frozen=True):
    seq: int
    state: OutboxState
    next_us: int | None
    reason: str


def _known(transaction: sqlite3.Connection, id: str) -> _Row:  # noqa: A002 - the seam's name
    row = transaction.execute(sql.LOOK_AT, (id,)).fetchone()
    if row is None:
        raise LedgerRefused(safe_text(f"There is no message {id[:40]} in the outbox."))
    return _Row(row[0], OutboxState(row[1]), row[2], row[3])


def _claimed(row: tuple[Any, ...], until: int) -> Claimed:
    _, _, body, lease, attempts, doubts, expires = row
    return Claimed(_message.decode(body), lease, attempts, doubts, expires / _MICRO, until / _MICRO)


def _digest(message: Message, thread: str = "") -> str:
    said = (message.channel, message.to, thread or message.thread, message.subject, message.text, message.link)
    return hashlib.sha256(msgspec.json.encode([str(part) for part in said])).hexdigest()


def _encoded(message: Message) -> str:
    try:
        return msgspec.json.encode(message, enc_hook=plain).decode()
    except (UnicodeEncodeError, ValueError, TypeError) as error:
        raise LedgerRefused(safe_text(f"This cannot be told: {error}.")) from None


def _us(seconds: float) -> int:
    return round(seconds * _MICRO)
