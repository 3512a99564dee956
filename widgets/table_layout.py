"""Where columns and rows lie: pure functions of view-model and size, so that every width can be tested."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from widgets.ink import UNICODE_SIGNS, Ink, InkLine, Layer, Signs, cells_of, fill, fit_spans
from widgets.viewmodels import Column, Row, Tone

GAP = 1
BREATH = 3
"""Cells beyond their texts that columns take where there is room for all."""

DETAIL_INDENT = 4


class Slot(NamedTuple):
    """A column that is shown: its place in the view-model, its first cell and its width in cells."""

    column: int
    x: int
    width: int


def fit_columns(columns: Sequence[Column], width: int, needs: Sequence[int] = ()) -> tuple[Slot, ...]:
    """Return the columns that fit into `width` cells, in their order, with one cell between them.

    Columns go from the highest priority number down (of equals the last one first) until the least widths fit; priority
    0 stays and is narrowed, widest first. `needs` are the cells that the widest texts seen take, by column: room goes
    where text would be cut, and what is left lies behind the last elastic column, so that what
    belongs together stands together. Without them room is shared by weight, the last cells going to the leftmost.
    """
    kept = list(range(len(columns)))
    while _room(columns, kept, width) < 0:
        drop = max(kept, key=lambda index: (columns[index].priority, index), default=-1)
        if drop < 0 or columns[drop].priority == 0:
            break
        kept.remove(drop)
    widths = {index: columns[index].width for index in kept}
    room = _room(columns, kept, width)
    while room < 0 and widths:
        widest = max(widths, key=lambda index: (widths[index], index))
        if widths[widest] <= 1:
            break
        widths[widest] -= 1
        room += 1
    if room >= 0 and any(needs):
        room = _give_to_needs(columns, widths, room, needs)
        _give_rest(columns, widths, room)
    elif room > 0:
        _share(columns, widths, room)
    return _place(kept, widths, width)


def _give_to_needs(columns: Sequence[Column], widths: dict[int, int], room: int, needs: Sequence[int]) -> int:
    """Widen the columns whose texts are cut, from what is left and what elastic ones do not use; return the room.

    The shortest cut comes first, and twice as soon in columns that always stay; what is not enough for all is shared.
    """
    short = {index: needs[index] - cells for index, cells in widths.items() if needs[index] > cells}
    loose = {
        index: spare
        for index, cells in widths.items()
        if columns[index].weight and (spare := cells - max(needs[index], cells_of(columns[index].title) + 1)) > 0
    }
    while (lacking := sum(short.values()) - room) > 0 and loose:
        widest = max(loose, key=lambda index: (loose[index], index))
        taken = min(lacking, loose.pop(widest))
        widths[widest] -= taken
        room += taken
    stays = {index: columns[index].priority == 0 for index in short}
    order = sorted(short, key=lambda index: (short[index] / (1 + stays[index]), index))
    for place, index in enumerate(order):
        equals = sum(stays[other] is stays[index] for other in order[place:])
        given = min(short[index], room // equals)
        widths[index] += given
        room -= given
    return room


def _give_rest(columns: Sequence[Column], widths: dict[int, int], room: int) -> None:
    """Let elastic columns breathe, and give what is left to the last of them."""
    elastic = [index for index in widths if columns[index].weight]
    for index in elastic[:-1]:
        breath = min(BREATH, room // len(elastic))
        widths[index] += breath
        room -= breath
    if elastic:
        widths[elastic[-1]] += room


def _share(columns: Sequence[Column], widths: dict[int, int], room: int) -> None:
    """Share the room by weight, the last cells going to the leftmost."""
    weight = sum(columns[index].weight for index in widths)
    if not weight:
        return
    shares = {index: room * columns[index].weight // weight for index in widths}
    rest = room - sum(shares.values())
    for index in widths:
        if columns[index].weight and rest:
            shares[index] += 1
            rest -= 1
        widths[index] += shares[index]


def _room(columns: Sequence[Column], kept: Sequence[int], width: int) -> int:
    return width - sum(columns[index].width for index in kept) - GAP * max(0, len(kept) - 1)


def _place(kept: Sequence[int], widths: Mapping[int, int], width: int) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    x = 0
    for index in kept:
        cells = min(widths[index], width - x)
        if cells <= 0:
            break
        slots.append(Slot(index, x, cells))
        x += cells + GAP
    return tuple(slots)


class RowGeometry:
    """Which line a row starts on; costs the number of tall rows, not of rows."""

    __slots__ = ("_at", "_extra_after", "rows")

    def __init__(self, rows: int, tall: Mapping[int, int]) -> None:
        """Take the number of rows and, by row index, how many detail lines the tall ones have."""
        self.rows = rows
        self._at = sorted(index for index, extra in tall.items() if extra > 0)
        self._extra_after: list[int] = []
        total = 0
        for index in self._at:
            total += tall[index]
            self._extra_after.append(total)

    @property
    def lines(self) -> int:
        """Return the number of lines of all rows."""
        return self.rows + (self._extra_after[-1] if self._extra_after else 0)

    def line_of(self, index: int) -> int:
        """Return the line on which the row at `index` starts."""
        before = bisect_right(self._at, index - 1)
        return index + (self._extra_after[before - 1] if before else 0)

    def height_of(self, index: int) -> int:
        """Return how many lines the row at `index` takes."""
        return self.line_of(index + 1) - self.line_of(index)

    def row_at(self, line: int) -> tuple[int, int]:
        """Return the row index at `line` and the line within that row; `line` must lie in `range(lines)`."""
        low, high = 0, len(self._at)
        while low < high:
            middle = (low + high) // 2
            if self.line_of(self._at[middle]) <= line:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return line, 0
        tall = self._at[low - 1]
        top = self.line_of(tall)
        height = self.height_of(tall)
        if line < top + height:
            return tall, line - top
        return tall + 1 + line - top - height, 0


def header_line(
    columns: Sequence[Column],
    slots: Sequence[Slot],
    width: int,
    sort: tuple[str, bool],
    signs: Signs = UNICODE_SIGNS,
) -> InkLine:
    """Return the titles, the sorted one with an arrow (`sort` is the column's key and whether it descends)."""
    line: list[Ink] = []
    x = 0
    for slot in slots:
        column = columns[slot.column]
        title = column.title
        if column.key == sort[0]:
            arrow = signs.descending if sort[1] else signs.ascending
            title = arrow + title if column.right else title + arrow
        text = fill(title, slot.width, right=column.right, ellipsis=signs.ellipsis)
        line.append(Ink(" " * (slot.x - x) + text, Tone.MUTED, Layer.HEADER))
        x = slot.x + slot.width
    line.append(Ink(" " * max(0, width - x), Tone.MUTED, Layer.HEADER))
    return tuple(line)


def row_line(
    columns: Sequence[Column],
    slots: Sequence[Slot],
    row: Row,
    width: int,
    layer: Layer,
    *,
    signs: Signs = UNICODE_SIGNS,
) -> InkLine:
    """Return the main line of a row; a mark stands in the gap behind the first column, so that nothing moves for it."""
    line: list[Ink] = []
    x = 0
    for slot in slots:
        if slot.x > x:
            marked = Layer.MARKED in layer and x == slots[0].width
            line.append(Ink(signs.mark if marked else " " * (slot.x - x), row.tone, layer))
        if slot.column < len(row.cells):
            span = row.cells[slot.column]
            text = fill(span.text, slot.width, right=columns[slot.column].right, ellipsis=signs.ellipsis)
            line.append(Ink(text, row.tone if span.tone is Tone.PLAIN else span.tone, layer))
        else:
            line.append(Ink(" " * slot.width, row.tone, layer))
        x = slot.x + slot.width
    if width > x:
        line.append(Ink(" " * (width - x), row.tone, layer))
    return tuple(line)


def detail_line(row: Row, part: int, width: int, layer: Layer, signs: Signs = UNICODE_SIGNS) -> InkLine:
    """Return detail line `part` (0 is the first) of a row, indented; blank where the row has fewer."""
    spans = row.details[part] if part < len(row.details) else ()
    indent = min(DETAIL_INDENT, width)
    body = fit_spans(spans, width - indent, layer, ellipsis=signs.ellipsis)
    return (Ink(" " * indent, Tone.PLAIN, layer), *body)
