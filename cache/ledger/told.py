"""Notes on an incident's own timeline what became of what people were told of it, with what settles the message."""

from __future__ import annotations

import sqlite3

import msgspec

from cache.ledger import statements as sql
from cache.ledger.outbox_statements import SETTLED_AS
from cache.plain import plain
from services.model.incident import IncidentEventKind, number_of
from services.model.message import Message, MessageKind, OutboxState
from services.sanitize import safe_text

_WORDS = {
    OutboxState.ACCEPTED: ("told", "accepted"),
    OutboxState.UNKNOWN: ("perhaps told", "not known"),
    OutboxState.DEAD: ("not told", ""),
}


class _Body(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str
    value: str = ""


def note_outcome(transaction: sqlite3.Connection, message: str) -> bool:
    """Append to the incident a settled message belongs to what became of it; False where it belongs to none.

    The event's value is the kind of message that people have got for certain, "" where that is not so.
    """
    row = transaction.execute(SETTLED_AS, (message,)).fetchone()
    number = number_of(row[0]) if row is not None else 0
    if not number or transaction.execute(sql.IS_DECLARED, (number,)).fetchone() is None:
        return False
    _, channel, recipient, user, said, reason, settled_us, body = row
    state = OutboxState(said)
    if state not in _WORDS:
        return False
    event = _Body(_text(state, recipient, channel, reason), _kind(body) if state is OutboxState.ACCEPTED else "")
    seq, _ = transaction.execute(sql.LAST_TOLD).fetchone()
    name, _, host = user.partition("@")
    written = msgspec.json.encode(event, enc_hook=plain).decode()
    who = (str(safe_text(name)), str(safe_text(host)), "")
    identity = f"{message}-{state.value}-{settled_us}"
    transaction.execute(sql.TELL, (seq + 1, number, settled_us, identity, IncidentEventKind.TOLD.value, *who, written))
    return True


def _text(state: OutboxState, recipient: str, channel: str, reason: str) -> str:
    begin, end = _WORDS[state]
    by = f" by {channel}" if channel != recipient else ""
    why = ": ".join(part for part in (end, "" if state is OutboxState.ACCEPTED else reason) if part)
    return str(safe_text(f"{begin} {recipient}{by}: {why}", 400))


def _kind(body: str) -> str:
    try:
        return msgspec.json.decode(body, type=Message).kind.value
    except msgspec.MsgspecError:
        return MessageKind.PLAIN.value
