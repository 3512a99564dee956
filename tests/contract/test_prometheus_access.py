"""Every way to a real server: certificates, passwords, tokens, tenants, prefixes, proxies; and servers that hang."""

from __future__ import annotations

import asyncio
import base64
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from services.clock import Clock, ManualClock, SystemClock
from services.config_endpoints import EndpointSettings, MetricSettings
from services.config_secret import SecretRef
from services.endpoint import Endpoint
from services.errors import Problem
from services.model.source import SourceState
from services.prometheus.session import PrometheusSession
from tests.contract.alerting import posted, shown
from tests.contract.test_prometheus_measured import alert
from tests.monitoring.forward import ForwardProxy
from tests.monitoring.servers import Monitored, Monitoring, group, rule
from tests.monitoring.web import PASSWORD, USER, Web

ALIVE = "/api/v1/status/buildinfo"
SLOW = "sum_over_time(sum_over_time(vector(1)[1h:1s])[10d:1s])"
"""Some billions of evaluations: seconds on any machine, so that the limit of one second ends it, not its answer."""

Reached = Callable[..., Endpoint]


@pytest.fixture
async def reached() -> AsyncIterator[Reached]:
    """Makes endpoints, and closes them with the test."""
    made: list[Endpoint] = []

    def endpoint(settings: EndpointSettings, clock: Clock | None = None) -> Endpoint:
        made.append(Endpoint("prometheus main", settings, clock or SystemClock(), jitter=lambda: 1.0))
        return made[-1]

    yield endpoint
    for one in made:
        await one.close()


def let_in(server: Monitored, tmp_path: Path) -> EndpointSettings:
    """Return settings with all that a server wants."""
    web, password = server.web, tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    return EndpointSettings(
        url=server.url,
        username=USER if web.basic else "",
        password=SecretRef(f"file:{password}") if web.basic else None,
        ca_file=str(web.authority) if web.tls else "",
        client_cert=str(web.certificate) if web.client_certificate else "",
        client_key=str(web.key) if web.client_certificate else "",
        timeout=5,
    )


async def test_password_and_client_certificate_by_the_servers_own_web_config(
    monitoring: Monitoring, reached: Reached, tmp_path: Path
) -> None:
    server = monitoring.prometheus(web=monitoring.web(basic=True, client_certificate=True))
    right = let_in(server, tmp_path)
    assert b"success" in await reached(right).get(ALIVE)
    (tmp_path / "wrong").write_text("guessed")
    stranger = {"client_cert": str(server.web.stranger), "client_key": str(server.web.stranger_key)}
    for changes, sentence in (
        ({"password": SecretRef(f"file:{tmp_path / 'wrong'}")}, "does not accept the credentials"),
        ({"username": "", "password": None}, "does not accept the credentials"),
        ({"ca_file": ""}, "certificate that is not trusted"),
        ({"client_cert": "", "client_key": ""}, "could not agree on TLS|broke the connection off"),
        (stranger, "could not agree on TLS|broke the connection off"),
        ({"client_key": str(server.web.stranger_key)}, "must be PEM and fit"),
        ({"client_cert": str(tmp_path / "none.crt")}, "cannot be read"),
    ):
        with pytest.raises(Problem, match=sentence) as refusal:
            await reached(structs.replace(right, **changes)).get(ALIVE)
        assert PASSWORD not in refusal.value.sentence


async def test_the_whole_pane_behind_certificates_and_passwords(monitoring: Monitoring, tmp_path: Path) -> None:
    def guarded() -> Web:
        return monitoring.web(basic=True, client_certificate=True)

    peer = monitoring.alertmanager(web=guarded(), prefix="/am")
    server = monitoring.prometheus(
        [group(rule("Real", "vector(9) > 1"))],
        alertmanagers=[peer],
        web=guarded(),
        prefix="/prom",
        arguments=["--rules.alert.resend-delay=1s"],
    )
    async with shown({"am": let_in(peer, tmp_path)}, {"main": let_in(server, tmp_path)}) as seen:
        await seen.until(lambda: seen.states() and seen.alerts()["Real"].peers == ("am", "main"), "the alert at both")
        assert seen.status("alertmanager/am") is seen.status("prometheus/main") is SourceState.LIVE


