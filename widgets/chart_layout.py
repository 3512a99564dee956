"""What a chart looks like in so many cells: pure functions of view-model and size, in dots, in blocks or in ASCII.

A row of the plot is a few runs: the line in its own tone, in front of limits and of moments in theirs. What lies above
a limit that alarms has the tone of a warning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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


class States(Struct, frozen=True):
    """What was the case when, as a bar below the plot: 1 is it, what lies between 0 and 1 is half of it."""

    label: str
    start: float = 0.0
    step: float = 1.0
    values: tuple[float, ...] = ()
    tone: Tone = Tone.WARN


class ChartVM(Struct, frozen=True):
    """One line over time, as `services.model.metric.Series` gives it: `values[i]` begins at `start + i * step`.

    `head` is said above it (what, last value, change), or the first of the `briefs` that has room. `ends` are written
    below its left and right edge. A `message` stands where there is nothing to draw: why, or that it is on its way.
    """

    head: Line
    briefs: tuple[Line, ...] = ()
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
    states: States | None = None
    message: str = ""


_BLANK_DOTS = 0x2800
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""The bits of a braille cell, by its dot column and dot row from the bottom (Unicode standard, braille patterns)."""

_RULES = {Pen.DOTS: ("╌", "┊"), Pen.BLOCKS: ("─", "│"), Pen.ASCII: ("-", ":")}
"""How a limit and the moment of a mark are drawn where the line itself is not."""

HALF = 3
"""Which of the bars, from the lowest, is half as high as a row."""

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
    head = fit_spans(_fitting(vm, width), width, ellipsis=signs.ellipsis)
    if height == 1:
        return (head,)
    barred = vm.states is not None and height >= 4
    if vm.message or not vm.values:
        bar = [_bar(vm.states, vm, width, pen)] if barred and vm.states else []
        return (head, *_said(f"{signs.quiet} {vm.message or 'no data'}", width, height - 1 - len(bar), signs), *bar)
    below = 1 if height >= 4 and any((*vm.ends, *vm.marks)) else 0
    rows = height - 1 - below - barred
    if rows == 1:
        spark = sparkline(vm.values, width, ASCII_BARS if pen is Pen.ASCII else BARS)
        return (head, (Ink(spark.ljust(width), vm.tone),), *([_axis(vm, 0, width, signs)] if below else []))
    plot = _plot(vm, width, rows, pen)
    bar = [_bar(vm.states, vm, width, pen, plot.gutter)] if barred and vm.states else []
    return (head, *plot.rows, *([_axis(vm, plot.gutter, width, signs)] if below else []), *bar)


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


def _fitting(vm: ChartVM, width: int) -> Line:
    """Return the head, a briefer one, or the briefest without the parts at its end that there is no room for."""
    heads = (vm.head, *vm.briefs)
    kept = list(next((head for head in heads if _cells(head) <= width), heads[-1]))
    while len(kept) > 1 and _cells(kept) > width:
        kept.pop()
    return tuple(kept)


def _cells(line: Sequence[Span]) -> int:
    return sum(cells_of(span.text) for span in line)


class _Plot(Struct, frozen=True):
    rows: tuple[InkLine, ...]
    gutter: int


