"""Quantities are read exactly, and nonsense counts as nothing."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kubernetes.quantity import millicores, parse_quantity, whole


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1", 1),
        ("250m", Fraction(1, 4)),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 3 * 2**29),
        ("2e3", 2000),
        ("2E3", 2000),
        ("1e-3", Fraction(1, 1000)),
        ("3E", 3 * 10**18),
        ("100n", Fraction(1, 10**7)),
        ("5u", Fraction(5, 10**6)),
        ("-1", -1),
        ("+2Mi", 2**21),
    ],
)
def test_values(text: str, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", " 1", "1 Gi", "abc", "1KB", "1mi", "1ki", "Ki", "--1", "1e999", "\u0661"])
def test_nonsense_is_refused_and_counts_as_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity(text)
    assert (millicores(text), whole(text)) == (0, 0)


@pytest.mark.parametrize(
    ("value", "cpu", "amount"),
    [
        ("1n", 1, 1),
        ("1500u", 2, 1),
        (2, 2000, 2),
        (0.5, 500, 1),
        (True, 0, 0),
        (None, 0, 0),
        ("128974848000m", 128974848000, 128974848),
    ],
)
def test_parts_are_rounded_up(value: object, cpu: int, amount: int) -> None:
    assert (millicores(value), whole(value)) == (cpu, amount)


@given(st.integers(0, 10**12), st.sampled_from(["", "k", "M", "Ki", "Mi", "Gi"]))
def test_whole_numbers_are_exact(number: int, suffix: str) -> None:
    scale = {"": 1, "k": 10**3, "M": 10**6, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[suffix]
    assert whole(f"{number}{suffix}") == number * scale


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    assert isinstance(whole(text), int)
