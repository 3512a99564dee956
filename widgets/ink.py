"""Lines of toned text as pure values: cut to cells, padded, and compared, so that only what changed is painted."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes

from widgets.viewmodels import Span, Tone


class Layer(IntFlag):
    """What lies over the tone of a run of text."""

    NONE = 0
    CURSOR = 1
    DIMMED = 2
    MARKED = 4
    HEADER = 8
    EDGE = 16


class Ink(NamedTuple):
    """A run of text with what decides its style; equal ink paints equal cells."""

    text: str
    tone: Tone = Tone.PLAIN
    layer: Layer = Layer.NONE


InkLine = tuple[Ink, ...]


class Signs(NamedTuple):
    """The few marks that widgets draw themselves; each is one cell wide."""

    ellipsis: str
    ascending: str
    descending: str
    mark: str
    bar: str
    failed: str
    quiet: str
    corners: tuple[str, str, str]


UNICODE_SIGNS = Signs("…", "↑", "↓", "✓", "│", "✕", "·", ("╭", "─", "╮"))
ASCII_SIGNS = Signs("~", "^", "v", "*", "|", "x", ".", ("+", "-", "+"))


def cells_of(text: str) -> int:
    """Return the number of terminal cells that `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, width: int, ellipsis: str = UNICODE_SIGNS.ellipsis) -> str:
    """Return `text` in at most `width` cells, ending in the ellipsis where something was left out.

    A wide character is never halved: the result may be one cell shorter than `width`.
    """
    if cells_of(text) <= width:
        return text
    return clip(text, width - len(ellipsis)) + ellipsis if width > 0 else ""


def clip(text: str, width: int) -> str:
    """Return the start of `text` that fits into `width` cells, with no sign that something was left out."""
    if text.isascii():
        return text[: max(0, width)]
    used = end = 0
    for _, stop, cells in split_graphemes(text)[0]:
        if used + cells > width:
            break
        used += cells
        end = stop
    return text[:end]


def fill(text: str, width: int, *, right: bool = False, ellipsis: str = UNICODE_SIGNS.ellipsis) -> str:
    """Return `text` in exactly `width` cells: cut or padded, at the right edge when `right`."""
    text = cut(text, width, ellipsis)
    pad = " " * (width - cells_of(text))
    return pad + text if right else text + pad


def line_cells(line: Iterable[Span] | Iterable[Ink]) -> int:
    """Return the number of cells of a line of spans or ink."""
    return sum(cells_of(part.text) for part in line)


def fit_spans(
    spans: Iterable[Span],
    width: int,
    layer: Layer = Layer.NONE,
    *,
    ellipsis: str = UNICODE_SIGNS.ellipsis,
    pad: bool = True,
) -> InkLine:
    """Return spans as ink in at most `width` cells (exactly that many when `pad`), cut at the right."""
    spans = [span for span in spans if span.text]
    cut_off = line_cells(spans) > width
    left = max(0, width - len(ellipsis) if cut_off else width)
    line: list[Ink] = []
    for span in spans:
        text = clip(span.text, left)
        left -= cells_of(text)
        if cut_off and text != span.text:
            line.append(Ink(text + ellipsis if width > 0 else "", span.tone, layer))
            break
        line.append(Ink(text, span.tone, layer))
    if pad and left > 0:
        line.append(Ink(" " * left, Tone.PLAIN, layer))
    return tuple(ink for ink in line if ink.text)


def changed_runs(old: InkLine, new: InkLine, gap: int = 4) -> list[tuple[int, int]]:
    """Return the (x, width) runs of cells in which two lines differ; runs less than `gap` cells apart are joined.

    Neither edge of a run lies inside a wide character of either line. A line that is shorter counts as blank there.
    """
    if old == new:
        return []
    same = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), 0)
    if same:
        ahead = line_cells(old[:same])
        return [(ahead + x, width) for x, width in changed_runs(old[same:], new[same:], gap)]
    before, after = _cells(old), _cells(new)
    size = max(len(before), len(after))
    before += [_BLANK] * (size - len(before))
    after += [_BLANK] * (size - len(after))
    runs: list[tuple[int, int]] = []
    x = 0
    while x < size:
        if before[x] == after[x]:
            x += 1
            continue
        start = x
        while x < size and before[x] != after[x]:
            x += 1
        while start and not (before[start][0] and after[start][0]):
            start -= 1
        while x < size and not (before[x][0] and after[x][0]):
            x += 1
        if runs and start - (runs[-1][0] + runs[-1][1]) < gap:
            start = runs.pop()[0]
        runs.append((start, x - start))
    return runs


Cell = tuple[str, Tone, Layer]
_BLANK: Cell = (" ", Tone.PLAIN, Layer.NONE)


def _cells(line: InkLine) -> list[Cell]:
    """Return a cell a column; the second column of a wide character holds no text."""
    cells: list[Cell] = []
    for text, tone, layer in line:
        if text.isascii():
            cells.extend((character, tone, layer) for character in text)
            continue
        for start, stop, width in split_graphemes(text)[0]:
            if width == 0:
                continue
            cells.append((text[start:stop], tone, layer))
            cells.extend([("", tone, layer)] * (width - 1))
    return cells
