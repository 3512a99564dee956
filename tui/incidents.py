"""Declares incidents and says things of them: the forms, what they write, and the words that must not get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from cache.exports import write_export
from cache.ledger.incidents import IncidentBook, Said
from cache.ledger.ledger import Ledger
from services.clock import Clock
from services.errors import Problem
from services.incidents.export import export, file_name
from services.model.actor import Actor
from services.model.alert import Alert
from services.model.incident import (
    INCIDENTS,
    Incident,
    IncidentEventKind,
    IncidentLink,
    IncidentSeverity,
    IncidentStatus,
)
from services.model.ref import Ref
from services.model.timeline import Event
from services.model.workload import Rollout
from services.redact import redact
from services.sanitize import MAX_LINE, safe_text
from tui.incident_past import whole_timeline
from tui.presenters.incidents import HINTS
from tui.presenters.proposal import proposed_severity
from tui.presenters.rollouts import what
from widgets.form import Field, FormDialog
from widgets.viewmodels import Choice, Line, Span, Tone

if TYPE_CHECKING:
    from tui.app import QuarterdeckApp

SEVERITIES = tuple(Choice(one.value, one.value, HINTS[one], one.value[-1]) for one in IncidentSeverity)
STATUSES = tuple(Choice(one.value, one.value, "", "") for one in IncidentStatus)
OWNER_CELLS = 64


class Desk:
    """Where this console's incidents are written; `nudge` is called when something was. `drafts` is what was typed."""

    def __init__(self, folder: Path, clock: Clock, who: Actor, nudge: Callable[[], None] = lambda: None) -> None:
        self.actor = who
        self.drafts: dict[str, Mapping[str, str]] = {}
        self.nudge = nudge
        self._folder = folder
        self._clock = clock
        self._ledger = Ledger(folder, clock)
        self._book = IncidentBook(self._ledger, clock)

    async def tell(self, incident: int, said: Said) -> int:
        """Write something down and return the incident's number; 0 declares one. Raises LedgerRefused.

        What looks like a secret, or is one of ours, is masked first: people paste what they have just seen.
        """
        said = structs.replace(said, text=redact(said.text), value=redact(said.value), owner=redact(said.owner))
        write = self._book.declare if not incident else lambda words: self._book.say(incident, words)
        number = await asyncio.to_thread(write, said)
        self.nudge()
        return number

    async def write_down(self, incident: Incident, text: str) -> Path:
        """Write an export and return its path. Raises Problem."""
        return await asyncio.to_thread(write_export, self._folder, file_name(incident, self._clock.now()), text)

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()


def desk_of(app: QuarterdeckApp) -> Desk | None:
    """Return the desk, or say why there is none."""
    console = app.console_state
    desk = console.desk() if console.desk is not None else None
    if desk is None:
        app.say("incidents cannot be written here: there is no ledger")
    return desk


# What an incident is declared from


def title_of(subject: object) -> str:
    """Return the title an incident about this begins with, "" where nothing is known."""
    if isinstance(subject, Alert):
        entity = subject.entity
        name = entity.workload or entity.pod or entity.node
        about = f"{entity.namespace}/{name}" if entity.namespace and name else name or entity.namespace
        return f"{subject.name} {about}".strip()
    if isinstance(subject, Rollout):
        return f"{subject.ref.namespace}/{subject.ref.name} {what(subject)}".strip()
    ref = getattr(subject, "ref", None)
    return f"{ref.kind} {ref.key}" if isinstance(ref, Ref) else ""


def links_of(subject: object, rollouts: Mapping[str, Any]) -> tuple[IncidentLink, ...]:
    """Return what an incident about this is linked to: the alert and its workload, the workload, the object."""
    if isinstance(subject, Alert):
        links = [IncidentLink(safe_text(subject.name), None, subject.fingerprint, subject.onset)]
        entity = subject.entity
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "Rollout"):
            row = rollouts.get(f"{kind}/{entity.namespace}/{entity.workload}")
            if row is not None:
                links.append(IncidentLink(safe_text(row.ref.key), row.ref, "", row.since))
        return tuple(links)
    ref = getattr(subject, "ref", None)
    if not isinstance(ref, Ref) or not ref.name:
        return ()
    return (IncidentLink(safe_text(ref.key), ref, "", getattr(subject, "since", 0.0)),)


