"""Shows the inventory of silences: what each hides, how much of it is there, and when it ends."""

from __future__ import annotations

from services.alerts.matchers import spelled_all
from services.model.alert import Silence
from services.model.ref import Ref
from services.model.severity import Severity
from tui.presenters.alert_sources import SILENCES
from tui.presenters.alert_words import is_ack
from tui.presenters.lens import Lens, age, plural
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Row, Span, Tone

SOON = 600.0
"""Seconds before its end from which a silence that hides something is worth a warning."""

_STATES = {"active": 0, "pending": 1, "expired": 2}


def severity_of(silence: Silence, now: float) -> Severity:
    """Return how much a silence needs the operator: it ends soon while it hides something, or it hides nothing."""
    if silence.state != "active":
        return Severity.OK
    if silence.matching and silence.ends_at - now < SOON:
        return Severity.WARN
    return Severity.OK if silence.matching else Severity.NOTICE


def ends_words(silence: Silence, lens: Lens) -> str:
    """Return when a silence ends or has ended, or when it starts: "in 2h", "5m ago", "starts 3m"."""
    if silence.state == "pending":
        return f"starts {age(silence.starts_at - lens.now)}"
    left = silence.ends_at - lens.now
    return f"in {age(left)}" if left >= 0 else f"{age(-left)} ago"


def silence_sentence(silence: Silence, lens: Lens) -> str:
    """Return all of a silence in a sentence: what it matches does not fit into a row of a small screen."""
    ended = silence.state == "expired"
    hides = "" if ended else f"hides {plural(silence.matching, 'alert')}, "
    ends = f"{'ended' if ended else 'ends'} {ends_words(silence, lens)}"
    said = f"{lens.text(spelled_all(silence.matchers), 300)}: {hides}{ends}, by {lens.name('user', silence.created_by)}"
    return f"{said}: {lens.text(silence.comment, 200)}" if silence.comment else said


def present_row(key: str, silence: Silence, lens: Lens) -> Row:
    """Return a row of the silences table."""
    severity = severity_of(silence, lens.now)
    active = silence.state == "active"
    hides = f"{silence.matching:,}" if silence.matching else "none"
    state = "ack" if is_ack(silence) and silence.state != "expired" else lens.text(silence.state, 20)
    cells = (
        lens.badge(severity),
        Span(lens.text(spelled_all(silence.matchers), 300)),
        Span(state, Tone.PLAIN if active else Tone.MUTED),
        Span(hides if active else "", Tone.PLAIN if silence.matching else Tone.NOTICE),
        Span(ends_words(silence, lens), Tone.WARN if severity is Severity.WARN else Tone.PLAIN),
        Span(lens.name("user", silence.created_by)),
        Span(lens.text(silence.comment, 300), Tone.MUTED),
        Span(lens.text(silence.source, 60), Tone.MUTED),
        Span(lens.age(silence.starts_at)),
    )
    return Row(key, cells, dimmed=not active)


VIEW = View(
    id="silences",
    title="Silences",
    noun="silence",
    table=SILENCES,
    sources=(SILENCES,),
    columns=(
        Column("shape", "", 1),
        Column("name", "MATCHES", 24, weight=4),
        Column("status", "STATE", 8, priority=2),
        Column("matching", "HIDES", 6, right=True),
        Column("ends", "ENDS", 10, right=True),
        Column("who", "BY", 8, weight=1, priority=1),
        Column("comment", "COMMENT", 14, weight=3, priority=3),
        Column("source", "AT", 8, priority=5),
        Column("age", "AGE", 6, right=True, priority=4),
    ),
    row=present_row,
    subject=lambda one: Subject(
        f"{spelled_all(one.matchers)} {one.created_by} {one.comment} {one.source}", "", Severity.OK, (), (one.state,)
    ),
    ref=lambda one: Ref("", "", "Silence", "", one.id, one.id),
    ranks={
        "status": lambda one: (_STATES.get(one.state, 3), one.ends_at, one.id),
        "ends": lambda one: (one.ends_at, one.id),
        "matching": lambda one: (-one.matching, one.id),
        "name": lambda one: (spelled_all(one.matchers), one.id),
        "age": lambda one: (-one.starts_at, one.id),
    },
    aliases=("silence", "sil"),
    empty="no silence is set",
)
