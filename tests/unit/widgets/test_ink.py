"""Cells, cuts and changed runs, for ASCII, wide and combining text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from widgets.ink import (
    ASCII_SIGNS,
    UNICODE_SIGNS,
    Ink,
    InkLine,
    Layer,
    cells_of,
    changed_runs,
    clip,
    cut,
    fill,
    fit_spans,
    line_cells,
)
from widgets.viewmodels import Span, Tone

ALPHABET = "ab 1/·▲◆…日本語한é́👩\u0301"
TEXT = st.text(ALPHABET, max_size=12)
SPANS = st.lists(st.builds(Span, TEXT, st.sampled_from([Tone.PLAIN, Tone.CRIT])), max_size=5)


def cells(line: InkLine) -> list[tuple[str, Tone, Layer]]:
    """Draw a line, one entry a cell, the second of a wide character empty: an independent drawing."""
    drawn: list[tuple[str, Tone, Layer]] = []
    for text, tone, layer in line:
        here = -1
        for character in text:
            width = cell_len(character)
            if width:
                here = len(drawn)
                drawn += [(character, tone, layer)] + [("", tone, layer)] * (width - 1)
            elif here >= 0:  # a mark belongs to the character it stands on
                drawn[here] = (drawn[here][0] + character, tone, layer)
    return drawn


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("checkout", 8, "checkout"),
        ("checkout", 7, "checko…"),
        ("checkout", 1, "…"),
        ("checkout", 0, ""),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("", 3, ""),
    ],
)
def test_cut(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown


def test_ascii_cut_uses_the_ascii_sign() -> None:
    assert cut("checkout", 4, ASCII_SIGNS.ellipsis) == "che~"


@pytest.mark.parametrize("signs", [UNICODE_SIGNS, ASCII_SIGNS])
def test_every_sign_is_one_cell(signs: tuple[str, ...]) -> None:
    for sign in [*signs[:-1], *signs[-1]]:
        assert cell_len(sign) == 1


def test_ascii_signs_are_ascii() -> None:
    assert "".join([*ASCII_SIGNS[:-1], *ASCII_SIGNS[-1]]).isascii()


@given(TEXT, st.integers(0, 20), st.booleans())
def test_fill_takes_exactly_its_cells(text: str, width: int, right: bool) -> None:
    assert cell_len(fill(text, width, right=right)) == width


@given(TEXT, st.integers(0, 20))
def test_clip_never_takes_more(text: str, width: int) -> None:
    assert cells_of(clip(text, width)) <= width
    assert text.startswith(clip(text, width))


@given(SPANS, st.integers(0, 40))
def test_fitted_spans_take_exactly_their_cells(spans: list[Span], width: int) -> None:
    assert line_cells(fit_spans(spans, width)) == width


@given(SPANS, st.integers(1, 40))
def test_what_is_cut_says_so(spans: list[Span], width: int) -> None:
    shown = "".join(ink.text for ink in fit_spans(spans, width, ellipsis="~", pad=False))
    whole = "".join(span.text for span in spans)
    if cells_of(whole) > width:
        assert shown.endswith("~")
        assert whole.startswith(shown[:-1])
    else:
        assert shown == whole


@given(SPANS, SPANS, st.integers(1, 40))
def test_changed_runs_make_the_old_line_the_new_one(before: list[Span], after: list[Span], width: int) -> None:
    old, new = fit_spans(before, width), fit_spans(after, width)
    shown, wanted = cells(old), cells(new)
    runs = changed_runs(old, new)
    for x, count in runs:
        shown[x : x + count] = wanted[x : x + count]
        assert wanted[x][0], "a run starts inside a wide character"
        assert x + count == width or wanted[x + count][0], "a run stops inside a wide character"
    assert shown == wanted
    assert (not runs) == (cells(old) == wanted)


@pytest.mark.parametrize(
    ("old", "new", "runs"),
    [
        ("03:14:07Z", "03:14:08Z", [(7, 1)]),
        ("03:14:59Z", "03:15:00Z", [(4, 4)]),
        ("same", "same", []),
        ("ab          cd", "xb          cx", [(0, 1), (13, 1)]),
    ],
)
def test_runs_are_narrow(old: str, new: str, runs: list[tuple[int, int]]) -> None:
    assert changed_runs((Ink(old),), (Ink(new),)) == runs


def test_another_tone_is_a_change() -> None:
    assert changed_runs((Ink("ab"),), (Ink("a"), Ink("b", Tone.CRIT))) == [(1, 1)]
