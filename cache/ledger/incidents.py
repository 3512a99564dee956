"""Keeps what is said of incidents in the ledger: durable before it is shown, never changed, never dropped."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from cache.faults import DatabaseFault, Fault, fault_of, what_failed
from cache.ledger.database import check_newer
from cache.ledger.ledger import Ledger
from cache.ledger.records import LedgerRefused
from cache.ledger.statements import IS_DECLARED, LAST_TOLD, TELL, TOLD, TOLD_AS
from cache.plain import plain
from cache.reading import connect_to_read
from cache.versions import LEDGER_FILE
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
from services.model.text import SafeText
from services.sanitize import safe_text

INCIDENTS_SINCE = 2
"""The version of the ledger that has incidents first."""

_BUSY_SECONDS = 1.0
BesideIncident = Callable[[sqlite3.Connection, int], object]
NONE: Mapping[str, Incident] = MappingProxyType({})


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


class Glance(Struct, frozen=True):
    """What a look at the ledger found: the incidents, and one sentence on what is wrong with them ("" for nothing)."""

    incidents: Mapping[str, Incident] = NONE
    problem: SafeText = SafeText("")


class IncidentReader:
    """Looks at the incidents of a ledger without ever changing it; one connection is kept open between looks.

    Blocks for as long as the disk takes: call it on a thread. Raises nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER_FILE
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._mark: tuple[int, int] = (0, 0)
        self._glance = Glance()

    def look(self) -> Glance:
        """Return the incidents as they are now; unchanged ones are the same objects as the last time."""
        with self._lock:
            try:
                return self._look()
            except FileNotFoundError as error:
                self._shut()
                return self._failed(error) if self._glance.incidents else Glance()
            except (sqlite3.Error, OSError, DatabaseFault) as error:
                self._shut()
                return self._failed(error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._shut()

    def _look(self) -> Glance:
        inode = self._path.stat().st_ino
        if self._connection is None or self._mark[0] != inode:
            self._shut()
            self._connection = connect_to_read(self._path, _BUSY_SECONDS)
            self._mark = (inode, -1)
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if self._mark == (inode, version) and not self._glance.problem:
            return self._glance
        known = check_newer(self._connection)
        if known < 1:
            raise DatabaseFault(Fault.DAMAGED, "it is empty")
        if known < INCIDENTS_SINCE:
            return Glance()
        rows = self._connection.execute(TOLD).fetchall()
        events = [event for row in rows if (event := _event(row)) is not None]
        lost = len(rows) - len(events)
        problem = f"{lost} of {len(rows)} entries on incidents cannot be read." if lost else ""
        before = self._glance.incidents
        found = {name: _same(before.get(name), incident) for name, incident in fold(events).items()}
        self._mark, self._glance = (inode, version), Glance(found, safe_text(problem))
        return self._glance

    def _failed(self, error: Exception) -> Glance:
        """Return what was known, and why it is not known to be so any more."""
        sentence = f"The incidents cannot be read: {what_failed(fault_of(error), self._path)}."
        return Glance(self._glance.incidents, safe_text(sentence))

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _same(before: Incident | None, now: Incident) -> Incident:
    return before if before is not None and before == now else now


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
