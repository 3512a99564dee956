"""Incidents: what was declared, what has been done about it since, and by whom; all of it made from appended events.

Times are epoch seconds UTC, 0 for never. Text is as somebody typed it: raw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from services.model.actor import Actor
from services.model.message import MessageKind
from services.model.ref import Ref

INCIDENTS = "incidents"
"""The live-state table: `Incident` by its id."""


class IncidentSeverity(StrEnum):
    """How bad an incident is; where in doubt, the higher one. P0 and P1 are major."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class IncidentStatus(StrEnum):
    """How far an incident has come; it may jump ahead and go back."""

    TRIAGE = "triage"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MITIGATING = "mitigating"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    CLOSED = "closed"


_SEVERITIES = frozenset(severity.value for severity in IncidentSeverity)
_STATUSES = frozenset(status.value for status in IncidentStatus)
OVER = frozenset({IncidentStatus.RESOLVED, IncidentStatus.CLOSED})

CADENCE: Mapping[IncidentSeverity, float] = {
    IncidentSeverity.P0: 15 * 60.0,
    IncidentSeverity.P1: 30 * 60.0,
    IncidentSeverity.P2: 60 * 60.0,
    IncidentSeverity.P3: 4 * 3600.0,
    IncidentSeverity.P4: 0.0,
}
"""Seconds within which people expect to hear of it again; 0: nobody waits."""


class IncidentEventKind(StrEnum):
    """What an appended event says."""

    DECLARED = "declared"
    NOTE = "note"
    UPDATE = "update"
    SEVERITY = "severity"
    STATUS = "status"
    OWNER = "owner"
    TITLE = "title"
    LINKED = "linked"
    TOLD = "told"


HEARD_OF = frozenset(
    {IncidentEventKind.DECLARED, IncidentEventKind.UPDATE, IncidentEventKind.STATUS, IncidentEventKind.SEVERITY}
)
"""The events after which the time to the next update runs anew."""

NEWS = frozenset({MessageKind.DECLARED.value, MessageKind.UPDATED.value, MessageKind.RESOLVED.value})
"""The messages after which it does, once they were accepted."""


class IncidentLink(Struct, frozen=True):
    """What an incident is about: an alert (by its fingerprint) or an object of a cluster. `onset` is its trouble's."""

    title: str
    ref: Ref | None = None
    fingerprint: str = ""
    onset: float = 0.0


class IncidentEvent(Struct, frozen=True):
    """One appended event. `value` is the new severity, status, owner or title; `text` what was typed with it.

    A TOLD one says what became of a message, and `value` is the kind of one that was accepted, else "".
    `seq` orders all events of a ledger. A DECLARED one carries title, severity, owner, onset and cluster.
    """

    seq: int
    incident: int
    at: float
    kind: IncidentEventKind
    actor: Actor
    text: str = ""
    value: str = ""
    severity: IncidentSeverity = IncidentSeverity.P2
    owner: str = ""
    started_at: float = 0.0
    cluster: str = ""
    links: tuple[IncidentLink, ...] = ()


class Incident(Struct, frozen=True):
    """An incident as its events leave it. `started_at` is the onset, `cluster` the one it was declared on.

    `next_update_at` is when the next update is due, 0 where none is.
    """

    number: int
    title: str
    severity: IncidentSeverity
    status: IncidentStatus
    owner: str
    cluster: str
    started_at: float
    declared_at: float
    resolved_at: float
    next_update_at: float
    links: tuple[IncidentLink, ...]
    events: tuple[IncidentEvent, ...]

    @property
    def id(self) -> str:
        """The name people call it by."""
        return f"INC-{self.number}"

    @property
    def open(self) -> bool:
        """Whether somebody still works on it."""
        return self.status not in OVER

    def elapsed(self, now: float) -> float:
        """Return the seconds it has lasted, or lasted in all."""
        return max(0.0, (self.resolved_at or now) - self.started_at)

    def late(self, now: float) -> float:
        """Return by how many seconds the next update is late, 0 while it is not."""
        return max(0.0, now - self.next_update_at) if self.next_update_at else 0.0


def number_of(name: str) -> int:
    """Return the number in what people call an incident by ("INC-42"), 0 where it is no such name."""
    digits = name.removeprefix("INC-")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else 0


def fold(events: Iterable[IncidentEvent]) -> dict[str, Incident]:
    """Return the incidents that these events leave, by id; events of an incident that was never declared are left out.

    The order is that of `seq`, whatever the order given. A value that is none changes nothing but is kept.
    """
    by_number: dict[int, list[IncidentEvent]] = {}
    for event in sorted(events, key=lambda one: one.seq):
        by_number.setdefault(event.incident, []).append(event)
    found = (_folded(told) for told in by_number.values())
    return {incident.id: incident for incident in found if incident is not None}


def _folded(told: list[IncidentEvent]) -> Incident | None:
    first = next((event for event in told if event.kind is IncidentEventKind.DECLARED), None)
    if first is None:
        return None
    title, severity, owner, status = first.value, first.severity, first.owner, IncidentStatus.TRIAGE
    resolved_at, heard_at = 0.0, first.at
    links: dict[IncidentLink, None] = {}
    for event in told:
        links.update(dict.fromkeys(event.links))
        if event.kind in HEARD_OF or (event.kind is IncidentEventKind.TOLD and event.value in NEWS):
            heard_at = max(heard_at, event.at)
        if event.kind is IncidentEventKind.TITLE:
            title = event.value or title
        elif event.kind is IncidentEventKind.OWNER:
            owner = event.value
        elif event.kind is IncidentEventKind.SEVERITY and event.value in _SEVERITIES:
            severity = IncidentSeverity(event.value)
        elif event.kind is IncidentEventKind.STATUS and event.value in _STATUSES:
            before, status = status, IncidentStatus(event.value)
            if status not in OVER:
                resolved_at = 0.0
            elif before not in OVER:
                resolved_at = event.at
    cadence = CADENCE[severity]
    return Incident(
        first.incident,
        title,
        severity,
        status,
        owner,
        first.cluster,
        first.started_at or first.at,
        first.at,
        resolved_at,
        heard_at + cadence if cadence and status not in OVER else 0.0,
        tuple(links),
        tuple(told),
    )
