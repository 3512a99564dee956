"""One line to type into: the input that every prompt uses, and the filter line below what it filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from widgets.history import History

LONGEST = 500


class LineInput(Input):
    """An input on one line: its cursor does not blink (that would cost 2.5 KB/s), what is pasted is made printable."""

    DEFAULT_CSS = """
    LineInput, LineInput:focus {
        height: 1; border: none; padding: 0; background: $background; color: $foreground; background-tint: 0%;
    }
    """

    def __init__(self, value: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(value, id=id, compact=True, select_on_focus=False, max_length=LONGEST)
        self.cursor_blink = False

    def put(self, text: str) -> None:
        """Replace the text, the cursor behind it."""
        self.value = text
        self.cursor_position = len(text)

    def _on_paste(self, event: events.Paste) -> None:
        """Take what can be printed of the first line: an escape sequence in a clipboard must not be drawn."""
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(printable(event.text))


def printable(text: str) -> str:
    """Return the first line of a text that has anything on it, without what cannot be printed."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return "".join(letter for letter in line.replace("\t", " ") if letter.isprintable())[:LONGEST]


class FilterInput(LineInput):
    """The input of a filter line; it knows how to be left, and what was typed before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    def action_cancel(self) -> None:
        """Leave without the filter."""
        self.post_message(FilterBar.Cancelled())

    def action_recall(self, step: int) -> None:
        """Bring back a filter typed before."""
        if isinstance(self.parent, FilterBar):
            self.parent.recall(step)


class FilterBar(Horizontal):
    """Hidden until `open`; tells every change, and keeps the text when it cannot be read.

    `history` can be shared between bars of the same kind.
    """

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; background: $background; }
    FilterBar > .filter--label { width: auto; color: $primary; text-style: bold; padding: 0 0 0 1; }
    FilterBar > FilterInput { width: 1fr; min-width: 20; }
    FilterBar > .filter--wrong {
        width: auto; max-width: 70%; height: 1; color: $warning; padding: 0 1; text-wrap: nowrap; text-overflow: clip;
    }
    FilterBar > .filter--wrong:nocolor { text-style: bold; }
    """

    @dataclass
    class Changed(Message):
        """The text changed."""

        text: str

    @dataclass
    class Submitted(Message):
        """The text stands."""

        text: str

    class Cancelled(Message):
        """The filter is not wanted any more."""

    def __init__(self, *, history: History | None = None, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.history = history or History()
        self._input = FilterInput()
        self._label = Static("/", classes="filter--label", markup=False)
        self._wrong = Static("", classes="filter--wrong", markup=False)

    def compose(self) -> ComposeResult:
        """Lay out label, text and what is wrong with it."""
        yield self._label
        yield self._input
        yield self._wrong

    @property
    def text(self) -> str:
        """What is typed."""
        return self._input.value

    def open(self, text: str = "", label: str = "/") -> None:
        """Show the line with a text and take the keys."""
        self._label.update(Content(label))
        self.set_error("")
        self.display = True
        with self._input.prevent(Input.Changed):
            self._input.put(text)
        self.history.rest()
        self._input.focus()

    def close(self) -> None:
        """Hide the line."""
        self.display = False

    def set_error(self, text: str) -> None:
        """Say what is wrong with the text, beside it; "" takes that away."""
        self._wrong.update(Content(text))

    def recall(self, step: int) -> None:
        """Put a text typed before into the line: an older one (-1), or a newer one (1)."""
        text = self.history.older() if step < 0 else self.history.newer()
        if text is not None:
            self._input.put(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Hand the text on as it is typed."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Let the text stand."""
        event.stop()
        self.history.add(event.value)
        self.post_message(self.Submitted(event.value))
