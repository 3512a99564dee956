"""Dialogs that tell or ask one thing: a message, a text to copy, a menu, a confirmation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from widgets.bar_layout import wrap
from widgets.bars import HeaderBar
from widgets.choice_list import ChoiceList
from widgets.ink import cells_of
from widgets.modal import Modal
from widgets.ranking import Offer
from widgets.text_view import TextView
from widgets.viewmodels import BarVM, Choice, KeyHint, Line, Span, TextVM, Tone

ARMED_AFTER = 0.6
"""Seconds until a confirm key is live: nobody means a dialog that was not there half a second ago."""

_CLOSE = KeyHint("esc", "close")


class TextDialog(Modal[str | None]):
    """A text that scrolls where the screen is too small. One of `keys` answers itself, esc and q answer None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", show=False)]

    def __init__(self, title: Line, lines: Sequence[Line], keys: Sequence[KeyHint] = (), *, words: bool = True) -> None:
        super().__init__(title, (*keys, _CLOSE))
        self._keys = {key.key: key for key in keys}
        self.text = TextView(TextVM((), lines), wrap=True, words=words, classes="-fits")

    def body(self) -> Iterable[Widget]:
        """Return the text."""
        yield self.text

    def body_rows(self, width: int) -> int:
        """Return the rows of the text."""
        return self.text.rows_at(width - 1)

    def opened(self) -> None:
        """Let the text take the keys."""
        self.text.focus()

    def action_leave(self) -> None:
        """Answer nothing."""
        self.answer(None)

    def on_key(self, event: events.Key) -> None:
        """Answer with the key; one that is off says why."""
        typed = event.character if event.character in self._keys else event.key
        key = self._keys.get(typed)
        if key is not None:
            event.stop()
            if key.reason:
                self.set_hints((), (Span(f"{key.label}: {key.reason}", Tone.WARN),))
            else:
                self.answer(key.key)


class MessageDialog(TextDialog):
    """Says something that has to be read; enter closes it too, unless enter is one of its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "leave", show=False)]


class CopyDialog(MessageDialog):
    """Shows what was sent to the terminal's clipboard, since nothing tells whether it arrived.

    It spans the screen and has no edges at its sides: a terminal's own selection takes the text and nothing else.
    """

    SCOPED_CSS = False

    DEFAULT_CSS = """
    CopyDialog Box, CopyDialog Box:focus-within { border-left: none; border-right: none; padding: 0; }
    .-ascii CopyDialog Box, .-ascii CopyDialog Box:focus-within { border-left: none; border-right: none; }
    """

    widest = 10_000
    beside = 0

    def __init__(self, text: str, *, title: str = "Copy", sent: str = "sent to the terminal") -> None:
        lines = tuple((Span(line),) for line in text.splitlines() or [""])
        super().__init__((Span(title, Tone.STRONG), Span(f"  {sent}", Tone.MUTED)), lines, words=False)


class ChoiceMenu(Modal[str | None]):
    """A list with straight keys: a key answers its choice at once, enter the one under the cursor, esc None.

    What is off stays in the list, grey, with its reason. Long lists (namespaces) are better shown by a `Palette`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", show=False),
        Binding("enter", "choose", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("home,g", "move(-100000)", show=False),
        Binding("end,G", "move(100000)", show=False),
    ]

    def __init__(self, title: Line, choices: Sequence[Choice], *, chosen: str = "", empty: str = "") -> None:
        super().__init__(title, (KeyHint("enter", "choose"), _CLOSE))
        self._choices = choices
        self.list = ChoiceList(empty=empty)
        self.list.add_class("-fits")
        cursor = next((place for place, choice in enumerate(choices) if choice.id == chosen), 0)
        self.list.set_offers([Offer(choice) for choice in choices], cursor)

    def body(self) -> Iterable[Widget]:
        """Return the list."""
        yield self.list

    def body_rows(self, _width: int) -> int:
        """Return a row a choice."""
        return len(self._choices)

    def action_leave(self) -> None:
        """Answer nothing."""
        self.answer(None)

    def action_choose(self) -> None:
        """Answer the choice under the cursor."""
        if (offer := self.list.current) is not None and offer.choice is not None:
            self._choose(offer.choice)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.list.move(rows)
        self.set_hints((KeyHint("enter", "choose"), _CLOSE))

    def action_page(self, direction: int) -> None:
        """Move by a page."""
        self.action_move(direction * self.list.page())

    def on_choice_list_clicked(self) -> None:
        """Answer what was clicked."""
        self.action_choose()

    def on_key(self, event: events.Key) -> None:
        """Answer a straight key; it goes before the keys that move."""
        choice = next((choice for choice in self._choices if choice.key and choice.key == event.character), None)
        if choice is not None:
            event.stop()
            event.prevent_default()
            self._choose(choice)

    def _choose(self, choice: Choice) -> None:
        if choice.reason:
            self.set_hints((), (Span(f"{choice.title}: {choice.reason}", Tone.WARN),))
        else:
            self.answer(choice.id)


class ConfirmDialog(Modal[bool]):
    """Asks before something changes. Enter, esc and q answer False; only `key`, as printed, answers True.

    Cancel stands focused, for good. The key is live `armed_after` seconds after the dialog was first painted, by
    `clock` (monotonic seconds), so that what was typed ahead cannot confirm. Nothing reaches the screen below.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "cancel", show=False),
    ]

    def __init__(
        self,
        title: Line,
        lines: Sequence[Line],
        *,
        key: str,
        label: str,
        clock: Callable[[], float] = time.monotonic,
        armed_after: float = ARMED_AFTER,
    ) -> None:
        super().__init__(title)
        self._key = key
        self._label = label
        self._clock = clock
        self._armed_after = armed_after
        self._shown_at: float | None = None
        self.text = TextView(TextVM((), lines), wrap=True, classes="-fits")
        self._answers = HeaderBar()

    @property
    def armed(self) -> bool:
        """Whether the confirm key is live."""
        return self._shown_at is not None and self._clock() - self._shown_at >= self._armed_after

    def body(self) -> Iterable[Widget]:
        """Return what will happen, and the answers."""
        yield self.text
        yield self._answers

    def body_rows(self, width: int) -> int:
        """Return the rows of the text."""
        return self.text.rows_at(width - 1)

    def opened(self) -> None:
        """Show the answers; the time runs once they are painted."""
        self.hide_keys()
        self.text.focus()
        self._show_answers()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._shown_at = self._clock()
        self.set_timer(self._armed_after, self._show_answers)

    def _show_answers(self) -> None:
        tones = (Tone.KEY, Tone.STRONG) if self.armed else (Tone.MUTED, Tone.MUTED)
        confirm = (Span(self._key, tones[0]), Span(f" {self._label}", tones[1]))
        self._answers.set_vm(BarVM((), ((Span("[ Cancel ]", Tone.STRONG),), confirm)))

    def action_cancel(self) -> None:
        """Answer no."""
        self.answer(False)

    def on_key(self, event: events.Key) -> None:
        """Answer yes to the one key, once it is live."""
        if event.character == self._key:
            event.stop()
            event.prevent_default()
            self._show_answers()
            if self.armed:
                self.answer(True)


def sentence_lines(text: str, width: int = 72, tone: Tone = Tone.PLAIN) -> tuple[Line, ...]:
    """Return a sentence in lines broken between words, for a message."""
    return tuple((Span(line, tone),) for line in wrap(text, width)) if cells_of(text) else ()
