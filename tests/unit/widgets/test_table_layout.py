"""Columns at every width and rows of every height."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from widgets.ink import ASCII_SIGNS, InkLine, Layer
from widgets.table_layout import RowGeometry, detail_line, fit_columns, header_line, row_line
from widgets.viewmodels import Column, Row, Span, Tone

COLUMNS = (
    Column("state", "", 1),
    Column("name", "WORKLOAD", 12, weight=1),
    Column("ready", "READY", 6, right=True, priority=1),
    Column("what", "WHAT", 10, weight=2, priority=3),
    Column("age", "AGE", 4, right=True, priority=2),
)
ANY_COLUMNS = st.lists(
    st.builds(
        Column,
        key=st.just("c"),
        title=st.just("T"),
        width=st.integers(1, 20),
        weight=st.integers(0, 3),
        priority=st.integers(0, 3),
        right=st.booleans(),
    ),
    max_size=8,
)


def text(line: InkLine) -> str:
    return "".join(ink.text for ink in line)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (37, [(0, 1), (1, 12), (2, 6), (3, 10), (4, 4)]),
        (40, [(0, 1), (1, 13), (2, 6), (3, 12), (4, 4)]),
        (36, [(0, 1), (1, 22), (2, 6), (4, 4)]),
        (26, [(0, 1), (1, 12), (2, 6), (4, 4)]),
        (25, [(0, 1), (1, 16), (2, 6)]),
        (14, [(0, 1), (1, 12)]),
        (8, [(0, 1), (1, 6)]),
        (1, [(0, 1)]),
        (0, []),
    ],
)
def test_columns_go_by_priority_and_share_what_is_left(width: int, shown: list[tuple[int, int]]) -> None:
    assert [(slot.column, slot.width) for slot in fit_columns(COLUMNS, width)] == shown


@pytest.mark.parametrize(
    ("needs", "widths"),
    [
        ([1, 12, 3, 30, 3], [1, 13, 6, 32, 4]),
        ([1, 30, 3, 12, 3], [1, 31, 6, 14, 4]),
        ([1, 60, 3, 14, 3], [1, 31, 6, 14, 4]),
        ([1, 5, 3, 60, 3], [1, 9, 6, 36, 4]),
        ([1, 9, 9, 9, 9], [1, 15, 9, 22, 9]),
    ],
)
def test_room_goes_where_text_would_be_cut(needs: list[int], widths: list[int]) -> None:
    assert [slot.width for slot in fit_columns(COLUMNS, 60, needs)] == widths


@given(ANY_COLUMNS, st.integers(0, 200), st.lists(st.integers(0, 300), min_size=8, max_size=8))
def test_what_is_needed_moves_no_column_out_and_none_over_the_edge(
    columns: list[Column], width: int, needs: list[int]
) -> None:
    slots = fit_columns(columns, width, needs)
    assert [slot.column for slot in slots] == [slot.column for slot in fit_columns(columns, width)]
    assert all(slot.width >= 1 for slot in slots)
    assert all(left.x + left.width + 1 == right.x for left, right in pairwise(slots))
    assert not slots or slots[-1].x + slots[-1].width <= width


@given(ANY_COLUMNS, st.integers(0, 200))
def test_columns_never_overlap_nor_overflow(columns: list[Column], width: int) -> None:
    slots = fit_columns(columns, width)
    end = -1
    for slot in slots:
        assert slot.x == end + 1
        assert slot.width >= 1
        end = slot.x + slot.width
    assert end <= width or not slots


@given(ANY_COLUMNS, st.integers(0, 200))
def test_a_column_goes_only_after_those_of_less_worth(columns: list[Column], width: int) -> None:
    shown = {slot.column for slot in fit_columns(columns, width)}
    hidden = set(range(len(columns))) - shown
    least_room = sum(column.width for column in columns) + len(columns) - 1
    if least_room <= width:
        assert not hidden
    worst_shown = max((columns[index].priority for index in shown if columns[index].priority), default=0)
    dropped = [columns[index].priority for index in hidden if columns[index].priority]
    assert all(priority >= worst_shown for priority in dropped)


TALL = st.dictionaries(st.integers(0, 60), st.integers(1, 4), max_size=12)


@given(st.integers(0, 61), TALL)
def test_geometry_agrees_with_counting(rows: int, tall: dict[int, int]) -> None:
    tall = {index: extra for index, extra in tall.items() if index < rows}
    counted = [(index, part) for index in range(rows) for part in range(1 + tall.get(index, 0))]
    geometry = RowGeometry(rows, tall)
    assert geometry.lines == len(counted)
    assert [geometry.row_at(line) for line in range(len(counted))] == counted
    for index in range(rows):
        assert geometry.line_of(index) == counted.index((index, 0))
        assert geometry.height_of(index) == 1 + tall.get(index, 0)


def test_the_sorted_title_has_an_arrow_where_it_does_not_move_the_title() -> None:
    slots = fit_columns(COLUMNS, 37)
    assert text(header_line(COLUMNS, slots, 37, ("name", False))) == "  WORKLOAD↑     READY WHAT        AGE"
    assert text(header_line(COLUMNS, slots, 37, ("ready", True))) == "  WORKLOAD     ↓READY WHAT        AGE"
    assert text(header_line(COLUMNS, slots, 37, ("age", True), ASCII_SIGNS)) == "  WORKLOAD      READY WHAT       vAGE"


ROW = Row(
    "k",
    (Span("▲", Tone.CRIT), Span("payments/checkout"), Span("3/5"), Span("データベース"), Span("14m")),
    details=((Span("rev 42 ← 41"), Span("  v1.8.3", Tone.STRONG)),),
)


def test_a_row_is_cut_to_its_columns() -> None:
    slots = fit_columns(COLUMNS, 37)
    assert text(row_line(COLUMNS, slots, ROW, 37, Layer.NONE)) == "▲ payments/ch…    3/5 データベ…   14m"


def test_a_mark_moves_nothing() -> None:
    slots = fit_columns(COLUMNS, 37)
    plain = text(row_line(COLUMNS, slots, ROW, 37, Layer.NONE))
    marked = text(row_line(COLUMNS, slots, ROW, 37, Layer.MARKED))
    assert marked == plain[0] + "✓" + plain[2:]


def test_missing_cells_are_empty() -> None:
    slots = fit_columns(COLUMNS, 37)
    assert text(row_line(COLUMNS, slots, Row("k", (Span("·"),)), 37, Layer.NONE)) == "·" + " " * 36


def test_the_rows_tone_colours_its_plain_cells_only() -> None:
    slots = fit_columns(COLUMNS, 37)
    row = Row("k", (Span("▲", Tone.CRIT), Span("cart")), tone=Tone.MUTED)
    line = row_line(COLUMNS, slots, row, 37, Layer.NONE)
    tones = {ink.text.strip(): ink.tone for ink in line if ink.text.strip()}
    assert tones == {"▲": Tone.CRIT, "cart": Tone.MUTED}


def test_details_are_indented_and_missing_ones_blank() -> None:
    assert text(detail_line(ROW, 0, 30, Layer.NONE)) == "    rev 42 ← 41  v1.8.3       "
    assert text(detail_line(ROW, 1, 30, Layer.NONE)) == " " * 30


@given(ANY_COLUMNS, st.integers(0, 120), st.lists(st.text("ab日…· ", max_size=9), max_size=8))
def test_every_line_fills_its_width(columns: list[Column], width: int, cells: list[str]) -> None:
    slots = fit_columns(columns, width)
    row = Row("k", tuple(Span(cell) for cell in cells), details=(tuple(Span(cell) for cell in cells),))
    for line in (
        header_line(columns, slots, width, ("c", True)),
        row_line(columns, slots, row, width, Layer.MARKED),
        detail_line(row, 0, width, Layer.NONE),
    ):
        assert cell_len(text(line)) == width
