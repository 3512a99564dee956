"""Shows alerts worst first: as groups in the pane, one by one in the full table."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from services.model.alert import Alert, AlertGroup, AlertState
from services.model.alert import Silence as SilenceRow
from services.model.change import Suspect
from services.model.ref import Ref
from services.model.severity import Severity
from services.ports import Snapshot
from tui.presenters.alert_sources import (
    ALERTS,
    GROUPS,
    SILENCES,
    AlertCounts,
    Evidence,
    alert_subject,
    clear_words,
    silent_words,
)
from tui.presenters.alert_words import (
    QUIET,
    alarms,
    is_ack,
    quiet_words,
    since_words,
    suspect_words,
    tone_of,
    value_words,
    where_words,
)
from tui.presenters.freshness import Freshness, present_state
from tui.presenters.lens import Lens, plural
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Face, Line, PaneVM, Row, Span, Tone

COLUMNS = (
    Column("shape", "", 1),
    Column("name", "ALERT", 18, weight=4),
    Column("where", "WHERE", 14, weight=3, priority=1),
    Column("value", "VALUE", 15, right=True, priority=2),
    Column("state", "STATE", 10, priority=3),
    Column("since", "SINCE", 6, right=True),
    Column("suspect", "SUSPECT", 10, priority=4),
    Column("summary", "SUMMARY", 16, weight=5, priority=5),
    Column("peers", "SEEN BY", 28, weight=1, priority=6),
)
PANE_COLUMNS = (
    Column("shape", "", 1),
    Column("name", "ALERT", 14, weight=1),
    Column("value", "VALUE", 14, right=True, priority=1),
    Column("since", "SINCE", 6, right=True),
    Column("suspect", "SUSPECT", 10, priority=2),
)


class GroupRow(Struct, frozen=True):
    """One row of the pane: a group, its lead, how many of it fire, how many others there are; `acked`: in hand."""

    group: AlertGroup
    lead: Alert
    firing: int
    others: int
    acked: bool = False

    @property
    def ref(self) -> Ref:
        """The identity of what the lead speaks of, as far as labels tell."""
        return alert_ref(self.lead)


def alert_ref(alert: Alert) -> Ref:
    """Return the identity of an alert as an object of its own; it is none of the cluster's."""
    return Ref(alert.entity.cluster, "", "Alert", alert.entity.namespace, alert.name, alert.key)


def group_rows(snapshot: Snapshot) -> dict[str, GroupRow]:
    """Return the groups with their leads; an alert that is in no group stands for itself, heartbeats for nobody."""
    alerts: Mapping[str, Alert] = snapshot.tables.get(ALERTS, {})
    groups: Mapping[str, AlertGroup] = snapshot.tables.get(GROUPS, {})
    silences: Mapping[str, SilenceRow] = snapshot.tables.get(SILENCES, {})
    acks = {key for key, silence in silences.items() if is_ack(silence)}
    rows: dict[str, GroupRow] = {}
    grouped: set[str] = set()
    for key, group in groups.items():
        members = [alerts[one] for one in group.members if one in alerts]
        grouped.update(group.members)
        if members:
            firing = sum(one.state is AlertState.FIRING for one in members)
            acked = any(one in acks for one in members[0].silenced_by)
            rows[key] = GroupRow(group, members[0], firing, len(members) - 1, acked)
    for key, alert in alerts.items():
        if key not in grouped and not alert.heartbeat:
            alone = AlertGroup(key, alert.name, alert.severity, (key,), ("",), alert.onset, alert.entity)
            acked = any(one in acks for one in alert.silenced_by)
            rows[key] = GroupRow(alone, alert, int(alert.state is AlertState.FIRING), 0, acked)
    return rows


def listed(row: GroupRow) -> bool:
    """Return whether a group stands in the pane: something of it fires, is acknowledged, or fired until just now."""
    return row.firing > 0 or row.lead.state is AlertState.ENDED or (row.acked and row.lead.state in QUIET)


def urgency(alert: Alert) -> int:
    """Rank what an alert is doing: what fires, what is pending, what is quiet, what is over, what always fires."""
    if alert.heartbeat:
        return 4
    return {AlertState.FIRING: 0, AlertState.PENDING: 1, AlertState.ENDED: 3}.get(alert.state, 2)


def _severity_of(alert: Alert) -> Severity:
    return alert.severity if alarms(alert) else Severity.OK


def _cells(alert: Alert, silences: Mapping[str, SilenceRow], suspect: Suspect | None, lens: Lens) -> dict[str, Span]:
    tone = tone_of(alert)
    quiet = quiet_words(alert, silences, lens)
    words = value_words(alert, lens)
    firing = alarms(alert)
    suspected = Span(suspect_words(suspect), Tone.STRONG) if suspect is not None else Span("")
    return {
        "shape": lens.badge(alert.severity) if firing else Span(lens.glyphs.dot, Tone.MUTED),
        "name": Span(lens.text(alert.name, 120), tone if alert.severity is Severity.CRIT else Tone.PLAIN),
        "where": Span(where_words(alert, lens)),
        "value": Span(words, tone),
        "state": Span(quiet or "firing", Tone.PLAIN if firing else Tone.MUTED),
        "summary": Span(lens.text(alert.annotation("summary") or alert.annotation("message"), 300), Tone.MUTED),
        "since": Span(since_words(alert, lens)),
        "suspect": suspected if firing else Span(quiet, Tone.MUTED),
        "peers": Span(lens.text(", ".join(alert.peers), 120), Tone.MUTED),
    }


