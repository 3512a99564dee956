"""Shows everything that happened as one table, newest first: with the days, and with the spans nobody watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from cache.state.records import EventQuery
from cache.state.records import Span as Gap
from services.model.ref import WORKLOAD_KINDS, Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Rollout
from services.ports import Snapshot
from tui.presenters.freshness import Reading, present_state
from tui.presenters.lens import TONES, Lens, age, clock
from tui.presenters.terms import Subject, Test
from tui.presenters.view import View
from widgets.viewmodels import Column, Line, Row, Span, Tone

TABLE = "timeline"
"""Not a live-state table: the screen makes its rows from live events and from history."""

WORKLOADS = frozenset(resource.kind for resource in WORKLOAD_KINDS)
OBJECTS = WORKLOADS | {"Node", "Pod", "ConfigMap", "Job", "Namespace", "ReplicaSet", "HorizontalPodAutoscaler"}
"""Kinds that the cluster can describe."""

MARKS = {
    EventKind.ROLLOUT: "turn",
    EventKind.SCALE: "turn",
    EventKind.CONFIG: "turn",
    EventKind.RECOVERED: "ok",
}
COLUMNS = (
    Column("at", "TIME", 8),
    Column("mark", "", 1),
    Column("kind", "WHAT", 9, priority=2),
    Column("object", "OBJECT", 20, weight=2),
    Column("text", "HAPPENED", 24, weight=5),
    Column("actor", "BY", 12, weight=1, priority=4),
    Column("age", "AGE", 6, priority=3, right=True),
)
InScope = Callable[[Event], bool]
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:._-")


class Moment(Struct, frozen=True):
    """One line of the timeline: an event, a span nobody watched, or the beginning of a day (`at` alone)."""

    at: float
    event: Event | None = None
    gap: Gap | None = None

    @property
    def key(self) -> str:
        """The key of its row."""
        if self.event is not None:
            return self.event.id
        return f"gap {self.gap.ended:.0f}" if self.gap is not None else f"day {self.at:.0f}"


def moments(events: Iterable[Event], gaps: Sequence[Gap], test: Test | None, days: bool = True) -> dict[str, Moment]:
    """Return the lines that pass a filter, newest first, days and gaps between them.

    A gap stands where it ended: what is older and within it was learned afterwards, from the cluster.
    """
    wanted = [event for event in events if test is None or test(_subject(event))]
    found = [Moment(event.at, event=event) for event in wanted]
    if found or test is None:
        found += [Moment(gap.ended, gap=gap) for gap in gaps]
    dates = {int(one.at // 86400) for one in found}
    if days and len(dates) > 1:
        found += [Moment((date + 1) * 86400.0) for date in dates if date != max(dates)]
    return {one.key: one for one in sorted(found, key=_rank)}


def in_scope(scope: Test | None, snapshot: Snapshot) -> InScope | None:
    """Return the test of what lies in a scope, None for everything: by its namespace, and its workload's labels.

    What is about the whole cluster lies in every scope. Whose labels nobody knows any more lies in none of labels.
    """
    if scope is None:
        return None
    rows: Mapping[str, Rollout] = snapshot.tables.get("rollouts", {})

    def inside(event: Event) -> bool:
        name = event.payload.get("workload") or event.ref.name
        kinds = WORKLOADS if event.payload.get("workload") else (event.ref.kind,)
        found = (rows.get(f"{kind}/{event.ref.namespace}/{name}") for kind in kinds)
        labels = next((row.workload.labels for row in found if row is not None), ())
        return scope(Subject("", event.ref.namespace, event.severity, labels))

    return inside


def _rank(moment: Moment) -> tuple[int, int, bool, float, float, str]:
    """Newest first; within the same second first the day, then the gap, then what ended, then what began."""
    event = moment.event
    order = 2 if event is not None else 1 if moment.gap is not None else 0
    began = event is not None and event.severity is not Severity.OK
    return (-int(moment.at), order, began, -moment.at, -(event.seen_at if event is not None else 0.0), moment.key)


def _subject(event: Event) -> Subject:
    actor = event.payload.get("actor", "")
    text = f"{name_of(event)} {event.kind.value} {event.ref.kind} {words_of(event)} {actor}"
    return Subject(text, event.ref.namespace, event.severity, (f"kind={event.kind.value}",))


def query_of(filter_text: str, limit: int, after: Event | None = None) -> EventQuery:
    """Return what history is asked for: all that could pass the filter, which has the last word.

    Only what SQLite can tell for sure narrows the question: kinds, and words without signs of a pattern.
    """
    kinds: tuple[EventKind, ...] = ()
    words: list[str] = []
    for word in filter_text.split():
        if word.startswith("kind:"):
            kinds = tuple(kind for kind in EventKind if kind.value.startswith(word[5:])) or kinds
        elif word.startswith("ns:"):
            words.append(f"/{word[3:]}")
        elif not word.startswith(("!", "-", "is:", "label:")) and _PLAIN.issuperset(word) and "." not in word:
            words += [part for part in word.split("/") if part]
    if "-l" in filter_text.split() or "-f" in filter_text.split():
        words = []
    return EventQuery(kinds=kinds, words=tuple(words), after=after, limit=limit)


def name_of(event: Event) -> str:
    """Return the name of what an event is about, as an operator says it: "shop/cart"; an alert's is its workload's."""
    if event.kind is EventKind.ALERT:
        named = event.payload.get("workload") or event.payload.get("pod") or ""
        inside = "/".join(part for part in (event.ref.namespace, named) if part)
        return inside if named else event.payload.get("node") or inside
    return event.ref.key


def words_of(event: Event) -> str:
    """Return what happened, in a few words."""
    before = event.payload.get("before", "")
    return f"{event.text} (was {before})" if event.kind is EventKind.SCALE and before else event.text


def mark_of(event: Event, lens: Lens) -> Span:
    """Return the sign of an event."""
    return mark_for(event.kind, event.severity, lens)


def mark_for(kind: EventKind, severity: Severity, lens: Lens) -> Span:
    """Return the sign of what happened: its shape where it is bad, else what kind of thing it was."""
    tone = TONES[severity]
    if severity <= Severity.WARN:
        return Span(lens.shape(severity), tone)
    if severity is Severity.OK and kind is not EventKind.ROLLOUT:
        return Span(lens.glyphs.mark("ok"), tone)
    return Span(lens.glyphs.mark(MARKS.get(kind, "note")), tone)


def present_moment(key: str, moment: Moment, lens: Lens) -> Row:
    """Return one line of the timeline."""
    if moment.event is not None:
        return _happening(key, moment.event, lens)
    if moment.gap is not None:
        return _gap(key, moment.gap, lens)
    day = datetime.fromtimestamp(moment.at - 1, UTC).strftime("%a %d %b %Y")
    rule = lens.glyphs.rule
    cells = ("", rule, rule * 3, f"{rule * 2} {day} {rule * 2}", rule * 12)
    return Row(key, tuple(Span(cell, Tone.MUTED) for cell in cells))


def _happening(key: str, event: Event, lens: Lens) -> Row:
    trouble = event.severity <= Severity.WARN
    return Row(
        key,
        (
            Span(clock(event.at, seconds=True), Tone.MUTED),
            mark_of(event, lens),
            Span(event.kind.value, Tone.MUTED),
            Span(lens.text(name_of(event), 120), Tone.STRONG if trouble else Tone.PLAIN),
            Span(lens.text(words_of(event), 300), TONES[event.severity]),
            Span(lens.name("user", event.payload.get("actor", "")), Tone.MUTED),
            Span(lens.age(event.at), Tone.MUTED),
        ),
    )


def _gap(key: str, gap: Gap, lens: Lens) -> Row:
    sign = lens.glyphs.mark("gap")
    lasted = age(gap.ended - gap.began)
    words = f"for {lasted}, since {_since(gap)} {sign}"
    cells = (clock(gap.ended, seconds=True), sign, sign * 3, f"{sign} nobody watched", words)
    return Row(key, tuple(Span(cell, Tone.MUTED) for cell in cells))


def _since(gap: Gap) -> str:
    """Return when a gap began, with its day where that is not the one it ended on."""
    began, ended = (datetime.fromtimestamp(at, UTC) for at in (gap.began, gap.ended))
    if began.date() == ended.date():
        return f"{began:%H:%M}"
    return f"{began:%a %H:%M}" if (ended - began).days < 6 else f"{began:%d %b %H:%M}"


def present_title(
    shown: int, known: int, *, words: str, more: bool, reason: str, reading: Reading, lens: Lens, outside: int = 0
) -> tuple[Line, Line]:
    """Return the title and the state of the pane: how much is shown of how much is known, and whether there is more.

    `known` is what lies in the scope, `outside` what does not.
    """
    count = f"{known:,}{'+' if more else ''}"
    title = [Span("Timeline", Tone.STRONG), lens.dash()]
    if words:
        title += [Span(f"{shown:,}", Tone.STRONG), Span(f" of {count}  /{lens.text(words, 80)}", Tone.KEY)]
    else:
        title.append(Span(count, Tone.STRONG))
    if outside:
        title.append(Span(f"  {outside:,} outside the scope", Tone.MUTED))
    state = list(present_state(reading, lens))
    if reason:
        state.append(Span(f"  {lens.text(reason, 160)}", Tone.WARN))
    return tuple(title), tuple(state)


def present_line(moment: Moment, lens: Lens) -> Line:
    """Return one line of the timeline in as few words as fit a strip."""
    if moment.event is None:
        gap = moment.gap
        words = f"nobody watched for {age(gap.ended - gap.began)}" if gap is not None else ""
        sign = lens.glyphs.mark("gap")
        return (Span(f"{clock(moment.at)} {sign} {words} {sign}", Tone.MUTED),)
    event = moment.event
    return (
        Span(f"{clock(event.at)} ", Tone.MUTED),
        mark_of(event, lens),
        Span(f" {lens.text(name_of(event), 60)} {lens.text(words_of(event), 120)}"),
        *((Span(f"  {lens.name('user', event.payload['actor'])}", Tone.MUTED),) if event.payload.get("actor") else ()),
    )


def severity_of(moment: Moment) -> Severity:
    """Return how bad a line is; days and gaps are not."""
    return moment.event.severity if moment.event is not None else Severity.OK


def ref_of(moment: Moment) -> Ref:
    """Return the identity of what a line is about; a day's or a gap's is empty."""
    return moment.event.ref if moment.event is not None else Ref("", "", "", "", moment.key)


def merged(known: Mapping[str, Event], news: Iterable[Event]) -> dict[str, Event]:
    """Return events by id, those that are known already staying as they are."""
    return {event.id: event for event in news} | dict(known)


VIEW = View(
    id="timeline",
    title="Timeline",
    noun="happening",
    table=TABLE,
    sources=(),
    columns=COLUMNS,
    row=present_moment,
    subject=lambda moment: _subject(moment.event) if moment.event is not None else Subject("", "", Severity.OK),
    ref=ref_of,
    ranks={"age": _rank},
    aliases=("tl", "history"),
    severity=severity_of,
    empty="nothing is known to have happened",
)
