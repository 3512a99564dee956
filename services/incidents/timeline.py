"""Puts an incident's own events and what happened to its objects into one order, to be shown and exported."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from services.model.incident import Incident, IncidentEvent, IncidentEventKind, IncidentLink
from services.model.severity import Severity
from services.model.timeline import Event, EventKind

LEAD = 600.0
"""Seconds before the onset from which on the timeline is of interest: the change comes before the trouble."""

LONGEST = 86400.0
"""Seconds before the onset within which trouble of what it is about counts as its beginning."""

TAIL = 300.0
"""Seconds after the end that still belong to it."""


class Origin(StrEnum):
    """Who tells a line of the timeline: a person, or the cluster."""

    PERSON = "person"
    CLUSTER = "cluster"


class Moment(Struct, frozen=True):
    """One line of an incident's timeline. Text is raw; `what` is the kind of event, `about` the object's name or ""."""

    at: float
    origin: Origin
    what: IncidentEventKind | EventKind
    text: str
    who: str = ""
    about: str = ""
    severity: Severity = Severity.NOTICE
    key: str = ""


def timeline(incident: Incident, events: Iterable[Event]) -> list[Moment]:
    """Return every line, oldest first.

    Within one second, which is as exact as a server's times are, what began stands before what ended, and what happened
    before what was said of it.
    """
    since, until = span_of(incident)
    told = [
        Moment(event.at, Origin.CLUSTER, event.kind, event.text, "", _about(event), event.severity, event.id)
        for event in events
        if since <= event.at <= until and concerns(event, incident)
    ]
    said = [
        Moment(event.at, Origin.PERSON, event.kind, words(event), event.actor.user, "", weight(event), f"#{event.seq}")
        for event in incident.events
    ]
    return sorted((*told, *said), key=_order)


def _order(one: Moment) -> tuple[int, bool, bool, float, str]:
    return int(one.at), one.origin is Origin.PERSON, one.severity is Severity.OK, one.at, one.key


def span_of(incident: Incident) -> tuple[float, float]:
    """Return from when to when the timeline is of interest; it has no end while the incident has none.

    What it is about may have been in trouble before an alert said so: its change came before that.
    """
    began = min(incident.started_at, incident.declared_at)
    troubled = [link.onset for link in incident.links if began - LONGEST <= link.onset]
    until = incident.resolved_at + TAIL if incident.resolved_at else float("inf")
    return min(began, *troubled) - LEAD if troubled else began - LEAD, until


def concerns(event: Event, incident: Incident) -> bool:
    """Return whether an event of the timeline is about something the incident is linked to."""
    return any(_concerns(event, link) for link in incident.links)


def _concerns(event: Event, link: IncidentLink) -> bool:
    if link.fingerprint and event.payload.get("fingerprint") == link.fingerprint:
        return True
    ref = link.ref
    if ref is None or not ref.name or (event.ref.cluster, event.ref.namespace) != (ref.cluster, ref.namespace):
        return False
    if event.ref.name == ref.name and event.ref.kind in ("", ref.kind):
        return True
    if event.kind is EventKind.ALERT:
        return event.payload.get("workload") == ref.name
    return event.ref.kind in ("Pod", "ReplicaSet") and event.ref.name.startswith(f"{ref.name}-")


def words(event: IncidentEvent) -> str:
    """Return what an event of the incident says, in the past tense."""
    kind = event.kind
    if kind is IncidentEventKind.DECLARED:
        said = f"declared {event.severity}: {event.value}"
    elif kind in (IncidentEventKind.NOTE, IncidentEventKind.TOLD):
        return event.text
    elif kind is IncidentEventKind.UPDATE:
        said = "update given"
    elif kind is IncidentEventKind.SEVERITY:
        said = f"severity set to {event.value}"
    elif kind is IncidentEventKind.STATUS:
        said = f"status set to {event.value}"
    elif kind is IncidentEventKind.OWNER:
        said = f"owner set to {event.value}" if event.value else "owner taken away"
    elif kind is IncidentEventKind.TITLE:
        said = f"renamed to {event.value}"
    else:
        said = f"linked {', '.join(link.title for link in event.links)}"
    return f"{said}: {event.text}" if event.text else said


def weight(event: IncidentEvent) -> Severity:
    """Return how bad what was said is: an end is good news, all else is told."""
    return Severity.OK if event.kind is IncidentEventKind.STATUS and event.value == "resolved" else Severity.NOTICE


def _about(event: Event) -> str:
    """Return the name of what an event is about: an alert's is that of its workload, pod or node."""
    name = event.ref.name
    if event.kind is EventKind.ALERT:
        name = next((found for kind in ("workload", "pod", "node") if (found := event.payload.get(kind))), "")
    return "/".join(part for part in (event.ref.namespace, name) if part)