def present_alert_row(
    key: str, alert: Alert, lens: Lens, silences: Mapping[str, SilenceRow] | None = None, suspect: Suspect | None = None
) -> Row:
    """Return a row of the full table."""
    cells = _cells(alert, silences or {}, suspect, lens)
    if not alarms(alert):
        cells["suspect"] = Span("")
    return Row(key, tuple(cells[column.key] for column in COLUMNS), dimmed=not alarms(alert))


def present_group_row(
    key: str, row: GroupRow, lens: Lens, silences: Mapping[str, SilenceRow], suspect: Suspect | None
) -> Row:
    """Return a row of the pane, with where it is and how many others there are below the worst."""
    cells = _cells(row.lead, silences, suspect, lens)
    where = where_words(row.lead, lens)
    if not detail_lines(row):
        more = f" +{row.others}" if row.others else ""
        beside = f"  {where}" if where and cells["value"].text else ""
        cells["name"] = Span(f"{cells['name'].text}{more}{beside}", cells["name"].tone)
    if not cells["value"].text and where and not detail_lines(row):
        cells["value"] = Span(where)
    details: tuple[Line, ...] = ()
    if detail_lines(row):
        more = f"  +{plural(row.others, 'alert')}" if row.others else ""
        summary = lens.text(row.lead.annotation("summary"), 200)
        said = [Span(where), Span(more, Tone.STRONG)]
        details = ((*said, Span(f"  {summary}", Tone.MUTED)) if summary else tuple(said),)
    ended = row.lead.state is AlertState.ENDED
    return Row(key, tuple(cells[column.key] for column in PANE_COLUMNS), dimmed=ended, details=details)


def detail_lines(row: GroupRow) -> int:
    """Return how many lines `present_group_row` puts below a row."""
    return int(row.lead.severity is Severity.CRIT and row.firing > 0 and bool(row.others or row.lead.value is not None))


def present_alerts_pane(
    rows: Mapping[str, GroupRow], counts: AlertCounts, evidence: Evidence, shown: int, lens: Lens
) -> PaneVM:
    """Return the frame of the pane: "5 firing in 3 groups", all clear and what it stands on, or what is missing."""
    groups = sum(row.firing > 0 for row in rows.values())
    title: list[Span] = [Span("Alerts", Tone.STRONG), lens.dash()]
    state = list(present_state(evidence.reading, lens))
    if evidence.reading.trusted and evidence.answering < evidence.total:
        state = [Span(f"{evidence.total - evidence.answering} of {evidence.total} not answering", Tone.WARN)]
    face, message = Face.DATA, ""
    if counts.firing:
        title.append(Span(f"{counts.firing:,} firing in {plural(groups, 'group')}"))
    elif not evidence.reading.trusted:
        title.append(Span("alerts ?", Tone.MUTED))
    elif not evidence.whole:
        title.append(Span("none firing that is known", Tone.MUTED))
    else:
        title.append(Span("all clear", Tone.MUTED))
    if evidence.reading.freshness is Freshness.FAILED:
        face, message = Face.FAILED, f"{silent_words(evidence, lens)}."
    elif not shown and not evidence.reading.trusted:
        face, message = Face.WAITING, "Waiting for the first answer about alerts."
    elif not shown and not evidence.whole:
        face, message = Face.FAILED, f"Not all is known: {silent_words(evidence, lens)}."
    elif not shown:
        face, message = Face.WAITING, f"No alert fires: {clear_words(evidence, lens)}."
    stale = not evidence.reading.trusted and shown > 0
    return PaneVM("2", tuple(title), tuple(state), face, message, stale=stale)


def group_subject(row: GroupRow) -> Subject:
    """Return what the scope looks at in a group."""
    return alert_subject(row.lead)


def _worst_first(row: GroupRow) -> tuple[int, int, int, float, str]:
    ended = row.lead.state is AlertState.ENDED
    return (int(ended), urgency(row.lead), int(row.group.severity), row.group.onset, row.group.key)


GROUPS_VIEW = View(
    id="alert-groups",
    title="Alerts",
    noun="group",
    table=GROUPS,
    sources=(),
    columns=PANE_COLUMNS,
    row=lambda key, row, lens: present_group_row(key, row, lens, {}, None),
    subject=group_subject,
    severity=lambda row: row.lead.severity if row.firing else Severity.OK,
    ref=lambda row: row.ref,
    ranks={
        "status": _worst_first,
        "age": lambda row: -row.group.onset,
        "since": lambda row: -row.group.onset,
        "name": lambda row: row.lead.name,
        "namespace": lambda row: (row.lead.entity.namespace, row.lead.name),
    },
)

ALERTS_VIEW = View(
    id="alerts",
    title="Alerts",
    noun="alert",
    table=ALERTS,
    sources=(ALERTS, SILENCES),
    columns=COLUMNS,
    row=present_alert_row,
    subject=alert_subject,
    severity=_severity_of,
    ref=alert_ref,
    ranks={
        "status": lambda alert: (urgency(alert), int(alert.severity), alert.onset, alert.key),
        "name": lambda alert: (alert.name, alert.key),
        "age": lambda alert: (-alert.onset, alert.key),
        "namespace": lambda alert: (alert.entity.namespace, alert.name, alert.key),
        "value": lambda alert: (-(alert.value or 0.0), alert.key),
    },
    aliases=("alert", "al"),
    empty="no alert is known",
)
