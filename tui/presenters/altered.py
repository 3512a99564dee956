"""Shows what actions left otherwise than it was, until somebody puts it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.model.action import ALTERED, Altered
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.text import SafeText
from tui.presenters.lens import Lens, stamp
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Line, Row, Span, Tone


def present_row(key: str, one: Altered, lens: Lens) -> Row:
    """Return a row: what was done to what, since when, by whom, and what puts it back."""
    cells = (
        lens.badge(Severity.NOTICE),
        Span(lens.text(one.title, 200)),
        Span(lens.name("user", one.who)),
        Span(lens.text(one.undo.words, 100), Tone.MUTED),
        Span(lens.age(one.since)),
    )
    return Row(key, cells)


def altered_words(table: Mapping[str, Altered], lens: Lens) -> str:
    """Return "left altered: Cordon node-009 2h (ops)", the oldest of them and how many more; "" for none."""
    listed = sorted(table.values(), key=lambda one: one.since)
    if not listed:
        return ""
    first = listed[0]
    user = lens.name("user", first.who.partition("@")[0])
    more = f", and {len(listed) - 1} more" if len(listed) > 1 else ""
    return f"left altered: {lens.text(first.title, 80)} {lens.age(first.since)} ({user}){more}"


def present_left(listed: Iterable[Altered], lens: Lens) -> list[SafeText]:
    """Return what was left altered for a report, a line each: what, how long ago, by whom, what puts it back."""
    return [
        lens.text(f"{one.title}, {lens.age(one.since)} ago by {one.who}; put back: {one.undo.words}", 300)
        for one in listed
    ]


def altered_facts(one: Altered, lens: Lens) -> dict[str, str]:
    """Return the same for a script; the time is RFC 3339 in UTC."""
    return {
        "title": lens.text(one.title, 200),
        "kind": lens.text(one.ref.kind),
        "namespace": lens.text(one.ref.namespace),
        "name": lens.text(one.ref.name),
        "who": lens.text(one.who),
        "since": stamp(one.since),
        "put_back": lens.text(one.undo.words, 200),
    }


def present_altered(table: Mapping[str, Altered], lens: Lens) -> Line:
    """Return the same as a line in a notice's tone, () for none."""
    words = altered_words(table, lens)
    return (Span(words, Tone.NOTICE),) if words else ()


VIEW = View(
    id="altered",
    title="Left altered",
    noun="alteration",
    table=ALTERED,
    sources=(),
    columns=(
        Column("shape", "", 1),
        Column("name", "LEFT", 24, weight=4),
        Column("who", "BY", 12, weight=1, priority=1),
        Column("undo", "PUT BACK (enter)", 16, weight=1),
        Column("age", "SINCE", 6, right=True),
    ),
    row=present_row,
    subject=lambda one: Subject(one.title, one.ref.namespace, Severity.NOTICE),
    ref=lambda one: Ref("", "", "", "", one.title),
    ranks={"age": lambda one: one.since, "name": lambda one: one.title},
    aliases=("left",),
    empty="nothing was left altered from this machine",
)
