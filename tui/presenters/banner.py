"""Words for what needs a person now, above everything else."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from services.model.action import Ended, Outcome
from tui.presenters.lens import Lens
from widgets.viewmodels import Line, Span, Tone

if TYPE_CHECKING:
    from services.kubernetes.exec_plugin import LoginNeeded


class Notice(IntEnum):
    """What may stand above everything else; where there are several, the first of them stands there."""

    BROKEN = 0
    LOGIN = 1
    LEDGER = 2
    UNSETTLED = 3
    CONFIG = 4
    SINCE = 5


def present_broken(part: str, why: str, lens: Lens) -> Line:
    """Return what a dead thread means for the operator, what to do about it, and where the details are."""
    return (Span(" STOPPED ", Tone.PROD), Span(f" {part}  ", Tone.WARN), Span(lens.text(why), Tone.MUTED))


def present_ledger(sentence: str, lens: Lens) -> Line:
    """Return that what was done and promised cannot be read or written, and that nothing touches the file."""
    return (Span(" LEDGER ", Tone.PROD), Span(f" {lens.text(sentence, 400)}", Tone.WARN))


def present_left_open(titles: Sequence[str], lens: Lens) -> Line:
    """Return what a former console began and nobody settled, while it is being found out how that ended."""
    said = lens.text("; ".join(titles), 300)
    return (Span(" BEGUN BEFORE ", Tone.PROD), Span(f" {said}"), Span("  finding out how it ended", Tone.MUTED))


def present_found_out(found: Sequence[tuple[str, Ended]], lens: Lens) -> Line:
    """Return how what a former console began has ended: what is still unknown first, as far as there is room."""
    ordered = sorted(found, key=lambda one: one[1].outcome is not Outcome.UNKNOWN)
    said = [f"{title}: {ended.outcome.value} ({ended.text})" for title, ended in ordered]
    return (Span(" BEGUN BEFORE ", Tone.PROD), Span(f" {lens.text('; '.join(said), 400)}", Tone.WARN))


def present_refused_config(sentence: str, lens: Lens) -> Line:
    """Return why a changed configuration is not taken; the one before stays in use."""
    return (
        Span(" CONFIG ", Tone.PROD),
        Span(f" {lens.text(sentence)}", Tone.WARN),
        Span("; what was read before stays in use", Tone.MUTED),
    )


def present_login(needed: LoginNeeded, key: str, lens: Lens) -> Line:
    """Return what has to be done before the credentials work again: the key, the code, the link, and why.

    What is needed most stands first, since a narrow screen shows the beginning.
    """
    spans = [Span(" LOGIN ", Tone.PROD), Span(f" {key}", Tone.KEY), Span(" logs in", Tone.MUTED)]
    if needed.code:
        spans += [Span("  code ", Tone.MUTED), Span(lens.text(needed.code, 60), Tone.STRONG)]
    if needed.link:
        spans += [Span("  open ", Tone.MUTED), Span(lens.text(needed.link, 300), Tone.STRONG)]
    return (*spans, Span(f"  {lens.text(needed.sentence, 160)}", Tone.WARN))
