"""What fits into one line: header, footer, strips and pane edges as pure functions of view-model and width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from widgets.ink import UNICODE_SIGNS, Ink, InkLine, Layer, Signs, cells_of, clip, fit_spans, line_cells
from widgets.viewmodels import BarVM, FooterVM, KeyHint, Line, PaneStripVM, PaneVM, Span, Tone, text_of

_MARGIN = 1
_SMALL = 100
_HINTS_WHEN_SMALL = 7
_STATE_NEEDS = 24


def bar_line(vm: BarVM, width: int, signs: Signs = UNICODE_SIGNS) -> InkLine:
    """Return left parts and right-aligned ones in `width` cells.

    Where there is no room the first of the right parts goes, then what is extra, then the other right ones, first to
    last, and then the left ones are cut at their end.
    """
    gap = " " * (3 if width >= _SMALL else 2)
    left = _join(vm.left, gap)
    last = len(vm.right)
    for first, extra in (
        (0, vm.extra),
        (min(1, last), vm.extra),
        *((each, ()) for each in range(min(1, last), last + 1)),
    ):
        right = _join(vm.right[first:], gap)
        room = width - 2 * _MARGIN - line_cells(left) - line_cells(extra) - line_cells(right)
        if room >= (len(gap) if right else 0):
            return _edged([*left, *extra, Span(" " * room), *right], width, signs)
    return _edged(left, width, signs)


def last_parts_line(vm: BarVM, width: int, signs: Signs = UNICODE_SIGNS) -> InkLine:
    """Return left parts of which the last counts most: where there is no room whole ones go, first to last."""
    gap = " " * (3 if width >= _SMALL else 2)
    parts = list(vm.left)
    while len(parts) > 1 and line_cells(_join(parts, gap)) > width - 2 * _MARGIN:
        del parts[0]
    return _edged(_join(parts, gap), width, signs)


def footer_line(vm: FooterVM, width: int, signs: Signs = UNICODE_SIGNS) -> InkLine:
    """Return as many whole hints as fit, at most seven on a small screen; a key that is off stands in brackets.

    What is kept has its room before the others, where two of them fit.
    Without hints the right part has the whole line: something has to be read now.
    """
    if not vm.hints:
        return _edged(list(vm.right), width, signs)
    right_cells = line_cells(vm.right)
    if right_cells + 2 * _MARGIN > width // 2:
        right_cells = 0
    room = width - 2 * _MARGIN - (right_cells + 2 if right_cells else 0)
    kept = [hint for hint in vm.hints if hint.kept]
    held = sum(line_cells(_hint(hint)) + 2 for hint in kept)
    if 2 * held > room:
        kept, held = [], 0
    others = [hint for hint in vm.hints if hint not in kept]
    most = _HINTS_WHEN_SMALL - len(kept) if width < _SMALL else len(others)
    spans: list[Span] = []
    for hint in others[:most]:
        entry = _hint(hint)
        cells = line_cells(entry) + (2 if spans else 0)
        if cells > room - held:
            break
        spans += [Span("  "), *entry] if spans else entry
        room -= cells
    for hint in kept:
        entry = [Span("  "), *_hint(hint)] if spans else _hint(hint)
        spans += entry
        room -= line_cells(entry)
    if right_cells:
        spans += [Span(" " * (room + 2)), *vm.right]
    return _edged(spans, width, signs)


def note_lines(vm: FooterVM, width: int, most: int, signs: Signs = UNICODE_SIGNS) -> tuple[InkLine, ...]:
    """Return a sentence that stands in place of the keys in as many lines as it needs; none where one holds it."""
    room = width - 2 * _MARGIN
    if vm.hints or most < 2 or not vm.right or line_cells(vm.right) <= room:
        return ()
    lines = wrap(text_of(vm.right), room)
    held = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return tuple(_edged([Span(line, vm.right[0].tone)], width, signs) for line in held if line)


def _hint(hint: KeyHint) -> list[Span]:
    if hint.reason:
        return [Span(f"({hint.key} {hint.label})", Tone.MUTED)]
    return [Span(hint.key, Tone.KEY), Span(f" {hint.label}")]


def strip_line(vm: PaneStripVM, width: int, signs: Signs = UNICODE_SIGNS) -> InkLine:
    """Return the panes between bars, the active one bold; when they do not fit, muted spans (the names) go."""
    bar = Span(f" {signs.bar} ", Tone.MUTED)
    panes = [
        tuple(Span(span.text, Tone.STRONG if span.tone in (Tone.PLAIN, Tone.MUTED) else span.tone) for span in pane)
        if index == vm.active
        else pane
        for index, pane in enumerate(vm.panes)
    ]
    line = _between(panes, bar)
    if line_cells(line) > width - 2 * _MARGIN:
        short = [
            pane if index == vm.active else tuple(span for span in pane if span.tone is not Tone.MUTED)
            for index, pane in enumerate(panes)
        ]
        line = _between(short, bar)
    return _edged(line, width, signs)


def timeline_line(vm: BarVM, width: int, signs: Signs = UNICODE_SIGNS) -> InkLine:
    """Return happenings, newest left, as many as fit; the last one is cut where a good part of it can be read."""
    gap = " " * (4 if width >= _SMALL else 3)
    spans: list[Span] = []
    room = width - 2 * _MARGIN
    for part in vm.left:
        lead = cells_of(gap) if spans else 0
        if spans and room - lead < min(line_cells(part), _STATE_NEEDS):
            break
        if lead:
            spans.append(Span(gap))
        spans += part
        room -= lead + line_cells(part)
        if room <= 0:
            break
    return _edged(spans, width, signs)


def edge_line(vm: PaneVM, width: int, signs: Signs = UNICODE_SIGNS) -> InkLine:
    """Return the top edge of a pane: number and title left, state right.

    The title is cut before the state (how old the data is) goes; below 24 cells the state goes.
    """
    left, line, right = signs.corners
    if width < 2:
        return (Ink(left * width, Tone.MUTED),)
    inner = width - 2
    title: list[Span] = [Span(f"{vm.number} ", Tone.KEY)] if vm.number else []
    title += vm.title
    state: InkLine = ()
    if vm.state and width >= _STATE_NEEDS:
        state = fit_spans(vm.state, inner // 2, ellipsis=signs.ellipsis, pad=False)
    tail: list[Ink] = [Ink(" "), *state, Ink(" ")] if state else []
    head: list[Ink] = []
    room = inner - line_cells(tail) - 2 - 1
    if title and room > 0:
        head = [Ink(" "), *fit_spans(title, room, ellipsis=signs.ellipsis, pad=False), Ink(" ")]
    rest = inner - line_cells(head) - line_cells(tail)
    return (
        Ink(left, Tone.PLAIN, Layer.EDGE),
        *head,
        Ink(line * rest, Tone.PLAIN, Layer.EDGE),
        *tail,
        Ink(right, Tone.PLAIN, Layer.EDGE),
    )


def wrap(text: str, width: int) -> list[str]:
    """Return a sentence in lines of at most `width` cells, broken between words, or within one that is too long."""
    if width <= 0:
        return []
    lines: list[str] = []
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if cells_of(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while cells_of(line) > width:
            piece = clip(line, width) or line[0]
            lines.append(piece)
            line = line[len(piece) :]
    return [*lines, line] if line else lines


def _join(parts: Iterable[Line], gap: str) -> list[Span]:
    return _between([part for part in parts if part], Span(gap))


def _between(parts: Sequence[Line], gap: Span) -> list[Span]:
    line: list[Span] = []
    for part in parts:
        if line:
            line.append(gap)
        line += part
    return line


def _edged(spans: Iterable[Span], width: int, signs: Signs) -> InkLine:
    """Return spans with a blank cell on either side, in exactly `width` cells."""
    if width <= 2 * _MARGIN:
        return fit_spans(spans, width, ellipsis=signs.ellipsis)
    body = fit_spans(spans, width - 2 * _MARGIN, ellipsis=signs.ellipsis)
    return (Ink(" "), *body, Ink(" "))
