"""One line to type a filter into, below what it filters."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

REMEMBERED = 50


class FilterInput(Input):
    """The input itself; it knows how to be left."""

    BINDINGS = [  # noqa: RUF012 - Textual's own form
        Binding("escape", "screen_cancel", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    def action_screen_cancel(self) -> None:
        """Leave without the filter."""
        self.post_message(FilterBar.Cancelled())

    def action_recall(self, step: int) -> None:
        """Bring back a filter typed before."""
        if isinstance(self.parent, FilterBar):
            self.parent.recall(step)


class FilterBar(Horizontal):
    """Hidden until `open`; says every change, and keeps the text when it cannot be read."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; background: $background; }
    FilterBar > #label { width: auto; color: $primary; text-style: bold; }
    FilterBar > Input { width: 1fr; height: 1; border: none; padding: 0; background: $background; color: $foreground; }
    FilterBar > Input:focus { border: none; }
    FilterBar > #wrong { width: auto; color: $warning; padding: 0 1; }
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

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._input = FilterInput(compact=True)
        self._input.cursor_blink = False
        self._label = Static("/", id="label", markup=False)
        self._wrong = Static("", id="wrong", markup=False)
        self._past: list[str] = []
        self._at = 0

    def compose(self) -> ComposeResult:
        """Lay out label, text and what is wrong with it."""
        yield self._label
        yield self._input
        yield self._wrong

    def open(self, text: str = "", label: str = "/") -> None:
        """Show the line with a text and take the keys."""
        self._label.update(Content(label))
        self.set_error("")
        self.display = True
        with self._input.prevent(Input.Changed):
            self._input.value = text
        self._input.cursor_position = len(text)
        self._at = len(self._past)
        self._input.focus()

    def close(self) -> None:
        """Hide the line."""
        self.display = False

    def set_error(self, text: str) -> None:
        """Say what is wrong with the text, beside it; "" takes that away."""
        self._wrong.update(Content(text))

    def recall(self, step: int) -> None:
        """Put a text typed before into the line."""
        if self._past:
            self._at = max(0, min(len(self._past), self._at + step))
            self._input.value = self._past[self._at] if self._at < len(self._past) else ""
            self._input.cursor_position = len(self._input.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Hand the text on as it is typed."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Let the text stand."""
        event.stop()
        if event.value and event.value not in self._past[-1:]:
            self._past = [*self._past, event.value][-REMEMBERED:]
        self.post_message(self.Submitted(event.value))