def started(subject: object, now: float) -> float:
    """Return the onset of what an incident is declared from, else now."""
    onset = subject.onset if isinstance(subject, Alert) else getattr(subject, "since", 0.0)
    return float(onset) if onset and onset <= now else now


# Forms


def declare(app: QuarterdeckApp, subject: object | None) -> None:
    """Open the form that declares an incident about an alert, a workload, or nothing in particular."""
    desk = desk_of(app)
    if desk is None:
        return
    console = app.console_state
    owner = desk.actor.user
    snapshot = console.feed.snapshot()
    links = links_of(subject, snapshot.tables.get("rollouts", {}))
    proposal = proposed_severity(subject, links, snapshot, console.scope.environment)
    fields = (
        Field("title", "Title", safe_text(title_of(subject), 300), required=True),
        Field("severity", "Severity", proposal.severity.value, SEVERITIES),
        Field("owner", "Owner", owner),
    )
    onset = started(subject, console.clock.now())
    cluster = console.scope.cluster

    def said(values: Mapping[str, str]) -> Said:
        return Said(
            IncidentEventKind.DECLARED,
            desk.actor,
            value=values["title"].strip(),
            severity=IncidentSeverity(values["severity"]),
            owner=values["owner"].strip()[:OWNER_CELLS],
            started_at=onset,
            cluster=cluster,
            links=links,
        )

    def done(number: int) -> None:
        app.open_incident(number)
        app.say(f"INC-{number} is declared")

    title = (Span("Declare an incident", Tone.STRONG),)
    sheet = Sheet(title, fields, "I", "Declare", f"declare {title_of(subject)}", proposal.because)
    _open(app, desk, 0, sheet, said=said, done=done)


def note(app: QuarterdeckApp, incident: Incident) -> None:
    """Open the form for a note."""
    _say(app, incident, IncidentEventKind.NOTE, (Field("text", "Note", required=True),), ("n", "Add"))


def update(app: QuarterdeckApp, incident: Incident) -> None:
    """Open the form that notes that people have been told: the next update is due anew."""
    _say(app, incident, IncidentEventKind.UPDATE, (Field("text", "Told", required=True),), ("u", "Told"))


def change_severity(app: QuarterdeckApp, incident: Incident) -> None:
    """Open the form for another severity."""
    fields = (Field("value", "Severity", incident.severity.value, SEVERITIES), Field("text", "Because"))
    _say(app, incident, IncidentEventKind.SEVERITY, fields, ("v", "Change"))


def change_status(app: QuarterdeckApp, incident: Incident) -> None:
    """Open the form for another status; resolved is one of them."""
    fields = (Field("value", "Status", incident.status.value, STATUSES), Field("text", "Because"))
    _say(app, incident, IncidentEventKind.STATUS, fields, ("s", "Change"))


def change_owner(app: QuarterdeckApp, incident: Incident) -> None:
    """Open the form for another owner."""
    _say(app, incident, IncidentEventKind.OWNER, (Field("value", "Owner", incident.owner),), ("w", "Hand over"))


def _say(
    app: QuarterdeckApp,
    incident: Incident,
    kind: IncidentEventKind,
    fields: tuple[Field, ...],
    answer: tuple[str, str],
) -> None:
    desk = desk_of(app)
    if desk is None:
        return

    def said(values: Mapping[str, str]) -> Said:
        return Said(kind, desk.actor, values.get("text", "").strip(), values.get("value", "").strip())

    lens = app.console_state.lens()
    title = (Span(f"{incident.id} {kind}", Tone.STRONG), Span(f"  {lens.text(incident.title, 60)}", Tone.MUTED))
    sheet = Sheet(title, fields, *answer, f"{incident.id} {kind}")
    _open(
        app, desk, incident.number, sheet, said=said, done=lambda _: app.say(f"{incident.id}: {kind} is written down")
    )


