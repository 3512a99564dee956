"""Draws the rows of a log book in the theme's colours, each once until something about it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip

from widgets.log_book import LogBook
from widgets.log_layout import about_the_log
from widgets.log_paint import (
    SOURCE_COLOURS,
    LogInks,
    LogLine,
    SourceColours,
    counted,
    entry_strip,
    prepared,
    quiet_strip,
)
from widgets.search import joined_spans
from widgets.viewmodels import Tone
from widgets.viewport import SearchView

_STRIPS_KEPT = 1_000
_LINES_KEPT = 200


class LogCanvas(SearchView):
    """Draws a `LogBook`. Lines are named by their serials."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"source--{number}" for number in range(SOURCE_COLOURS)}

    DEFAULT_CSS = """
    LogCanvas {
        & > .source--0 { color: #87afd7; }
        & > .source--1 { color: #87d7af; }
        & > .source--2 { color: #d7afd7; }
        & > .source--3 { color: #d7d7af; }
        & > .source--4 { color: #87d7d7; }
        & > .source--5 { color: #afafff; }
        & > .source--6 { color: #afd787; }
        & > .source--7 { color: #d7af87; }
    }
    LogCanvas:light {
        & > .source--0 { color: #005f87; }
        & > .source--1 { color: #00613f; }
        & > .source--2 { color: #87005f; }
        & > .source--3 { color: #5f5f00; }
        & > .source--4 { color: #005f5f; }
        & > .source--5 { color: #5f00af; }
        & > .source--6 { color: #3f6100; }
        & > .source--7 { color: #874000; }
    }
    """

    def __init__(self, book: LogBook, *, id: str | None, classes: str | None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.book = book
        self._colours = SourceColours()
        self._inks: LogInks | None = None
        self._strips: dict[tuple[int, int], Strip] = {}
        self._lines: dict[int, LogLine] = {}

    @property
    def rows(self) -> int:
        """The number of rows there are."""
        return self.book.rows

    @property
    def text_cells(self) -> int:
        """The cells of the widest line; 0 while lines are wrapped."""
        return 0 if self.book.wrap else self.book.text_cells

    @property
    def side_room(self) -> int:
        """The cells of text on a row."""
        return self.book.geometry.first

    def names(self) -> Sequence[int]:
        """Return the serials of the shown lines."""
        return self.book.layout.serials

    def text_of(self, name: int) -> str:
        """Return the text of a line; one that went meanwhile has none."""
        return self.book.ring[name].text if name >= self.book.ring.first else ""

    def row_of(self, name: int) -> int:
        """Return the row at which a line starts."""
        return self.book.row_of(name)

    def name_at(self, row: int) -> int | None:
        """Return the line of a row."""
        located = self.book.locate(row)
        return located[0] if located else None

    def restyle(self) -> None:
        """Draw everything anew."""
        self._strips.clear()
        self._lines.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        """Forget what was drawn in the old colours."""
        self._inks = None
        self._strips = {}
        self._lines = {}
        super().notify_style_update()

    def row_strip(self, row: int, width: int) -> Strip:
        """Draw a row."""
        located = self.book.locate(row)
        inks = self._ink()
        if located is None:
            return quiet_strip(f"{counted(self.book.ring.evicted, 'older ')} dropped", width, inks)
        serial, sub = located
        if sub < 0:
            return quiet_strip(f"{counted(self.book.layout.hidden_before(serial))} hidden", width, inks)
        if serial < self.book.ring.first:
            return Strip.blank(width, inks.tones[Tone.PLAIN])
        geometry = self.book.geometry
        if about_the_log(self.book.ring[serial]):
            return entry_strip(self._prepared(serial, inks), sub, self.left, geometry, inks)
        if (kept := self._strips.get(located)) is None:
            if len(self._strips) > _STRIPS_KEPT:
                self._strips.clear()
            if serial not in self._lines:
                if len(self._lines) > _LINES_KEPT:
                    self._lines.clear()
                self._lines[serial] = self._prepared(serial, inks)
            kept = self._strips[located] = entry_strip(self._lines[serial], sub, self.left, geometry, inks)
        return kept.adjust_cell_length(width, inks.tones[Tone.PLAIN])

    def _prepared(self, serial: int, inks: LogInks) -> LogLine:
        entry = self.book.ring[serial]
        sought = [self.search] if self.search else []
        if self.book.rule is not None and not self.book.rule.inverse:
            sought.append(self.book.rule.pattern)
        hits = joined_spans(sought, entry.text)
        colour = self._colours.number(entry.source)
        return prepared(entry, self.book.geometry, inks, colour, hits, here=serial == self.match)

    def _ink(self) -> LogInks:
        if self._inks is None:
            names = (f"source--{number}" for number in range(SOURCE_COLOURS))
            hit = self.tone_style(Tone.MATCH)
            self._inks = LogInks(
                tones={tone: self.tone_style(tone) for tone in Tone},
                sources=tuple(self.rich_style + self.get_component_rich_style(name, partial=True) for name in names),
                hit=hit,
                hit_here=hit + Style(reverse=True),
                plain=self.plain,
                ellipsis=self.signs.ellipsis,
            )
        return self._inks
