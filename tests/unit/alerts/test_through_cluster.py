"""Servers behind a cluster's own API server: asked as any other, and what the cluster refuses is said."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.clock import SystemClock
from services.config_endpoints import EndpointSettings, MetricSettings
from services.endpoint import Endpoint
from services.errors import Problem
from services.kubernetes.credentials import Credentials
from services.kubernetes.kubeconfig import identify
from services.kubernetes.settings import load
from services.kubernetes.transport import Transport
from services.model.ref import Ref
from services.model.source import SourceState
from services.prometheus.session import PrometheusSession
from services.rehearsal.server import Options, Rehearsal
from tests.contract.alerting import shown_at

SERVICES = {"prometheus": "monitoring/prometheus:9090", "am": "monitoring/alertmanager-0:web"}


@pytest.fixture
async def estate() -> AsyncIterator[Rehearsal]:
    async with Rehearsal(Options(scenario="bad-deploy", size="tiny", seed=5, life=False)) as running:
        yield running


class Ways:
    """Endpoints behind one account of the estate."""

    def __init__(self, estate: Rehearsal, account: str = "admin") -> None:
        address = estate.address
        identity = identify([str(address.kubeconfig)], context=address.contexts[account])
        self.transport = Transport(Credentials(load(identity), SystemClock()))
        self.made: list[Endpoint] = []

    def to(self, service: str, timeout: int = 10) -> Endpoint:
        settings = EndpointSettings(service=service, timeout=timeout)
        self.made.append(Endpoint(f"server {service}", settings, SystemClock(), lambda: self.transport))
        return self.made[-1]

    async def __aenter__(self) -> Ways:
        return self

    async def __aexit__(self, *_: object) -> None:
        for endpoint in self.made:
            await endpoint.close()
        await self.transport.close()


async def test_alerts_and_measurements_come_through_the_cluster(estate: Rehearsal) -> None:
    async with Ways(estate) as ways:
        prometheus = ways.to(SERVICES["prometheus"])
        async with shown_at({"am": ways.to(SERVICES["am"])}, {"main": prometheus}) as seen:
            await seen.until(lambda: "firing" in seen.states().values(), "alerts")
            assert seen.status("alertmanager/am") is seen.status("prometheus/main") is SourceState.LIVE
            assert seen.peers()["am"].url == "service monitoring/alertmanager-0:web"
        now, found = estate.clock.now(), []
        session = PrometheusSession([prometheus], MetricSettings(), SystemClock())
        for app in (one for one in estate.plan.apps if one.kind == "Deployment"):
            ref = Ref("c", "apps", "Deployment", app.namespace, app.name)
            found.append(await session.golden(ref, [], now - 1800, now, 60))
            if found[-1].rate is not None:
                break
        assert found[-1].rate is not None
        assert all(golden.cpu is not None for golden in found)


async def test_several_values_of_one_name_all_arrive(estate: Rehearsal) -> None:
    async with Ways(estate) as ways:
        matches = [("match[]", "up"), ("match[]", "kube_pod_info")]
        told = await ways.to(SERVICES["prometheus"]).get("/api/v1/label/__name__/values", matches)
        assert b'"up"' in told
        assert b'"kube_pod_info"' in told


@pytest.mark.parametrize(
    ("account", "service", "sentence"),
    [
        ("viewer", "monitoring/prometheus:9090", r"cannot get resource \"services/proxy\".*ask for a role"),
        ("narrow", "monitoring/prometheus:9090", r"cannot get resource \"services/proxy\".*ask for a role"),
        ("admin", "monitoring/nothing:9090", r"not found"),
        ("admin", "monitoring/prometheus:1", r"no service port \"1\""),
    ],
)
async def test_what_the_cluster_refuses_is_said(estate: Rehearsal, account: str, service: str, sentence: str) -> None:
    async with Ways(estate, account) as ways:
        endpoint = ways.to(service)
        with pytest.raises(Problem, match=sentence):
            await endpoint.get("/api/v2/status")
        async with shown_at({"behind": ways.to(service)}) as seen:
            await seen.until(lambda: seen.status("alertmanager/behind") is SourceState.FAILED, "the refusal")
            assert f"server {service} through the cluster" in seen.error("alertmanager/behind")


async def test_servers_that_stand_still_or_are_gone_behind_the_cluster_are_said(estate: Rehearsal) -> None:
    async with Ways(estate) as ways:
        endpoint, hasty = ways.to(SERVICES["am"], timeout=60), ways.to(SERVICES["am"], timeout=1)
        assert await endpoint.get("/api/v2/status")
        estate.watchtower.hang("alertmanager-0")
        with pytest.raises(Problem, match=r"did not answer within 1 s|did not answer in time"):
            await hasty.get("/api/v2/status")
        estate.watchtower.hang("alertmanager-0", on=False)
        await estate.watchtower.stop("alertmanager-0")
        with pytest.raises(Problem, match="connection refused"):
            await endpoint.get("/api/v2/status")
        await estate.watchtower.start("alertmanager-0")
        assert await endpoint.get("/api/v2/status")


async def test_without_a_cluster_it_says_that_it_needs_one() -> None:
    endpoint = Endpoint("server far", EndpointSettings(service=SERVICES["am"]), SystemClock())
    with pytest.raises(Problem, match="reached through the cluster, which is not connected"):
        await endpoint.get("/api/v2/status")
