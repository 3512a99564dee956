"""The rehearsal's Prometheus beside the real one: equal series answer alike, and the same queries are refused."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.prometheus.requests import NODES_NOW, offered, requested
from tests.contract.rehearsed import PATIENCE, Json, Rehearsed, rehearsed
from tests.monitoring.fixtures import require_monitoring
from tests.monitoring.servers import Monitoring

# An import cannot mark where series end, so the real one shows those of ended alerts for five minutes more.
ALIVE = 'ALERTS_FOR_STATE{alertname="Watchdog"}'
QUERIES = (
    "up",
    'up{job!="kubelet"} == 0 or up{job="edge"}',
    "sum by (namespace, service) (rate(http_requests_total[5m]))",
    'sum by (service) (rate(http_requests_total{code=~"5.."}[2m])) / sum by (service) (rate(http_requests_total[2m]))',
    "histogram_quantile(0.95, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))",
    "histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket[10m])))",
    "sum(rate(http_request_duration_seconds_sum[5m])) / sum(rate(http_request_duration_seconds_count[5m]))",
    'topk(3, sum by (service) (increase(http_requests_total{code="200"}[5m])))',
    'bottomk(2, rate(http_requests_total{code="200"}[3m]) > 0)',
    "quantile(0.9, kube_deployment_spec_replicas)",
    "kube_deployment_spec_replicas > kube_deployment_status_replicas_available",
    "kube_deployment_spec_replicas - on (namespace, deployment) kube_deployment_status_replicas_available > bool 0",
    "kube_deployment_spec_replicas and on (deployment) kube_deployment_status_replicas_available == 0",
    "kube_deployment_spec_replicas unless kube_deployment_status_replicas_available > 0",
    'max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[5m]) >= 1',
    "avg_over_time(kube_deployment_status_replicas_available[10m])",
    "min_over_time(kube_deployment_status_replicas_available[10m] offset 5m)",
    "changes(kube_deployment_status_replicas_available[15m])",
    "count_over_time(kube_pod_container_status_waiting_reason[10m])",
    "delta(kube_deployment_status_replicas_available[15m])",
    "irate(http_requests_total[1m])",
    "kube_deployment_spec_replicas * on (deployment) group_left (code) (0 * http_requests_total{code='500'} + 2)",
    "count by (namespace) (kube_deployment_spec_replicas) * 2 ^ 3 % 7 - -1",
    "count without (deployment, service) (http_requests_total)",
    'label_replace(kube_deployment_spec_replicas, "short", "$1", "deployment", "(..).*")',
    'label_join(kube_deployment_spec_replicas, "both", "/", "namespace", "deployment")',
    "clamp(kube_deployment_spec_replicas, 2, 4)",
    "round(rate(http_requests_total{code='200'}[5m]), 0.1)",
    'absent(nothing{of="this"})',
    "scalar(count(up)) + 1",
    "vector(time()) - timestamp(up{job='edge'})",
    "sum(up) > 1e9",
    ALIVE,
    NODES_NOW,
    offered("memory"),
    requested("cpu").replace('node!=""', 'namespace="kube-system"'),
)
EXPORTED = (
    "up",
    "http_requests_total",
    "http_request_duration_seconds_bucket",
    "http_request_duration_seconds_sum",
    "http_request_duration_seconds_count",
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_available",
    "kube_pod_container_status_waiting_reason",
    "kube_node_info",
    "kube_node_status_allocatable",
    "kube_pod_container_resource_requests",
    "kube_pod_owner",
    "kube_pod_status_phase",
    "ALERTS_FOR_STATE",
)
WRONG = (
    "",
    "sum(",
    "rate(up)",
    "rate(up[5m]",
    "up[0s]",
    "{}",
    '{job=~".*"}',
    'up{job=~"("}',
    "up{job}",
    "foo(up)",
    "1 and 2",
    "1 == 2",
    "sum(1)",
    "up + on () group_left() up",
    "kube_deployment_spec_replicas * on (namespace) kube_deployment_spec_replicas",
    "up offset",
    '"text" + 1',
    "round()",
)


@pytest.fixture(scope="module")
def estate() -> Iterator[Rehearsed]:
    with rehearsed() as running:
        yield running


@pytest.fixture(scope="module")
def twin(estate: Rehearsed) -> Iterator[tuple[str, float]]:
    """A real Prometheus that holds the last half hour of the estate's series, and a moment within it."""
    require_monitoring()
    now = datetime.now(UTC).timestamp()
    lines = []
    for name in EXPORTED:
        lines.append(f"# TYPE {name} unknown")
        for row in estate.get("/api/v1/query", query=f"{name}[40m]", time=now)["result"]:
            labels = ",".join(f"{key}={json.dumps(value)}" for key, value in row["metric"].items() if key != "__name__")
            lines += [f"{name}{{{labels}}} {value} {at}" for at, value in row["values"]]
    with Monitoring() as running:
        real = running.prometheus(
            history="\n".join([*lines, "# EOF", ""]), arguments=["--storage.tsdb.retention.time=9d"]
        )
        yield real.url, now


