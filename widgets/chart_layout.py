"""What a chart looks like in so many cells: pure functions of view-model and size, in dots, in blocks or in ASCII.

A row of the plot is one run of one tone, so that a whole chart costs little over a slow line; what a limit parts is
told by the row it runs through, and by the tone of the rows above it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from widgets.chart_scale import Scale, drawn, scale_of
from widgets.folding import fold_words
from widgets.ink import ASCII_SIGNS, UNICODE_SIGNS, Ink, InkLine, Layer, Signs, cells_of, fill, fit_spans
from widgets.measures import measured
from widgets.sparkline import ASCII_BARS, BARS, sparkline
from widgets.viewmodels import Line, Span, Tone


class Pen(StrEnum):
    """What a chart is drawn with."""

    DOTS = "dots"
    BLOCKS = "blocks"
    ASCII = "ascii"


class Limit(Struct, frozen=True):
    """A line across the chart: a threshold, a request, a limit. What lies above one that `alarms` has its tone."""

    value: float
    label: str
    tone: Tone = Tone.MUTED
    alarms: bool = False


class Mark(Struct, frozen=True):
    """Something that happened at one moment (epoch seconds), such as a rollout: a sign and a short label."""

    at: float
    sign: str
    label: str = ""
    tone: Tone = Tone.NOTICE


class ChartVM(Struct, frozen=True):
    """One line over time, as `services.model.metric.Series` gives it: `values[i]` begins at `start + i * step`.

    `head` is said above it (what, last value, change). `ends` are written below its left and right edge. A `message`
    stands where there is nothing to draw: why, or that it is on its way.
    """

    head: Line
    unit: str = ""
    start: float = 0.0
    step: float = 1.0
    values: tuple[float, ...] = ()
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    limits: tuple[Limit, ...] = ()
    marks: tuple[Mark, ...] = ()
    ends: tuple[str, str] = ("", "")
    pen: Pen = Pen.DOTS
    tone: Tone = Tone.NOTICE
    message: str = ""


_BLANK_DOTS = 0x2800
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""The bits of a braille cell, by its dot column and dot row from the bottom (Unicode standard, braille patterns)."""

_RULES = {Pen.DOTS: ("╌", "┊"), Pen.BLOCKS: ("─", "│"), Pen.ASCII: ("-", ":")}
"""How a limit and the moment of a mark are drawn where the line itself is not."""

_LEAST_PLOT = 8
"""Columns below which a plot says nothing."""

Reach = tuple[float, float]


def chart_rows(vm: ChartVM, width: int, height: int, signs: Signs = UNICODE_SIGNS) -> tuple[InkLine, ...]:
    """Return a chart in exactly `width` by `height` cells, whatever its numbers are.

    The head is on top and the times below; two rows are a head and a sparkline, one is the head alone.
    """
    if width <= 0 or height <= 0:
        return ((),) * max(0, height)
    pen = Pen.ASCII if signs is ASCII_SIGNS else vm.pen
    head = fit_spans(_whole(vm.head, width), width, ellipsis=signs.ellipsis)
    if height == 1:
        return (head,)
    if vm.message or not vm.values:
        return (head, *_said(f"{signs.quiet} {vm.message or 'no data'}", width, height - 1, signs))
    below = 1 if height >= 4 and any((*vm.ends, *vm.marks)) else 0
    rows = height - 1 - below
    if rows == 1:
        spark = sparkline(vm.values, width, ASCII_BARS if pen is Pen.ASCII else BARS)
        return (head, (Ink(spark.ljust(width), vm.tone),), *([_axis(vm, 0, width, signs)] if below else []))
    plot = _plot(vm, width, rows, pen)
    return (head, *plot.rows, *([_axis(vm, plot.gutter, width, signs)] if below else []))


