"""Scrolls what is too long to be a widget a line: draws only the rows on screen and never asks for a layout."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer

from widgets.ink import ASCII_SIGNS
from widgets.search import MatchIndex, Pattern, PatternError, compile_pattern
from widgets.tones import Toned
from widgets.viewmodels import Tone

_SIDE_STEP = 8
_WHEEL_STEP = 3
_SLICE = 400_000
_SLICE_PAUSE = 0.005


class Viewport(Toned, can_focus=True):
    """A window on `rows` rows, whose last column shows where in them it stands.

    `top` is the first row on screen, `left` the first cell of text. Subclasses say how many rows there are and draw
    one; they are told when the operator moved.
    """

    DEFAULT_CSS = """
    Viewport { height: 1fr; width: 1fr; background: $background; color: $foreground; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor_down", show=False),
        Binding("up,k", "cursor_up", show=False),
        Binding("pagedown,ctrl+f,space", "page_down", show=False),
        Binding("pageup,ctrl+b", "page_up", show=False),
        Binding("home,g", "top", show=False),
        Binding("end,G", "bottom", show=False),
        Binding("left,h", "left", show=False),
        Binding("right,l", "right", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.top = 0
        self.left = 0

    @property
    @abstractmethod
    def rows(self) -> int:
        """The number of rows there are."""

    @property
    @abstractmethod
    def text_cells(self) -> int:
        """The cells of the widest line of text, for sideways scrolling; 0 where lines are wrapped."""

    @abstractmethod
    def row_strip(self, row: int, width: int) -> Strip:
        """Draw a row in exactly `width` cells."""

    def moved(self, rows: int) -> None:
        """Take note that the operator moved the window by so many rows (0: sideways or not at all)."""

    @property
    def page(self) -> int:
        """The rows on screen, 1 at least."""
        return max(1, self.size.height)

    @property
    def room(self) -> int:
        """The cells of a row, without the column that shows the place."""
        return max(1, self.size.width - 1)

    @property
    def last_top(self) -> int:
        """The `top` that shows the last row at the bottom."""
        return max(0, self.rows - self.page)

    @property
    def plain(self) -> bool:
        """Whether only ASCII may be drawn."""
        return self.signs is ASCII_SIGNS

    def move_to(self, top: int) -> None:
        """Move the window, as the operator wishes; paint at once."""
        top = min(max(0, top), self.last_top)
        before, self.top = self.top, top
        if top != before:
            self.refresh()
        self.moved(top - before)

    def slide_to(self, left: int) -> None:
        """Move the window sideways, at most until the widest line's end shows."""
        left = min(max(0, left), max(0, self.text_cells - self.side_room))
        if left != self.left:
            self.left = left
            self.restyle()
            self.moved(0)

    @property
    def side_room(self) -> int:
        """The cells that sideways scrolling moves over."""
        return self.room

    def restyle(self) -> None:
        """Draw everything anew."""
        self.refresh()

    def thumb(self) -> tuple[int, int]:
        """Return the first row and the length of the mark that shows the place; (0, 0) when everything is on screen."""
        page, rows = self.page, self.rows
        if rows <= page:
            return 0, 0
        length = max(1, page * page // rows)
        return (page - length) * self.top // max(1, rows - page), length

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen: a row, and its part of the place mark."""
        row = self.top + y
        blank = self.tone_style(Tone.PLAIN)
        strip = self.row_strip(row, self.room) if row < self.rows else Strip.blank(self.room, blank)
        start, length = self.thumb()
        if start <= y < start + length:
            return Strip([*strip, Segment("#" if self.plain else "▐", self.tone_style(Tone.MUTED))], self.room + 1)
        return Strip([*strip, Segment(" ", blank)], self.room + 1)

    def refresh_rows(self, first: int, last: int) -> None:
        """Paint the rows `first` to `last - 1` anew, those of them that are on screen."""
        start, end = max(0, first - self.top), min(self.page, last - self.top)
        if start < end:
            self.refresh(Region(0, start, self.size.width, end - start))

    def refresh_place(self) -> None:
        """Paint the column that shows the place anew."""
        self.refresh(Region(self.size.width - 1, 0, 1, self.page))

    def action_cursor_down(self) -> None:
        """Move one row down."""
        self.move_to(self.top + 1)

    def action_cursor_up(self) -> None:
        """Move one row up."""
        self.move_to(self.top - 1)

    def action_page_down(self) -> None:
        """Move one page down; the last row stays in sight."""
        self.move_to(self.top + max(1, self.page - 1))

    def action_page_up(self) -> None:
        """Move one page up; the first row stays in sight."""
        self.move_to(self.top - max(1, self.page - 1))

    def action_top(self) -> None:
        """Move to the first row."""
        self.move_to(0)

    def action_bottom(self) -> None:
        """Move to the last row."""
        self.move_to(self.last_top)

    def action_left(self) -> None:
        """Move to the left."""
        self.slide_to(self.left - _SIDE_STEP)

    def action_right(self) -> None:
        """Move to the right."""
        self.slide_to(self.left + _SIDE_STEP)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Follow the wheel."""
        event.stop()
        self.move_to(self.top + _WHEEL_STEP)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Follow the wheel."""
        event.stop()
        self.move_to(self.top - _WHEEL_STEP)


class SearchView(Viewport):
    """A viewport whose lines can be searched: highlights, a count, next and previous, round the ends.

    Lines have names, ascending integers that stay theirs. Scanning is done in slices between keys.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next_match", show=False),
        Binding("N", "previous_match", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.match: int | None = None
        self.index: MatchIndex | None = None
        self.scanned = True
        self._wanted: Callable[[], None] | None = None
        self._next_slice: Timer | None = None

    @abstractmethod
    def names(self) -> Sequence[int]:
        """Return the names of the lines, ascending."""

    @abstractmethod
    def text_of(self, name: int) -> str:
        """Return the text of a line."""

    @abstractmethod
    def row_of(self, name: int) -> int:
        """Return the row at which a line starts."""

    @abstractmethod
    def name_at(self, row: int) -> int | None:
        """Return the line of a row, None where there is none."""

    def chose(self, name: int) -> None:
        """Take note that the operator went to a match."""

    def searched(self) -> None:
        """Take note that the count or the current match changed."""

    @property
    def search(self) -> Pattern | None:
        """What is searched for."""
        return self.index.pattern if self.index else None

    def set_search(self, text: str, *, regex: bool = False, jump: bool = False) -> str:
        """Highlight `text`; nothing ends the search. With `jump`, go to the first match from the top of the screen on.

        Returns the sentence that says what is wrong with the pattern, and then changes nothing; "" when all is well.
        """
        try:
            pattern = compile_pattern(text, regex=regex)
        except PatternError as error:
            return str(error)
        self.match = None
        self._wanted = self.action_next_match if jump else None
        self.index = MatchIndex(pattern) if pattern else None
        self.scan()
        self.restyle()
        return ""

    def rescan(self) -> None:
        """Find the matches of all lines anew."""
        if self.index is not None:
            self.index = MatchIndex(self.index.pattern)
        self.scan()

    def scan(self) -> None:
        """Look for matches in the lines not seen yet: a slice now, the others a moment later."""
        if self._next_slice is not None:
            self._next_slice.stop()
            self._next_slice = None
        self.scanned = self.index is None or self.index.advance(self.names(), self.text_of, _SLICE)
        if not self.scanned:
            self._next_slice = self.set_timer(_SLICE_PAUSE, self.scan)
        elif self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            wanted()
        self.searched()

    def action_next_match(self) -> None:
        """Go to the next match."""
        if not self.scanned:
            self._wanted = self.action_next_match
        elif self.index is not None:
            here = self.match if self.match is not None else self._first_name() - 1
            self._go(self.index.after(here))

    def action_previous_match(self) -> None:
        """Go to the match before."""
        if not self.scanned:
            self._wanted = self.action_previous_match
        elif self.index is not None:
            here = self.match if self.match is not None else self._first_name()
            self._go(self.index.before(here))

    def show_row(self, row: int) -> None:
        """Bring a row on screen where it is not: a third down from the top."""
        if not self.top <= row < self.top + self.page:
            self.move_to(row - self.page // 3)
        else:
            self.moved(0)

    def _first_name(self) -> int:
        name = self.name_at(self.top)
        return -1 if name is None else name

    def _go(self, name: int | None) -> None:
        if name is None:
            return
        self.match = name
        self.chose(name)
        self.show_row(self.row_of(name))
        self._show_column(name)
        self.restyle()
        self.searched()

    def _show_column(self, name: int) -> None:
        spans = self.index.pattern.spans(self.text_of(name)) if self.index and self.text_cells else ()
        if spans and not self.left <= spans[0][0] < self.left + self.side_room - 1:
            self.slide_to(spans[0][0] - self.side_room // 3)
