"""What the terminal shows, cell by cell, so that an update writes only the cells that differ from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

# Select Graphic Rendition (ECMA-48 8.3.117): what sets an attribute, and what ends it.
_ATTRIBUTES = (
    ("bold", "1", "22"),
    ("dim", "2", "22"),
    ("italic", "3", "23"),
    ("underline", "4", "24"),
    ("blink", "5", "25"),
    ("reverse", "7", "27"),
    ("conceal", "8", "28"),
    ("strike", "9", "29"),
    ("overline", "53", "55"),
)
_SET = {name: on for name, on, _ in _ATTRIBUTES}
_END = {name: off for name, _, off in _ATTRIBUTES}
_SEEN_ON_BLANKS = frozenset({"underline", "reverse", "strike", "overline", "blink"})
_WORTH_REWRITING = 5


class Pen(NamedTuple):
    """How cells are drawn: SGR parameters of both colours ("39" and "49": the terminal's own) and attribute names."""

    foreground: str = "39"
    background: str = "49"
    attributes: frozenset[str] = frozenset()

    def for_blank(self) -> Pen:
        """Return the pen that blanks drawn with this one look like; their foreground does not show."""
        if self.attributes & _SEEN_ON_BLANKS:
            return self
        return Pen("", self.background)

    def draws_blank(self, blank: Pen) -> bool:
        """Return whether a blank drawn with this pen looks as `blank` wants it."""
        return self == blank or (
            not blank.foreground and self.background == blank.background and not self.attributes & _SEEN_ON_BLANKS
        )


Cell = tuple[str, Pen]
"""A grapheme and its pen; the second column of a wide one holds no text."""

DEFAULT_PEN = Pen()
_BLANK: Cell = (" ", DEFAULT_PEN.for_blank())
_UNKNOWN: Cell = ("\0", DEFAULT_PEN)


class LastFrame:
    """The cells and the pen of a terminal, as far as they were written through `update`.

    Hyperlinks of styles are not drawn. Positions are zero-based; the terminal must not wrap lines.
    """

    def __init__(self, color_system: ColorSystem = ColorSystem.TRUECOLOR) -> None:
        self._color_system = color_system
        self._pens: dict[Style, Pen] = {}
        self._lines: list[list[Cell]] = []
        self._pen: Pen | None = None

    def forget(self, width: int, height: int) -> None:
        """Take the terminal to be `width` by `height` cells of unknown content."""
        self._lines = [[_UNKNOWN] * width for _ in range(height)]
        self._pen = None

    @property
    def size(self) -> tuple[int, int]:
        """The width and height known."""
        return (len(self._lines[0]) if self._lines else 0, len(self._lines))

    def update(self, parts: Iterable[tuple[int, int, Iterable[Segment]]]) -> str:
        """Return what to write so that the terminal shows `parts`: (x, y, segments from there on).

        Cells that are shown already are not written, but for short gaps that cost less than a cursor movement. What
        lies outside is left out: a frame may have been composed just before the terminal got smaller.
        """
        out: list[str] = []
        for x, y, segments in parts:
            if 0 <= y < len(self._lines):
                self._update_line(x, y, self._cells(segments), out)
        return "".join(out)

    def release(self) -> str:
        """Return what leaves the terminal with its own pen."""
        self._pen = None
        return "\x1b[m"

    def _update_line(self, x: int, y: int, cells: list[Cell], out: list[str]) -> None:
        line = self._lines[y]
        cells, x = cells[max(0, -x) : max(0, len(line) - x)], max(0, x)
        shown = line[x : x + len(cells)]
        if cells == shown:
            return
        position = -1
        for start, stop in _runs(shown, cells):
            out.append(f"\x1b[{y + 1};{x + start + 1}H" if position < 0 else f"\x1b[{x + start + 1}G")
            position = stop
            self._write(cells, start, stop, x, out)
        line[x : x + len(cells)] = cells

    def _write(self, cells: Sequence[Cell], start: int, stop: int, x: int, out: list[str]) -> None:
        used: Pen | None = None
        blank: Pen | None = None
        for at in range(start, stop):
            text, pen = cells[at]
            if not text:
                continue
            if pen is not used and not (pen is blank and text == " "):
                if self._pen is None or not (self._pen == pen or (text == " " and self._pen.draws_blank(pen))):
                    out.append(self._change_pen(pen))
                    used = blank = None
                if text == " ":
                    blank = pen
                else:
                    used = pen
            out.append(text)
            if not text.isascii() and at + 1 < stop and not cells[at + 1][0]:
                # Terminals disagree on how wide such a grapheme is: say where the next one belongs.
                after = next((i for i in range(at + 1, stop) if cells[i][0]), None)
                if after is not None:
                    out.append(f"\x1b[{x + after + 1}G")

    def _change_pen(self, pen: Pen) -> str:
        before = self._pen
        if before is None:
            codes = ["0", *(_SET[name] for name in sorted(pen.attributes))]
            codes += [code for code in (pen.foreground, pen.background) if code not in ("", "39", "49")]
            pen = pen if pen.foreground else pen._replace(foreground="39")
        else:
            if not pen.foreground:
                pen = pen._replace(foreground=before.foreground)
            ended = before.attributes - pen.attributes
            codes = sorted({_END[name] for name in ended})
            # Bold and dim end together.
            kept = pen.attributes if "22" in codes else pen.attributes - before.attributes
            codes += [_SET[name] for name in sorted(kept)]
            codes += [new for old, new in zip(before[:2], pen[:2], strict=True) if old != new]
        self._pen = pen
        return f"\x1b[{';'.join(codes)}m"

    def _cells(self, segments: Iterable[Segment]) -> list[Cell]:
        cells: list[Cell] = []
        for text, style, control in segments:
            if control:
                continue
            pen = DEFAULT_PEN if style is None else self._pen_of(style)
            blank = (" ", pen.for_blank())
            if text.isascii():
                cells.extend([blank if character == " " else (character, pen) for character in text])
                continue
            for start, stop, width in split_graphemes(text)[0]:
                grapheme = text[start:stop]
                if width:
                    cells.append(blank if grapheme == " " else (grapheme, pen))
                    cells.extend([("", pen)] * (width - 1))
        return cells

    def _pen_of(self, style: Style) -> Pen:
        pen = self._pens.get(style)
        if pen is None:
            attributes = frozenset(name for name in _SET if getattr(style, name))
            pen = self._pens[style] = Pen(
                self._color(style, foreground=True), self._color(style, foreground=False), attributes
            )
        return pen

    def _color(self, style: Style, *, foreground: bool) -> str:
        color = style.color if foreground else style.bgcolor
        if color is None:
            return "39" if foreground else "49"
        return ";".join(color.downgrade(self._color_system).get_ansi_codes(foreground=foreground))


def _runs(shown: Sequence[Cell], wanted: Sequence[Cell]) -> list[tuple[int, int]]:
    """Return the [start, stop) runs to write; none starts or stops inside a wide grapheme of either side."""
    runs: list[tuple[int, int]] = []
    size, at = len(wanted), 0
    while at < size:
        if shown[at] == wanted[at]:
            at += 1
            continue
        start = at
        while at < size and shown[at] != wanted[at]:
            at += 1
        while start and not (shown[start][0] and wanted[start][0]):
            start -= 1
        while at < size and not (shown[at][0] and wanted[at][0]):
            at += 1
        if runs and _is_cheap(wanted, runs[-1][1], start):
            start = runs.pop()[0]
        runs.append((start, at))
    return runs


def _is_cheap(wanted: Sequence[Cell], gap_start: int, gap_stop: int) -> bool:
    """Return whether writing the gap again costs no more than moving the cursor over it."""
    if gap_stop - gap_start > _WORTH_REWRITING:
        return False
    pen = wanted[gap_start - 1][1] if gap_start else None
    return all(
        text.isascii() and (cell_pen == pen or (text == " " and pen is not None and pen.draws_blank(cell_pen)))
        for text, cell_pen in wanted[gap_start:gap_stop]
    )
