"""The log of a workload: follows thousands of lines a second in bounded memory, and finds its way back through them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import structs
from textual import events
from textual.message import Message
from textual.timer import Timer

from widgets.log_book import LogBook
from widgets.log_canvas import LogCanvas
from widgets.log_layout import LogFilter, about_the_log
from widgets.log_state import LogState, log_state
from widgets.ring import MAX_BYTES, MAX_LINES
from widgets.search import PatternError, compile_pattern
from widgets.viewmodels import LogEntry

REPAINT_PERIOD = 0.1
"""Seconds between two paints while lines stream in."""

_SLICE = 100_000
_SLICE_PAUSE = 0.005


class LogView(LogCanvas):
    """Draws `LogEntry` lines as they come.

    While it follows, the end stays in sight; moving up stops that, `G` or end resumes it. Lines are taken at once and
    painted at most every `period` seconds; keys paint at once. `clock` returns monotonic seconds.
    """

    @dataclass
    class StateChanged(Message):
        """What the title says about the log changed."""

        view: LogView
        state: LogState

        @property
        def control(self) -> LogView:
            """The view that sent this."""
            return self.view

        def can_replace(self, message: Message) -> bool:
            """Only the newest state counts."""
            return isinstance(message, LogView.StateChanged) and message.view is self.view

    def __init__(
        self,
        *,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        period: float = REPAINT_PERIOD,
        clock: Callable[[], float] = time.monotonic,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(LogBook(max_lines, max_bytes), id=id, classes=classes)
        self.following = True
        self.state = LogState()
        self._period = period
        self._clock = clock
        self._painted_at = float("-inf")
        self._due: Timer | None = None
        self._behind = False
        self._seen = 0

    def append(self, batch: Sequence[LogEntry]) -> None:
        """Add lines at the end; they are painted now, or with the others of this period."""
        if not batch:
            return
        self.book.ring.extend(batch)
        if self._due is None and self.is_mounted:
            wait = self._period - (self._clock() - self._painted_at)
            if wait <= 0:
                self.flush()
            else:
                self._due = self.set_timer(wait, self.flush)

    def mark(self, label: str) -> None:
        """Draw a line across the log, here and now."""
        self.append((LogEntry("", "", label, marker=True),))
        self.flush()

    def clear(self) -> None:
        """Forget every line and the counts; toggles, filter and search stay."""
        self.book.clear()
        self.match = None
        self.flush()

    def set_filter(self, text: str, *, regex: bool = False, inverse: bool = False, context: int = 0) -> str:
        """Show only matching lines (not matching, when `inverse`) and `context` lines around them; "" shows all again.

        All lines are kept, and the line looked at stays where it is on screen. Returns what is wrong with the pattern,
        and then changes nothing; "" when all is well.
        """
        try:
            pattern = compile_pattern(text, regex=regex)
        except PatternError as error:
            return str(error)
        rule = LogFilter(pattern, inverse, max(0, context)) if pattern else None
        if rule != self.book.rule:
            self.book.rule = rule
            self.book.lay_out()
            self.flush()
        return ""

    def set_context(self, context: int) -> None:
        """Show so many lines around each match of the filter."""
        if (rule := self.book.rule) is not None:
            self.book.rule = LogFilter(rule.pattern, rule.inverse, max(0, context))
            self.book.lay_out()
            self.flush()

    def follow(self, *, on: bool) -> None:
        """Keep the end in sight, or stay here."""
        self.following = on
        self.flush()

    def show(self, *, wrap: bool | None = None, stamps: bool | None = None, sources: bool | None = None) -> None:
        """Wrap long lines; show the times; show where each line comes from. None leaves a thing as it is."""
        book = self.book
        book.wrap = book.wrap if wrap is None else wrap
        book.stamps = book.stamps if stamps is None else stamps
        book.sources = book.sources if sources is None else sources
        self.left = 0 if book.wrap else self.left
        self.flush()

    def visible_text(self) -> str:
        """Return the text of the lines on screen, one a line, for copying."""
        found = dict.fromkeys(self.name_at(row) for row in range(self.top, min(self.rows, self.top + self.page)))
        lines = (self.book.ring[serial] for serial in found if serial is not None)
        return "\n".join(entry.text for entry in lines if not about_the_log(entry))

    def flush(self) -> None:
        """Paint what came or changed since the last time."""
        if self._due is not None:
            self._due.stop()
            self._due = None
        if not self.is_mounted:
            return
        self._painted_at = self._clock()
        place, rows, top, thumb = self._place(), self.rows, self.top, self.thumb()
        settled = self.book.settle(_SLICE)
        first = self.book.ring.first
        if self.match is not None and self.match < first:
            self.match = None
        if settled.rebuilt:
            self._stand_at(place)
            self.rescan()
            self.restyle()
        else:
            if self.index is not None:
                self.index.drop_before(first)
                if settled.revised is not None:
                    self.index.look_again_from(settled.revised)
                self.scan()
            self._keep_up(settled.shift, rows, top, thumb, redrawn=settled.redrawn)
        self._behind = not settled.done
        if self._behind:
            self._due = self.set_timer(_SLICE_PAUSE, self.flush)
        self._tell()

    def _keep_up(self, shift: int, rows: int, top: int, thumb: tuple[int, int], *, redrawn: bool) -> None:
        """Paint the lines that came, after `shift` rows went from the old end."""
        self.top = self.last_top if self.following else min(max(0, top - shift), self.last_top)
        if redrawn or self.top != top - shift:
            self.restyle() if redrawn else self.refresh()
            return
        self.refresh_rows(rows - shift - 1, max(self.rows, rows - shift))
        if self.top == 0 and self.book.head:
            self.refresh_rows(0, 1)
        if self.thumb() != thumb:
            self.refresh_place()

    def _place(self) -> tuple[int, int] | None:
        """Return the line looked at and its row on screen; None while following."""
        if self.following:
            return None
        if self.match is not None and 0 <= (row := self.row_of(self.match) - self.top) < self.page:
            return self.match, row
        for row in range(self.top, min(self.rows, self.top + self.page)):
            if (name := self.name_at(row)) is not None:
                return name, max(0, self.row_of(name) - self.top)
        return None

    def _stand_at(self, place: tuple[int, int] | None) -> None:
        if self.following or place is None:
            self.top = self.last_top if self.following else min(self.top, self.last_top)
        else:
            self.top = min(max(0, self.row_of(place[0]) - place[1]), self.last_top)

    def _tell(self) -> None:
        ring = self.book.ring
        if self.following:
            self._seen = ring.end
        unseen = ring.end - max(self._seen, ring.first)
        state = log_state(self.book, self.index, self.match)
        state = structs.replace(state, following=self.following, unseen=unseen, busy=self._behind or not self.scanned)
        if state != self.state:
            self.state = state
            self.post_message(self.StateChanged(self, state))

    def moved(self, rows: int) -> None:
        """Stop following when the operator moved up."""
        if rows < 0:
            self.following = False
        self._tell()

    def chose(self, name: int) -> None:
        """Stay with the match that the operator went to."""
        self.following = False
        super().chose(name)

    def searched(self) -> None:
        """Tell the new count."""
        self._tell()

    def action_bottom(self) -> None:
        """Move to the end and follow it."""
        self.follow(on=True)

    def action_follow(self) -> None:
        """Follow the end, or stop following."""
        self.follow(on=not self.following)

    def action_wrap(self) -> None:
        """Wrap long lines, or not."""
        self.show(wrap=not self.book.wrap)

    def action_stamps(self) -> None:
        """Show the times, or not."""
        self.show(stamps=not self.book.stamps)

    def action_sources(self) -> None:
        """Show the sources, or not."""
        self.show(sources=not self.book.sources)

    def on_resize(self, _event: events.Resize) -> None:
        """Lay the lines out for the new width."""
        self.book.width = self.room
        self.restyle()
        self.flush()
