"""What is read from an alerting expression, and how its value is said."""

from __future__ import annotations

import pytest

from services.model.alert import Alert, AlertState
from services.model.severity import Severity
from tui.glyphs import UNICODE
from tui.presenters.alert_words import threshold_of, value_words
from tui.presenters.lens import Lens


def alert(expression: str, value: float | None) -> Alert:
    return Alert("a", "f", "A", Severity.WARN, AlertState.FIRING, (), value=value, expression=expression)


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("queue_depth > 50", 50.0),
        ("(queue_depth > 50)", 50.0),
        ('up{job="and"} == 0 and on (job) kube_x > 3', 0.0),
        ("(queue_depth > 50) unless quiet > 1", 50.0),
        ("queue_depth > 50 or other > 3", None),
        ("(a > 1 and b) > 7", 7.0),
        ("wanted > there", None),
        ("vector(1)", None),
    ],
)
def test_the_limit_is_that_of_what_gives_the_value(expression: str, number: float | None) -> None:
    found = threshold_of(expression)
    assert (found.number if found is not None else None) == number


@pytest.mark.parametrize(
    ("expression", "value", "words"),
    [
        ("sum(rate(e[5m])) / sum(rate(a[5m])) > 0.05", 0.124, "12.4 % > 5 %"),
        ("up == 0", 0.0, "up 0"),
        ("kube_deployment_status_replicas_available == 0 and kube_deployment_spec_replicas > 0", 0.0, ""),
        ("kube_deployment_spec_replicas > kube_deployment_status_replicas_available", 4.0, ""),
        ("queue_depth", 42.0, "42"),
        ("", 1.0, ""),
        ("queue_depth > 5", None, ""),
    ],
)
def test_a_number_stands_with_its_limit_or_not_at_all(expression: str, value: float | None, words: str) -> None:
    assert value_words(alert(expression, value), Lens(0.0, UNICODE)) == words
