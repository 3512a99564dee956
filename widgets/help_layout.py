"""Lays the help out in columns: sections stay whole and in order, texts break between words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from widgets.bar_layout import wrap
from widgets.ink import cells_of, cut, fill, line_cells
from widgets.viewmodels import HelpEntry, HelpSection, Line, Span, Tone

NARROWEST = 35
_MOST_COLUMNS = 3
_GAP = 2
_WIDEST_KEY = 12
_LABEL_FROM = 60
_WIDEST_LABEL = 20


class Columns(NamedTuple):
    """The cells of one column of the help: of the whole, of its keys and (0: not shown) of its labels."""

    width: int
    key: int
    label: int
    ellipsis: str


def help_lines(sections: Sequence[HelpSection], width: int, ellipsis: str = "…") -> tuple[Line, ...]:
    """Return the lines of the help for a width in cells: up to three columns of 35 cells at least."""
    sections = [section for section in sections if section.entries]
    if not sections:
        return ()
    columns = max(1, min(_MOST_COLUMNS, (width + _GAP) // (NARROWEST + _GAP), len(sections)))
    column_width = max(8, (width - _GAP * (columns - 1)) // columns)
    entries = [entry for section in sections for entry in section.entries]
    key_cells = min(_WIDEST_KEY, max(cells_of(entry.key) for entry in entries))
    label_cells = min(_WIDEST_LABEL, max(cells_of(entry.label) for entry in entries))
    label_cells = label_cells if column_width >= _LABEL_FROM else 0
    columns_of_entry = Columns(column_width, key_cells, label_cells, ellipsis)
    blocks = [_block(section, columns_of_entry) for section in sections]
    stacks = balanced([len(block) for block in blocks], columns)
    piles = [[line for place in stack for line in blocks[place]] for stack in stacks]
    return tuple(_beside(row, column_width) for row in zip_longest(*piles, fillvalue=()))


def balanced(heights: Sequence[int], columns: int) -> list[list[int]]:
    """Return which blocks stand in which column, in order, so that the highest column is as low as can be."""
    low, high = max(heights, default=0), sum(heights)
    while low < high:
        middle = (low + high) // 2
        if len(_filled(heights, middle)) <= columns:
            high = middle
        else:
            low = middle + 1
    return _filled(heights, low)


def _filled(heights: Sequence[int], limit: int) -> list[list[int]]:
    stacks: list[list[int]] = [[]]
    used = 0
    for place, height in enumerate(heights):
        if stacks[-1] and used + height > limit:
            stacks.append([])
            used = 0
        stacks[-1].append(place)
        used += height
    return stacks


def _block(section: HelpSection, cells: Columns) -> list[Line]:
    lines: list[Line] = [(Span(cut(section.title, cells.width, cells.ellipsis), Tone.STRONG),)]
    for entry in section.entries:
        lines += _entry(entry, cells)
    return [*lines, ()]


def _entry(entry: HelpEntry, cells: Columns) -> list[Line]:
    head = [Span(fill(entry.key, cells.key, ellipsis=cells.ellipsis) + " ", Tone.KEY)]
    if cells.label:
        head.append(Span(fill(entry.label, cells.label, ellipsis=cells.ellipsis) + "  "))
    indent = line_cells(head)
    texts = wrap(entry.text or entry.label, max(4, cells.width - indent)) or [""]
    tone = Tone.MUTED if cells.label else Tone.PLAIN
    return [(*head, Span(texts[0], tone)), *((Span(" " * indent), Span(text, tone)) for text in texts[1:])]


def _beside(row: Sequence[Line], width: int) -> Line:
    spans: list[Span] = []
    for place, line in enumerate(row):
        spans += line
        if place < len(row) - 1:
            spans.append(Span(" " * (width - line_cells(line) + _GAP)))
    while spans and not spans[-1].text.strip():
        spans.pop()
    return tuple(spans)
