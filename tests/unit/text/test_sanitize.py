"""The text gate against everything a terminal could take for a command."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from services.model.text import SafeText
from services.sanitize import MAX_LINE, MAX_MARKS, safe_line, safe_text

# What the code must never let through, told by the Unicode database and not by the code's own table.
CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
INVISIBLE = set("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(code) for code in range(0xFE00, 0xFE10)}
INVISIBLE |= {chr(code) for code in (*range(0x180B, 0x1810), *range(0xE0000, 0xE1000), *range(0xFDD0, 0xFDF0))}
INVISIBLE |= {chr(plane | low) for plane in range(0, 0x110000, 0x10000) for low in (0xFFFE, 0xFFFF)}


def is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in CATEGORIES or character in INVISIBLE


def is_mark(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me"}


def test_no_code_point_of_all_unicode_gets_through_that_must_not() -> None:
    let_through = [
        hex(code) for code in range(0x110000) if is_unsafe(chr(code)) and len(safe_text(f"a{chr(code)}b")) == 3
    ]
    assert let_through == ["0x9", "0xa", "0xb", "0xc", "0xd", "0x85", "0x2028", "0x2029"], (
        "breaks, which become a space"
    )


def test_every_letter_number_and_sign_survives() -> None:
    wanted = {
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "Nd",
        "Nl",
        "No",
        "Sm",
        "Sc",
        "Sk",
        "So",
        "Pc",
        "Pd",
        "Ps",
        "Pe",
        "Pi",
        "Pf",
        "Po",
    }
    kept = (chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in wanted)
    lost = {character for character in kept if safe_text(character) != character}
    assert lost <= INVISIBLE | {"\U0001d159"}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("a\tb\r\nc\n\nd", "a b c d"),
        ("a\x85b\u2028c", "a b c"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred\x9b0m", "red"),
        (b"\xc2\x9b31mred".decode(), "red"),
        (b"\x9b31mred".decode("utf-8", "surrogateescape"), "31mred"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]0;title\x1b\\after", "after"),
        ("\x9d52;c;cGF5bG9hZA==\x9cafter", "after"),
        ("\x1b]52;c;cGF5bG9hZA==\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1bP1$r0m\x1b\\after", "after"),
        ("\x90q#0;2;0;0;0\x9cafter", "after"),
        ("\x1b_Gf=100;AAAA\x1b\\after", "after"),
        ("\x1b^private\x1b\\after", "after"),
        ("before\x1b]0;never ends", "before"),
        ("before\x1b]0;never ends\nnext line", "before next line"),
        ("\x1b]0;a\x1b[31mred", "red"),
        ("\x1b\x1b[31mred", "red"),
        ("\x1b[3\x1b[31m1mred", "1mred"),
        ("\x1b\x1b]]0;x\x07y", "y"),
        ("\x1b(Bafter", "after"),
        ("\x1b#8after", "after"),
        ("\x1bcafter", "after"),
        ("a\x1b", "a"),
        ("a\x08\x08b\x7fc\x00d", "abcd"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("\u2066a\u2069 \u200fb\u061c", "a b"),
        ("pay\u200bpal\u00ad\ufeff", "paypal"),
        ("a\U000e0041\U000e007fb", "ab"),
        ("\u2764\ufe0f x\ufe00", "\u2764 x"),
        ("lone \ud800 \udfff end", "lone   end"),
        (
            "caf\u00e9 cafe\u0301 \u65e5\u672c \u0e01\u0e33\u0e49",
            "caf\u00e9 cafe\u0301 \u65e5\u672c \u0e01\u0e33\u0e49",
        ),
        ("e" + "\u0301" * 50 + "x", "e" + "\u0301" * MAX_MARKS + "x"),
        ("\u0301\u0488start", "start"),
        ("[bold]markup[/] [/dev/sda1] 100%", "[bold]markup[/] [/dev/sda1] 100%"),
        (None, "None"),
        (42, "42"),
        (b"bytes", "b'bytes'"),
    ],
)
def test_what_is_shown_of_it(raw: object, shown: str) -> None:
    assert safe_text(raw) == shown


@pytest.mark.parametrize(("limit", "shown"), [(6, "abcdef"), (5, "abcd…"), (1, "…"), (0, "")])
def test_a_cut_is_marked_within_the_limit(limit: int, shown: str) -> None:
    assert safe_text("abcdef", limit) == shown


def test_safe_text_is_not_made_again() -> None:
    safe = safe_text("once")
    assert safe_text(safe) is safe
    assert type(safe_text(safe, 2)) is SafeText


def test_a_long_line_keeps_its_columns() -> None:
    assert safe_line("a:\tb\x1b[1m!") == "a:    b!"
    assert len(safe_line("x" * 10**7)) == MAX_LINE


HOSTILE = st.text(
    st.one_of(
        st.sampled_from(
            "\x1b\x9b\x9d\x90\x98\x9e\x9f\x9c\x07\\[]PX^_;0m?8c52 \n\r\t\x85\u0301\u0488\u202e\u200d\ufe0f\ud800a…é日"
        ),
        st.integers(0, 0x10FFFF).map(chr),
    ),
    max_size=60,
)


@given(HOSTILE, st.integers(0, 40))
@example("\x1b" * 30, 10)
@example("a" + "\u0301" * 59, 5)
def test_whatever_comes_in_only_safe_text_comes_out(raw: str, limit: int) -> None:
    safe = safe_text(raw, limit)
    assert type(safe) is SafeText
    assert not any(map(is_unsafe, safe))
    assert len(safe) <= limit
    assert safe_text(str(safe), limit) == safe
    assert 0 <= cell_len(safe) <= 2 * len(safe)
    run = 0
    for position, character in enumerate(safe):
        run = run + 1 if is_mark(character) else 0
        assert run <= (MAX_MARKS if position > run - 1 else 0)
    assert safe.encode() == str(safe).encode()


@given(HOSTILE)
def test_lines_hold_the_same(raw: str) -> None:
    safe = safe_line(raw)
    assert not any(map(is_unsafe, safe))
    assert safe_line(str(safe)) == safe


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=512))
def test_printable_ascii_is_left_alone(raw: str) -> None:
    assert safe_text(raw) == raw
