"""A form whose first rows are ticked or not, and that says at once what its answers would mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual import events
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from widgets.form import Field, FormDialog, OptionRow
from widgets.text_view import TextView
from widgets.viewmodels import BarVM, Choice, KeyHint, Line, Span, TextVM, Tone

ON, OFF = "on", "off"
MEANING_ROWS = 3


@dataclass(frozen=True, slots=True)
class Tick:
    """One row that is ticked or not."""

    id: str
    text: str
    ticked: bool = False


class TickRow(OptionRow):
    """A text with a box before it: space ticks it, and takes the tick away."""

    @dataclass
    class Changed(Message):
        """It was ticked, or is no longer."""

    def __init__(self, tick: Tick) -> None:
        self._text = tick.text
        super().__init__((Choice(ON, tick.text), Choice(OFF, tick.text)), ON if tick.ticked else OFF)

    def on_key(self, event: events.Key) -> None:
        """Tick, or leave."""
        if event.key in ("space", "left", "right", "h", "l"):
            event.stop()
            self._at = 1 - self._at
            self._show()
            self.post_message(self.Changed())
        elif event.key == "enter":
            super().on_key(event)

    def _show(self) -> None:
        ticked = self.value == ON
        box = Span("[x] " if ticked else "[ ] ", Tone.KEY if self.has_focus else Tone.PLAIN)
        tone = Tone.STRONG if ticked else Tone.MUTED
        self.set_vm(BarVM(((box, Span(self._text, tone)),)))


class TickForm(FormDialog):
    """A form with ticks above its fields. `meaning` is asked for lines whenever an answer changes."""

    def __init__(
        self,
        title: Line,
        head: str,
        ticks: Sequence[Tick],
        fields: Sequence[Field],
        *,
        submit: Callable[[Mapping[str, str]], None],
        meaning: Callable[[Mapping[str, str]], Sequence[Line]],
        key: str,
        label: str,
    ) -> None:
        super().__init__(title, fields, submit, key=key, label=label)
        self._head = head
        self._rows = {one.id: TickRow(one) for one in ticks}
        self._inputs = {**self._rows, **self._inputs}
        self._meaning = meaning
        self.meaning = TextView(wrap=True, focusable=False, classes="form--note")

    @property
    def ticked(self) -> frozenset[str]:
        """The ids of the rows that are ticked."""
        return frozenset(name for name, row in self._rows.items() if row.value == ON)

    def body(self) -> Iterable[Widget]:
        """Return the ticks above the fields, and the meaning above the answers."""
        for place, row in enumerate(self._rows.values()):
            label = Static(self._head if not place else "", classes="form--label", markup=False)
            yield Horizontal(label, row, classes="form--row")
        *fields, note, answers = super().body()
        yield from fields
        self.meaning.styles.height = MEANING_ROWS
        yield self.meaning
        yield note
        yield answers

    def body_rows(self, width: int) -> int:
        """Return a row a tick and a field, the meaning, and two."""
        return super().body_rows(width) + len(self._rows) + MEANING_ROWS

    def opened(self) -> None:
        """Begin with the first row."""
        super().opened()
        self.set_hints((KeyHint("space", "tick"), KeyHint("enter", "next"), KeyHint("esc", "leave")))
        self._mean()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say anew what it means."""
        event.stop()
        self._mean()

    def on_tick_row_changed(self, event: TickRow.Changed) -> None:
        """Say anew what it means."""
        event.stop()
        self._mean()

    def _mean(self) -> None:
        self.meaning.set_vm(TextVM((), tuple(self._meaning(self.values))))
