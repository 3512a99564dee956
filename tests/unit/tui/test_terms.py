"""The filter's language, term by term."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model.severity import Severity
from tui.presenters.terms import FilterError, Subject, parse_filter

CART = Subject("shop/cart-7d9 CrashLoopBackOff node-3", "shop", Severity.CRIT, ("app=cart", "tier=web"))


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("cart", True),
        ("CART crash", True),
        ("cart search", False),
        ("!cart", False),
        ("!search", True),
        ("is:crit", True),
        ("is:bad", True),
        ("is:ok", False),
        ("!is:ok", True),
        ("ns:shop", True),
        ("ns:sh", True),
        ("ns:payments", False),
        ("app=cart", True),
        ("app==cart", True),
        ("app!=cart", False),
        ("app=search", False),
        ("label:tier", True),
        ("label:team", False),
        ("-l app=cart,tier=web", True),
        ("-l app=cart,tier=db", False),
        ("-f shprt", True),
        ("-f zz", False),
        (r"node-\d$", True),
        ("^shop", True),
        ("^cart", False),
    ],
)
def test_terms(text: str, fits: bool) -> None:
    test = parse_filter(text)
    assert test is not None
    assert test(CART) is fits


def test_an_empty_filter_is_none() -> None:
    assert parse_filter("   ") is None


@pytest.mark.parametrize("text", ["(", "is:purple", "-l", "-f", "a["])
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(text)


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    try:
        test = parse_filter(text)
    except FilterError as error:
        assert str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert test is None or test(CART) in (True, False)
