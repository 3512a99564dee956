"""What was done from this console: the exact command of each action beside how it ended, to read and to copy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tui.presenters.action import ENDS
from tui.presenters.lens import Lens
from widgets.viewmodels import BarVM, Choice, Span, Tone

if TYPE_CHECKING:
    from tui.acts import Done

SHOWN_FOR = 600.0
"""Seconds for which the last action stays on screen by itself."""


def present_strip(done: Sequence[Done], lens: Lens) -> BarVM:
    """Return the last action in a line: how it ended, its command, and where the others are; nothing after a while."""
    if not done or lens.now - done[-1].at > SHOWN_FOR:
        return BarVM(())
    last = done[-1]
    word, tone, severity = ENDS[last.ended.outcome]
    ended = (lens.badge(severity), Span(f" {word}", tone))
    command = (Span("$ ", Tone.MUTED), Span(lens.text(last.command, 400)))
    return BarVM((ended, command), ((Span(f"{lens.age(last.at)} ago  :done lists", Tone.MUTED),),))


def present_log(done: Sequence[Done], lens: Lens) -> tuple[Choice, ...]:
    """Return every action of this console, newest first: its command to choose, when it was and how it ended."""
    choices = []
    for number, one in reversed(list(enumerate(done))):
        time = datetime.fromtimestamp(one.at, UTC).strftime("%H:%M:%S")
        word = ENDS[one.ended.outcome][0]
        choices.append(Choice(str(number), lens.text(one.command, 400), f"{time} {word}"))
    return tuple(choices)
