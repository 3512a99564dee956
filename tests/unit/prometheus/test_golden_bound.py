"""A percentile beyond the last bucket of a histogram is said to be beyond it: Prometheus answers with its bound."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest

from services.clock import ManualClock
from services.config_endpoints import MetricSettings
from services.errors import Problem
from services.model.ref import Ref
from services.prometheus.client import PrometheusClient
from services.prometheus.golden import GoldenSignals
from services.prometheus.window import Window
from services.sanitize import safe_text
from tui.presenters.chart import bounded, golden_charts
from tui.presenters.lens import Lens

NOW = 1_800_000_000.0
CART = Ref("c", "apps", "Deployment", "shop", "cart", "u")


class Server:
    """Answers what was asked by the name of the metric in it, and counts how often it is asked for bounds."""

    name = "prometheus"
    timeout = 5.0

    def __init__(self, histogram: str, bounds: Sequence[str], p99: float, median: float) -> None:
        self.counter = histogram.removesuffix("_bucket") + "_count"
        self.histogram, self.bounds, self.p99, self.median = histogram, bounds, p99, median
        self.asked = 0

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> bytes:
        given = dict(query)
        if path.endswith("/label/le/values"):
            self.asked += 1
            if not self.bounds:
                raise Problem(safe_text("It does not say."))
            return self.json([*self.bounds])
        if path.endswith("/label/__name__/values"):
            return self.json([self.counter, self.histogram])
        value = self.p99 if "0.99" in given["query"] or "0.95" in given["query"] else self.median
        values = [[float(given["end"]), str(value)]] if path.endswith("query_range") else []
        return self.json({"resultType": "matrix", "result": [{"metric": {}, "values": values}] if values else []})

    async def post(self, path: str, form: Sequence[tuple[str, str]]) -> bytes:
        raise NotImplementedError(path)

    @staticmethod
    def json(data: Any) -> bytes:
        return json.dumps({"status": "success", "data": data}).encode()


@pytest.mark.parametrize(
    ("histogram", "bounds", "p99", "words"),
    [
        ("http_request_duration_seconds_bucket", ["0.1", "2.5", "10.0", "+Inf"], 10.0, "p99 > 10 s"),
        ("http_request_duration_seconds_bucket", ["0.1", "2.5", "10.0", "+Inf"], 9.5, "p99 9.5 s"),
        ("http_server_duration_milliseconds_bucket", ["5", "2500", "+Inf"], 2.5, "p99 > 2.5 s"),
        ("http_request_duration_seconds_bucket", ["nonsense"], 10.0, "p99 10 s"),
        ("http_request_duration_seconds_bucket", ["+Inf"], 10.0, "p99 10 s"),
        ("http_request_duration_seconds_bucket", [], 10.0, "p99 10 s"),
    ],
)
async def test_beyond_the_last_bucket(histogram: str, bounds: list[str], p99: float, words: str) -> None:
    server = Server(histogram, bounds, p99, 0.04)
    signals = GoldenSignals(PrometheusClient(server), MetricSettings(), ManualClock(NOW))
    window = Window.of(NOW - 3600, NOW, 60)
    golden = await signals.of(CART, (), window)
    assert await signals.of(CART, (), window) == golden
    assert server.asked == 1, "what the buckets are is remembered"
    head = dict(golden_charts(golden, Lens(NOW)))["p95"].head
    said = " ".join(span.text for span in head)
    assert words in said
    assert "p50 40 ms" in said


def test_only_what_is_at_the_bound_is_beyond_it() -> None:
    assert bounded(0.3 / 1000 * 1000, 0.3, "seconds") == "> 300 ms"
    assert bounded(0.29, 0.3, "seconds") == "290 ms"
    assert bounded(9e9, math.inf, "seconds") == bounded(9e9, 1e300, "seconds")
