"""What a workload did and what alerts compare, asked of a real Prometheus that remembers two hours."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import pytest

from services.clock import SystemClock
from services.config_endpoints import EndpointSettings, MetricSettings
from services.endpoint import Endpoint
from services.errors import Problem
from services.model.alert import Alert, AlertState
from services.model.metric import Series
from services.model.ref import Ref
from services.model.severity import Severity
from services.prometheus.session import PrometheusSession
from tests.monitoring.fixtures import require_monitoring
from tests.monitoring.servers import Monitored, Monitoring

EVERY = 15
HOURS = 2
NOW = int(time.time()) // 60 * 60
POD, GONE = "api-7c9d8f6b5-bcdfg", "api-5d4f6b7c8-xz245"
SILENT = (NOW - 80 * 60, NOW - 70 * 60)


def seconds(*, since: float = NOW - 3600 * HOURS, until: float = NOW) -> Iterator[int]:
    yield from (at for at in range(int(since), int(until), EVERY) if not SILENT[0] <= at < SILENT[1])


def line(name: str, at: int, value: float, **labels: str) -> str:
    inside = ",".join(f'{key}="{said}"' for key, said in labels.items())
    return f"{name}{{{inside}}} {value} {at}"


def counted(name: str, rate: float, since: float = NOW - 3600 * HOURS, until: float = NOW, **labels: str) -> list[str]:
    """Return a counter that grows by `rate` a second."""
    return [line(name, at, rate * (at - since), **labels) for at in seconds(since=since, until=until)]


def measured(
    name: str, value: float, since: float = NOW - 3600 * HOURS, until: float = NOW, **labels: str
) -> list[str]:
    return [line(name, at, value, **labels) for at in seconds(since=since, until=until)]


def history() -> str:
    shop = {"namespace": "shop", "container": "app"}
    cpu, memory = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
    lines = [
        *counted(cpu, 0.25, pod=POD, **shop),
        *counted(cpu, 0.5, until=NOW - 3600, pod=GONE, **shop),
        *counted(cpu, 9.0, namespace="shop", pod=POD, container=""),
        *counted(cpu, 9.0, namespace="shop", pod=POD, container="POD"),
        *counted(cpu, 9.0, pod="api-canary-7c9d8f6b5-bcdfg", **shop),
        *counted(cpu, 9.0, namespace="other", pod=POD, container="app"),
        *measured(memory, 3e8, pod=POD, **shop),
        *measured("kube_pod_container_resource_requests", 0.5, pod=POD, resource="cpu", **shop),
        *measured("kube_pod_container_resource_limits", 4e8, pod=POD, resource="memory", **shop),
        *measured("kube_pod_container_resource_limits", 9e9, pod=GONE, resource="memory", until=NOW - 3600, **shop),
    ]
    for pod in (POD, GONE):
        lines += counted("http_requests_total", 10.0, namespace="shop", pod=pod, code="200")
    lines += counted("http_requests_total", 5.0, NOW - 1800, namespace="shop", pod=POD, code="503")
    for le, rate in (("0.1", 10.0), ("0.5", 19.0), ("+Inf", 20.0)):
        lines += counted("http_request_duration_seconds_bucket", rate, namespace="shop", pod=POD, le=le)
    mesh = {"destination_workload_namespace": "mesh", "destination_workload": "cart", "response_code": "200"}
    for reporter in ("source", "destination"):
        lines += counted("istio_requests_total", 4.0, reporter=reporter, **mesh)
    lines += measured("queue_depth", 12.0, queue="a", job="shop") + measured("queue_depth", 1.0, queue="b", job="shop")
    began, fired, ended = NOW - 3000, NOW - 2400, NOW - 1200
    for queue in ("a", "b"):
        own = {"alertname": "Deep", "queue": queue, "job": "shop", "severity": "critical"}
        lines += measured("ALERTS", 1, began, fired, alertstate="pending", **own)
        if queue == "a":
            lines += measured("ALERTS", 1, fired, ended, alertstate="firing", **own)
    lines += [
        line("many", at, float(number), number=f"n{number}", pod=f"p{number % 3}")
        for at in (NOW - 60, NOW - 30, NOW)
        for number in range(900)
    ]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Monitored]:
    require_monitoring()
    with Monitoring() as running:
        yield running.prometheus(history=history())


Asked = Callable[..., PrometheusSession]


@pytest.fixture
async def asked(prometheus: Monitored) -> Iterator[Asked]:
    endpoints: list[Endpoint] = []

    def session(*urls: str, settings: MetricSettings | None = None) -> PrometheusSession:
        for number, url in enumerate(urls or (prometheus.url,)):
            endpoints.append(Endpoint(f"prometheus {number}", EndpointSettings(url=url), SystemClock()))
        return PrometheusSession(endpoints, settings or MetricSettings(), SystemClock())

    yield session
    for endpoint in endpoints:
        await endpoint.close()


def api(kind: str = "Deployment", name: str = "api", namespace: str = "shop") -> Ref:
    return Ref("c", "apps", kind, namespace, name)


def at(series: Series | None, moment: float) -> float:
    """Return the value of the bucket that ends at or right after a moment."""
    assert series is not None
    return series.values[math.ceil((moment - series.start) / series.step) - 1]


async def test_traffic_and_usage_of_a_deployment_with_those_of_its_pods_that_are_gone(asked: Asked) -> None:
    golden = await asked().golden(api(), [POD], NOW - 3600 * HOURS, NOW, 100)
    assert (golden.source, golden.missing) == ("prometheus 0", ())
    assert at(golden.cpu, NOW - 300) == pytest.approx(0.25, rel=0.02)
    assert at(golden.cpu, NOW - 5400) == pytest.approx(0.75, rel=0.02)
    assert at(golden.memory, NOW - 300) == 3e8
    assert at(golden.rate, NOW - 300) == pytest.approx(25.0, rel=0.02)
    assert at(golden.errors, NOW - 300) == pytest.approx(5 / 25, rel=0.02)
    assert at(golden.errors, NOW - 3000) == 0.0
    assert at(golden.p50, NOW - 300) == pytest.approx(0.1, rel=0.05)
    assert at(golden.p99, NOW - 300) == pytest.approx(0.5, rel=0.05)
    assert golden.p99 is not None
    assert golden.p99.bound == 0.5, "what is beyond the last bucket is not told"
    assert (golden.cpu_request, golden.cpu_limit, golden.memory_limit) == (0.5, 0.0, 4e8)
    assert len({(one.start, one.step, len(one.values)) for one in (golden.cpu, golden.rate, golden.p95) if one}) == 1


async def test_what_nobody_measured_is_a_gap_and_not_zero(asked: Asked) -> None:
    golden = await asked().golden(api(), [POD], NOW - 3600 * HOURS, NOW, 200)
    assert math.isnan(at(golden.memory, SILENT[1] - 120))
    assert math.isnan(at(golden.rate, SILENT[1] - 60))


async def test_a_mesh_tells_of_requests_from_one_side_only(asked: Asked) -> None:
    golden = await asked().golden(api(name="cart", namespace="mesh"), [], NOW - 1800, NOW, 60)
    assert at(golden.rate, NOW - 300) == pytest.approx(4.0, rel=0.02)
    assert at(golden.errors, NOW - 300) == 0.0
    assert golden.p95 is None
    assert golden.missing == (
        (
            "prometheus 0 has no values for the p50 of durations and the p95 of durations and the "
            "p99 of durations and CPU and memory."
        ),
    )


async def test_a_workload_that_nothing_tells_of_has_reasons_instead(asked: Asked) -> None:
    golden = await asked().golden(api(name="unknown"), ["unknown-1"], NOW - 1800, NOW, 60)
    assert (golden.rate, golden.cpu, golden.memory) == (None, None, None)
    assert [sentence.split(";")[0] for sentence in golden.missing] == [
        "No metric of requests is known for this workload",
        "prometheus 0 has no values for CPU and memory.",
    ]


@pytest.mark.parametrize("name", ['a"} or vector(1) #', "a\\", "a\nb", "(", "x|y", "ü\x1b[31m"])
async def test_a_hostile_name_stays_a_name(asked: Asked, name: str) -> None:
    golden = await asked().golden(api(name=name), [name], NOW - 1800, NOW, 60)
    assert (golden.rate, golden.cpu) == (None, None)
    assert not any("parse" in sentence for sentence in golden.missing)


async def test_queries_of_the_configuration_come_first(asked: Asked) -> None:
    own = MetricSettings(
        rate='sum(rate(http_requests_total{namespace="{namespace}",pod=~"{pods}",code="200"}[5m]))', p99="queue_depth"
    )
    golden = await asked(settings=own).golden(api(), [POD], NOW - 1800, NOW, 60)
    assert at(golden.rate, NOW - 300) == pytest.approx(20.0, rel=0.02)
    assert golden.p99 is None
    assert golden.p50 is not None
    broken = MetricSettings(rate="sum(", errors="vector(0.5)", p50="time()", p95="time()", p99="time()")
    golden = await asked(settings=broken).golden(api(), [POD], NOW - 1800, NOW, 60)
    assert golden.rate is None
    assert at(golden.errors, NOW - 300) == 0.5
    assert any("parse error" in sentence for sentence in golden.missing)


def alert(expression: str, **labels: str) -> Alert:
    own = tuple(sorted({"alertname": "Deep", "severity": "critical", "cluster": "added on the way", **labels}.items()))
    return Alert("k", "f", "Deep", Severity.CRIT, AlertState.FIRING, own, expression=expression)


async def test_the_value_of_an_alert_is_drawn_without_its_comparison(asked: Asked) -> None:
    found = await asked().alert_values(alert("queue_depth > 10", queue="b", job="shop"), NOW - 1800, NOW, 60)
    assert [set(series.values) for series in found] == [{1.0}]
    total = await asked().alert_values(alert("sum(queue_depth) > 10", queue="b"), NOW - 1800, NOW, 60)
    assert [set(series.values) for series in total] == [{13.0}]


async def test_of_a_thousand_series_only_those_of_the_alert_are_asked_for(asked: Asked) -> None:
    with pytest.raises(Problem, match="too many series"):
        await asked().alert_values(alert("many > 3"), NOW - 60, NOW, 4)
    with pytest.raises(Problem, match="too many series"):
        await asked().alert_values(alert("many > 3", pod="p0"), NOW - 60, NOW, 4)
    held = await asked().alert_values(alert('many{number=~"n1.?"} > 3', pod="p1", number="n1"), NOW - 60, NOW, 4)
    assert [series.last for series in held] == [1.0]
    assert await asked().alert_values(alert("nothing > 3"), NOW - 60, NOW, 4) == ()
    scalar = await asked().alert_values(alert("time() > 3"), NOW - 60, NOW, 4)
    assert len(scalar) == 1


async def test_when_an_alert_fired_and_was_pending(asked: Asked) -> None:
    series = await asked().alert_firing(alert("", queue="a", job="shop"), NOW - 3600, NOW, 200)
    assert (at(series, NOW - 2700), at(series, NOW - 2000)) == (0.5, 1.0)
    assert math.isnan(at(series, NOW - 900))
    assert math.isnan(at(series, NOW - 3300))
    other = await asked().alert_firing(alert("", queue="b", job="shop"), NOW - 3600, NOW, 200)
    assert other.last == 0.5
    assert (await asked().alert_firing(alert("", queue="c"), NOW - 3600, NOW, 200)).last is None


async def test_a_short_firing_is_not_lost_between_the_points_of_a_week(asked: Asked) -> None:
    series = await asked().alert_firing(alert("", queue="a", job="shop"), NOW - 7 * 86400, NOW, 60)
    assert 1.0 in series.values


async def test_a_year_is_asked_for_in_no_more_points_than_a_server_gives(asked: Asked) -> None:
    golden = await asked().golden(api(), [POD], NOW - 365 * 86400, NOW, 1_000_000)
    assert golden.cpu is not None
    assert len(golden.cpu.values) <= 11_000


async def test_the_first_that_knows_answers_and_a_dead_one_costs_nothing(asked: Asked, prometheus: Monitored) -> None:
    golden = await asked("http://127.0.0.1:9", prometheus.url).golden(api(), [POD], NOW - 1800, NOW, 60)
    assert golden.source == "prometheus 1"


async def test_where_none_answers_the_reason_is_said(asked: Asked) -> None:
    with pytest.raises(Problem, match="refused the connection"):
        await asked("http://127.0.0.1:9").golden(api(), [POD], NOW - 1800, NOW, 60)
    with pytest.raises(Problem, match="No Prometheus is configured"):
        await PrometheusSession([], MetricSettings(), SystemClock()).golden(api(), [], 0.0, 1.0, 5)
