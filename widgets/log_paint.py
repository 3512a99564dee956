"""What one row of a log looks like: level, time, source and text, or a quiet line about the log itself."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from widgets.folding import Run, fold, folded_rows, overlaid, squeeze, window
from widgets.ink import cells_of, cut, fill
from widgets.log_layout import about_the_log
from widgets.viewmodels import LogEntry, Tone

GUTTER = 2
SOURCE_COLOURS = 8

_LEAST_TEXT = 12
_WIDEST_SOURCE = 32
_LEVELS = {Tone.CRIT: ("▲ ", "!!"), Tone.WARN: ("◆ ", "! ")}


class LogGeometry(Struct, frozen=True):
    """The cells of a row: a gutter of two, the time, the source, and the rest for the text; 0 hides a column."""

    width: int
    stamp: int = 0
    source: int = 0
    wrap: bool = False

    @property
    def prefix(self) -> int:
        """The cells before the text on a line's first row."""
        return GUTTER + (self.stamp + 1 if self.stamp else 0) + (self.source + 1 if self.source else 0)

    @property
    def first(self) -> int:
        """The cells of text on a line's first row."""
        return max(1, self.width - self.prefix)

    @property
    def rest(self) -> int:
        """The cells of text on the rows after it."""
        return max(1, self.width - GUTTER)

    def rows_of(self, entry: LogEntry) -> int:
        """Return the number of rows of a line."""
        if not self.wrap or about_the_log(entry):
            return 1
        return folded_rows(entry.text, self.first, self.rest)


_LEAST_CUT = 8
"""Cells of text below which the sign that there is more would take too much of it."""


def fit_columns(width: int, stamp: int, source: int, *, wrap: bool) -> LogGeometry:
    """Return the geometry for the widest stamp and source; the source has a third at most, the text 12 at least."""
    source = min(source, _WIDEST_SOURCE, width // 3)
    geometry = LogGeometry(width, stamp, source, wrap)
    if geometry.first < _LEAST_TEXT and stamp:
        geometry = LogGeometry(width, 0, source, wrap)
    if geometry.first < _LEAST_TEXT and source:
        geometry = LogGeometry(width, 0, 0, wrap)
    return geometry


class SourceColours:
    """Gives each source one of eight colours: the one its name asks for, or the next free one."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def number(self, source: str) -> int:
        """Return the number, 0 to 7, of a source's colour; the same as long as this lives."""
        if source not in self._given:
            wish = zlib.crc32(source.encode("utf-8", "surrogatepass")) % SOURCE_COLOURS
            taken = set(self._given.values())
            free = ((wish + step) % SOURCE_COLOURS for step in range(SOURCE_COLOURS))
            self._given[source] = next((number for number in free if number not in taken), wish)
        return self._given[source]


class LogInks(Struct, frozen=True):
    """The styles that a row is drawn in."""

    tones: dict[Tone, Style]
    sources: tuple[Style, ...]
    hit: Style
    hit_here: Style
    plain: bool
    ellipsis: str


def quiet_strip(text: str, width: int, inks: LogInks) -> Strip:
    """Draw a muted line about the log."""
    words = fill(f"  {'...' if inks.plain else '…'} {text}", width, ellipsis=inks.ellipsis)
    return Strip([Segment(words, inks.tones[Tone.MUTED])], width)


def marker_strip(label: str, width: int, inks: LogInks) -> Strip:
    """Draw a rule across the log with its label."""
    dash = "-" if inks.plain else "─"
    words = cut(f"{dash * 2} {label} " if label else "", width, inks.ellipsis)
    return Strip([Segment(words + dash * (width - cells_of(words)), inks.tones[Tone.NOTICE])], width)


def counted(lines: int, kind: str = "") -> str:
    """Return a number of lines in words: "1 line", "1,204 older lines"."""
    return f"{lines:,} {kind}{'line' if lines == 1 else 'lines'}"


def dropped_words(entry: LogEntry) -> str:
    """Return the sentence for lines that never arrived."""
    source = f" from {entry.source}" if entry.source else ""
    return f"{counted(entry.dropped)} dropped{source}" + (f": {entry.text}" if entry.text else "")


class LogLine(Struct, frozen=True, gc=False):
    """What is worked out once for all rows of a line: where they start, and where the sought text is."""

    entry: LogEntry
    colour: int
    starts: tuple[int, ...]
    hits: tuple[Run, ...]
    here: bool


def prepared(
    entry: LogEntry,
    geometry: LogGeometry,
    inks: LogInks,
    colour: int,
    hits: Sequence[tuple[int, int]],
    *,
    here: bool,
) -> LogLine:
    """Return a line ready to be drawn; `here` marks the current match."""
    starts = fold(entry.text, geometry.first, geometry.rest) if geometry.wrap else [0]
    hit = inks.hit_here if here else inks.hit
    return LogLine(entry, colour, (*starts, len(entry.text)), tuple((start, end, hit) for start, end in hits), here)


def entry_strip(line: LogLine, sub: int, left: int, geometry: LogGeometry, inks: LogInks) -> Strip:
    """Draw row `sub` of a line; without wrapping, its text from cell `left` on, with an ellipsis where it goes on."""
    width, entry = geometry.width, line.entry
    if entry.dropped:
        return quiet_strip(dropped_words(entry), width, inks)
    if entry.marker:
        return marker_strip(entry.text, width, inks)
    segments = _margin(line, inks) if sub else _prefix(line, geometry, inks)
    used = GUTTER if sub else geometry.prefix
    more = ""
    if geometry.wrap:
        sub = min(sub, len(line.starts) - 2)
        start, end, blanks = line.starts[sub], line.starts[sub + 1], 0
    else:
        start, end, blanks = window(entry.text, left, geometry.first)
        if end < len(entry.text) and geometry.first > _LEAST_CUT:
            start, end, blanks = window(entry.text, left, geometry.first - 1)
            more = inks.ellipsis
    plain = inks.tones[Tone.PLAIN]
    if blanks:
        segments.append(Segment(" " * blanks, plain))
    base: Run = (0, len(entry.text), inks.tones[entry.tone])
    for begin, stop, style in overlaid(start, end, (base,), line.hits):
        segments.append(Segment(entry.text[begin:stop], style))
    used += blanks + cells_of(entry.text[start:end])
    if more:
        segments.append(Segment(more.rjust(max(1, width - used)), inks.tones[Tone.MUTED]))
        used = width
    if used < width:
        segments.append(Segment(" " * (width - used), plain))
    return Strip(segments, max(width, used)).crop(0, width)


def _prefix(line: LogLine, geometry: LogGeometry, inks: LogInks) -> list[Segment]:
    entry = line.entry
    level = _LEVELS.get(entry.tone, ("  ", "  "))[inks.plain]
    if line.here:
        level = level[0] + ">"
    segments = [Segment(level, inks.tones[entry.tone])]
    if geometry.stamp:
        stamp = fill(entry.stamp, geometry.stamp, ellipsis=inks.ellipsis)
        segments.append(Segment(stamp + " ", inks.tones[Tone.MUTED]))
    if geometry.source:
        source = fill(squeeze(entry.source, geometry.source, inks.ellipsis), geometry.source)
        segments.append(Segment(source + " ", inks.sources[line.colour]))
    return segments


def _margin(line: LogLine, inks: LogInks) -> list[Segment]:
    return [Segment(" >" if line.here else "  ", inks.tones[Tone.PLAIN])]
