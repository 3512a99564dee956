"""What pods requested while no console watched, asked of a real Prometheus that scraped two exporters of state."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from services.clock import SystemClock
from services.config_endpoints import EndpointSettings, MetricSettings
from services.costs.allocation import Allocation
from services.costs.past import STEP, priced
from services.costs.prices import PriceBook
from services.endpoint import Endpoint
from services.model.cost import CostKind
from services.model.metric import Requests
from services.prometheus.session import PrometheusSession
from tests.monitoring.fixtures import require_monitoring
from tests.monitoring.servers import Monitoring

HOUR = 3600
NOW = int(time.time())
LAST = NOW // HOUR * HOUR
FIRST = LAST - 3 * HOUR
GIB = 1 << 30
NODES = frozenset({"n1", "n2"})
UNTIL = NOW + HOUR
"""What is asked at once is still told when these tests have waited for others."""
DOWN = (FIRST + HOUR, FIRST + 2 * HOUR)
"""The hour in which nothing was scraped."""


class Estate:
    """Lines of exposition, a minute apart, as two copies of kube-state-metrics say them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def said(self, name: str, value: float, since: float = FIRST - HOUR, until: float = UNTIL, **labels: str) -> None:
        for at in range(int(since), int(until), 60):
            if not DOWN[0] - 300 <= at < DOWN[1]:
                for copy in ("10.0.0.1:8080", "10.0.0.2:8080"):
                    inside = ",".join(f'{key}="{text}"' for key, text in {**labels, "instance": copy}.items())
                    self.lines.append(f"{name}{{{inside}}} {value} {at}")

    def node(self, name: str, cores: int) -> None:
        self.said("kube_node_info", 1, node=name)
        for resource, amount in (("cpu", cores), ("memory", 4 * cores * GIB), ("pods", 110)):
            self.said("kube_node_status_allocatable", amount, node=name, resource=resource)

    def pod(
        self, name: str, kind: str, owner: str, on: str = "n1", phase: str = "Running", until: float = UNTIL
    ) -> None:
        who = {"namespace": "shop", "pod": name}
        self.said(
            "kube_pod_owner", 1, until=until, owner_kind=kind, owner_name=owner, owner_is_controller="true", **who
        )
        for one in ("Pending", "Running", "Succeeded"):
            self.said("kube_pod_status_phase", int(one == phase), until=until, phase=one, **who)
        for container in ("app", "proxy"):
            for resource, amount in (("cpu", 0.25), ("memory", GIB // 2)):
                more = {"container": container, "resource": resource, "node": on}
                self.said("kube_pod_container_resource_requests", amount, until=until, **who, **more)


def history() -> str:
    estate = Estate()
    estate.node("n1", 4)
    estate.node("n2", 4)
    estate.pod("cart-6b7f9c8d5-aaaaa", "ReplicaSet", "cart-6b7f9c8d5")
    estate.pod("cart-6b7f9c8d5-bbbbb", "ReplicaSet", "cart-6b7f9c8d5", "n2", until=FIRST + HOUR // 2)
    estate.pod("db-0", "StatefulSet", "db")
    estate.pod("kube-proxy-n2", "Node", "n2", "n2")
    estate.pod("debug", "", "")
    estate.pod("report-29384750-x", "Job", "report-29384750", phase="Succeeded")
    estate.pod("waits", "ReplicaSet", "waits-6b7f9c8d5", on="", phase="Pending")
    return "\n".join([*sorted(estate.lines, key=lambda line: line.split("{")[0]), "# EOF", ""])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    require_monitoring()
    with Monitoring() as running:
        yield running.prometheus(history=history()).url


@pytest.fixture
async def session(url: str) -> AsyncIterator[PrometheusSession]:
    endpoint = Endpoint("prometheus main", EndpointSettings(url=url), SystemClock())
    yield PrometheusSession([endpoint], MetricSettings(), SystemClock())
    await endpoint.close()


async def test_requests_are_told_by_owner_and_copies_of_the_exporter_count_once(session: PrometheusSession) -> None:
    found = await session.requests(FIRST, LAST, STEP, NODES)
    assert (found.start, found.step) == (FIRST + STEP / 2, STEP)
    assert {node.name: (node.cpu[0], node.memory[0], len(node.cpu)) for node in found.nodes} == {
        "n1": (4.0, 16.0 * GIB, 12),
        "n2": (4.0, 16.0 * GIB, 12),
    }
    assert {(one.kind, one.namespace, one.name): (one.cpu[0], one.memory[3]) for one in found.owners} == {
        ("ReplicaSet", "shop", "cart-6b7f9c8d5"): (1.0, 1.0 * GIB),
        ("StatefulSet", "shop", "db"): (0.5, 1.0 * GIB),
        ("Node", "shop", "kube-proxy-n2"): (0.5, 1.0 * GIB),
        ("", "shop", "debug"): (0.5, 1.0 * GIB),
    }
    assert all(math.isnan(value) for one in (*found.nodes, *found.owners) for value in one.cpu[5:8])


async def test_hours_are_priced_and_one_in_which_nothing_was_scraped_stays_unknown(session: PrometheusSession) -> None:
    allocation = Allocation(PriceBook(), "team", {"control plane": 0.1})
    first, last = priced(await session.requests(FIRST, LAST, STEP, NODES), allocation)
    assert ([first.hour, last.hour], last.watched) == ([FIRST, FIRST + 2 * HOUR], HOUR)
    whole = 8 * 31_611 + 32 * 4_237 + 100_000
    assert abs(last.total - whole) <= 2
    half = 0.5 * 31_611 + 4_237
    spent = {(one.share.workload, one.share.name): one.amount for one in first.entries}
    assert spent["Deployment", "cart"] == pytest.approx(1.5 * half, abs=2)
    assert spent["StatefulSet", "db"] == pytest.approx(half, abs=2)
    assert spent["Pod", "debug"] == pytest.approx(half, abs=2)
    assert {one.share.kind for one in first.entries} == {CostKind.WORKLOAD, CostKind.IDLE, CostKind.FLAT}


async def test_a_prometheus_of_another_cluster_tells_nothing(session: PrometheusSession) -> None:
    for nodes in ({"m1", "m2"}, {"n1"}, {"n1", "n2", "n3"}, set()):
        assert await session.requests(FIRST, LAST, STEP, nodes) == Requests(FIRST + STEP / 2, STEP)


async def test_what_is_older_than_what_it_keeps_is_nothing(session: PrometheusSession) -> None:
    assert (await session.requests(FIRST - 48 * HOUR, FIRST - 24 * HOUR, STEP, NODES)).nodes == ()
