"""A document to read: describe, YAML, a diff, the facts of a workload; of any length, searched as it is read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from widgets.folding import fold, window
from widgets.ink import cells_of
from widgets.viewmodels import Line, TextVM, Tone
from widgets.viewport import SearchView


class TextView(SearchView):
    """Draws the lines of a `TextVM`; new lines keep the reader's place."""

    def __init__(
        self,
        *,
        focusable: bool = True,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.can_focus = focusable
        self.wrap = False
        self._vm = TextVM((), ())
        self._texts: list[str] = []
        self._starts: list[int] = []
        self._rows = 0
        self._widest: int | None = None

    @property
    def vm(self) -> TextVM:
        """The document shown."""
        return self._vm

    def set_vm(self, vm: TextVM) -> None:
        """Show a document; an equal one paints nothing, one of the same shape paints the lines that differ."""
        if vm == self._vm:
            return
        before, self._vm = self._vm, vm
        old = self._texts
        self._texts = ["".join(span.text for span in line) for line in vm.lines]
        self._widest = None
        if self.index is not None and self._texts != old:
            self.rescan()
        if len(old) != len(self._texts) or self.wrap:
            self._lay_out()
            self.top = min(self.top, self.last_top)
            self.refresh(layout=self.styles.is_auto_height)
            return
        self._rows = len(self._texts)
        for name, (one, other) in enumerate(zip(before.lines, vm.lines, strict=True)):
            if one != other:
                self.refresh_rows(name, name + 1)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of rows, for a view that is as high as its document."""
        del container, viewport, width
        return max(1, self._rows)

    def action_wrap(self) -> None:
        """Wrap long lines, or scroll them sideways."""
        first = self.name_at(self.top)
        self.wrap = not self.wrap
        self.left = 0
        self._lay_out()
        self.top = min(self.row_of(first), self.last_top) if first is not None else 0
        self.refresh()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._lay_out()
        self.top = min(self.top, self.last_top)

    def _lay_out(self) -> None:
        if not self.wrap:
            self._starts, self._rows = [], len(self._texts)
            return
        self._starts, row = [], 0
        for text in self._texts:
            self._starts.append(row)
            row += len(fold(text, self.room, self.room))
        self._rows = row

    @property
    def rows(self) -> int:
        """The rows of the document at this width."""
        return self._rows

    @property
    def text_cells(self) -> int:
        """The widest line, 0 while lines are wrapped."""
        if self.wrap:
            return 0
        if self._widest is None:
            self._widest = max(map(cells_of, self._texts), default=0)
        return self._widest

    def names(self) -> Sequence[int]:
        """Return the line numbers."""
        return range(len(self._texts))

    def text_of(self, name: int) -> str:
        """Return a line's text."""
        return self._texts[name] if name < len(self._texts) else ""

    def row_of(self, name: int) -> int:
        """Return the row at which a line starts."""
        return self._starts[name] if self.wrap and name < len(self._starts) else name

    def name_at(self, row: int) -> int | None:
        """Return the line of a row."""
        if not 0 <= row < self._rows:
            return None
        return bisect_right(self._starts, row) - 1 if self.wrap else row

    def row_strip(self, row: int, width: int) -> Strip:
        """Draw the part of a line that a row shows, matches highlighted."""
        name = self.name_at(row)
        blank = self.tone_style(Tone.PLAIN)
        if name is None or name >= len(self._texts):
            return Strip.blank(width, blank)
        text = self._texts[name]
        if self.wrap:
            starts = [*fold(text, width, width), len(text)]
            part = row - self._starts[name]
            start, end, blanks = starts[part], starts[part + 1], 0
        else:
            start, end, blanks = window(text, self.left, width)
        segments = [Segment(" " * blanks, blank)] if blanks else []
        segments += self._segments(self._vm.lines[name], text, start, end, current=name == self.match)
        return Strip(segments).adjust_cell_length(width, blank)

    def _segments(self, line: Line, text: str, start: int, end: int, *, current: bool) -> list[Segment]:
        """Return the styled pieces of `text[start:end]`: the spans' tones, broken where a match begins or ends."""
        matches = self.index.pattern.spans(text) if self.index is not None else ()
        pieces: list[Segment] = []
        at = 0
        for span in line:
            stop = at + len(span.text)
            style = self.tone_style(span.tone)
            cuts = sorted({max(at, start), min(stop, end), *self._edges(matches, max(at, start), min(stop, end))})
            for one, other in pairwise(cuts):
                inside = any(first <= one < last for first, last in matches)
                pieces.append(Segment(text[one:other], self._matched(style, current=current) if inside else style))
            at = stop
        return pieces

    def _matched(self, style: Style, *, current: bool) -> Style:
        found = style + self.tone_style(Tone.MATCH)
        return found + Style(reverse=True) if current else found

    @staticmethod
    def _edges(matches: Sequence[tuple[int, int]], start: int, end: int) -> list[int]:
        return [edge for match in matches for edge in match if start < edge < end]