def _plot(vm: ChartVM, width: int, rows: int, pen: Pen) -> _Plot:
    """Draw the line over its limits and marks, with what the rows stand for beside it where there is room."""
    ticks = min(4, max(2, rows // 2))
    scale = scale_of((*vm.values, *vm.lows, *vm.highs), [limit.value for limit in vm.limits], vm.unit, ticks)
    limits = _limits_by_row(vm, scale, rows)
    labels = {_row_of(scale.share(tick), rows): measured(tick, vm.unit) for tick in scale.ticks}
    labels |= {row: measured(limit.value, vm.unit) for row, limit in limits.items()}
    gutter = max(cells_of(text) for text in labels.values()) + 1
    if vm.states is not None:
        gutter = max(gutter, cells_of(vm.states.label) + 1)
    if width - gutter < _LEAST_PLOT:
        labels, gutter = {}, 0
    columns = width - gutter
    cells = _dotted(vm, scale, columns, rows) if pen is Pen.DOTS else _filled(vm, scale, columns, rows, pen)
    lines = _line_tones(vm, scale, columns, rows)
    marked = {column: mark.tone for mark in vm.marks if (column := _column_of(mark.at, vm, columns)) is not None}
    drawn_rows = []
    if pen is not Pen.DOTS:
        _clear_for_limits(vm, cells, limits)
    for row in reversed(range(rows)):
        tones = [line if cell != " " else None for cell, line in zip(cells[row], lines[row], strict=True)]
        _rule(cells[row], tones, limits.get(row), marked, pen)
        beside = (Ink(fill(labels.get(row, ""), gutter - 1, right=True) + " ", Tone.MUTED),) if gutter else ()
        drawn_rows.append((*beside, *_runs(cells[row], tones)))
    return _Plot(tuple(drawn_rows), gutter)


def _limits_by_row(vm: ChartVM, scale: Scale, rows: int) -> dict[int, Limit]:
    """Return the limits by the rows they run through.

    In the lowest row, where the line lies, one is drawn only where it is the lower edge of the scale.
    """
    found = {_row_of(scale.share(limit.value), rows): limit for limit in vm.limits if drawn(limit.value, scale)}
    return {row: limit for row, limit in found.items() if row or limit.value <= scale.low}


def _clear_for_limits(vm: ChartVM, cells: list[list[str]], limits: Mapping[int, Limit]) -> None:
    """Let a limit run over the bars that end below it in its row: where it is broken, something is above."""
    for row, limit in limits.items():
        for column, reach in enumerate(_reaches(vm, len(cells[row]))):
            if reach is not None and reach[1] < limit.value and row:
                cells[row][column] = " "


def _line_tones(vm: ChartVM, scale: Scale, columns: int, rows: int) -> list[list[Tone]]:
    """Return the tone of the line in each cell: what is above the lowest limit that alarms is a warning."""
    alarm = min((one.value for one in vm.limits if one.alarms and drawn(one.value, scale)), default=math.inf)
    if math.isinf(alarm):
        return [[vm.tone] * columns] * rows
    at = _row_of(scale.share(alarm), rows)
    over = [Tone.WARN if reach is not None and reach[1] > alarm else vm.tone for reach in _reaches(vm, columns)]
    return [[vm.tone] * columns if row < at else over if row == at else [Tone.WARN] * columns for row in range(rows)]


def _rule(
    cells: list[str], tones: list[Tone | None], limit: Limit | None, marked: Mapping[int, Tone], pen: Pen
) -> None:
    """Draw a limit with its name, or the moments of marks, where the line itself is not."""
    across, along = _RULES[pen]
    if limit is None:
        for column, tone in marked.items():
            if tones[column] is None:
                cells[column], tones[column] = along, tone
        return
    named = _place_of(f"{limit.label} ", cells) if limit.label else None
    for column, there in enumerate(tones):
        if there is None:
            tones[column] = limit.tone
            cells[column] = across if named is None or column not in named else f"{limit.label} "[column - named.start]


def _place_of(name: str, cells: Sequence[str]) -> range | None:
    """Return where in a row the name of a limit stands: the first free place, with a space before it."""
    if len(name) * 2 >= len(cells) or cells_of(name) != len(name):
        return None
    free = "".join(" " if cell == " " else "x" for cell in cells)
    if free.startswith(" " * len(name)):
        return range(len(name))
    found = free.find(" " * (len(name) + 1))
    return range(found + 1, found + 1 + len(name)) if found >= 0 else None


def _runs(cells: Sequence[str], tones: Sequence[Tone | None]) -> Iterator[Ink]:
    """Yield a row as runs of one tone; what is blank goes with what stands before it."""
    run, ink = "", next((tone for tone in tones if tone is not None), Tone.PLAIN)
    for cell, tone in zip(cells, tones, strict=True):
        if tone is not None and tone is not ink:
            yield Ink(run, ink)
            run, ink = "", tone
        run += cell
    yield Ink(run, ink)


def _bar(states: States, vm: ChartVM, width: int, pen: Pen, gutter: int = 0) -> InkLine:
    """Return the bar of what was the case when, below the moments of the plot; half a bar is half the case."""
    gutter = gutter or min(cells_of(states.label) + 1, width)
    columns = width - gutter
    start, step, count = (vm.start, vm.step, len(vm.values)) if vm.values else (0.0, 0.0, 0)
    if not count:
        start, step, count = states.start, states.step, len(states.values)
    bars = ASCII_BARS if pen is Pen.ASCII else BARS
    whole, half = bars[-1], bars[HALF]
    cells = []
    for column in range(columns):
        since, until = (start + step * count * edge / max(1, columns) for edge in (column, column + 1))
        first = max(0, math.floor((since - states.start) / states.step))
        last = max(first + 1, math.ceil((until - states.start) / states.step))
        most = max((value for value in states.values[first:last] if not math.isnan(value)), default=0.0)
        cells.append(whole if most >= 1 else half if most > 0 else " ")
    return (Ink(fill(states.label, gutter - 1, right=True) + " ", Tone.MUTED), Ink("".join(cells), states.tone))


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
