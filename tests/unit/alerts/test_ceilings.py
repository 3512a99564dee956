"""How high a percentile can be told: which histogram is meant, and what its buckets say."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from screenshots import scene, scene_alerts
from services.alerts.ceilings import ANEW, Ceilings
from services.alerts.observed import Rule, RuleAlert
from services.errors import Problem
from services.model.metric import Series
from services.prometheus.expression import Buckets, percentile_of
from services.sanitize import safe_text
from tui.presenters.alert_words import value_words
from tui.presenters.chart import alert_plan, present_chart
from tui.presenters.lens import Lens

SLOW = 'histogram_quantile(0.99, sum by (le, namespace) (rate(http_seconds_bucket{job="api",}[5m])))'
LABELS = (("alertname", "Slow"), ("namespace", "shop"), ("severity", "critical"))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (f"{SLOW} > 1", Buckets("http_seconds_bucket", 'job = "api"', frozenset({"namespace"}))),
        (f"({SLOW}) > 1 and on () up", Buckets("http_seconds_bucket", 'job = "api"', frozenset({"namespace"}))),
        ("histogram_quantile(0.9, rate(x_bucket[1m])) > 2", Buckets("x_bucket")),
        ("histogram_quantile(0.9, sum(rate(x_bucket[1m])) by (le, pod))", Buckets("x_bucket", "", frozenset({"pod"}))),
        (f"{SLOW} * 1000 > 500", None),
        (f"1 + {SLOW} > 2", None),
        ("histogram_quantile(0.9, rate(a_bucket[1m]) + rate(b_bucket[1m])) > 2", None),
        ("histogram_quantile(0.9, rate(x[1m])) > 2", None),
        ("job:latency:p99 > 1", None),
        ("rate(http_seconds_bucket[5m]) > 1", None),
        ("", None),
    ],
)
def test_a_percentile_is_one_only_where_the_value_is_nothing_else(expression: str, found: Buckets | None) -> None:
    assert percentile_of(expression) == found


class Prometheus:
    """Answers what the label `le` says, and counts."""

    def __init__(self, *bounds: str) -> None:
        self.bounds = bounds
        self.asked: list[tuple[str, ...]] = []

    async def get(self, path: str, *query: tuple[str, str]) -> bytes:
        self.asked.append((path, *(f"{name}={value}" for name, value in query)))
        if not self.bounds:
            raise Problem(safe_text("not allowed"))
        return json.dumps({"status": "success", "data": self.bounds}).encode()


def rule(expression: str = f"{SLOW} > 1", value: float = 10.0) -> Rule:
    return Rule("Slow", "g", expression, evaluated_at=5000.0, alerts=(RuleAlert(LABELS, True, 1.0, value),))


@pytest.mark.parametrize(
    ("bounds", "bound"), [(("0.1", "10", "2.5", "+Inf"), 10.0), (("+Inf",), None), (("NaN", "x"), None), ((), None)]
)
async def test_the_highest_bound_is_that_of_the_alerts_own_buckets(
    bounds: tuple[str, ...], bound: float | None
) -> None:
    server = Prometheus(*bounds)
    ceilings = Ceilings(server.get)
    for poll in (1, 2, ANEW):
        told = await ceilings.told([rule(), rule("up == 0")], poll)
        assert [alert.bound for one in told for alert in one.alerts] == [bound, None]
    selector = 'match[]=http_seconds_bucket{job = "api",namespace="shop"}'
    assert server.asked == [("/api/v1/label/le/values", selector, "start=1400", "end=5000")]
    await ceilings.told([rule()], 1 + ANEW)
    assert len(server.asked) == 2, "buckets may change"


async def test_who_has_no_percentile_is_asked_nothing() -> None:
    server = Prometheus("1")
    rules = [rule("up == 0"), Rule("Quiet", "g", f"{SLOW} > 1")]
    assert await Ceilings(server.get).told(rules, 1) is rules
    assert not server.asked


@pytest.mark.parametrize(
    ("value", "bound", "words", "head"),
    [
        (10.0, 10.0, "> 10 s > 1 s", "2 s → > 10 s"),
        (9.0, 10.0, "9 s > 1 s", "2 s → 9 s"),
        (10.0, None, "10 s > 1 s", "2 s → 10 s"),
    ],
)
def test_the_pane_the_screen_and_the_chart_say_the_same(
    value: float, bound: float | None, words: str, head: str
) -> None:
    cart = next(one for one in scene_alerts.alerts().values() if one.name == "CartDown")
    alert = structs.replace(cart, value=value, expression=f"{SLOW} > 1", bound=bound)
    lens = Lens(scene.NOW)
    assert value_words(alert, lens) == words
    chart = present_chart(alert_plan(alert, None, lens), Series("Slow", "", 0.0, 60.0, (2.0, value)), lens)
    assert head in "".join(span.text for span in chart.head)
