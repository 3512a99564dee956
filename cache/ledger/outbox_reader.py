"""Looks at the outbox without ever changing it: for the screen, the worker, and commands without a screen."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cache.ledger.looking import Glance, LedgerReader
from cache.ledger.outbox_statements import LIST
from services.model.message import OutboxRow, OutboxState

OUTBOX_SINCE = 3
"""The version of the ledger that has an outbox first."""

MOST = 500
"""Settled messages that are shown, the newest; those that wait are all shown."""

_MICRO = 1_000_000
OutboxGlance = Glance[OutboxRow]


class OutboxReader(LedgerReader[OutboxRow]):
    """Looks at the messages of a ledger, by their ids."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "outbox", OUTBOX_SINCE, _messages)


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
