"""Matchers of silences hide what an Alertmanager's would, and are read back as they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.matchers import Unreadable, hides, ordered, read, shared, spelled, spelled_all, why_not
from services.model.alert import Matcher, Pairs

CART = {"alertname": "Slow", "app": "cart", "pod": "cart-1", "text": "späte Ströme"}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("alertname=Slow", True),
        ('alertname="slow"', False),
        ('alertname=~"Sl.*"', True),
        ('alertname=~"Sl"', False),  # expressions match the whole value
        ('alertname=~"Fast|Slow"', True),
        ('app!="cart"', False),
        ('app!="search"', True),
        ('app!~"c.*"', False),
        ('app!~"c"', True),
        ('team=""', True),  # a label that is not there is an empty one
        ('team!=""', False),
        ('team!="pay"', True),
        ('team=~".*"', True),
        ('team=~".+"', False),
        ('team!~".+"', True),
        ('alertname="Slow" app="search"', False),  # all of them
        ('text=~"\\\\w+ .*"', False),  # classes are ASCII's, as RE2's are
        ('text=~"sp.te Str.me"', True),
    ],
)
def test_an_alert_is_hidden_as_an_alertmanager_hides_it(text: str, hidden: bool) -> None:
    assert hides(read(text), CART) is hidden


def test_a_dot_is_no_line_end() -> None:
    assert not hides(read('text=~"a.b"'), {"text": "a\nb"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('team=~".*"', "at least one matcher must not match an empty value"),
        ('team!="x" app!~"y"', "at least one matcher must not match an empty value"),
        ('app=~"(a+)+b"', "cannot be told here"),
        ('app=~"("', "cannot be told here"),
        ('app="cart"', ""),
    ],
)
def test_what_no_silence_can_be_made_of_is_said(text: str, why: str) -> None:
    assert why in why_not(read(text))
    assert bool(why) is bool(why_not(read(text)))


@pytest.mark.parametrize("text", ["", "  ", "app", "app=", "=x", 'a="x"b="y"', 'a="x', "a=x junk", "1a=x"])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@pytest.mark.parametrize("text", ["a=x,b=y", "{a=x, b=y}", 'a = "x" b="y"', "{a=x,b=y,}", "b=y a=x"])
def test_however_they_are_written(text: str) -> None:
    assert ordered(read(text)) == (Matcher("a", "x"), Matcher("b", "y"))


names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True)
matchers = st.builds(Matcher, names, st.text(max_size=20), st.booleans(), st.booleans())


@given(st.lists(matchers, min_size=1, max_size=5))
def test_what_is_written_is_read_back(found: list[Matcher]) -> None:
    assert read(spelled_all(found)) == ordered(found)


pairs = st.dictionaries(names, st.text(min_size=1, max_size=8), max_size=4).map(lambda one: tuple(sorted(one.items())))


@given(st.lists(pairs, min_size=1, max_size=4))
def test_what_alerts_share_hides_all_of_them(label_sets: list[Pairs]) -> None:
    common = sorted({name for name, _ in label_sets[0]})
    found = shared(label_sets, common)
    if all(spelled(one) and (not one.is_regex or "\n" not in one.value) for one in found):
        assert all(hides(found, dict(labels)) for labels in label_sets)