@pytest.mark.parametrize("query", QUERIES)
def test_equal_series_answer_alike(estate: Rehearsed, twin: tuple[str, float], query: str) -> None:
    url, now = twin
    at = now - 37
    mine = httpx.get(f"{estate.prometheus}/api/v1/query", params={"query": query, "time": at}, timeout=PATIENCE).json()
    real = httpx.get(f"{url}/api/v1/query", params={"query": query, "time": at}, timeout=PATIENCE).json()
    assert mine["data"]["resultType"] == real["data"]["resultType"]
    assert _instants(mine["data"]) == _instants(real["data"])
    span = {"query": query, "start": now - 1200 - 7, "end": now - 37, "step": "33"}
    ranges = [
        httpx.post(f"{base}/api/v1/query_range", data=span, timeout=PATIENCE).json()["data"]
        for base in (estate.prometheus, url)
    ]
    mine_lines, real_lines = (_lines(one) for one in ranges)
    assert mine_lines.keys() == real_lines.keys()
    for labels, values in real_lines.items():
        assert mine_lines[labels] == values, labels


def _instants(data: Json) -> Any:
    if data["resultType"] == "scalar":
        return _near(data["result"][1])
    return {_key(row["metric"]): _near(row["value"][1]) for row in data["result"]}


def _lines(data: Json) -> dict[Any, Any]:
    return {_key(row["metric"]): [(at, _near(value)) for at, value in row["values"]] for row in data["result"]}


def _key(labels: dict[str, str]) -> Any:
    return tuple(sorted(labels.items()))


def _near(text: str) -> Any:
    value = float(text)
    return "NaN" if math.isnan(value) else pytest.approx(value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("query", WRONG)
def test_what_prometheus_refuses_is_refused_alike(estate: Rehearsed, twin: tuple[str, float], query: str) -> None:
    answers = [
        httpx.get(f"{base}/api/v1/query", params={"query": query, "time": twin[1] - 37}, timeout=PATIENCE)
        for base in (estate.prometheus, twin[0])
    ]
    mine, real = answers
    assert mine.status_code == real.status_code, (mine.text, real.text)
    assert mine.json().keys() == real.json().keys()
    assert mine.json()["errorType"] == real.json()["errorType"]
    kind = real.json()["error"].split(":")[0].split("{")[0]
    assert mine.json()["error"].startswith(kind), (mine.text, real.text)


@pytest.mark.parametrize(
    "params",
    [
        {"query": "up", "start": "0", "end": "11001", "step": "1"},
        {"query": "up", "start": "5", "end": "1", "step": "1"},
        {"query": "up", "start": "1", "end": "5", "step": "0"},
        {"query": "up", "start": "x", "end": "5", "step": "1"},
        {"query": "up", "start": "1", "end": "5", "step": "x"},
        {"query": "up[5m]", "start": "1", "end": "5", "step": "1"},
    ],
)
def test_ranges_are_refused_in_the_same_words(
    estate: Rehearsed, twin: tuple[str, float], params: dict[str, str]
) -> None:
    mine, real = (
        httpx.get(f"{base}/api/v1/query_range", params=params, timeout=PATIENCE)
        for base in (estate.prometheus, twin[0])
    )
    assert (mine.status_code, _refusal(mine)) == (real.status_code, _refusal(real))


def _refusal(answer: httpx.Response) -> Json:
    """Return an error; newer servers name the parameter before some."""
    said: Json = answer.json()
    return said | {"error": said["error"].removeprefix('invalid parameter "query": ')}
