"""Goes anywhere by name: one line to type into, the choices that fit it, and the text as typed when none does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import events
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Static

from widgets.choice_list import ChoiceList
from widgets.history import History
from widgets.modal import Modal
from widgets.prompt import LineInput, printable
from widgets.ranking import Offer, offers
from widgets.viewmodels import Choice, KeyHint, Span, Tone

ROWS = 16
_HINTS = (KeyHint("enter", "go"), KeyHint("tab", "complete"), KeyHint("esc", "close"))


class PaletteLine(LineInput):
    """The palette's line: hands the keys that are not typing to the palette, in the order in which they come."""

    async def _on_key(self, event: events.Key) -> None:
        if isinstance(self.screen, Palette) and self.screen.take(event):
            event.stop()
            event.prevent_default()


class Palette(Modal[str | None]):
    """Answers the id of a choice, the text as typed, or None when left.

    `free_text` offers the text itself; "" and blanks are never answered. `history` gets what was answered as it was
    typed, and is walked with up and down on an empty line. `more` may add choices that take long to find: it is called
    once, on mount, with a function that takes all choices anew.
    """

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette Box { margin: 1 0 0 0; }
    Palette .palette--line { height: 1; background: $background; }
    Palette .palette--prompt { width: auto; color: $primary; text-style: bold; }
    Palette LineInput { width: 1fr; }
    """

    widest = 84

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        title: str = "Go",
        prompt: str = ":",
        initial: str = "",
        free_text: bool = True,
        history: History | None = None,
        more: Callable[[Callable[[Sequence[Choice]], None]], None] | None = None,
    ) -> None:
        super().__init__((Span(title, Tone.STRONG),), _HINTS)
        self._choices = choices
        self._prompt = prompt
        self._free_text = free_text
        self.history = history or History()
        self._more = more
        self._walked: str | None = None
        self._offered: str | None = None
        self._ready = False
        self.line = PaletteLine(initial)
        self.list = ChoiceList(empty="nothing fits")
        self.list.add_class("-fits")

    def body(self) -> Iterable[Widget]:
        """Return the line and the list."""
        yield Horizontal(
            Static(self._prompt, classes="palette--prompt", markup=False), self.line, classes="palette--line"
        )
        yield self.list

    def body_rows(self, _width: int) -> int:
        """Return the rows of the list: always as many, so that the box stands still while one types."""
        return ROWS

    @property
    def fixed_rows(self) -> int:
        """The line."""
        return 2

    def opened(self) -> None:
        """Offer everything; take the keys once those that came too early have been read."""
        self.history.rest()
        self.line.cursor_position = len(self.line.value)
        self._offer()
        if self._more is not None:
            self._more(self.set_choices)
        self._take_keys()

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Offer other choices; the cursor stays on its own while it is among them."""
        before = self.list.current if self.list.cursor else None
        kept = before.choice.id if before is not None and before.choice is not None else None
        self._choices = choices
        self._offered = None
        self._offer()
        for place, offer in enumerate(self.list.offers):
            if kept is not None and offer.choice is not None and offer.choice.id == kept:
                self.list.set_offers(self.list.offers, place)

    @property
    def typed(self) -> str:
        """The text, without the colons that fingers put before it out of habit."""
        return self.line.value.strip().lstrip(":").strip()

    def accept(self) -> None:
        """Answer what is under the cursor, unless it is off: then say why."""
        self._offer()
        offer = self.list.current
        if offer is None:
            return
        if offer.choice is not None and offer.choice.reason:
            self._warn(offer)
            return
        answer = offer.typed if offer.choice is None else offer.choice.id
        self.history.add(self.typed or (offer.choice.title if offer.choice else ""))
        self.answer(answer)

    def complete(self) -> None:
        """Put the title under the cursor into the line."""
        self._offer()
        if (offer := self.list.current) is not None and offer.choice is not None:
            self._walked = None
            self.line.put(offer.choice.title)

    def walk(self, rows: int) -> None:
        """Move the cursor; up from an empty line brings back what was typed before, and down goes on to the newer."""
        self._offer()
        resting = not self.line.value and self.list.cursor == 0 and rows < 0
        if resting or (self._walked is not None and self.line.value == self._walked):
            text = self.history.older() if rows < 0 else self.history.newer()
            if text is not None:
                self._walked = text or None
                self.line.put(text)
                return
        self.list.move(rows)
        self._hint()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Offer what fits now."""
        event.stop()
        if event.value != self._walked:
            self._walked = None
            self.history.rest()
        self._offer()

    def on_choice_list_clicked(self) -> None:
        """Answer what was clicked."""
        self.accept()

    def take(self, event: events.Key) -> bool:
        """Answer a key; returns False for one that types or edits."""
        moves = {
            "up": -1,
            "ctrl+p": -1,
            "down": 1,
            "ctrl+n": 1,
            "pageup": -self.list.page(),
            "pagedown": self.list.page(),
        }
        if event.key == "escape":
            self.answer(None)
        elif event.key == "enter":
            self.accept()
        elif event.key == "tab":
            self.complete()
        elif event.key in moves:
            self.walk(moves[event.key])
        else:
            return False
        return True

    def on_key(self, event: events.Key) -> None:
        """Take what came before the line could."""
        if self._ready:
            return
        event.stop()
        if not self.take(event) and event.character and event.is_printable:
            self.line.put(self.line.value + event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Paste what came before the line could take it."""
        if not self._ready:
            event.stop()
            self.line.put(self.line.value + printable(event.text))

    def _take_keys(self) -> None:
        if self.message_queue_size:
            self.call_later(self._take_keys)
        else:
            self._ready = True
            self.line.focus()

    def _offer(self) -> None:
        """Offer what fits the text as it is now; the same text leaves the cursor where it is."""
        if self.typed == self._offered:
            return
        self._offered = self.typed
        self.list.set_offers(offers(self._choices, self.typed, free_text=self._free_text))
        self._hint()

    def _hint(self) -> None:
        found = sum(1 for offer in self.list.offers if offer.choice is not None)
        self.set_title(self._title_line, (Span(f"{found:,} of {len(self._choices):,}", Tone.MUTED),))
        self.set_hints(_HINTS)

    def _warn(self, offer: Offer) -> None:
        if offer.choice is not None:
            self.set_hints((), (Span(f"{offer.choice.title}: {offer.choice.reason}", Tone.WARN),))