class Sheet(NamedTuple):
    """A form before it is opened: its fields, the key that confirms it and what that does, its draft, what is said."""

    title: Line
    fields: tuple[Field, ...]
    key: str
    label: str
    draft: str
    aside: str = ""


def _open(
    app: QuarterdeckApp,
    desk: Desk,
    incident: int,
    sheet: Sheet,
    *,
    said: Callable[[Mapping[str, str]], Said],
    done: Callable[[int], None],
) -> None:
    """Show a form; what is confirmed is written, and what is not stays as a draft until it is."""
    kept = desk.drafts.get(sheet.draft)
    filled = tuple(_refilled(field, kept) for field in sheet.fields) if kept is not None else sheet.fields
    said_beside = "as you left it" if kept is not None else sheet.aside
    aside = (Span(safe_text(said_beside, 200), Tone.MUTED),) if said_beside else ()
    words: list[Said] = []

    def submit(values: Mapping[str, str]) -> None:
        # The same words under the same id: an answer that was lost on its way is no reason to write them twice.
        fresh = said(values)
        if not incident_changes(fresh, sheet.fields):
            form.refuse("that is how it is already: choose another, or esc")
            return
        if not words or not _same(words[-1], fresh):
            words.append(fresh)
        app.work(lambda: desk.tell(incident, words[-1]), arrived)

    def arrived(number: int | None, problem: Problem | None) -> None:
        if number is None:
            form.refuse(f"Not written: {problem.sentence if problem is not None else 'nobody answered'}")
            return
        desk.drafts.pop(sheet.draft, None)
        form.accept()
        done(number)

    def left(confirmed: bool | None) -> None:
        if not confirmed and any(form.values.get(field.id, "") != field.value for field in sheet.fields):
            desk.drafts[sheet.draft] = form.values

    form = FormDialog(sheet.title, filled, submit, key=sheet.key, label=sheet.label, aside=aside)
    app.push_screen(form, left)


def _refilled(field: Field, kept: Mapping[str, str]) -> Field:
    return Field(field.id, field.label, kept.get(field.id, field.value), field.options, field.required)


def incident_changes(said: Said, fields: Sequence[Field]) -> bool:
    """Return whether words change an incident: another value than the one there is, or something to add to it."""
    before = next((field.value for field in fields if field.id == "value"), None)
    return before is None or bool(said.text) or said.value != before.strip()


def _same(before: Said, now: Said) -> bool:
    return all(getattr(before, name) == getattr(now, name) for name in Said.__struct_fields__ if name != "id")


# The document


def write_down(
    app: QuarterdeckApp, incident: Incident, recorded: Sequence[Event], arrived: Callable[[str], None]
) -> None:
    """Export an incident as Markdown, with what was `recorded` around it; `arrived` gets the path it is written to."""
    desk = desk_of(app)
    if desk is None:
        return
    console = app.console_state
    moments = whole_timeline(incident, recorded, console.feed.snapshot().events)
    text = export(incident, moments, console.clock.now())
    if (mask := console.redaction) is not None:
        text = "\n".join(mask(line) for line in text.splitlines()) + "\n"

    def answered(path: Path | None, problem: Problem | None) -> None:
        if path is None:
            app.say(problem.sentence if problem is not None else "nothing was exported")
        else:
            arrived(safe_text(path, MAX_LINE))

    app.work(lambda: desk.write_down(incident, text), answered)


def incident_named(app: QuarterdeckApp, number: int) -> Incident | None:
    """Return an incident as live state has it now."""
    found = app.console_state.feed.snapshot().tables.get(INCIDENTS, {}).get(f"INC-{number}")
    return found if isinstance(found, Incident) else None
