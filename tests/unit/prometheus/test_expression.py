"""Alerting expressions taken apart: the value that is compared, and the same for one alert's labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.prometheus.expression import narrowed, quoted, tokens, value_of

RATIO = 'sum by (ns) (rate(x{a="b > c"}[5m])) / sum(rate(y[5m]))'


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"{RATIO} > 0.05", RATIO),
        ("((up == 0))", "up"),
        ("(a > 5) and on () (b == 3)", "a"),
        ("a - b >= 3 unless c", "a - b"),
        ("a > 5 or b < 3", "(a) or (b)"),
        ("a > 1 or a > 2 and b", "a"),
        ("(a > 3 or b > 4) and c", "a"),
        ("10 < bool foo", "foo"),
        ("5 > on (a) foo", "foo"),
        ("-5 > on (a) group_left (c) foo", "foo"),
        ("foo > on (a, b) group_left (c) bar", "foo"),
        ("absent(up)", "absent(up)"),
        ("vector(1)", "vector(1)"),
        ("count(y > 3) > 2 # of > them", "count(y > 3)"),
        ("rate(x[5m:1m] offset 5m) > 1e-3", "rate(x[5m:1m] offset 5m)"),
        ("time() - kube_job > 3 * 3600", "time() - kube_job"),
        ("node:load:rate5m > +Inf", "node:load:rate5m"),
        ('{__name__="a"} AND b', '{__name__="a"}'),
        ("a > b\n  and\n  c > d", "a"),
        ("foo{", "foo{"),
        ('"unclosed > 3', '"unclosed > 3'),
        ("a) > 3", "a) > 3"),
        ("> 3", "> 3"),
        ("", ""),
    ],
)
def test_the_comparison_is_cut_off(expression: str, value: str) -> None:
    found = value_of(expression)
    assert tokens(found) == tokens(value)
    assert bool(tokens(value)) or found == value


def test_an_expression_beyond_all_measure_is_left_alone() -> None:
    assert value_of("a + " * 10_000 + "a > 1") == "a + " * 10_000 + "a > 1"


@pytest.mark.parametrize(
    ("expression", "held"),
    [
        ("up", 'up{pod="p"}'),
        ("up{}", 'up{pod="p"}'),
        ('up{job="x"}', 'up{pod="p",job="x"}'),
        ('up{pod=~"x"}', 'up{pod=~"x"}'),
        ("sum by (pod, ns) (rate(x[5m])) / y", 'sum by (pod, ns) (rate(x{pod="p"}[5m])) / y{pod="p"}'),
        ("sum(x) without (ns)", 'sum(x{pod="p"}) without (ns)'),
        ("a * on (ns) group_left (owner) b", 'a{pod="p"} * on (ns) group_left (owner) b{pod="p"}'),
        ('{__name__="a"}', '{pod="p",__name__="a"}'),
        ("max_over_time(x[5m:1m] offset 1d)", 'max_over_time(x{pod="p"}[5m:1m] offset 1d)'),
        ("a @ end() > bool time()", 'a{pod="p"} @ end() > bool time()'),
        ("histogram_quantile(0.9, b)", 'histogram_quantile(0.9, b{pod="p"})'),
        ("vector(Inf) + NaN", "vector(Inf) + NaN"),
        ("broken(", "broken("),
    ],
)
def test_each_selector_is_held_to_the_labels(expression: str, held: str) -> None:
    found = narrowed(expression, {"pod": "p"})
    assert tokens(found) == tokens(held)
    assert bool(tokens(held)) or found == held


@given(st.text(max_size=200) | st.text(alphabet="ab>=<(){}[]\"'`, andor#\\5m:", max_size=60))
def test_whatever_comes_is_read_without_a_fault(expression: str) -> None:
    value = value_of(expression)
    assert bool(tokens(value)) == bool(tokens(expression))
    assert bool(tokens(narrowed(expression, {"pod": 'a"\\b'}))) == bool(tokens(expression))


@given(st.text(max_size=50))
def test_any_text_is_one_string_literal(text: str) -> None:
    read = tokens(quoted(text))
    assert [token.kind for token in read] == ["string"]
    assert "\n" not in read[0].text
