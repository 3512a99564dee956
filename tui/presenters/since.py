"""Says what changed while the operator was away: from the rows that were left to those that are there now."""

from __future__ import annotations

from collections.abc import Mapping

from services.model.severity import Severity
from services.model.workload import Rollout
from tui.presenters.lens import TONES, Lens, age, clock
from widgets.viewmodels import Line, Span, Tone

NAMED = 2


def present_since(before: Mapping[str, Rollout], now: Mapping[str, Rollout], left_at: float, lens: Lens) -> Line:
    """Return "since 02:41 (33m): ▲ shop/cart broke; 1 recovered; 2 rolled out", () when nothing was known."""
    if not before or not left_at:
        return ()
    broke = [row for key, row in now.items() if row.severity <= Severity.WARN and _was(before, key) > Severity.WARN]
    broke.sort(key=lambda row: (row.severity, row.ref.key))
    well = [row for key, row in now.items() if row.severity > Severity.WARN and _was(before, key) <= Severity.WARN]
    rolled = [row for key, row in now.items() if key in before and row.revision != before[key].revision]
    gone = [key for key in before if key not in now]
    came = [key for key in now if key not in before]
    parts: list[Line] = []
    if broke:
        spans: list[Span] = []
        for row in broke[:NAMED]:
            spans += [Span(f"{lens.shape(row.severity)} ", TONES[row.severity]), Span(f"{lens.text(row.ref.key)} ")]
        more = f"and {len(broke) - NAMED} more " if len(broke) > NAMED else ""
        parts.append((*spans, Span(f"{more}broke", Tone.STRONG)))
    for count, word in (
        (len(well), "recovered"),
        (len(rolled), "rolled out"),
        (len(came), "new"),
        (len(gone), "gone"),
    ):
        if count:
            parts.append((Span(f"{count} {word}"),))
    if not parts:
        return (Span(f" since {clock(left_at)} ({age(lens.now - left_at)}): nothing changed", Tone.MUTED),)
    line = [Span(f" since {clock(left_at)} ({age(lens.now - left_at)}): ", Tone.MUTED)]
    for index, part in enumerate(parts):
        line += [Span("; "), *part] if index else [*part]
    return tuple(line)


def _was(before: Mapping[str, Rollout], key: str) -> Severity:
    row = before.get(key)
    return row.severity if row is not None else Severity.OK
