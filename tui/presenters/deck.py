"""Fills the four panes of the control room and the strip that stands for them on a small screen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from cache.state.records import Span as Gap
from services.model.severity import Severity
from services.model.timeline import Event
from tui.presenters.freshness import Freshness, Reading, present_state
from tui.presenters.lens import TONES, Lens, plural
from tui.presenters.summary import Summary
from tui.presenters.timeline import InScope, moments, present_line
from widgets.viewmodels import BarVM, Face, Line, PaneStripVM, PaneVM, Span, Tone

STRIP = 8
"""How many happenings the strip is made from: more than the widest terminal has room for."""

WAITING_PANES = {
    "3": ("Costs", "Costs are counted once pods are read."),
    "4": ("Incidents", "The ledger is read once the cluster is."),
}


def present_rollouts_pane(summary: Summary, reading: Reading, shown: int, lens: Lens) -> PaneVM:
    """Return the frame of the rollouts pane: "2 of 214 need you", or what stands in the way of knowing."""
    need = sum(summary.rollouts.get(severity, 0) for severity in (Severity.CRIT, Severity.WARN))
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
    """Return the frame of a pane that nothing has been read for yet."""
    title, message = WAITING_PANES[number]
    return PaneVM(number, (Span(title, Tone.STRONG),), (), Face.WAITING, message)


def present_symptoms_pane(summary: Summary, unseen: Sequence[str], awaited: bool, lens: Lens) -> PaneVM:
    """Return the frame of the alerts pane while no server is asked for alerts: the cluster's own symptoms, named so.

    `unseen` are the tables that may not be read or have not come: without them "no symptoms" would be a guess.
    `awaited` says that a server is configured, and is yet to be asked.
    """
    count = len(summary.symptoms)
    state = (Span("alerts ?", Tone.WARN) if awaited else Span("no Alertmanager", Tone.MUTED),)
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


QUIET: tuple[Line, Line] = ((Span("3 Costs -", Tone.MUTED),), (Span("4 Incidents -", Tone.MUTED),))


def present_strip(summary: Summary, active: str, lens: Lens, sides: tuple[Line, Line] = QUIET) -> PaneStripVM:
    """Return the strip of the four panes' counts; `sides` are the entries of costs and incidents."""
    rollouts: list[Span] = [Span("1 Rollouts")]
    if summary.reading.trusted:
        rollouts += [
            Span(f" {summary.rollouts[severity]}{lens.shape(severity)}", TONES[severity])
            for severity in (Severity.CRIT, Severity.WARN)
            if summary.rollouts.get(severity)
        ]
    else:
        rollouts.append(Span(" ?", Tone.MUTED))
    alerts = _alerts_in_strip(summary, lens)
    return PaneStripVM((tuple(rollouts), alerts, *sides), int(active) - 1)


def _alerts_in_strip(summary: Summary, lens: Lens) -> Line:
    """Return the alerts that fire, the worst of them with their shape; symptoms where no server is asked."""
    if summary.alerts is None or summary.evidence is None:
        count = f"{len(summary.symptoms) or '-'}" if summary.reading.trusted else "?"
        return (Span(f"2 Alerts {count}", Tone.PLAIN if count.isdigit() else Tone.MUTED),)
    if not summary.evidence.reading.trusted:
        return (Span("2 Alerts ?", Tone.MUTED),)
    firing, crit = summary.alerts.firing, summary.alerts.worst.get(Severity.CRIT, 0)
    unsure = "" if summary.evidence.whole else "+?"
    words = Span(f"2 Alerts {firing or '-'}{unsure}", Tone.PLAIN if firing else Tone.MUTED)
    return (words, Span(f" {crit}{lens.shape(Severity.CRIT)}", Tone.CRIT)) if crit else (words,)


def present_timeline(
    events: Sequence[Event],
    lens: Lens,
    known: bool = True,
    gaps: Sequence[Gap] = (),
    scope: InScope | None = None,
) -> BarVM:
    """Return the strip of the latest happenings in the scope and of the spans that nobody watched, newest first.

    How many newer than the last of them lie outside the scope stands before them. `known` says whether none means that
    none were.
    """
    shown, outside = [], 0
    for event in events:
        if scope is None or scope(event):
            shown.append(event)
            if len(shown) == STRIP:
                break
        else:
            outside += 1
    hidden: tuple[Line, ...] = ((Span(f"+{outside:,} outside", Tone.MUTED),),) if outside else ()
    if not shown:
        words = "nothing has happened" + (" in the scope" if hidden else "") + " since this console began to watch"
        return BarVM((*hidden, (Span(words if known else "no happenings are known yet", Tone.MUTED),)))
    lines = moments(shown, gaps, None, days=False)
    return BarVM((*hidden, *(present_line(moment, lens) for moment in islice(lines.values(), STRIP))))
