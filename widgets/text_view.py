"""A document to read: describe, YAML, a diff, the facts of a workload; of any length, searched as it is read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from widgets.folding import Run, fold, fold_words, overlaid, window
from widgets.ink import cells_of, line_cells
from widgets.kept_place import relocated
from widgets.viewmodels import Line, TextVM, Tone
from widgets.viewport import SearchView

_LINES_KEPT = 200
_LEAST_HUNG = 24


class TextState(Struct, frozen=True):
    """What a title says about a document: the line at the top (1-based) of how many, and the search.

    `cut` says that not all of it is in view.
    """

    line: int = 0
    lines: int = 0
    cut: bool = False
    wrap: bool = False
    search: str = ""
    match: int = 0
    matches: int = 0
    busy: bool = False


class TextView(SearchView):
    """Draws the lines of a `TextVM`; new lines keep the reader's place.

    Wrapped lines break between words, or anywhere without `words`; where there is room, what was broken off stands
    `hang` cells further in. It takes the height it is given, or with `height: auto` that of the document.
    """

    @dataclass
    class StateChanged(Message):
        """What the title says about the document changed."""

        view: TextView
        state: TextState

        @property
        def control(self) -> TextView:
            """The view that sent this."""
            return self.view

        def can_replace(self, message: Message) -> bool:
            """Only the newest state counts."""
            return isinstance(message, TextView.StateChanged) and message.view is self.view

    def __init__(
        self,
        vm: TextVM | None = None,
        *,
        wrap: bool = False,
        words: bool = True,
        hang: int = 0,
        focusable: bool = True,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        self._ready: dict[int, tuple[list[int], list[Run], list[Run]]] = {}
        super().__init__(id=id, classes=classes)
        self.can_focus = focusable
        self.wrap = wrap
        self.words = words
        self.hang = hang
        self.state = TextState()
        self._vm = vm or TextVM((), ())
        self._texts: list[str | None] = [None] * len(self._vm.lines)
        self._starts: list[int] = []
        self._laid_out_for = 0
        self._widest: int | None = None

    @property
    def vm(self) -> TextVM:
        """The document shown."""
        return self._vm

    def set_vm(self, vm: TextVM) -> None:
        """Show a document; an equal one paints nothing, one of the same shape paints the lines that differ."""
        if vm is self._vm or vm == self._vm:
            return
        first = self.name_at(self.top) if self._starts or not self.wrap else None
        before, self._vm = self._vm.lines, vm
        lines = vm.lines
        self._texts, self._widest = [None] * len(lines), None
        self._starts = []
        if self.match is not None:
            place = relocated(before, lines, self.match)
            self.match = place if place < len(lines) and lines[place] == before[self.match] else None
        top = self.row_of(relocated(before, lines, first)) if first else 0
        same_place = top == self.top and len(before) == len(lines) and not self.wrap
        self.top = min(top, self.last_top)
        if same_place:
            for name in range(self.top, min(len(lines), self.top + self.page)):
                if before[name] != lines[name]:
                    self._ready.pop(name, None)
                    self.refresh_rows(name, name + 1)
        else:
            self.refresh(layout=self.styles.is_auto_height)
        if self.index is not None:
            self.rescan()
        self._tell()

    def rows_at(self, width: int) -> int:
        """Return how many rows the document takes in `width` cells of text."""
        if not self.wrap:
            return len(self._vm.lines)
        return sum(self._rows_of(line, width) for line in self._vm.lines)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of rows, for a view that is as high as its document."""
        del container, viewport
        return max(1, self.rows_at(max(1, width - 1)))

    def action_wrap(self) -> None:
        """Wrap long lines, or scroll them sideways."""
        first = self.name_at(self.top)
        self.wrap = not self.wrap
        self.left, self._starts = 0, []
        self.top = min(self.row_of(first), self.last_top) if first is not None else 0
        self.refresh()
        self._tell()

    def on_resize(self) -> None:
        """Break the lines anew; what was painted between the new size and this is painted again at the new place."""
        first = self.name_at(self.top) if self._starts else self.top
        self._starts = []
        before, self.top = self.top, min(self.row_of(first or 0), self.last_top)
        if self.top != before:
            self.refresh()
        self._tell()

    @property
    def rows(self) -> int:
        """The rows of the document at this width."""
        return self._row_starts()[-1] if self.wrap else len(self._vm.lines)

    @property
    def text_cells(self) -> int:
        """The widest line, 0 while lines are wrapped."""
        if self.wrap:
            return 0
        if self._widest is None:
            self._widest = max(map(line_cells, self._vm.lines), default=0)
        return self._widest

    def names(self) -> Sequence[int]:
        """Return the line numbers."""
        return range(len(self._vm.lines))

    def text_of(self, name: int) -> str:
        """Return a line's text."""
        text = self._texts[name]
        if text is None:
            text = self._texts[name] = "".join([span.text for span in self._vm.lines[name]])
        return text

    def row_of(self, name: int) -> int:
        """Return the row at which a line starts."""
        return self._row_starts()[name] if self.wrap else name

    def name_at(self, row: int) -> int | None:
        """Return the line of a row."""
        if not 0 <= row < self.rows:
            return None
        return bisect_right(self._row_starts(), row) - 1 if self.wrap else row

    def moved(self, rows: int) -> None:
        """Tell the new place."""
        del rows
        self._tell()

    def searched(self) -> None:
        """Tell the new count."""
        self._tell()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Forget what was worked out for the lines on screen when all of it is painted anew."""
        if not regions:
            self._ready.clear()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """Forget what was worked out in the old colours."""
        self._ready.clear()
        super().notify_style_update()

    def row_strip(self, row: int, width: int) -> Strip:
        """Draw the part of a line that a row shows, matches highlighted."""
        name = self.name_at(row)
        blank = self.tone_style(Tone.PLAIN)
        if name is None:
            return Strip.blank(width, blank)
        text = self.text_of(name)
        starts, runs, hits = self._prepared(name, text, width)
        if self.wrap:
            part = min(row - self.row_of(name), len(starts) - 2)
            start, end, blanks = starts[part], starts[part + 1], self._hang(width) if part else 0
        else:
            start, end, blanks = window(text, self.left, width)
        segments = [Segment(" " * blanks, blank)] if blanks else []
        segments += [Segment(text[one:other], style) for one, other, style in overlaid(start, end, runs, hits)]
        return Strip(segments).adjust_cell_length(width, blank)

    def _prepared(self, name: int, text: str, width: int) -> tuple[list[int], list[Run], list[Run]]:
        """Return where a line's rows start, its tones and its matches: worked out once for all of its rows."""
        if name not in self._ready:
            spans = self._vm.lines[name]
            ends = accumulate(len(span.text) for span in spans)
            runs = [
                (end - len(span.text), end, self.tone_style(span.tone))
                for span, end in zip(spans, ends, strict=True)
                if span.text
            ]
            starts = [*self._fold(text, width), len(text)] if self.wrap else []
            if len(self._ready) > _LINES_KEPT:
                self._ready.clear()
            self._ready[name] = starts, runs, self._hits(name, text)
        return self._ready[name]

    def _hits(self, name: int, text: str) -> list[Run]:
        if self.search is None:
            return []
        hit = self.tone_style(Tone.MATCH)
        if name == self.match:
            hit += Style(reverse=True)
        return [(start, end, hit) for start, end in self.search.spans(text)]

    def _row_starts(self) -> list[int]:
        """Return the first row of each line, and the number of rows at the end."""
        width = self.room
        if not self._starts or self._laid_out_for != width:
            self._laid_out_for = width
            self._starts = [0, *accumulate(self._rows_of(line, width) for line in self._vm.lines)]
        return self._starts

    def _tell(self) -> None:
        index = self.index
        state = TextState(
            line=(self.name_at(self.top) or 0) + 1 if self._vm.lines else 0,
            lines=len(self._vm.lines),
            cut=bool(self.last_top),
            wrap=self.wrap,
            search=index.pattern.text if index else "",
            match=index.position(self.match) if index else 0,
            matches=len(index) if index else 0,
            busy=not self.scanned,
        )
        if state != self.state:
            self.state = state
            if self.is_attached:
                self.post_message(self.StateChanged(self, state))

    def _rows_of(self, line: Line, width: int) -> int:
        """Return the rows of a line broken at `width`; one that fits even if every letter were wide is not measured."""
        letters = 0
        for span in line:
            letters += len(span.text)
        if 2 * letters <= width:
            return 1
        text = "".join([span.text for span in line])
        return 1 if cells_of(text) <= width else len(self._fold(text, width))

    def _fold(self, text: str, width: int) -> list[int]:
        return fold_words(text, width, self._hang(width)) if self.words else fold(text, width, width)

    def _hang(self, width: int) -> int:
        return self.hang if self.words and width >= max(_LEAST_HUNG, 3 * self.hang) else 0
