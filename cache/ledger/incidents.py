"""Keeps what is said of incidents in the ledger: durable before it is shown, never changed, never dropped."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cache.ledger.ledger import Ledger
from cache.ledger.looking import LedgerReader
from cache.ledger.records import LedgerRefused
from cache.ledger.statements import IS_DECLARED, LAST_TOLD, TELL, TOLD, TOLD_AS
from cache.plain import plain
from services.clock import Clock
from services.model.actor import Actor
from services.model.incident import (
    Incident,
    IncidentEvent,
    IncidentEventKind,
    IncidentLink,
    IncidentSeverity,
    fold,
)
from services.sanitize import safe_text

INCIDENTS_SINCE = 2
"""The version of the ledger that has incidents first."""

BesideIncident = Callable[[sqlite3.Connection, int], object]


class Said(Struct, frozen=True):
    """What somebody says of an incident, before it is written. `id` makes saying it twice harmless."""

    kind: IncidentEventKind
    actor: Actor
    text: str = ""
    value: str = ""
    severity: IncidentSeverity = IncidentSeverity.P2
    owner: str = ""
    started_at: float = 0.0
    cluster: str = ""
    links: tuple[IncidentLink, ...] = ()
    id: str = msgspec.field(default_factory=lambda: uuid.uuid4().hex)


class _Body(Struct, frozen=True, omit_defaults=True):
    text: str = ""
    value: str = ""
    severity: IncidentSeverity = IncidentSeverity.P2
    owner: str = ""
    started_at: float = 0.0
    cluster: str = ""
    links: tuple[IncidentLink, ...] = ()


_body = msgspec.json.Decoder(_Body)


class IncidentBook:
    """Writes incidents. Blocks for as long as the disk takes to be sure: call it on a thread. Thread-safe."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def declare(self, said: Said, beside: BesideIncident | None = None) -> int:
        """Write down a new incident and return its number. Raises LedgerRefused; then nothing was written.

        `beside` is given the number and writes in the same transaction, such as what is told of it.
        """
        return self._tell(0, said, beside)

    def say(self, incident: int, said: Said, beside: BesideIncident | None = None) -> int:
        """Append to an incident, and return its number. Raises LedgerRefused, also where there is no such incident."""
        return self._tell(incident, said, beside)

    def _tell(self, incident: int, said: Said, beside: BesideIncident | None) -> int:
        body = _written(said)
        at_us = round(self._clock.now() * 1_000_000)

        def tell(connection: sqlite3.Connection) -> int:
            known = connection.execute(TOLD_AS, (said.id,)).fetchone()
            if known is not None:
                return int(known[0])
            if incident and connection.execute(IS_DECLARED, (incident,)).fetchone() is None:
                raise LedgerRefused(safe_text(f"There is no incident INC-{incident} to add to."))
            seq, last = connection.execute(LAST_TOLD).fetchone()
            number = incident or last + 1
            who = said.actor
            names = (str(safe_text(name)) for name in (who.user, who.host, who.console))
            connection.execute(TELL, (seq + 1, number, at_us, said.id, said.kind.value, *names, body))
            if beside is not None:
                beside(connection, number)
            return int(number)

        return self._ledger.write(tell)


class IncidentReader(LedgerReader[Incident]):
    """Looks at the incidents of a ledger, by their ids."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "incidents", INCIDENTS_SINCE, _incidents)


def _incidents(connection: sqlite3.Connection) -> tuple[Mapping[str, Incident], str]:
    rows = connection.execute(TOLD).fetchall()
    events = [event for row in rows if (event := _event(row)) is not None]
    lost = len(rows) - len(events)
    return fold(events), f"{lost} of {len(rows)} entries on incidents cannot be read." if lost else ""


def _written(said: Said) -> str:
    body = _Body(said.text, said.value, said.severity, said.owner, said.started_at, said.cluster, said.links)
    try:
        return msgspec.json.encode(body, enc_hook=plain).decode()
    except (UnicodeEncodeError, ValueError, TypeError) as error:
        raise LedgerRefused(safe_text(f"This cannot be written down: {error}.")) from None


def _event(row: tuple[Any, ...]) -> IncidentEvent | None:
    seq, incident, at_us, _, kind, user, host, console, content = row
    try:
        body = _body.decode(content)
        return IncidentEvent(
            seq,
            incident,
            at_us / 1_000_000,
            IncidentEventKind(kind),
            Actor(user, host, console),
            body.text,
            body.value,
            body.severity,
            body.owner,
            body.started_at,
            body.cluster,
            body.links,
        )
    except (msgspec.MsgspecError, ValueError):
        return None
