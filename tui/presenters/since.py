"""Says what changed while the operator was away: from the rows that were left to those that are there now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Rollout
from tui.presenters.lens import TONES, Lens, age, clock
from widgets.viewmodels import Line, Span, Tone

NAMED = 2


def present_since(
    before: Mapping[str, Rollout],
    now: Mapping[str, Rollout],
    left_at: float,
    lens: Lens,
    events: Iterable[Event] = (),
) -> Line:
    """Return "since 02:41 (33m): ▲ shop/cart broke; ▲ CartDown firing; 1 recovered; shop/cart rev 17", or ().

    What began comes first, then what ended, then what was rolled out; () when nothing was known. `events` are those of
    the timeline, newest first; those with an onset before `left_at` are no news.
    """
    if not before or not left_at:
        return ()
    news = [event for event in events if event.at >= left_at]
    ended = sum(1 for event in news if _alert(event) == "ended")
    counts = (
        (sum(1 for key, row in now.items() if not _bad(row) and _bad(before.get(key))), "recovered"),
        (ended, "alert ended" if ended == 1 else "alerts ended"),
        (sum(1 for key in now if key not in before), "new"),
        (sum(1 for key in before if key not in now), "gone"),
    )
    parts = [part for part in (_broke(before, now, lens), _firing(news, lens)) if part]
    parts += [(Span(f"{count} {words}"),) for count, words in counts[:2] if count]
    parts += [part for part in (_rolled(before, now, news, lens),) if part]
    parts += [(Span(f"{count} {words}"),) for count, words in counts[2:] if count]
    line = [Span(f" since {clock(left_at)} ({age(lens.now - left_at)}): ", Tone.MUTED)]
    if not parts:
        return (Span(f"{line[0].text}nothing changed", Tone.MUTED),)
    for index, part in enumerate(parts):
        line += [Span("; "), *part] if index else [*part]
    return tuple(line)


def _broke(before: Mapping[str, Rollout], now: Mapping[str, Rollout], lens: Lens) -> Line:
    broke = [row for key, row in now.items() if _bad(row) and not _bad(before.get(key))]
    broke.sort(key=lambda row: (row.severity, row.ref.key))
    return _named([(row.severity, row.ref.key) for row in broke], "broke", lens)


def _firing(news: Sequence[Event], lens: Lens) -> Line:
    """Return the alerts that began and have not ended since."""
    over = {event.payload.get("fingerprint") for event in news if _alert(event) == "ended"}
    began = [event for event in news if _alert(event) == "began" and event.payload.get("fingerprint") not in over]
    began.sort(key=lambda event: (event.severity, event.at))
    return _named([(event.severity, event.ref.name) for event in began], "firing", lens)


def _named(things: Sequence[tuple[Severity, str]], word: str, lens: Lens) -> Line:
    if not things:
        return ()
    spans: list[Span] = []
    for severity, name in things[:NAMED]:
        spans += [Span(f"{lens.shape(severity)} ", TONES[severity]), Span(f"{lens.text(name, 80)} ")]
    more = f"and {len(things) - NAMED} more " if len(things) > NAMED else ""
    return (*spans, Span(f"{more}{word}", Tone.STRONG))


def _rolled(before: Mapping[str, Rollout], now: Mapping[str, Rollout], news: Sequence[Event], lens: Lens) -> Line:
    """Return what was rolled out, by name where the timeline tells of it, else how many."""
    keys = {key for key, row in now.items() if key in before and row.revision != before[key].revision}
    told: dict[str, str] = {}
    for event in news:
        if event.kind is EventKind.ROLLOUT and event.severity is not Severity.OK:
            told.setdefault(f"{event.ref.kind}/{event.ref.key}", f"{event.ref.key} {event.text}")
    count = len(keys | told.keys())
    if not count:
        return ()
    if count > NAMED or len(told) < count:
        return (Span(f"{count} rolled out"),)
    return (Span("rolled out "), Span(", ".join(lens.text(words, 80) for words in told.values())))


def _alert(event: Event) -> str:
    return event.payload.get("what", "") if event.kind is EventKind.ALERT else ""


def _bad(row: Rollout | None) -> bool:
    return row is not None and row.severity <= Severity.WARN
