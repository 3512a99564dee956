"""Several of a few options on one line: each is ticked or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message

from widgets.bars import HeaderBar
from widgets.viewmodels import BarVM, Choice, Span, Tone

APART = ","


class TickRow(HeaderBar, can_focus=True):
    """Left and right move, space ticks, an option's key ticks it; one that is off cannot be ticked.

    `value` are the ids that are ticked, parted by commas.
    """

    @dataclass
    class Left(Message):
        """Enter was pressed: the next field is wanted."""

    @dataclass
    class Ticked(Message):
        """Something was ticked, or is not any more."""

        row: TickRow

    def __init__(self, options: Sequence[Choice], value: str) -> None:
        super().__init__()
        self._options = options
        self._ticked = set(value.split(APART)) & {one.id for one in options if not one.reason}
        self._at = 0

    @property
    def value(self) -> str:
        """What is ticked, in the order of the options."""
        return APART.join(one.id for one in self._options if one.id in self._ticked)

    def on_mount(self) -> None:
        """Show the options."""
        self._show()

    def on_focus(self) -> None:
        """Say that keys tick here, as soon as they do."""
        self.call_next(self._show)

    def on_blur(self) -> None:
        """Say that they do not."""
        self.call_next(self._show)

    def tick(self, key: str) -> bool:
        """Tick the option of a key, or take that back; return whether there is one."""
        found = next((one for one in self._options if one.key and one.key == key and not one.reason), None)
        if found is not None:
            self._ticked ^= {found.id}
            self._show()
            self.post_message(self.Ticked(self))
        return found is not None

    def on_key(self, event: events.Key) -> None:
        """Move, tick, or leave."""
        if event.key == "enter":
            event.stop()
            self.post_message(self.Left())
        elif event.key in ("left", "h", "right", "l"):
            event.stop()
            step = 1 if event.key in ("right", "l") else -1
            self._at = min(len(self._options) - 1, max(0, self._at + step))
            self._show()
        elif event.key == "space" and self._options:
            event.stop()
            self.tick(self._options[self._at].key)
        elif self.tick(event.character or ""):
            event.stop()

    def _show(self) -> None:
        spans: list[Span] = []
        for at, option in enumerate(self._options):
            here = self.has_focus and at == self._at
            ticked = option.id in self._ticked
            tone = Tone.KEY if here else Tone.STRONG if ticked else Tone.MUTED
            spans += [
                Span(f"[{'x' if ticked else ' '}] ", tone),
                Span(f"{option.key} {option.title}", tone),
                Span("  "),
            ]
        hint = self._options[self._at].hint if self._options and self.has_focus else ""
        self.set_vm(BarVM(((*spans, Span(hint, Tone.MUTED)),)))
