"""Breaking, cutting and overlaying text keeps every letter, in cells, whatever the script."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from tests.fixtures.text_widgets import HOSTILE
from widgets.folding import fold, fold_wide_words, fold_words, folded_rows, overlaid, squeeze, window

TEXTS = st.one_of(
    st.text(alphabet="ab 漢é\u0301🇩", max_size=40),
    st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30),
    st.sampled_from(HOSTILE),
)


@given(text=TEXTS, first=st.integers(1, 20), rest=st.integers(1, 20))
def test_a_folded_text_is_whole_and_fits(text: str, first: int, rest: int) -> None:
    starts = fold(text, first, rest)
    rows = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert "".join(rows) == text
    assert len(rows) == folded_rows(text, first, rest)
    for number, row in enumerate(rows):
        assert cell_len(row) <= max(2, rest if number else first)


@given(text=TEXTS, width=st.integers(1, 20))
def test_words_are_broken_between_and_nothing_is_lost(text: str, width: int) -> None:
    starts = fold_words(text, width)
    rows = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert "".join(rows) == text
    assert starts == sorted(set(starts)) or not text
    for row in rows:
        bare = row
        while bare and (bare[-1] == " " or not cell_len(bare[-1])):  # an accent stands on the letter before it
            bare = bare[:-1]
        assert cell_len(row) <= max(2, width) or cell_len(bare) <= max(2, width)


def test_an_accent_upon_a_blank_hangs_over_with_it() -> None:
    assert fold_words("\u6f22 \u0301", 1) == [0]


@given(text=st.text(alphabet="ab  ", max_size=60), width=st.integers(2, 24), hang=st.integers(0, 8))
def test_both_ways_to_break_between_words_agree(text: str, width: int, hang: int) -> None:
    hang = min(hang, width // 3)
    assert fold_words(text, width, hang) == fold_wide_words(text, width, max(2, width - hang))


@given(text=TEXTS, width=st.integers(9, 30), hang=st.integers(0, 10))
def test_rows_that_hang_keep_every_letter_and_their_room(text: str, width: int, hang: int) -> None:
    hang = min(hang, width // 3)
    starts = fold_words(text, width, hang)
    rows = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert "".join(rows) == text
    for number, row in enumerate(rows):
        assert cell_len(row.rstrip()) <= (width - hang if number else width)


@pytest.mark.parametrize(
    ("text", "width", "rows"),
    [
        ("it is not rolled back", 10, ["it is not ", "rolled ", "back"]),
        ("abc def", 3, ["abc ", "def"]),
        ("a veryverylongword", 8, ["a veryve", "rylongwo", "rd"]),
        ("漢字 漢字 x", 5, ["漢字 ", "漢字 ", "x"]),
        ("one   two  three", 4, ["one   ", "two  ", "thre", "e"]),
        ("漢字   漢字", 4, ["漢字   ", "漢字"]),
        ("", 5, [""]),
    ],
)
def test_where_words_are_broken(text: str, width: int, rows: list[str]) -> None:
    starts = fold_words(text, width)
    assert [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)] == rows


@given(text=TEXTS, left=st.integers(0, 50), width=st.integers(1, 30))
def test_a_window_shows_the_cells_it_is_on(text: str, left: int, width: int) -> None:
    assume("\u200d" not in text)
    assume("\ufe0f" not in text)
    start, end, blanks = window(text, left, width)
    assert blanks + cell_len(text[start:end]) <= width
    if start < end:
        assert cell_len(text[:start]) == left + blanks or not cell_len(text[start:end])


@pytest.mark.parametrize(
    ("text", "left", "width", "shown"),
    [
        ("abcdef", 2, 3, (2, 5, 0)),
        ("漢字漢字", 1, 4, (1, 2, 1)),
        ("漢字", 2, 4, (1, 2, 0)),
        ("abc", 10, 5, (3, 3, 0)),
        ("漢", 1, 4, (1, 1, 1)),
    ],
)
def test_a_window_in_wide_text(text: str, left: int, width: int, shown: tuple[int, int, int]) -> None:
    assert window(text, left, width) == shown


@pytest.mark.parametrize(
    ("name", "width", "short"),
    [
        ("checkout-7d9f8c-2xk/app", 30, "checkout-7d9f8c-2xk/app"),
        ("checkout-7d9f8c-2xk/app", 15, "chec…8c-2xk/app"),
        ("checkout", 3, "ch…"),
        ("漢字漢字漢字漢字", 9, "漢…字漢字"),
        ("漢字漢字漢字漢字", 8, "漢… 漢字"),
    ],
)
def test_a_name_is_shortened_in_its_middle(name: str, width: int, short: str) -> None:
    assert squeeze(name, width, "…") == short
    assert cell_len(short) <= width


RUNS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=5).map(
    lambda pairs: [
        (start, end, Style(bold=True))
        for start, end in _apart(sorted((min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]))
    ]
)


def _apart(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for start, end in pairs:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


@given(over=RUNS, start=st.integers(0, 20), end=st.integers(0, 20))
def test_runs_cover_the_stretch_once(over: list[tuple[int, int, Style]], start: int, end: int) -> None:
    assume(start <= end)
    below = [(0, 7, Style(italic=True)), (7, 20, Style(underline=True))]
    pieces = list(overlaid(start, end, below, over))
    assert [letter for one, other, _ in pieces for letter in range(one, other)] == list(range(start, end))
    for one, other, style in pieces:
        assert bool(style.italic) == (one < 7)
        assert bool(style.bold) == any(first <= one and other <= last for first, last, _ in over)
