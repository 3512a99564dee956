"""Fills the four panes of the control room and the strip that stands for them on a small screen."""

from __future__ import annotations

from collections.abc import Sequence

from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from tui.presenters.freshness import Freshness, Reading, present_state
from tui.presenters.lens import TONES, Lens, clock, plural
from tui.presenters.summary import Summary
from widgets.viewmodels import BarVM, Face, Line, PaneStripVM, PaneVM, Span, Tone

WAITING_PANES = {
    "3": ("Costs", "No prices are configured."),
    "4": ("Incidents", "No incident has been declared from here."),
}
MARKS = {
    EventKind.ROLLOUT: "turn",
    EventKind.SCALE: "turn",
    EventKind.RECOVERED: "ok",
    EventKind.UNHEALTHY: "crit",
    EventKind.NODE: "warn",
    EventKind.JOB: "warn",
    EventKind.WARNING: "warn",
}


def present_rollouts_pane(summary: Summary, reading: Reading, shown: int, lens: Lens) -> PaneVM:
    """Return the frame of the rollouts pane: "2 of 214 need you", or what stands in the way of knowing."""
    need = sum(summary.counts.get(severity, 0) for severity in (Severity.CRIT, Severity.WARN)) - sum(
        1 for symptom in summary.symptoms if symptom.severity <= Severity.WARN
    )
    title: list[Span] = [Span("Rollouts", Tone.STRONG)]
    if summary.workloads:
        title.append(lens.dash())
        tone = Tone.PLAIN if need else Tone.MUTED
        title.append(
            Span(f"{need} of {summary.workloads:,} need you" if need else f"{summary.workloads:,} healthy", tone)
        )
    message = waiting_message(reading, "workloads", lens)
    face = Face.FAILED if reading.freshness is Freshness.FAILED else Face.DATA
    if not summary.workloads and face is Face.DATA:
        face = Face.WAITING
        if reading.freshness is Freshness.FRESH:
            face, message = Face.WAITING, "The cluster answers and has no workloads in this scope."
    return PaneVM(
        "1", tuple(title), present_state(reading, lens), face, message, stale=not reading.trusted and shown > 0
    )


def waiting_message(reading: Reading, noun: str, lens: Lens) -> str:
    """Return the sentence a pane shows instead of rows."""
    if reading.freshness is Freshness.FAILED:
        return lens.text(reading.reason) or f"The {noun} could not be read."
    if reading.freshness is Freshness.NEVER:
        return f"Nothing is known yet: waiting for the first answer about {noun}."
    return f"Waiting for {noun}."


def present_quiet_pane(number: str) -> PaneVM:
    """Return the frame of a pane whose source is not configured: a quiet state of its own."""
    title, message = WAITING_PANES[number]
    return PaneVM(
        number, (Span(title, Tone.STRONG),), (Span("not configured", Tone.MUTED),), Face.NOT_CONFIGURED, message
    )


def present_symptoms_pane(summary: Summary, unseen: Sequence[str], lens: Lens) -> PaneVM:
    """Return the frame of the alerts pane while no Alertmanager is configured: the cluster's own symptoms, named so.

    `unseen` are the tables that may not be read or have not come: without them "no symptoms" would be a guess.
    """
    count = len(summary.symptoms)
    state = (Span("no Alertmanager", Tone.MUTED),)
    if count:
        words, face, message = plural(count, "symptom"), Face.DATA, ""
    elif not summary.reading.trusted:
        words, face, message = "symptoms ?", Face.WAITING, "Symptoms of the cluster are not known while it is not live."
    elif unseen:
        words, face = "symptoms ?", Face.WAITING
        message = f"Symptoms of the cluster are not known: {', '.join(unseen)} not readable."
    else:
        words, face, message = "no symptoms", Face.DATA, ""
    tone = Tone.PLAIN if count else Tone.MUTED
    title = (Span("Alerts", Tone.STRONG), lens.dash(), Span(f"{words} of the cluster", tone))
    return PaneVM("2", title, state, face, message, stale=bool(count) and not summary.reading.trusted)


def present_too_small(summary: Summary, lens: Lens) -> PaneStripVM:
    """Return the one line of a terminal that is too small for a pane: the counts, and what it wants."""
    shapes = " ".join(
        f"{lens.shape(severity)}{summary.counts.get(severity, 0) if summary.reading.trusted else '?'}"
        for severity in (Severity.CRIT, Severity.WARN)
    )
    return PaneStripVM(((Span(shapes, Tone.STRONG), Span("  wants 60x15", Tone.MUTED)),))


def present_strip(summary: Summary, active: str, lens: Lens) -> PaneStripVM:
    """Return the strip of the four panes' counts."""
    rollouts: list[Span] = [Span("1 Rollouts")]
    if summary.reading.trusted:
        rollouts += [
            Span(f" {summary.counts[severity]}{lens.shape(severity)}", TONES[severity])
            for severity in (Severity.CRIT, Severity.WARN)
            if summary.counts.get(severity)
        ]
    else:
        rollouts.append(Span(" ?", Tone.MUTED))
    count = f"{len(summary.symptoms) or '-'}" if summary.reading.trusted else "?"
    alerts = Span(f"2 Alerts {count}", Tone.PLAIN if count.isdigit() else Tone.MUTED)
    quiet = ((Span("3 Costs -", Tone.MUTED),), (Span("4 Incidents -", Tone.MUTED),))
    return PaneStripVM((tuple(rollouts), (alerts,), *quiet), int(active) - 1)


def present_event(event: Event, lens: Lens) -> Line:
    """Return one happening as the timeline strip shows it."""
    mark = lens.glyphs.mark(MARKS.get(event.kind, "note"))
    name = f"{event.ref.namespace}/{event.ref.name}" if event.ref.namespace else event.ref.name
    return (
        Span(f"{clock(event.at)} ", Tone.MUTED),
        Span(mark, TONES[event.severity]),
        Span(f" {lens.text(name, 60)} {lens.text(event.text, 120)}"),
    )


def present_timeline(events: tuple[Event, ...], lens: Lens, known: bool = True, count: int = 8) -> BarVM:
    """Return the strip of the latest happenings, newest first; `known` says whether none means that none were."""
    if not events:
        words = "nothing has happened since this console began to watch"
        return BarVM(((Span(words if known else "no happenings are known yet", Tone.MUTED),),))
    return BarVM(tuple(present_event(event, lens) for event in events[:count]))
