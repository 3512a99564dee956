"""What a table shows at a size: order, cursor, scroll position and the ink of every line, without a terminal."""

from __future__ import annotations

from widgets.ink import UNICODE_SIGNS, Ink, InkLine, Layer, Signs, cells_of, changed_runs, fit_spans
from widgets.table_cursor import KeyCursor
from widgets.table_layout import RowGeometry, Slot, detail_line, fit_columns, header_line, row_line
from widgets.viewmodels import Row, Span, TableVM, Tone

ROWS_KEPT = 512

_FEW = 4
"""Changed lines of which only the changed cells are drawn again: to look for them in many costs more than it saves."""

EMPTY_VM = TableVM(columns=(), order=(), row=lambda key: Row(key, ()))


class TableView:
    """A `TableVM` laid out in cells: a header line, and the rows from line `top` of all lines on.

    The cursor's row keeps its line on screen when rows move, where possible. A table scrolled to its top stays there
    while the cursor remains in sight, so that new worst rows are seen.
    """

    def __init__(self) -> None:
        self.vm = EMPTY_VM
        self.cursor = KeyCursor()
        self.signs: Signs = UNICODE_SIGNS
        self.focused = False
        self.stale = False
        self.top = 0
        self.width = 0
        self.height = 0
        self.cursor_y = -1
        self._geometry = RowGeometry(0, {})
        self._slots: tuple[Slot, ...] = ()
        self._needs: list[int] = []
        self._wider = False
        self._rows: dict[str, Row] = {}
        self._inked: dict[str, tuple[Row, Layer, list[InkLine]]] = {}
        self._seen: dict[str, str] = {}

    @property
    def page(self) -> int:
        """How many lines of rows fit below the header."""
        return max(0, self.height - 1)

    @property
    def visible_keys(self) -> tuple[str, ...]:
        """The keys of the rows on screen, from the top."""
        last = min(self._geometry.lines, self.top + self.page)
        rows = dict.fromkeys(self._geometry.row_at(line)[0] for line in range(self.top, last))
        return tuple(self.vm.order[index] for index in rows)

    def key_at(self, y: int) -> str | None:
        """Return the key of the row drawn on line `y` (0 is the header), or None when there is none."""
        line = self.top + y - 1
        if not (1 <= y < self.height and line < self._geometry.lines):
            return None
        return self.vm.order[self._geometry.row_at(line)[0]]

    @property
    def target_identity(self) -> str:
        """The identity of the row that a key press acts upon, as it was painted last; "" where that is not known."""
        return self._seen.get(self.cursor.aim or "", "")

    def note_seen(self, y: int) -> None:
        """Note which thing the row on line `y` stands for: it is what a key press means from here on."""
        key = self.key_at(y)
        if key is not None:
            if len(self._seen) >= ROWS_KEPT:
                self._seen.clear()
            self._seen[key] = self.row(key).identity

    @property
    def needed(self) -> int:
        """The lines that all of it takes, with its head."""
        return 1 + self._geometry.lines

    def resize(self, width: int, height: int) -> None:
        """Lay out for a size in cells."""
        self.width, self.height = width, height
        self._lay_out_columns()
        self.show_cursor()

    def set_vm(self, vm: TableVM, changed: frozenset[str] | None = None) -> bool:
        """Take a view-model; `changed` names the keys whose rows may differ, None means any.

        Returns whether the cursor had to leave its key.
        """
        old, self.vm = self.vm, vm
        if changed is None:
            self._rows.clear()
        else:
            for key in changed:
                self._rows.pop(key, None)
        if vm.columns != old.columns:
            self._needs = [0] * len(vm.columns)
            self._lay_out_columns()
        reordered = vm.order is not old.order and vm.order != old.order
        if not reordered and vm.tall == old.tall:
            return False
        return self._rearrange(reordered=reordered)

    def _lay_out_columns(self) -> None:
        self._slots = fit_columns(self.vm.columns, self.width, self._needs)
        self._wider = False
        self._inked.clear()

    def _rearrange(self, *, reordered: bool) -> bool:
        y = self._cursor_line - self.top
        left_key = self.cursor.reorder(self.vm.order) if reordered else False
        index_of = self.cursor.index_of
        tall = {index_of[key]: extra for key, extra in self.vm.tall.items() if key in index_of}
        self._geometry = RowGeometry(len(self.vm.order), tall)
        if self.top:
            self.top = self._cursor_line - y
        self.show_cursor()
        return left_key

    @property
    def _cursor_line(self) -> int:
        """The line of all lines on which the cursor's row starts."""
        return 0 if self.cursor.key is None else self._geometry.line_of(self.cursor.index)

    def show_cursor(self) -> None:
        """Scroll as little as needed for the cursor's row to be on screen."""
        if not self.page:
            return
        top = self.top
        if self.cursor.key is not None:
            line = self._cursor_line
            height = min(self._geometry.height_of(self.cursor.index), self.page)
            top = max(line + height - self.page, min(top, line))
        self.top = max(0, min(top, self._geometry.lines - self.page))

    def step(self, rows: int) -> bool:
        """Move the cursor by rows; return whether it moved."""
        moved = self.cursor.step(rows)
        self.show_cursor()
        return moved

    def turn_page(self, pages: int) -> bool:
        """Move the cursor and the rows by pages of which one line stays in sight; return whether the cursor moved."""
        if self.cursor.key is None:
            return False
        here = self._cursor_line
        line = max(0, min(self._geometry.lines - 1, here + pages * max(1, self.page - 1)))
        self.top += line - here
        rows = self._geometry.row_at(line)[0] - self.cursor.index
        return self.step(rows or pages)

    def build(self) -> list[InkLine]:
        """Return the ink of every line, and set `cursor_y` to the line of the cursor's row (-1: there is none).

        Where a row has come on screen whose texts are wider than all before, the columns are laid out for them.
        """
        lines = self._build()
        if self._wider:
            self._lay_out_columns()
            lines = self._build()
        return lines

    def _build(self) -> list[InkLine]:
        self.cursor_y = -1
        if self.height == 0:
            return []
        vm, geometry = self.vm, self._geometry
        lines = [header_line(vm.columns, self._slots, self.width, vm.sort, self.signs)]
        if not vm.order:
            lines.append(fit_spans((Span(vm.empty, Tone.MUTED),), self.width, ellipsis=self.signs.ellipsis))
        line = self.top
        while len(lines) < self.height and line < geometry.lines:
            index, part = geometry.row_at(line)
            if vm.order[index] == self.cursor.key and part == 0:
                self.cursor_y = len(lines)
            count = min(geometry.height_of(index) - part, self.height - len(lines))
            lines.extend(self._row_lines(vm.order[index], part, count))
            line += count
        blank = (Ink(" " * self.width),)
        lines.extend([blank] * (self.height - len(lines)))
        return lines[: self.height]

    def _row_lines(self, key: str, part: int, count: int) -> list[InkLine]:
        """Return `count` lines of a row from line `part` of it on, inked again only where row or layer differ."""
        row = self.row(key)
        layer = Layer.DIMMED if row.dimmed or self.stale else Layer.NONE
        main = layer
        if key in self.cursor.marks:
            main |= Layer.MARKED
        if self.focused and key == self.cursor.key:
            main |= Layer.CURSOR
        inked = self._inked.get(key)
        if inked is None or inked[1] != main or len(inked[2]) < part + count or inked[0] != row:
            if len(self._inked) >= ROWS_KEPT:
                self._inked.clear()
            lines = [row_line(self.vm.columns, self._slots, row, self.width, main, signs=self.signs)]
            lines += [detail_line(row, at, self.width, layer, self.signs) for at in range(part + count - 1)]
            inked = self._inked[key] = (row, main, lines)
        return inked[2][part : part + count]

    def row(self, key: str) -> Row:
        """Return the row of a key, built when it is wanted first."""
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= ROWS_KEPT:
                self._rows.clear()
            row = self._rows[key] = self.vm.row(key)
            self._measure(row)
        return row

    def _measure(self, row: Row) -> None:
        """Note the texts that are wider than those seen: columns only grow, so that they stand still under the eye."""
        for index, (span, need) in enumerate(zip(row.cells, self._needs, strict=False)):
            cells = cells_of(span.text)
            if cells > need:
                self._needs[index] = cells
                self._wider = True


