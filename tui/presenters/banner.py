"""Words for what needs a person now, above everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.presenters.lens import Lens
from widgets.viewmodels import Line, Span, Tone

if TYPE_CHECKING:
    from services.kubernetes.exec_plugin import LoginNeeded


def present_login(needed: LoginNeeded, lens: Lens) -> Line:
    """Return what has to be done before the credentials work again: the link, the code, and the key."""
    spans = [Span(" LOGIN ", Tone.PROD), Span(f" {lens.text(needed.sentence, 160)}", Tone.WARN)]
    if needed.link:
        spans += [Span("  open ", Tone.MUTED), Span(lens.text(needed.link, 300), Tone.STRONG)]
    if needed.code:
        spans += [Span("  code ", Tone.MUTED), Span(lens.text(needed.code, 60), Tone.STRONG)]
    spans += [Span("  L", Tone.KEY), Span(" logs in", Tone.MUTED)]
    return tuple(spans)
