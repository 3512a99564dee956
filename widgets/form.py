"""A few fields to fill in and one key that confirms them: what was typed is never lost, and enter confirms nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from widgets.bars import HeaderBar
from widgets.dialog import ARMED_AFTER
from widgets.modal import Modal
from widgets.prompt import LineInput, printable
from widgets.text_view import TextView
from widgets.ticks import TickRow
from widgets.viewmodels import BarVM, Choice, KeyHint, Line, Span, TextVM, Tone

_LABEL_CELLS = (10, 34)
"""Fewest and most cells of a column of labels: a name that has to be typed must be readable beside its field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: a line of text, one of `options`, or several (`many`, parted by commas).

    `required` text must not be empty when it is confirmed.
    """

    id: str
    label: str
    value: str = ""
    options: tuple[Choice, ...] = ()
    required: bool = False
    many: bool = False


class OptionRow(HeaderBar, can_focus=True):
    """One of a few options on one line: left and right move, an option's key takes it."""

    @dataclass
    class Left(Message):
        """Enter was pressed: the next field is wanted."""

    @dataclass
    class Taken(Message):
        """Another option was taken."""

        row: OptionRow

    def __init__(self, options: Sequence[Choice], value: str) -> None:
        super().__init__()
        self._options = options
        self._at = next((at for at, option in enumerate(options) if option.id == value), 0)

    @property
    def value(self) -> str:
        """The option that is taken."""
        return self._options[self._at].id if self._options else ""

    def on_mount(self) -> None:
        """Show the options."""
        self._show()

    def on_focus(self) -> None:
        """Say that keys move here, as soon as they do."""
        self.call_next(self._show)

    def on_blur(self) -> None:
        """Say that they do not."""
        self.call_next(self._show)

    def on_key(self, event: events.Key) -> None:
        """Move, take, or leave."""
        taken = next((at for at, one in enumerate(self._options) if one.key and one.key == event.character), None)
        if event.key in ("left", "h") and taken is None:
            taken = max(0, self._at - 1)
        elif event.key in ("right", "l", "space") and taken is None:
            taken = min(len(self._options) - 1, self._at + 1)
        if event.key == "enter":
            event.stop()
            self.post_message(self.Left())
        elif taken is not None:
            event.stop()
            self._take(taken)

    def step(self) -> None:
        """Take the next option; after the last the first."""
        self._take((self._at + 1) % max(1, len(self._options)))

    def _take(self, at: int) -> None:
        self._at = at
        self._show()
        self.post_message(self.Taken(self))

    def _show(self) -> None:
        spans: list[Span] = []
        for at, option in enumerate(self._options):
            chosen = at == self._at
            word = f"[{option.title}]" if chosen else f" {option.title} "
            tone = (Tone.KEY if self.has_focus else Tone.STRONG) if chosen else Tone.MUTED
            spans += [Span(word, tone), Span(" ")]
        hint = self._options[self._at].hint if self._options else ""
        self.set_vm(BarVM(((*spans, Span(f" {hint}" if hint else "", Tone.MUTED)),)))


class AnswerRow(HeaderBar, can_focus=True):
    """Cancel, and the one key that confirms; live a while after the row came to be focused."""

    @dataclass
    class Answered(Message):
        """The answer."""

        confirmed: bool

    def __init__(self, key: str, label: str, clock: Callable[[], float], armed_after: float) -> None:
        super().__init__()
        self._key = key
        self._label = label
        self._clock = clock
        self._armed_after = armed_after
        self._since: float | None = None
        self._off = False

    def disable(self) -> None:
        """Let the key confirm nothing any more."""
        self._off = True
        self.show()

    @property
    def armed(self) -> bool:
        """Whether the key confirms now."""
        return not self._off and self._since is not None and self._clock() - self._since >= self._armed_after

    def on_mount(self) -> None:
        """Show the answers."""
        self.show()

    def on_focus(self) -> None:
        """Let the time run."""
        self._since = self._clock()
        self.call_next(self.show)
        self.set_timer(self._armed_after, self.show)

    def on_blur(self) -> None:
        """What is typed into a field confirms nothing."""
        self._since = None
        self.call_next(self.show)

    def on_key(self, event: events.Key) -> None:
        """Confirm with the key; enter answers what stands focused: Cancel."""
        if event.key == "enter":
            event.stop()
            self.post_message(self.Answered(False))
        elif event.character == self._key:
            event.stop()
            self.show()
            if self.armed:
                self.post_message(self.Answered(True))

    def show(self) -> None:
        """Show what can be answered now."""
        cancel = Span("[ Cancel ]", Tone.STRONG) if self.has_focus else Span("  Cancel  ", Tone.MUTED)
        tones = (Tone.KEY, Tone.STRONG) if self.armed else (Tone.MUTED, Tone.MUTED)
        self.set_vm(BarVM((), ((cancel,), (Span(self._key, tones[0]), Span(f" {self._label}", tones[1])))))


