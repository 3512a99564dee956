"""Looks at the outbox without ever changing it: for the screen, the worker, and commands without a screen."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from cache.ledger.looking import BUSY_SECONDS, Glance, LedgerReader
from cache.ledger.outbox_statements import LIST, SAYS
from cache.reading import connect_to_read
from cache.versions import LEDGER_FILE
from services.model.message import Message, OutboxRow, OutboxState

OUTBOX_SINCE = 3
"""The version of the ledger that has an outbox first."""

MOST = 500
"""Settled messages that are shown, the newest; those that wait are all shown."""

_MICRO = 1_000_000
OutboxGlance = Glance[OutboxRow]
_message = msgspec.json.Decoder(Message)


class OutboxReader(LedgerReader[OutboxRow]):
    """Looks at the messages of a ledger, by their ids."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "outbox", OUTBOX_SINCE, _messages)


def said_in(folder: Path, message: str) -> Message | None:
    """Return all of a message by its id, None where it is gone or cannot be read. Blocks: call it on a thread."""
    try:
        with closing(connect_to_read(folder / LEDGER_FILE, BUSY_SECONDS)) as connection:
            found = connection.execute(SAYS, (message,)).fetchone()
        return _message.decode(found[0]) if found is not None else None
    except (sqlite3.Error, OSError, msgspec.MsgspecError):
        return None


def _messages(connection: sqlite3.Connection) -> tuple[Mapping[str, OutboxRow], str]:
    rows = (_row(row) for row in connection.execute(LIST, (MOST,)).fetchall())
    return {row.id: row for row in rows}, ""


def _row(row: tuple[Any, ...]) -> OutboxRow:
    id_, seq, channel, to, subject, thread, state, reason, attempts, folded, created, next_us, settled, by = row
    return OutboxRow(
        id_,
        seq,
        channel,
        to,
        subject,
        thread,
        OutboxState(state),
        reason,
        attempts,
        folded,
        created / _MICRO,
        (next_us or 0) / _MICRO,
        (settled or 0) / _MICRO,
        by,
    )
