"""Whatever was shown before, what is written makes a terminal (pyte) show what is wanted."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from tests.examples import share
from widgets.ink import fill
from widgets.last_frame import LastFrame

WIDTH, HEIGHT = 14, 3
STYLES = [
    None,
    Style.parse("#ff5f5f on #0b0f14"),
    Style.parse("bold #ff5f5f on #0b0f14"),
    Style.parse("#dadada on #0b0f14"),
    Style.parse("#dadada on #1c2733"),
    Style.parse("bold reverse #dadada on #0b0f14"),
    Style.parse("underline #dadada on #0b0f14"),
    Style.parse("bold"),
]
PIECES = st.lists(
    st.tuples(st.text("ab  ·▲日本", min_size=1, max_size=7), st.sampled_from(STYLES)), min_size=1, max_size=4
)


def line_of(pieces: list[tuple[str, Style | None]], width: int) -> list[Segment]:
    segments: list[Segment] = []
    left = width
    for text, style in pieces:
        segments.append(Segment(fill(text, min(left, len(text)), ellipsis="."), style))
        left -= segments[-1].cell_length
    return [*segments, Segment(" " * left, pieces[-1][1])]


def drawn_afresh(lines: list[list[Segment]]) -> pyte.Screen:
    """Draw every cell with its whole style, one after the other."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    for y, segments in enumerate(lines):
        stream.feed(f"\x1b[{y + 1};1H")
        for text, style, _ in segments:
            codes = style._make_ansi_codes(ColorSystem.TRUECOLOR) if style else ""
            stream.feed(f"\x1b[0m\x1b[{codes}m{text}" if codes else f"\x1b[0m{text}")
    return screen


def look(screen: pyte.Screen) -> list[list[tuple[object, ...]]]:
    """What is seen of each cell: a blank's foreground and weight are not."""
    rows = []
    for y in range(HEIGHT):
        row = []
        for x in range(WIDTH):
            cell = screen.buffer[y][x]
            seen = (cell.data, cell.bg, cell.underscore, cell.reverse)
            row.append(seen if cell.data == " " and not cell.reverse else (*seen, cell.fg, cell.bold))
        rows.append(row)
    return rows


FRAMES = st.lists(st.lists(PIECES, min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=4)


@share(2)
@given(FRAMES)
def test_differences_add_up_to_the_newest_frame(frames: list[list[list[tuple[str, Style | None]]]]) -> None:
    frame = LastFrame()
    frame.forget(WIDTH, HEIGHT)
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    for pieces in frames:
        lines = [line_of(piece, WIDTH) for piece in pieces]
        stream.feed(frame.update((0, y, segments) for y, segments in enumerate(lines)))
        assert look(screen) == look(drawn_afresh(lines))
        assert frame.update((0, y, segments) for y, segments in enumerate(lines)) == ""


def update(frame: LastFrame, text: str, style: str = "#dadada on #0b0f14", x: int = 0) -> str:
    return frame.update([(x, 0, [Segment(text, Style.parse(style))])])


@pytest.fixture
def frame() -> LastFrame:
    frame = LastFrame()
    frame.forget(40, 1)
    update(frame, "Sat 03:14:07Z   live 2s  ".ljust(40))
    return frame


def test_one_digit_costs_a_movement_and_a_digit(frame: LastFrame) -> None:
    assert update(frame, "Sat 03:14:08Z") == "\x1b[1;12H8"


def test_the_pen_is_changed_where_it_differs_only(frame: LastFrame) -> None:
    assert update(frame, "Sat", "bold #dadada on #0b0f14") == "\x1b[1;1H\x1b[1mSat"
    assert update(frame, "Sat", "#ff5f5f on #0b0f14") == "\x1b[1;1H\x1b[22;38;2;255;95;95mSat"
    assert update(frame, "Sat", "#ff5f5f on #1c2733") == "\x1b[1;1H\x1b[48;2;28;39;51mSat"


def test_a_blank_in_another_colour_of_writing_is_the_same_blank(frame: LastFrame) -> None:
    assert update(frame, "   ", "bold #ff5f5f on #0b0f14", x=13) == ""
    assert update(frame, "   ", "reverse #ff5f5f on #0b0f14", x=13) != ""


def test_short_gaps_are_written_over_and_long_ones_jumped(frame: LastFrame) -> None:
    assert update(frame, "Mon 03:14:09Z") == "\x1b[1;1HMon\x1b[12G9"
    assert update(frame, "Mon 13:14:09Z") == "\x1b[1;5H1"
    assert update(frame, "Man 23:14:09Z") == "\x1b[1;2Han 2" or update(frame, "Man 23:14:09Z") == ""


def test_behind_a_wide_character_the_place_is_said(frame: LastFrame) -> None:
    assert update(frame, "日x") == "\x1b[1;1H日\x1b[3Gx"


def test_a_half_overwritten_wide_character_is_not_taken_for_shown(frame: LastFrame) -> None:
    """Terminals blank the other half: it has to be written again."""
    update(frame, "日本")
    assert update(frame, "x", x=1) == "\x1b[1;2Hx"
    assert update(frame, "日本") == "\x1b[1;1H日"
    assert update(frame, "x", x=2) == "\x1b[1;3Hx"
    assert update(frame, "日x ") == "\x1b[1;3Hx "


@pytest.mark.parametrize("x", [-4, -2, WIDTH - 2, WIDTH, WIDTH + 3])
def test_what_lies_outside_is_left_out(x: int) -> None:
    frame = LastFrame()
    frame.forget(WIDTH, HEIGHT)
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.Stream(screen).feed(frame.update([(x, 1, [Segment("abcd")]), (0, HEIGHT, [Segment("below")])]))
    shown = {x + at: letter for at, letter in enumerate("abcd")}
    assert screen.display == [" " * WIDTH, "".join(shown.get(at, " ") for at in range(WIDTH)), " " * WIDTH]


def test_fewer_colours_where_the_terminal_has_fewer() -> None:
    frame = LastFrame(ColorSystem.STANDARD)
    frame.forget(3, 1)
    assert update(frame, "abc", "#ff5f5f on #0b0f14") == "\x1b[1;1H\x1b[0;91;40mabc"


def test_releasing_the_pen_says_it_anew_next_time(frame: LastFrame) -> None:
    assert frame.release() == "\x1b[m"
    assert update(frame, "Sun").startswith("\x1b[1;2H\x1b[0;38;2;")