class FormDialog(Modal[bool]):
    """Fields, then Cancel and the confirm key. Enter goes to the next field and confirms nothing; esc answers False.

    The confirm key works on the last row alone, `armed_after` seconds after that row was reached, by `clock`. It calls
    `submit` with the values, and the dialog stays until `accept` or `refuse` says how that went: what was typed is
    still there when it went wrong, and `values` holds it when the dialog was left.
    """

    DEFAULT_CSS = """
    FormDialog .form--row { height: 1; width: 1fr; }
    FormDialog .form--label { width: 10; height: 1; color: $text-muted; }
    FormDialog LineInput.-textual-compact { width: 1fr; padding: 0 0 0 1; }
    FormDialog .form--note { height: auto; max-height: 6; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("tab,down", "step(1)", show=False),
        Binding("shift+tab,up", "step(-1)", show=False),
    ]

    def __init__(
        self,
        title: Line,
        fields: Sequence[Field],
        submit: Callable[[Mapping[str, str]], None],
        *,
        key: str,
        label: str,
        aside: Line = (),
        clock: Callable[[], float] = time.monotonic,
        armed_after: float = ARMED_AFTER,
    ) -> None:
        super().__init__(title, (KeyHint("enter", "next"), KeyHint("esc", "leave")))
        self._fields = fields
        self._submit = submit
        self._busy = False
        self._aside = aside
        self._inputs: dict[str, LineInput | OptionRow | TickRow] = {field.id: _row_of(field) for field in fields}
        self.note = TextView(wrap=True, focusable=False, classes="form--note")
        self.answers = AnswerRow(key, label, clock, armed_after)

    @property
    def values(self) -> dict[str, str]:
        """What is filled in."""
        return {name: widget.value for name, widget in self._inputs.items()}

    def body(self) -> Iterable[Widget]:
        """Return the fields, a line for what went wrong, and the answers."""
        fewest, most = _LABEL_CELLS
        cells = min(max(fewest, *(len(field.label) + 1 for field in self._fields)), most) if self._fields else fewest
        for field in self._fields:
            label = Static(field.label[: cells - 1], classes="form--label", markup=False)
            label.styles.width = cells
            yield Horizontal(label, self._inputs[field.id], classes="form--row")
        yield self.note
        yield self.answers

    def body_rows(self, width: int) -> int:
        """Return a row a field, and two."""
        del width
        return len(self._fields) + 2

    def opened(self) -> None:
        """Begin with the first field."""
        self._say(self._aside)
        for field in self._fields:
            widget = self._inputs[field.id]
            if isinstance(widget, LineInput):
                widget.put(printable(field.value))
        next(iter(self._inputs.values()), self.answers).focus()

    def accept(self) -> None:
        """Close: what was confirmed has been done."""
        self.answer(True)

    def refuse(self, sentence: str) -> None:
        """Stay, and say why it was not done."""
        self._busy = False
        self._say((Span(sentence, Tone.WARN),))

    def _say(self, line: Line) -> None:
        self.note.set_vm(TextVM((), (line,)))

    def action_leave(self) -> None:
        """Answer no; what was typed stays in `values`."""
        self.answer(False)

    def action_step(self, step: int) -> None:
        """Go to another field; there is no way past the last row."""
        order: list[Widget] = [*self._inputs.values(), self.answers]
        at = next((at for at, widget in enumerate(order) if widget.has_focus), 0)
        order[min(len(order) - 1, max(0, at + step))].focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field: the next one."""
        event.stop()
        self.action_step(1)

    def on_option_row_left(self, event: OptionRow.Left) -> None:
        """Enter in a row of options: the next field."""
        event.stop()
        self.action_step(1)

    def on_tick_row_left(self, event: TickRow.Left) -> None:
        """Enter in a row of ticks: the next field."""
        event.stop()
        self.action_step(1)

    def on_answer_row_answered(self, event: AnswerRow.Answered) -> None:
        """Leave, or hand the values over once."""
        event.stop()
        if not event.confirmed:
            self.action_leave()
            return
        if self._busy:
            return
        empty = next((one for one in self._fields if one.required and not self.values[one.id].strip()), None)
        if empty is not None:
            self._inputs[empty.id].focus()
            self._say((Span(f"{empty.label}: say something here first", Tone.WARN),))
            return
        self._busy = True
        self._say((Span("writing it down", Tone.MUTED),))
        self._submit(self.values)


def _row_of(field: Field) -> LineInput | OptionRow | TickRow:
    if field.many:
        return TickRow(field.options, field.value)
    return OptionRow(field.options, field.value) if field.options else LineInput()
