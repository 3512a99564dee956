"""A list to choose from: a key, a title with what matched, a hint; what is off is grey and says why."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from widgets.ink import Ink, InkLine, Layer, cells_of, cut, fit_spans, line_cells
from widgets.ranking import Offer
from widgets.tones import Toned
from widgets.viewmodels import Span, Tone

_GAP = 2
_HINT_SHARE = 2


class ChoiceList(Toned):
    """Draws offers and a cursor on one of them; it has no keys of its own, what holds it moves the cursor."""

    DEFAULT_CSS = """
    ChoiceList { height: 1fr; width: 1fr; background: $background; color: $foreground; }
    """

    class Clicked(Message):
        """An offer was clicked; it is under the cursor now."""

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.empty = empty
        self.cursor = 0
        self.top = 0
        self._offers: Sequence[Offer] = ()
        self._key_cells = 0

    @property
    def offers(self) -> Sequence[Offer]:
        """What can be chosen."""
        return self._offers

    def set_offers(self, offers: Sequence[Offer], cursor: int = 0) -> None:
        """Show offers, the cursor on one of them; equal offers paint nothing."""
        if list(offers) == list(self._offers) and cursor == self.cursor:
            return
        self._offers = offers
        self._key_cells = max((cells_of(offer.choice.key) for offer in offers if offer.choice), default=0)
        self.cursor, self.top = cursor, 0
        self._show_cursor()
        self.refresh()

    @property
    def current(self) -> Offer | None:
        """The offer under the cursor."""
        return self._offers[self.cursor] if self.cursor < len(self._offers) else None

    def move(self, step: int) -> None:
        """Move the cursor; it stops at both ends."""
        cursor = min(max(0, self.cursor + step), max(0, len(self._offers) - 1))
        if cursor != self.cursor:
            self.cursor = cursor
            self._show_cursor()
            self.refresh()

    def page(self) -> int:
        """Return the rows on screen, less one that stays in sight."""
        return max(1, self.size.height - 1)

    def _show_cursor(self) -> None:
        height = max(1, self.size.height)
        top = min(max(self.top, self.cursor - height + 1), self.cursor)
        self.top = max(0, min(top, len(self._offers) - height))

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._show_cursor()

    def on_click(self, event: events.Click) -> None:
        """Choose with the mouse."""
        event.stop()
        if self.top + event.y < len(self._offers):
            self.cursor = self.top + event.y
            self.refresh()
            self.post_message(self.Clicked())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return a row an offer."""
        return max(1, len(self._offers))

    def render_line(self, y: int) -> Strip:
        """Return a row."""
        width, row = self.size.width, self.top + y
        if row < len(self._offers):
            line = self._line(self._offers[row], width, Layer.CURSOR if row == self.cursor else Layer.NONE)
        elif row == 0:
            line = fit_spans((Span(f" {self.empty}", Tone.MUTED),), width, ellipsis=self.signs.ellipsis)
        else:
            line = ()
        return self.strip_of(line).adjust_cell_length(width, self.rich_style)

    def _line(self, offer: Offer, width: int, layer: Layer) -> InkLine:
        """Return pointer, key, title and, at the right edge, the hint or the reason why it is off."""
        ellipsis = self.signs.ellipsis
        choice = offer.choice
        lead = [Ink(">" if layer else " ", Tone.KEY, layer)]
        if choice is None:
            words = (Span(" as typed: ", Tone.MUTED), Span(offer.typed, Tone.STRONG))
            return (*lead, *fit_spans(words, width - 1, layer, ellipsis=ellipsis))
        key = choice.key + " " * (self._key_cells - cells_of(choice.key) + 1) if self._key_cells else ""
        lead.append(Ink(key, Tone.MUTED if choice.reason else Tone.KEY, layer))
        room = width - line_cells(lead)
        aside = choice.reason or choice.hint
        share = room // _HINT_SHARE if cells_of(choice.title) > room // _HINT_SHARE else room - cells_of(choice.title)
        aside = cut(aside, max(0, share - _GAP), ellipsis)
        tail_cells = cells_of(aside) + _GAP if aside else 0
        spans = _marked(choice.title, offer.spans, Tone.MUTED if choice.reason else Tone.PLAIN)
        title = fit_spans(spans, max(0, room - tail_cells), layer, ellipsis=ellipsis)
        tail = (Ink(" " + aside + " ", Tone.MUTED, layer),) if aside else ()
        return (*lead, *title, *tail)


def _marked(title: str, marks: Sequence[tuple[int, int]], tone: Tone) -> list[Span]:
    """Return a title as spans, the marked stretches in the tone of a match."""
    spans: list[Span] = []
    at = 0
    for start, end in marks:
        if at < end:
            begin = max(start, at)
            spans += [Span(title[at:begin], tone), Span(title[begin:end], Tone.MATCH)]
            at = end
    return [*spans, Span(title[at:], tone)]
