"""The lines of a log, which of them are shown, and at which row: everything about a log view but its paint and keys."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from widgets.ink import cells_of
from widgets.log_layout import LogFilter, LogLayout, about_the_log
from widgets.log_paint import LogGeometry, fit_columns
from widgets.ring import MAX_BYTES, MAX_LINES, LogRing


class Settled(Struct, frozen=True):
    """What a call of `settle` did: rows rose by `shift`; all are new when `rebuilt`, and look new when `redrawn`.

    Lines from the serial `revised` on were laid out anew. `done` when nothing is left to do.
    """

    shift: int
    rebuilt: bool
    redrawn: bool
    revised: int | None
    done: bool


class LogBook:
    """A ring of lines and the layout of those shown.

    Changes of the filter or of the columns are laid out beside the old layout and take its place when they are
    complete. The first row says how many lines went from the old end, once there are any.
    """

    def __init__(self, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> None:
        self.ring = LogRing(max_lines, max_bytes)
        self.width = 80
        self.wrap = False
        self.stamps = True
        self.sources = True
        self.rule: LogFilter | None = None
        self.geometry = LogGeometry(self.width)
        self.layout = LogLayout(None, self.geometry.rows_of, 0)
        self.text_cells = 0
        self._coming: tuple[LogLayout, LogGeometry] | None = None
        self._stamp_cells = self._source_cells = 0
        self._measured = 0
        self._head_laid_out = 0

    @property
    def head(self) -> int:
        """The number of rows above the first line: one when lines were evicted."""
        return 1 if self.ring.evicted else 0

    @property
    def rows(self) -> int:
        """The number of rows of everything shown."""
        return self.head + self.layout.rows

    def locate(self, row: int) -> tuple[int, int] | None:
        """Return the serial at `row` and the row within it (-1: the break before it); None in the head and outside."""
        return self.layout.at(row - self.head)

    def row_of(self, serial: int) -> int:
        """Return the first row of a line, or of the next shown one."""
        return self.head + self.layout.row_of(serial)

    def lay_out(self) -> None:
        """Begin a layout for the filter and the columns as they are now."""
        geometry = self._columns()
        self._coming = LogLayout(self.rule, geometry.rows_of, self.ring.first, folded=geometry.wrap), geometry

    def clear(self) -> None:
        """Forget all lines."""
        self.ring.clear()
        self.text_cells = self._stamp_cells = self._source_cells = 0
        self.lay_out()

    def settle(self, budget: int) -> Settled:
        """Take in what changed, at a cost of about `budget`.

        A line costs 40, and its characters when it is filtered or wrapped.
        """
        self._measure()
        redrawn = self._follow_columns()
        before = self._head_laid_out
        gone = self.layout.drop_before(self.ring.first)
        done = self.layout.advance(self.ring, budget)
        self._head_laid_out = self.head
        revised, self.layout.revised = self.layout.revised, None
        rebuilt = False
        if self._coming is not None:
            coming, geometry = self._coming
            coming.drop_before(self.ring.first)
            rebuilt = done = coming.advance(self.ring, budget)
            if rebuilt:
                self.layout, self.geometry, self._coming = coming, geometry, None
        return Settled(gone + before - self.head, rebuilt, redrawn or revised is not None, revised, done)

    def _follow_columns(self) -> bool:
        """Lay out anew where other columns change the height of lines; return whether rows look different anyway."""
        columns = self._columns()
        if columns == (self._coming[1] if self._coming else self.geometry):
            return False
        if columns.wrap or self.geometry.wrap:
            self.lay_out()
            return False
        self.geometry = columns
        if self._coming:
            self._coming = self._coming[0], columns
        return True

    def _columns(self) -> LogGeometry:
        stamp = self._stamp_cells if self.stamps else 0
        source = self._source_cells if self.sources else 0
        return fit_columns(self.width, stamp, source, wrap=self.wrap)

    def _measure(self) -> None:
        """Widen the columns for the lines that came."""
        entries = [entry for entry in self.ring.since(self._measured) if not about_the_log(entry)]
        self._stamp_cells = _widest([entry.stamp for entry in entries], self._stamp_cells)
        self._source_cells = _widest({entry.source for entry in entries}, self._source_cells)
        self.text_cells = _widest([entry.text for entry in entries], self.text_cells)
        self._measured = self.ring.end


def _widest(texts: Collection[str], cells: int) -> int:
    """Return the cells of the widest text, at least `cells`; no character is wider than two, most are one."""
    longest = max(map(len, texts), default=0)
    if 2 * longest <= cells:
        return cells
    if all(map(str.isascii, texts)):
        return max(cells, longest)
    return max(cells, *(cells_of(text) for text in texts if 2 * len(text) > cells))