async def test_renewed_certificates_passwords_and_tokens_are_taken_up(
    monitoring: Monitoring, reached: Reached, tmp_path: Path
) -> None:
    server = monitoring.prometheus(web=monitoring.web(basic=True, client_certificate=True))
    right = let_in(server, tmp_path)
    copies = {"client_cert": tmp_path / "mine.crt", "client_key": tmp_path / "mine.key"}
    shutil.copy(server.web.stranger, copies["client_cert"])
    shutil.copy(server.web.stranger_key, copies["client_key"])
    endpoint = reached(structs.replace(right, **{name: str(path) for name, path in copies.items()}))
    with pytest.raises(Problem):
        await endpoint.get(ALIVE)
    shutil.copy(server.web.certificate, copies["client_cert"])
    shutil.copy(server.web.key, copies["client_key"])
    (tmp_path / "password").write_text("not yet")
    with pytest.raises(Problem, match="does not accept"):
        await endpoint.get(ALIVE)
    (tmp_path / "password").write_text(PASSWORD)
    assert await endpoint.get(ALIVE)

    gateway = monitoring.gateway(monitoring.prometheus().url, bearer="second")
    token = tmp_path / "token"
    token.write_text("first")
    signed = reached(EndpointSettings(url=gateway.url, bearer=SecretRef(f"file:{token}")))
    with pytest.raises(Problem, match="does not accept"):
        await signed.get(ALIVE)
    token.write_text("second")
    answers = await asyncio.gather(*(signed.get(ALIVE) for _ in range(6)))
    assert all(answers)


