"""Shows incidents: how bad, how long, who owns it, how far it is, and when people expect to hear of it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.incidents.timeline import Moment, Origin
from services.model.incident import INCIDENTS, Incident, IncidentEventKind, IncidentSeverity
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import EventKind
from tui.presenters.detail import labelled
from tui.presenters.lens import TONES, Lens, age, countdown, moment, plural
from tui.presenters.terms import Subject
from tui.presenters.timeline import mark_for
from tui.presenters.view import View
from widgets.viewmodels import Column, Face, Line, PaneVM, Row, Span, Tone

SOURCE = "incidents"
SEVERITIES = {
    IncidentSeverity.P0: Severity.CRIT,
    IncidentSeverity.P1: Severity.CRIT,
    IncidentSeverity.P2: Severity.WARN,
    IncidentSeverity.P3: Severity.NOTICE,
    IncidentSeverity.P4: Severity.OK,
}
NOBODY = "no owner"
HINTS = {
    IncidentSeverity.P0: "everything is down for everybody; an update every 15 minutes",
    IncidentSeverity.P1: "many are hit, no way around it; an update every 30 minutes",
    IncidentSeverity.P2: "some are hit, or there is a way around it; an update every hour",
    IncidentSeverity.P3: "few are hit; an update every 4 hours",
    IncidentSeverity.P4: "nobody is hit yet; no updates expected",
}

PANE_COLUMNS = (
    Column("shape", "", 1),
    Column("what", "INCIDENT", 20, weight=4),
    Column("elapsed", "FOR", 6, right=True),
    Column("owner", "OWNER", 10, weight=1, priority=1),
)
COLUMNS = (
    Column("shape", "", 1),
    Column("id", "ID", 8),
    Column("severity", "SEV", 3),
    Column("status", "STATUS", 13),
    Column("title", "TITLE", 20, weight=4),
    Column("elapsed", "FOR", 6, right=True),
    Column("owner", "OWNER", 10, weight=1, priority=1),
    Column("update", "UPDATE", 14, priority=2),
    Column("declared", "DECLARED", 16, priority=3),
    Column("cluster", "CLUSTER", 10, weight=1, priority=4),
)


def severity_of(incident: Incident) -> Severity:
    """Return how much an incident needs the operator; one that is over needs nobody."""
    return SEVERITIES[incident.severity] if incident.open else Severity.OK


def elapsed(incident: Incident, lens: Lens) -> str:
    """Return how long it has lasted, or lasted in all."""
    return age(incident.elapsed(lens.now))


def update_due(incident: Incident, lens: Lens) -> Span:
    """Return when the next update is due: "next update due in 4m", "update 12m late", "" where none is expected."""
    if not incident.next_update_at:
        return Span("")
    late = incident.late(lens.now)
    if late:
        return Span(f"update {age(late)} late", Tone.CRIT)
    return Span(f"next update due in {countdown(incident.next_update_at - lens.now)}")


def owner(incident: Incident, lens: Lens) -> Span:
    """Return who owns it; that nobody does is a warning."""
    if incident.owner:
        return Span(lens.name("user", incident.owner))
    return Span(NOBODY, Tone.WARN if incident.open else Tone.MUTED)


def present_pane_row(key: str, incident: Incident, lens: Lens) -> Row:
    """Return a row of the pane, with status and next update below it."""
    tone = TONES[severity_of(incident)]
    what = f"{incident.severity} {incident.id} {lens.text(incident.title, 200)}"
    details = [Span(incident.status.value)]
    due = update_due(incident, lens)
    if due.text:
        details += [Span("   "), due]
    cells = (lens.badge(severity_of(incident)), Span(what, tone), Span(elapsed(incident, lens)), owner(incident, lens))
    return Row(key, cells, details=(tuple(details),))


def present_row(key: str, incident: Incident, lens: Lens) -> Row:
    """Return a row of the full list; one that is over is dimmed."""
    severity = severity_of(incident)
    due = update_due(incident, lens)
    words = due.text.removeprefix("next update ").removeprefix("update ")
    return Row(
        key,
        (
            lens.badge(severity),
            Span(incident.id),
            Span(incident.severity.value, TONES[severity]),
            Span(incident.status.value),
            Span(lens.text(incident.title), TONES[severity] if severity is Severity.CRIT else Tone.PLAIN),
            Span(elapsed(incident, lens)),
            owner(incident, lens),
            Span(words, due.tone),
            Span(moment(incident.declared_at, lens.now), Tone.MUTED),
            Span(lens.name("cluster", incident.cluster), Tone.MUTED),
        ),
        dimmed=not incident.open,
    )


def subject(incident: Incident) -> Subject:
    """Return what a filter looks at."""
    text = f"{incident.id} {incident.severity} {incident.status} {incident.title} {incident.owner}"
    return Subject(text, "", severity_of(incident))


def worst_first(incident: Incident) -> tuple[bool, str, float]:
    """Rank open ones first, worst first, the newest first among equals."""
    return (not incident.open, incident.severity.value, -incident.declared_at)


VIEW = View(
    id="incidents",
    title="Incidents",
    noun="incident",
    table=INCIDENTS,
    sources=(),
    columns=COLUMNS,
    row=present_row,
    subject=subject,
    severity=severity_of,
    ref=lambda incident: Ref("", "", "", "", incident.id),
    ranks={
        "status": worst_first,
        "name": lambda incident: (incident.title, incident.number),
        "age": lambda incident: -incident.declared_at,
    },
    aliases=("incident", "inc"),
    empty="no incident has been declared from this machine",
)


def open_incidents(table: Mapping[str, Incident]) -> list[Incident]:
    """Return the incidents somebody still works on, worst first."""
    return sorted((one for one in table.values() if one.open), key=worst_first)


def present_incident_pane(
    table: Mapping[str, Incident], status: SourceStatus | None, key: str, left: Line, lens: Lens
) -> PaneVM:
    """Return the frame of the incidents pane; `key` declares one, `left` says what was left altered."""
    count = len(open_incidents(table))
    title = [Span("Incidents", Tone.STRONG)]
    if status is not None and status.state is SourceState.FAILED:
        state = (Span("unreadable", Tone.WARN),)
        return PaneVM("4", tuple(title), state, Face.FAILED, lens.text(status.error), stale=bool(table))
    if status is None:
        return PaneVM("4", tuple(title), (), Face.WAITING, "The ledger has not been read yet.")
    if not count:
        over = f"; {plural(len(table), 'incident')} over" if table else ""
        return PaneVM("4", tuple(title), left, Face.WAITING, f"No open incident{over}. {key} declares one.")
    title += [lens.dash(), Span(f"{count} open")]
    return PaneVM("4", tuple(title), left)


def present_incident_strip(table: Mapping[str, Incident], lens: Lens) -> Line:
    """Return the entry of the strip: "4 Incidents P1 16m", the worst of the open ones."""
    listed = open_incidents(table)
    if not listed:
        return (Span("4 Incidents -", Tone.MUTED),)
    worst = listed[0]
    tone = TONES[severity_of(worst)]
    more = f" +{len(listed) - 1}" if len(listed) > 1 else ""
    late = " late" if worst.late(lens.now) else ""
    return (Span("4 Incidents "), Span(f"{worst.severity} {elapsed(worst, lens)}{late}{more}", tone))


# One incident


def present_incident_head(incident: Incident, exported: str, lens: Lens) -> list[Line]:
    """Return the facts: state, owner, next update, what it is about, and where the last export went."""
    severity = severity_of(incident)
    word = "lasted" if not incident.open else "for"
    lines = [
        labelled(
            "STATE",
            lens.badge(severity),
            Span(f" {incident.severity} {incident.status}", TONES[severity]),
            Span(f"  {word} {elapsed(incident, lens)}, since {moment(incident.started_at, lens.now)} UTC"),
        ),
        labelled("OWNER", owner(incident, lens)),
    ]
    due = update_due(incident, lens)
    if due.text:
        lines.append(labelled("UPDATE", Span(due.text.removeprefix("next update "), due.tone)))
    for at, link in enumerate(incident.links[:4]):
        what = "alert " if link.fingerprint else ""
        onset = f"  since {moment(link.onset, lens.now)}" if link.onset else ""
        lines.append(labelled("" if at else "ABOUT", Span(f"{what}{lens.text(link.title)}"), Span(onset, Tone.MUTED)))
    if incident.cluster:
        lines.append(labelled("CLUSTER", Span(lens.name("cluster", incident.cluster))))
    if exported:
        lines.append(labelled("EXPORT", Span(lens.text(exported), Tone.NOTICE)))
    return lines


def present_moments(moments: Iterable[Moment], lens: Lens) -> list[Line]:
    """Return the timeline, oldest first; what people said stands out from what the cluster did."""
    return [present_moment(one, lens) for one in moments]


def present_moment(one: Moment, lens: Lens) -> Line:
    """Return one line: time, mark, who or what, and what happened."""
    at = Span(f"{moment(one.at, lens.now):<17}" if lens.now - one.at >= 86400 else moment(one.at, lens.now), Tone.MUTED)
    if one.origin is Origin.PERSON:
        noted = one.what is IncidentEventKind.NOTE
        who = Span(f" {lens.name('user', one.who)}  ", Tone.KEY)
        return (at, Span("  "), Span(lens.glyphs.here if not noted else " "), who, Span(lens.text(one.text, 500)))
    return (
        at,
        Span("  "),
        mark_for(EventKind(one.what), one.severity, lens),
        Span(f" {lens.text(one.about, 80)}  "),
        Span(lens.text(one.text, 200), Tone.MUTED),
    )


def present_incident_title(incident: Incident, lens: Lens) -> Line:
    """Return the title of the incident's screen."""
    return (Span(incident.id, Tone.STRONG), Span(f"  {lens.text(incident.title, 200)}", Tone.STRONG))
