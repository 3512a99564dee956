"""Answers, in one line: where am I, is it live, how bad is it, who drives, in which mode, what time is it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from services.model.severity import Severity
from services.sanitize import safe_text
from tui.presenters.freshness import Reading, present_liveness
from tui.presenters.lens import TONES, WORDS, Lens
from widgets.viewmodels import BarVM, Line, Span, Tone

BADGES: Mapping[str, Tone] = {
    "blue": Tone.BADGE_BLUE,
    "violet": Tone.BADGE_VIOLET,
    "teal": Tone.BADGE_TEAL,
    "amber": Tone.BADGE_AMBER,
    "grey": Tone.BADGE_GREY,
}
"""What lies behind the cluster's name, by the context's `colour` setting; without one the name is merely bold."""


class Situation(Struct, frozen=True):
    """What the header knows; `counts` are of the scope, `hidden` of what it leaves out ("+3 CRIT outside").

    `unsure`: a server that alerts come from does not answer, so that there may be more. `pending` alerts are to come.
    `colour` is the context's setting. `untold` messages came to nothing: the outbox has them.
    """

    cluster: str
    environment: str
    reading: Reading
    counts: dict[Severity, int] = {}
    hidden: dict[Severity, int] = {}
    mode: str = "RO"
    actor: str = ""
    scope: str = ""
    unsure: bool = False
    pending: int = 0
    frozen_since: float = 0.0
    colour: str = "none"
    untold: int = 0


def _place(situation: Situation, lens: Lens) -> Line:
    badge = BADGES.get(situation.colour)
    name = lens.text(situation.cluster, 60)
    spans = [Span(f"{lens.glyphs.here} "), Span(f" {name} " if badge else name, badge or Tone.STRONG)]
    word = situation.environment.upper()
    if word:
        shown = safe_text(word, 16)  # never masked: a context may be called prod, and where it counts must be seen
        spans += [Span(" "), Span(f" {shown} " if word.startswith("PROD") else shown, Tone.PROD)]
    return tuple(spans)


def _counts(situation: Situation, lens: Lens) -> Line:
    spans: list[Span] = []
    known = situation.reading.trusted
    for severity in (Severity.CRIT, Severity.WARN):
        count = situation.counts.get(severity, 0)
        if spans:
            spans.append(Span(" "))
        if not known:
            spans.append(Span(f"{lens.shape(severity)}?", Tone.MUTED))
        elif count:
            more = "+?" if situation.unsure else ""
            spans.append(Span(f"{lens.shape(severity)}{count}{more} {WORDS[severity]}", TONES[severity]))
        elif situation.unsure:
            spans.append(Span(f"{lens.shape(severity)}?", Tone.MUTED))
        else:
            spans.append(Span(f"{lens.shape(severity)}0", Tone.MUTED))
    outside = situation.hidden.get(Severity.CRIT, 0)
    if outside and known:
        spans.append(Span(f" +{outside} CRIT outside", Tone.CRIT))
    return tuple(spans)


def present_header(situation: Situation, lens: Lens) -> BarVM:
    """Return the header line; the clock is always last, and what matters least goes first when there is no room."""
    left: list[Line] = [_place(situation, lens), present_liveness(situation.reading, lens), _counts(situation, lens)]
    if situation.untold:
        left.append((Span(f"{situation.untold} not told", Tone.WARN), Span(" :outbox", Tone.MUTED)))
    if situation.scope:
        left.append((Span(lens.text(situation.scope, 60), Tone.NOTICE),))
    if situation.frozen_since:
        left.append((Span(f"FROZEN {lens.age(situation.frozen_since)}", Tone.PROD),))
    known = situation.pending and situation.reading.trusted
    pending: Line = (Span(f" {lens.glyphs.dot}{situation.pending} pending", Tone.MUTED),) if known else ()
    quiet = situation.mode == "RO"
    mode: Line = (Span(situation.mode if quiet else f" {situation.mode} ", Tone.MUTED if quiet else Tone.PROD),)
    time = datetime.fromtimestamp(lens.now, UTC).strftime("%a %H:%M:%SZ")
    right: list[Line] = [mode]
    if situation.actor:
        right.insert(0, (Span(lens.text(situation.actor, 40), Tone.MUTED),))
    right.append((Span(time, Tone.STRONG),))
    return BarVM(tuple(left), tuple(right), pending)