async def test_bearer_tenant_and_more_headers(
    monitoring: Monitoring, reached: Reached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = monitoring.alertmanager(prefix="/tenants/shop")
    gateway = monitoring.gateway(peer.url.removesuffix("/tenants/shop"), bearer="s3cret", tenant="shop")
    monkeypatch.setenv("BEARER", "s3cret")
    monkeypatch.setenv("TENANT", "shop")
    settings = EndpointSettings(
        url=f"{gateway.url}/tenants/shop/",
        bearer=SecretRef("env:BEARER"),
        headers={"X-Scope-OrgID": "env:TENANT", "X-Team": "payments"},
        timeout=5,
    )
    await asyncio.to_thread(peer.post, [posted("Ours")])
    async with shown({"gated": settings}) as seen:
        await seen.until(lambda: seen.states() == {"Ours": "firing"}, "what is behind the gateway")
    assert {one.headers["x-team"] for one in gateway.asked} == {"payments"}
    assert all(one.path.startswith("/tenants/shop/api/v2/") for one in gateway.asked)
    refused: tuple[dict[str, Any], ...] = ({"headers": {}}, {"bearer": None})
    for lacking in refused:
        with pytest.raises(Problem, match="does not accept the credentials; check bearer") as refusal:
            await reached(structs.replace(settings, **lacking)).get("/api/v2/status")
        assert "s3cret" not in refusal.value.sentence


async def test_a_missing_or_wrong_prefix_is_said(monitoring: Monitoring, reached: Reached) -> None:
    server = monitoring.prometheus(prefix="/prom")
    bare = server.url.removesuffix("/prom")
    assert await reached(EndpointSettings(url=server.url)).get(ALIVE)
    for url in (bare, f"{bare}/other"):
        with pytest.raises(Problem, match="knows no such path; check the URL's path prefix"):
            await reached(EndpointSettings(url=url)).get(ALIVE)
    with pytest.raises(Problem, match="sends elsewhere"):
        await reached(EndpointSettings(url=bare)).get("/")


async def test_a_forward_proxy_carries_plain_requests_and_tunnels(
    monitoring: Monitoring, reached: Reached, tmp_path: Path
) -> None:
    plain, tls = monitoring.prometheus(), monitoring.prometheus(web=monitoring.web(client_certificate=True))
    async with ForwardProxy() as proxy:
        for server in (plain, tls):
            assert await reached(structs.replace(let_in(server, tmp_path), proxy=proxy.url)).get(ALIVE)
        assert [line.split(" ")[:2] for line in proxy.asked] == [
            ["GET", f"{plain.url}{ALIVE}"],
            ["CONNECT", tls.url.removeprefix("https://")],
        ]
    for server in (plain, tls):
        with pytest.raises(Problem, match=r"refused the connection|through the proxy"):
            await reached(structs.replace(let_in(server, tmp_path), proxy="http://127.0.0.1:9")).get(ALIVE)


async def test_a_proxy_may_want_to_know_who_asks(monitoring: Monitoring, reached: Reached, tmp_path: Path) -> None:
    plain, tls = monitoring.prometheus(), monitoring.prometheus(web=monitoring.web(client_certificate=True))
    async with ForwardProxy("Basic " + base64.b64encode(b"me:pa55").decode()) as proxy:
        for server in (plain, tls):
            settings = let_in(server, tmp_path)
            assert await reached(structs.replace(settings, proxy=f"http://me:pa55@{proxy.address}")).get(ALIVE)
            with pytest.raises(Problem, match="proxy") as refusal:
                await reached(structs.replace(settings, proxy=f"http://me:no@{proxy.address}")).get(ALIVE)
            assert "me:no" not in refusal.value.sentence


async def test_a_hung_server_is_left_alone_tried_once_and_asked_again(monitoring: Monitoring, reached: Reached) -> None:
    server, clock = monitoring.prometheus(), ManualClock()
    endpoint = reached(EndpointSettings(url=server.url, timeout=1), clock)
    assert await endpoint.get(ALIVE)
    server.stall()
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(Problem, match="did not answer within 1 s"):
            await endpoint.get(ALIVE)
    assert time.monotonic() - began < 15.0
    began = time.monotonic()
    with pytest.raises(Problem, match="left alone for 5 s"):
        await endpoint.get(ALIVE)
    await clock.advance(5.1)
    tried = await asyncio.gather(*(endpoint.get(ALIVE) for _ in range(4)), return_exceptions=True)
    said = sorted(one.sentence for one in tried if isinstance(one, Problem))
    assert [("left alone" in one, "did not answer" in one) for one in said] == [(False, True), *[(True, False)] * 3]
    assert 9.0 < endpoint.circuit.reopens_in <= 10.0
    assert time.monotonic() - began < 15.0
    server.resume()
    await clock.advance(10.1)
    assert await endpoint.get(ALIVE)
    assert all(await asyncio.gather(*(endpoint.get(ALIVE) for _ in range(4))))


async def test_a_query_that_is_too_slow_ends_in_time_and_does_not_hold_alerts_up(
    monitoring: Monitoring, reached: Reached
) -> None:
    server, clock = monitoring.prometheus(arguments=["--query.max-samples=2000000000"]), ManualClock()
    endpoint = reached(EndpointSettings(url=server.url, timeout=1), clock)
    session = PrometheusSession([endpoint], MetricSettings(), SystemClock())
    now = SystemClock().now()
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(Problem, match=r"did not answer within 1 s|timed out"):
            await session.alert_values(alert(f"{SLOW} > 1"), now - 3600, now, 60)
        assert time.monotonic() - began < 15.0
    with pytest.raises(Problem, match="left alone for 5 s"):
        await session.alert_values(alert("vector(1) > 0"), now - 3600, now, 60)
    assert await endpoint.get(ALIVE)
    assert await endpoint.get("/api/v1/rules", [("type", "alert")])
    await clock.advance(5.1)
    assert len(await session.alert_values(alert("vector(1) > 0"), now - 3600, now, 60)) == 1
    assert endpoint.queries.reopens_in == 0


async def test_a_faulty_query_is_an_answer_and_leaves_the_way_open(monitoring: Monitoring, reached: Reached) -> None:
    endpoint = reached(EndpointSettings(url=monitoring.prometheus().url))
    queries: Any = (("sum(", "parse error"), ("rate(up)", "parse error"), ("1 + bool 2", "parse error"))
    for query, sentence in queries * 3:
        with pytest.raises(Problem, match=sentence) as refusal:
            await endpoint.get("/api/v1/query", [("query", query)])
        assert refusal.value.status == 400
    assert await endpoint.get("/api/v1/query", [("query", "1")])
