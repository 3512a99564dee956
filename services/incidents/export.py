"""Writes an incident down as Markdown, the skeleton of a post-mortem: facts filled in, prose left to people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from services.incidents.timeline import Moment, Origin
from services.model.incident import OVER, Incident, IncidentEventKind, IncidentStatus
from services.model.text import SafeText
from services.redact import redact
from services.sanitize import MAX_LINE, safe_text

TODO = "_TODO_"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#!~&])")


def inert(raw: object) -> str:
    """Return raw text as it may stand anywhere in Markdown: one line, secrets masked, nothing of it is markup."""
    return _SPECIAL.sub(r"\\\1", redact(safe_text(raw, MAX_LINE)))


def stamp(at: float) -> str:
    """Return a time as RFC 3339 in UTC, "" for none."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def lasted(seconds: float) -> str:
    """Return a duration as hours and minutes, "01:12"."""
    minutes = max(0, int(seconds)) // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def export(incident: Incident, moments: Iterable[Moment], now: float) -> str:
    """Return the whole document; `now` is when it is written."""
    listed = list(moments)
    parts = [
        *_head(incident, now),
        f"# {incident.id} - {inert(incident.title)}",
        "",
        f"**Owner:** {inert(incident.owner) or TODO}  ",
        f"**Responders:** {_responders(incident)}",
        "",
        *_section("Summary", TODO),
        *_section("Impact", "| metric | value |", "| --- | --- |", *_impact(incident, now)),
        *_section("Detection", *_detection(incident)),
        *_section("Trigger", *(_changes(incident, listed) or [TODO])),
        *_section("Contributing factors", TODO),
        *_section("Resolution", *(_said(incident, IncidentStatus.RESOLVED) or [TODO])),
        *_section(
            "Timeline (UTC)",
            "| time | event | source |",
            "| --- | --- | --- |",
            *(_row(moment) for moment in listed),
        ),
        *_section("What went well / What went wrong / Where we got lucky", TODO),
        *_section(
            "Action items",
            "| type (prevent, mitigate, detect, process) | action | owner | ticket | due |",
            "| --- | --- | --- | --- | --- |",
            "| | | | | |",
        ),
        *_section("Supporting information", *_links(incident)),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _head(incident: Incident, now: float) -> list[str]:
    facts = [
        ("ref", incident.id),
        ("severity", incident.severity.value),
        ("status", incident.status.value),
        ("started", stamp(incident.started_at)),
        ("declared", stamp(incident.declared_at)),
        ("mitigated", stamp(reached(incident, IncidentStatus.MONITORING))),
        ("resolved", stamp(incident.resolved_at)),
        ("duration", lasted(incident.elapsed(now))),
        ("exported", stamp(now)),
    ]
    return ["---", *(f"{name}: {value}" for name, value in facts if value), "---"]


def reached(incident: Incident, status: IncidentStatus) -> float:
    """Return when an incident first came to a status, 0 where it never did."""
    times = (e.at for e in incident.events if e.kind is IncidentEventKind.STATUS and e.value == status.value)
    return next(times, 0.0)


def _section(title: str, *lines: str) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _responders(incident: Incident) -> str:
    people = dict.fromkeys(event.actor.user for event in incident.events)
    return ", ".join(inert(name) for name in people) or TODO


def _impact(incident: Incident, now: float) -> list[str]:
    word = "lasted" if incident.status in OVER else "lasts so far"
    rows = [f"| {word} | {lasted(incident.elapsed(now))} |"]
    rows += [f"| in {severity} | {lasted(seconds)} |" for severity, seconds in _time_in(incident, now)]
    return [*rows, f"| users, requests, budget | {TODO} |"]


def _time_in(incident: Incident, now: float) -> list[tuple[str, float]]:
    """Return the seconds spent in each severity, in the order they were first given."""
    spent: dict[str, float] = {}
    severity, since = "", incident.started_at
    end = incident.resolved_at or now
    for event in incident.events:
        if event.kind is IncidentEventKind.DECLARED:
            severity = event.severity.value
        elif event.kind is IncidentEventKind.SEVERITY and severity:
            until = min(event.at, end)
            spent[severity] = spent.get(severity, 0.0) + max(0.0, until - since)
            severity, since = event.value, until
    spent[severity] = spent.get(severity, 0.0) + max(0.0, end - since)
    return [(inert(name), seconds) for name, seconds in spent.items() if name]


def _detection(incident: Incident) -> list[str]:
    took = lasted(incident.declared_at - incident.started_at)
    lines = [f"Began {stamp(incident.started_at)}, declared {stamp(incident.declared_at)} ({took} later)."]
    alerts = [link for link in incident.links if link.fingerprint]
    return lines + [f"- alert {inert(link.title)}, since {stamp(link.onset) or 'unknown'}" for link in alerts]


def _changes(incident: Incident, moments: list[Moment]) -> list[str]:
    """Return the changes that came before the end of the first minute: suspects, which only a person calls causes."""
    before = incident.started_at + 60
    changes = [one for one in moments if one.origin is Origin.CLUSTER and one.what in ("rollout", "scale", "action")]
    return [f"- {stamp(one.at)} {inert(one.about)} {inert(one.text)} (suspect)" for one in changes if one.at <= before]


def _said(incident: Incident, status: IncidentStatus) -> list[str]:
    return [
        f"{stamp(event.at)} {inert(event.text) or status.value}"
        for event in incident.events
        if event.kind is IncidentEventKind.STATUS and event.value == status.value
    ]


def _row(moment: Moment) -> str:
    about = f"{inert(moment.about)} " if moment.about else ""
    source = inert(moment.who) if moment.origin is Origin.PERSON else "cluster"
    return f"| {stamp(moment.at)} | {about}{inert(moment.text)} | {source} |"


def _links(incident: Incident) -> list[str]:
    lines = [f"- {inert(link.title)}" for link in incident.links]
    if incident.cluster:
        lines.append(f"- cluster {inert(incident.cluster)}")
    return lines or [TODO]


def file_name(incident: Incident, now: float) -> SafeText:
    """Return the name of the exported file: one that sorts by time and needs no quoting."""
    return safe_text(f"{incident.id}-{datetime.fromtimestamp(now, UTC).strftime('%Y%m%dT%H%M%SZ')}.md")
