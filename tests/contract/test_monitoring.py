"""The servers of the monitoring tests themselves: they start, take alerts, let in whom they should, and end."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.controlplane.process import until
from tests.monitoring.servers import Monitoring, await_alert, group, rule


def test_an_alert_of_an_exported_series_reaches_the_alertmanager(monitoring: Monitoring) -> None:
    exporter = monitoring.exporter()
    exporter.set("queue_depth", 12.0, queue='a"b\\c')
    alertmanager = monitoring.alertmanager(prefix="/am")
    prometheus = monitoring.prometheus(
        [group(rule("Deep", "queue_depth > 10", severity="critical"))],
        scrape={"tried": exporter},
        alertmanagers=[alertmanager],
        prefix="/prom",
    )
    told = await_alert(prometheus, "Deep", "firing")
    assert (told["labels"]["queue"], float(told["value"])) == ('a"b\\c', 12.0)
    until(lambda: bool(alertmanager.get("/api/v2/alerts")), 20, "the alert reaching the Alertmanager")
    now = datetime.now(UTC)
    silence = alertmanager.silence({"alertname": "Deep"}, now.isoformat(), (now + timedelta(hours=1)).isoformat())
    until(
        lambda: alertmanager.get("/api/v2/alerts")[0]["status"]["silencedBy"] == [silence], 5, "the alert being silent"
    )


def test_two_alertmanagers_find_each_other_and_a_restarted_one_is_empty(monitoring: Monitoring) -> None:
    first = monitoring.alertmanager(clustered=True)
    second = monitoring.alertmanager(peers=[first])
    until(lambda: len(second.get("/api/v2/status")["cluster"]["peers"]) == 2, 20, "the peers meeting")
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    first.post([{"labels": {"alertname": "Posted"}, "endsAt": ends}])
    assert [one["labels"]["alertname"] for one in first.get("/api/v2/alerts")] == ["Posted"]
    assert second.get("/api/v2/alerts") == []
    first.restart(empty=True)
    assert first.get("/api/v2/alerts") == []


def test_history_of_the_past_can_be_given(monitoring: Monitoring) -> None:
    now = int(time.time())
    lines = [f"old_total {index} {now - 7200 + index * 60}" for index in range(100)]
    prometheus = monitoring.prometheus(history="\n".join(["# TYPE old counter", *lines, "# EOF", ""]))
    answer = prometheus.get("/api/v1/query", query="old_total", time=str(now - 3600))
    assert float(answer["data"]["result"][0]["value"][1]) == 60.0


def test_basic_authentication_and_client_certificates_are_asked_for(monitoring: Monitoring) -> None:
    web = monitoring.web(basic=True, client_certificate=True)
    prometheus = monitoring.prometheus(web=web)
    assert prometheus.get("/api/v1/status/buildinfo")["status"] == "success"
    with (
        httpx.Client(base_url=prometheus.url, verify=False, trust_env=False) as stranger,  # noqa: S501 - to be refused
        pytest.raises(httpx.HTTPError),
    ):
        stranger.get("/-/ready").raise_for_status()


def test_the_gateway_lets_in_only_with_bearer_and_tenant(monitoring: Monitoring) -> None:
    gateway = monitoring.gateway(monitoring.prometheus().url, bearer="right", tenant="shop")
    headers = {"Authorization": "Bearer right", "X-Scope-OrgID": "shop"}
    path = f"{gateway.url}/api/v1/status/buildinfo"
    assert httpx.get(path, headers=headers, trust_env=False).status_code == 200
    for name in headers:
        lacking = {key: value for key, value in headers.items() if key != name}
        assert httpx.get(path, headers=lacking, trust_env=False).status_code == 401