class TablePainting:
    """The lines of a `TableView` as they were drawn last, and which of them the operator has yet to see.

    What a key press means is what was painted: only then does a row count as seen, and the cursor as being on it.
    """

    def __init__(self, view: TableView) -> None:
        self._view = view
        self._lines: list[InkLine] = []
        self._unpainted: set[int] = set()

    def lay_out(self) -> None:
        """Build the lines for another size, all of which is to be painted."""
        self._lines = self._view.build()

    def draw(self) -> list[tuple[int, int, int]]:
        """Build the lines again; returns the (x, y, width) runs of cells that are to be painted."""
        drawn, self._lines = self._lines, self._view.build()
        changed = [y for y, line in enumerate(self._lines) if line != drawn[y]]
        if len(changed) > _FEW:
            runs = [(0, y, self._view.width) for y in changed]
        else:
            runs = [(x, y, width) for y in changed for x, width in changed_runs(drawn[y], self._lines[y])]
        self._unpainted.update(y for _, y, _ in runs)
        for y in range(1, len(self._lines)):
            if y not in self._unpainted:
                self._view.note_seen(y)
        if self._cursor_y not in self._unpainted:
            self._view.cursor.painted()
        return runs

    def paint(self, y: int) -> InkLine | None:
        """Return the line that is painted now, and what it shows is seen; None below the last one."""
        self._unpainted.discard(y)
        if y >= len(self._lines):
            return None
        self._view.note_seen(y)
        if y == self._cursor_y:
            self._view.cursor.painted()
        return self._lines[y]

    @property
    def _cursor_y(self) -> int:
        """The line under the cursor; where there are no rows, the one that says so."""
        return max(1, self._view.cursor_y)
