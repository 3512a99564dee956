"""Composes something that will be sent: what to choose and to say above, what comes of it below, one confirm key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from widgets.form import Field, FormDialog, OptionRow
from widgets.prompt import LineInput, printable
from widgets.text_view import TextView
from widgets.ticks import TickRow
from widgets.viewmodels import KeyHint, Line, Span, TextVM, Tone

_MOST_NOTE = 1


class DraftDialog(FormDialog):
    """Fields, the draft they make, and Cancel, which stands focused, beside the one confirm key.

    `changed` is called with a field's id whenever it was changed by hand, and once with "" when it opens; it is to
    `show_draft` what comes of it. While the answers stand focused, `keys` go to a field by its id: an option moves on,
    a line takes the focus; digits tick.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
    ]

    def __init__(
        self,
        title: Line,
        fields: Sequence[Field],
        changed: Callable[[str], None],
        submit: Callable[[Mapping[str, str]], None],
        *,
        key: str,
        label: str,
        keys: Mapping[str, str],
    ) -> None:
        super().__init__(title, fields, submit, key=key, label=label)
        self.draft = TextView(TextVM((), ()), wrap=True, focusable=False, classes="-fits")
        self._changed = changed
        self._keys = keys
        self._putting = False

    def body(self) -> Iterable[Widget]:
        """Return the fields, what went wrong, the draft, and the answers."""
        *rows, answers = super().body()
        yield from rows
        yield self.draft
        yield answers

    def body_rows(self, width: int) -> int:
        """Return the rows of the draft."""
        return self.draft.rows_at(width - 1)

    @property
    def fixed_rows(self) -> int:
        """A row a field, the note, the answers."""
        return len(self._fields) + _MOST_NOTE + 1

    def opened(self) -> None:
        """Show the draft, Cancel focused."""
        self._putting = True
        super().opened()
        self._putting = False
        self.answers.focus()
        hints = [KeyHint(key, self._label_of(name)) for key, name in self._keys.items()]
        self.set_hints((*hints, KeyHint("pgdn", "more"), KeyHint("esc", "leave")))
        self._changed("")

    def put(self, name: str, text: str) -> None:
        """Put a text into a field, as if nobody had typed it."""
        widget = self._inputs[name]
        if isinstance(widget, LineInput) and widget.value != (text := printable(text)):
            self._putting = True
            with widget.prevent(Input.Changed):
                widget.put(text)
            self._putting = False

    def show_draft(self, lines: Sequence[Line]) -> None:
        """Show what will be sent."""
        self.draft.set_vm(TextVM((), lines))
        if self.is_mounted:
            self.fit()

    def action_page(self, direction: int) -> None:
        """Show more of the draft, or what was before."""
        (self.draft.action_page_down if direction > 0 else self.draft.action_page_up)()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Draft anew with what was typed."""
        event.stop()
        if not self._putting:
            self._tell_of(event.input)

    def on_option_row_taken(self, event: OptionRow.Taken) -> None:
        """Draft anew with the option."""
        event.stop()
        self._tell_of(event.row)

    def on_tick_row_ticked(self, event: TickRow.Ticked) -> None:
        """Draft anew for those that are ticked."""
        event.stop()
        self._tell_of(event.row)

    def on_key(self, event: events.Key) -> None:
        """Answer the keys of fields, where none is being typed into."""
        if not self.answers.has_focus or not event.character:
            return
        widget = self._inputs.get(self._keys.get(event.character, ""))
        if isinstance(widget, OptionRow):
            event.stop()
            widget.step()
        elif widget is not None:
            event.stop()
            event.prevent_default()
            widget.focus()
        elif any(one.tick(event.character) for one in self._inputs.values() if isinstance(one, TickRow)):
            event.stop()

    def _tell_of(self, changed: Widget) -> None:
        name = next((name for name, widget in self._inputs.items() if widget is changed), "")
        if name:
            self._say((Span("", Tone.MUTED),))
            self._changed(name)

    def _label_of(self, name: str) -> str:
        return next((field.label.lower() for field in self._fields if field.id == name), name)
