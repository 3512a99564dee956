"""Shows what is told to people outside: the outbox, row by row, and a message as it will be read, before it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from services.config_notify import NotifySettings
from services.model.message import DROPPED, OUTBOX, Message, OutboxRow, OutboxState
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.text import SafeText
from tui.presenters.detail import labelled
from tui.presenters.lens import TONES, Lens, age, moment, plural
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Line, Row, Span, Tone

_ORDER = {
    OutboxState.DEAD: 0,
    OutboxState.UNKNOWN: 1,
    OutboxState.SENDING: 2,
    OutboxState.QUEUED: 3,
    OutboxState.ACCEPTED: 4,
}


def was_dropped(row: OutboxRow) -> bool:
    """Return whether somebody took it back: then nobody waits for it."""
    return row.state is OutboxState.DEAD and row.reason.startswith(DROPPED)


def came_to_nothing(row: OutboxRow) -> bool:
    """Return whether it was not told, or nobody knows, and nothing happens to it any more unless somebody acts."""
    return not row.waits and row.state in (OutboxState.DEAD, OutboxState.UNKNOWN) and not was_dropped(row)


def untold(rows: Iterable[OutboxRow]) -> int:
    """Return how many messages came to nothing."""
    return sum(came_to_nothing(row) for row in rows)


def severity_of(row: OutboxRow) -> Severity:
    """Return how much a message needs somebody: a dead one was not told, of an unknown one it is not known."""
    if row.state is OutboxState.DEAD:
        return Severity.OK if was_dropped(row) else Severity.CRIT
    if row.state is OutboxState.UNKNOWN:
        return Severity.WARN
    return Severity.NOTICE if row.waits and row.attempts > 1 else Severity.OK


def next_words(row: OutboxRow, lens: Lens) -> str:
    """Return when it is tried (again): "now", "in 40s"; "" for a message that is settled or under way."""
    if not row.waits or row.state is OutboxState.SENDING:
        return ""
    left = row.next_at - lens.now
    return f"in {age(left)}" if left >= 1 else "now"


def present_row(key: str, row: OutboxRow, lens: Lens) -> Row:
    """Return a row of the outbox."""
    severity = severity_of(row)
    tone = TONES[severity]
    folded = f" (and {plural(row.folded, 'equal one')})" if row.folded else ""
    cells = (
        lens.badge(severity),
        Span(row.state.value, tone),
        Span(lens.text(row.channel, 40)),
        Span(lens.text(row.to, 200)),
        Span(lens.text(f"{row.subject}{folded}", 300)),
        Span(lens.text(row.reason, 300), Tone.MUTED if severity is Severity.OK else tone),
        Span(str(row.attempts) if row.attempts else ""),
        Span(next_words(row, lens)),
        Span(lens.name("user", row.by), Tone.MUTED),
        Span(lens.age(row.created_at)),
    )
    return Row(key, cells, dimmed=row.state is OutboxState.ACCEPTED)


def present_message(
    row: OutboxRow, said: Message | None, channels: Mapping[str, NotifySettings], lens: Lens
) -> list[Line]:
    """Return all of a message: what became of it and why, whom it is for, and what it says where that can be read."""
    severity, following = severity_of(row), next_words(row, lens)
    tries = f"   after {row.attempts} {'try' if row.attempts == 1 else 'tries'}" if row.attempts else ""
    state = (lens.badge(severity), Span(f" {row.state.value}", TONES[severity]), Span(tries, Tone.MUTED))
    facts: list[tuple[str, str]] = [
        ("WHY", lens.text(row.reason, 2000)),
        ("NEXT", following if following != "now" else "as soon as its turn comes"),
        ("CHANNEL", lens.text(row.channel, 200)),
        ("TO", lens.text(row.to, 500)),
        ("SUBJECT", lens.text(row.subject, 1000)),
        ("THREAD", lens.text(row.thread, 200)),
        ("BY", lens.name("user", row.by)),
        ("QUEUED", f"{moment(row.created_at, lens.now)}, {lens.age(row.created_at)} ago"),
        ("ENDED", f"{moment(row.settled_at, lens.now)}, {lens.age(row.settled_at)} ago" if row.settled_at else ""),
        ("FOLDED", f"{plural(row.folded, 'equal one')} not sent besides" if row.folded else ""),
        ("ID", lens.text(row.id, 64)),
    ]
    lines: list[Line] = [labelled("STATE", *state)]
    lines += [labelled(label, Span(text)) for label, text in facts if text]
    if said is None:
        return [*lines, (), (Span("what it says cannot be read any more", Tone.MUTED),)]
    if said.channel in channels:
        return [*lines, (), *draft([said], channels, lens)]
    words = f"no channel {said.channel} is configured here: this is what it was given to say"
    written = [said.subject, *said.text.splitlines(), *([said.link] if said.link else [])]
    return [*lines, (), (Span(lens.text(words), Tone.MUTED),), *((Span(f"  {lens.line(one)}"),) for one in written)]


def present_told(rows: Iterable[OutboxRow], lens: Lens) -> list[SafeText]:
    """Return what became of messages so far, a line each: accepted, waits and why, came to nothing and why."""
    lines = []
    for row in rows:
        state = "waits" if row.waits and row.state is not OutboxState.SENDING else row.state.value
        why = f": {row.reason}" if row.reason else ""
        later = f" (next {next_words(row, lens)})" if next_words(row, lens) else ""
        help_ = "; any console here sends it, or quarterdeck outbox send" if row.waits else ""
        lines.append(lens.text(f"told     {row.channel} {row.to}: {state}{later}{why}{help_}", 500))
    return lines


VIEW = View(
    id="outbox",
    title="Outbox",
    noun="message",
    table=OUTBOX,
    sources=(OUTBOX,),
    columns=(
        Column("shape", "", 1),
        Column("state", "STATE", 8),
        Column("channel", "CHANNEL", 8, weight=1, priority=1),
        Column("to", "TO", 10, weight=1, priority=3),
        Column("subject", "SUBJECT", 24, weight=4),
        Column("reason", "REASON", 16, weight=5),
        Column("attempts", "TRIES", 5, right=True, priority=2),
        Column("next", "NEXT", 7, right=True, priority=2),
        Column("who", "BY", 8, weight=1, priority=4),
        Column("age", "AGE", 6, right=True),
    ),
    row=present_row,
    subject=lambda one: Subject(
        f"{one.channel} {one.to} {one.subject} {one.reason} {one.thread}", "", severity_of(one), (), (one.state.value,)
    ),
    ref=lambda one: Ref("", "", "Message", "", one.id, one.id),
    ranks={
        "state": lambda one: (severity_of(one), _ORDER[one.state], -one.number),
        "age": lambda one: -one.number,
        "channel": lambda one: (one.channel, -one.number),
        "next": lambda one: (not one.waits, one.next_at, one.number),
    },
    aliases=("messages", "told"),
    severity=severity_of,
    empty="nothing was told from here",
)


def present_untold(rows: Iterable[OutboxRow], lens: Lens) -> list[SafeText]:
    """Return messages that came to nothing for a report, a line each: which, to whom, why, since when."""
    return [
        lens.text(
            f"{one.channel} {one.to}: {one.subject} ({one.reason or one.state.value}), {lens.age(one.settled_at)} ago"
        )
        for one in rows
    ]


def draft(messages: Sequence[Message], channels: Mapping[str, NotifySettings], lens: Lens) -> list[Line]:
    """Return what will be sent, each message as its recipient reads it: rendered by what sends it, and masked as shown.

    In share mode names are masked here alone: what is sent names them.
    """
    from services.notifications.registry import CHANNELS

    lines: list[Line] = []
    for message in messages:
        if lines:
            lines.append(())
        settings = channels.get(message.channel)
        if settings is None:
            words = f"there is no channel {message.channel}; nothing is sent"
            lines.append((Span(lens.text(words), Tone.CRIT),))
            continue
        channel = CHANNELS[settings.type]
        rendered = channel.render(message, settings)
        to = lens.name("user", message.to) if settings.type == "email" else lens.text(message.to)
        head = (Span(channel.label, Tone.STRONG), Span(f" {message.channel}", Tone.MUTED), lens.dash(), Span(to))
        lines.append(head)
        lines += [(Span(f"  {lens.line(line)}"),) for line in rendered.shown]
        if rendered.cut:
            lines.append((Span("  (cut: the rest does not fit)", Tone.WARN),))
    return lines