def _said(text: str, width: int, rows: int, signs: Signs) -> Iterator[InkLine]:
    """Yield a sentence in so many rows, broken at words; what has no room is cut with an ellipsis."""
    starts = fold_words(text, width)[:rows]
    for row in range(rows):
        if row >= len(starts):
            yield _blank(width)
            continue
        last = row == len(starts) - 1
        part = text[starts[row] :] if last else text[starts[row] : starts[row + 1]]
        yield fit_spans((Span(part.rstrip(), Tone.MUTED),), width, ellipsis=signs.ellipsis)


def _blank(width: int) -> InkLine:
    return (Ink(" " * width, Tone.PLAIN, Layer.NONE),)


def _whole(head: Line, width: int) -> Line:
    """Return the head without the parts at its end that there is no room for: half a number is none."""
    kept = list(head)
    while len(kept) > 1 and sum(cells_of(span.text) for span in kept) > width:
        kept.pop()
    return tuple(kept)


class _Plot(Struct, frozen=True):
    rows: tuple[InkLine, ...]
    gutter: int


def _plot(vm: ChartVM, width: int, rows: int, pen: Pen) -> _Plot:
    """Draw the line over its limits and marks, with what the rows stand for beside it where there is room."""
    ticks = min(4, max(2, rows // 2))
    scale = scale_of((*vm.values, *vm.lows, *vm.highs), [limit.value for limit in vm.limits], vm.unit, ticks)
    limits, alarm = _limits_by_row(vm, scale, rows)
    labels = {_row_of(scale.share(tick), rows): measured(tick, vm.unit) for tick in scale.ticks}
    labels |= {row: measured(limit.value, vm.unit) for row, limit in limits.items()}
    gutter = max(cells_of(text) for text in labels.values()) + 1
    if width - gutter < _LEAST_PLOT:
        labels, gutter = {}, 0
    columns = width - gutter
    cells = _dotted(vm, scale, columns, rows) if pen is Pen.DOTS else _filled(vm, scale, columns, rows, pen)
    marked = {column for mark in vm.marks if (column := _column_of(mark.at, vm, columns)) is not None}
    lines = []
    for row in reversed(range(rows)):
        limit = limits.get(row)
        _rule(cells[row], limit, marked, pen)
        tone = limit.tone if limit is not None else Tone.WARN if row > alarm else vm.tone
        beside = (Ink(fill(labels.get(row, ""), gutter - 1, right=True) + " ", Tone.MUTED),) if gutter else ()
        lines.append((*beside, Ink("".join(cells[row]), tone)))
    return _Plot(tuple(lines), gutter)


def _limits_by_row(vm: ChartVM, scale: Scale, rows: int) -> tuple[dict[int, Limit], int]:
    """Return the limits by the rows they run through, and the row above which all is alarming.

    In the lowest row, where the line lies, one is drawn only where it is the lower edge of the scale.
    """
    found = {_row_of(scale.share(limit.value), rows): limit for limit in vm.limits if drawn(limit.value, scale)}
    alarm = min((row for row, limit in found.items() if limit.alarms), default=rows)
    return {row: limit for row, limit in found.items() if row or limit.value <= scale.low}, alarm


def _rule(cells: list[str], limit: Limit | None, marked: Collection[int], pen: Pen) -> None:
    """Draw a limit with its name, or the moments of marks, where the line itself is not."""
    across, along = _RULES[pen]
    named = 0
    if limit is not None and limit.label:
        name = f"{limit.label} "
        if len(name) * 2 < len(cells) and cells_of(name) == len(name) and set(cells[: len(name)]) == {" "}:
            cells[: len(name)] = name
            named = len(name)
    for column in range(named, len(cells)):
        if cells[column] == " ":
            cells[column] = across if limit is not None else along if column in marked else " "


def _row_of(share: float, rows: int) -> int:
    """Return the row of cells, 0 at the bottom, in which a share of the height lies."""
    return min(rows - 1, int(share * rows))


def _reaches(vm: ChartVM, columns: int) -> Iterator[Reach | None]:
    """Yield the lowest and highest value of each column, None for a gap; infinities reach over the edge."""
    lows, highs = vm.lows or vm.values, vm.highs or vm.values
    count = min(len(vm.values), len(lows), len(highs))
    for column in range(columns):
        first = column * count // columns
        last = max(first + 1, (column + 1) * count // columns)
        below = [value for value in lows[first:last] if not math.isnan(value)]
        above = [value for value in highs[first:last] if not math.isnan(value)]
        yield (min(below), max(above)) if below and above else None


def _dotted(vm: ChartVM, scale: Scale, columns: int, rows: int) -> list[list[str]]:
    """Draw the line with two by four dots a cell; what moves within one dot column is an upright stroke."""
    bits = [[0] * columns for _ in range(rows)]
    top = rows * 4 - 1
    before: tuple[int, int] | None = None
    for dot, reach in enumerate(_reaches(vm, columns * 2)):
        if reach is None:
            before = None
            continue
        low, high = sorted(round(scale.share(value) * top) for value in reach)
        joined = (low, high)
        if before is not None:
            joined = min(low, before[1] + 1), max(high, before[0] - 1)
        for level in range(joined[0], joined[1] + 1):
            bits[level // 4][dot // 2] |= _DOTS[dot % 2][level % 4]
        before = (low, high)
    return [[chr(_BLANK_DOTS + cell) if cell else " " for cell in row] for row in bits]


def _filled(vm: ChartVM, scale: Scale, columns: int, rows: int, pen: Pen) -> list[list[str]]:
    """Draw bars up to the highest value of each column; zero is a bar of the least height, a gap is none."""
    bars = ASCII_BARS if pen is Pen.ASCII else BARS
    cells = [[" "] * columns for _ in range(rows)]
    for column, reach in enumerate(_reaches(vm, columns)):
        if reach is None:
            continue
        eighths = max(1, round(scale.share(max(reach)) * rows * 8))
        full, rest = divmod(eighths, 8)
        for row in range(full):
            cells[row][column] = bars[-1]
        if rest:
            cells[full][column] = bars[rest - 1]
    return cells


def _column_of(at: float, vm: ChartVM, columns: int) -> int | None:
    span = vm.step * len(vm.values)
    if not span > 0 or not vm.start <= at <= vm.start + span:
        return None
    return min(columns - 1, int((at - vm.start) / span * columns))


def _axis(vm: ChartVM, gutter: int, width: int, signs: Signs) -> InkLine:
    """Return the times at both ends, and between them the marks, each with its label where there is room for it."""
    left, right = (fill(end, min(cells_of(end), width - gutter), ellipsis=signs.ellipsis) for end in vm.ends)
    edge = width - cells_of(right)
    spans = [Span(" " * gutter), Span(left, Tone.MUTED)]
    used = gutter + cells_of(left)
    found = ((_column_of(mark.at, vm, width - gutter), mark) for mark in vm.marks)
    placed = sorted(((gutter + column, mark) for column, mark in found if column is not None), key=lambda one: one[0])
    for index, (wanted, mark) in enumerate(placed):
        column = max(wanted, used + 1 if left or index else used)
        stop = min(edge, placed[index + 1][0] if index + 1 < len(placed) else edge) - 1
        text = f"{mark.sign} {mark.label}"
        text = text if mark.label and column + cells_of(text) <= stop else mark.sign
        if column + cells_of(text) <= edge:
            spans += [Span(" " * (column - used)), Span(text, mark.tone)]
            used = column + cells_of(text)
    if used <= edge:
        spans += [Span(" " * (edge - used)), Span(right, Tone.MUTED)]
    return fit_spans(spans, width, ellipsis=signs.ellipsis)


def joined_marks(marks: Sequence[Mark], apart: float) -> tuple[Mark, ...]:
    """Return marks in the order of time, those closer than `apart` seconds as one that says how many."""
    groups: list[list[Mark]] = []
    for mark in sorted(marks, key=lambda one: one.at):
        if groups and mark.at - groups[-1][-1].at < apart:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return tuple(
        group[0] if len(group) == 1 else Mark(group[0].at, group[0].sign, f"{len(group)} changes", group[0].tone)
        for group in groups
    )
