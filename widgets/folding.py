"""Where long lines break and what part of them shows, in terminal cells; and how runs of style lie over each other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from rich.cells import split_graphemes
from rich.style import Style

from widgets.ink import cells_of, clip, cut

_LONGEST_ACCENT = 64
"""Letters without a cell of their own that may come on top of one a cell; text further on is out of sight."""

_GAP = 3
"""Spaces that part what belongs apart: a row breaks there sooner than between two words."""

Run = tuple[int, int, Style]
"""Start and end (code points) of a stretch of text, and its style."""


def fold(text: str, first: int, rest: int) -> list[int]:
    """Return where the rows of `text` start (code points, 0 first) when it is broken at any character.

    The first row holds `first` cells, the others `rest`; both count as 2 at least, so that a wide character fits.
    """
    first, rest = max(2, first), max(2, rest)
    if text.isascii():
        return [0, *range(first, len(text), rest)]
    starts = [0]
    room = first
    for start, _, cells in split_graphemes(text)[0]:
        if cells > room:
            starts.append(start)
            room = rest
        room -= cells
    return starts


def folded_rows(text: str, first: int, rest: int) -> int:
    """Return how many rows `fold` would give, without making them where that can be known."""
    first, rest = max(2, first), max(2, rest)
    if text.isascii():
        return 1 + max(0, -((first - len(text)) // rest))
    if cells_of(text) <= first:
        return 1
    return len(fold(text, first, rest))


def fold_words(text: str, width: int, hang: int = 0) -> list[int]:
    """Return where the rows of `text` start when it is broken after a space, or within a word longer than half a row.

    Where a gap of three spaces or more lies in the second half of a row, it breaks there: phrases stay whole.
    The first row holds `width` cells (2 at least), the others `hang` fewer, which is what they are to be indented by (a
    third of it at most); the spaces at a row's end may stand out, where nobody sees them.
    """
    first, rest = max(2, width), max(2, width - hang)
    return _fold_ascii_words(text, first, rest) if text.isascii() else fold_wide_words(text, first, rest)


def _fold_ascii_words(text: str, first: int, rest: int) -> list[int]:
    starts = [0]
    row, room = 0, first
    while len(text) - row > room:
        edge = row + room
        over = len(text) - len(text[edge:].lstrip(" "))
        after_gap = text.rfind(" " * _GAP, row, over) + _GAP
        if over < len(text) and after_gap >= row + _GAP and (after_gap - row) * 2 > room:
            row = after_gap
        elif over > edge:
            row = over
        else:
            after_space = text.rfind(" ", row, edge) + 1
            row = after_space if (after_space - row) * 2 > room else edge
        room = rest
        if row < len(text):
            starts.append(row)
    return starts


def fold_wide_words(text: str, first: int, rest: int) -> list[int]:
    """Return what `fold_words` does, for text whose letters differ in cells."""
    starts = [0]
    row = used = after_space = used_there = after_gap = used_before = spaces = 0
    room = first
    for start, stop, cells in split_graphemes(text)[0]:
        if used + cells > room and text[start] != " ":
            if after_gap > row and used_before * 2 > room:
                row, used, used_there = after_gap, used - used_before, used_there - used_before
            elif after_space > row and used_there * 2 > room:
                row, used = after_space, used - used_there
            else:
                row, used = start, 0
            starts.append(row)
            room = rest
        used += cells
        spaces = spaces + 1 if text[start] == " " else 0
        if spaces:
            after_space, used_there = stop, used
        if spaces >= _GAP:
            after_gap, used_before = stop, used
    return starts


def window(text: str, left: int, width: int) -> tuple[int, int, int]:
    """Return (start, end, blanks): the part of `text` from cell `left` on that fits in `width` cells.

    `blanks` cells come first where the left edge falls into a wide character, of which nothing is shown.
    """
    if text.isascii():
        start = min(left, len(text))
        return start, min(len(text), start + width), 0
    text = text[: 2 * (left + width) + _LONGEST_ACCENT]
    start = end = len(text)
    blanks = at = 0
    begun = False
    for begin, stop, cells in split_graphemes(text)[0]:
        if not begun and at + cells > left:
            if at < left:
                blanks = min(width, at + cells - left)
                at += cells
                start = end = stop
                begun = True
                continue
            start, end, begun = begin, begin, True
        if begun:
            if at + cells - left > width:
                break
            end = stop
        at += cells
    return start, end, blanks


def overlaid(start: int, end: int, runs: Sequence[Run], over: Sequence[Run]) -> Iterator[Run]:
    """Yield the runs of one stretch of text, in order and without overlap; where `over` has a run, its style is added.

    `runs` cover the stretch; both sequences are ordered and free of overlaps within themselves.
    """
    over = over[bisect_right(over, start, key=_end) : bisect_left(over, end, key=_start)]
    edges = {start, end}
    for run_start, run_end, _ in (*runs, *over):
        edges.update(edge for edge in (run_start, run_end) if start < edge < end)
    ordered = sorted(edges)
    below = above = 0
    for here, there in pairwise(ordered):
        while below < len(runs) - 1 and runs[below][1] <= here:
            below += 1
        while above < len(over) and over[above][1] <= here:
            above += 1
        style = runs[below][2] if runs else Style.null()
        if above < len(over) and over[above][0] <= here:
            style += over[above][2]
        yield here, there, style


def _start(run: Run) -> int:
    return run[0]


def _end(run: Run) -> int:
    return run[1]


def squeeze(text: str, width: int, ellipsis: str) -> str:
    """Return `text` in at most `width` cells, shortened in its middle: both ends of a pod's name tell pods apart."""
    if cells_of(text) <= width:
        return text
    if width < 5:
        return cut(text, width, ellipsis)
    head = (width - 1) // 3
    start, _, blanks = window(text, cells_of(text) - (width - 1 - head), width)
    return clip(text, head) + ellipsis + " " * blanks + text[start:]
