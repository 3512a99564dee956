"""The rehearsal's Prometheus and Alertmanagers beside the real ones: the real tools work, equal series answer alike."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.model.action import Outcome
from tests.contract.operating import operator
from tests.contract.rehearsed import PATIENCE, Json, Rehearsed, rehearsed
from tests.controlplane.process import until
from tests.monitoring.servers import Monitoring, await_alert, group, rule


@pytest.fixture(scope="module")
def estate() -> Iterator[Rehearsed]:
    with rehearsed() as running:
        yield running


def tool(name: str, *arguments: str, fails: bool = False) -> str:
    """Run promtool or amtool; skip where it is missing, fail in CI."""
    binary = shutil.which(name)
    if binary is None:
        reason = f"{name} not found; install the packages prometheus and prometheus-alertmanager"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode != 0) == fails, done.stderr + done.stdout
    return done.stderr if fails else done.stdout


def silences_at(url: str) -> str:
    """Return what amtool lists of the silences that an Alertmanager knows and that have not ended, as JSON."""
    return tool("amtool", f"--alertmanager.url={url}", "silence", "query", "-o", "json")


def told_of(url: str, comment: str) -> Json:
    """Return the silence whose comment begins so, once that Alertmanager has heard of it from its peer."""
    found: list[Json] = []

    def heard() -> bool:
        listed = json.loads(silences_at(url))
        found[:] = [one for one in listed if one["comment"].startswith(comment)]
        return bool(found)

    until(heard, PATIENCE, f"{url} hearing of the silence {comment}")
    (silence,) = found
    return silence


def test_promtool_asks_instants_ranges_series_and_labels(estate: Rehearsed) -> None:
    url = estate.prometheus
    found = tool("promtool", "query", "instant", url, 'sum by (namespace) (rate(http_requests_total{code="200"}[5m]))')
    assert found.count("=> ") >= 3
    now = datetime.now(UTC).timestamp()
    asked = ("--start", str(now - 3600), "--end", str(now), "--step", "60s")
    found = tool("promtool", "query", "range", *asked, url, "up")
    assert found.count("@[") > 60
    assert 'alertname="Watchdog"' in tool("promtool", "query", "series", "--match=ALERTS", url)
    names = tool("promtool", "query", "labels", url, "__name__").split()
    assert {"up", "ALERTS", "http_requests_total", "kube_pod_info"} <= set(names)
    refused = tool("promtool", "query", "instant", url, "sum(", fails=True)
    assert "bad_data" in refused
    assert "parse error" in refused


def test_promtool_finds_the_rules_well_written(estate: Rehearsed, tmp_path: Path) -> None:
    document = {"groups": [_written(one) for one in estate.get("/api/v1/rules")["groups"]]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(document))
    assert "SUCCESS" in tool("promtool", "check", "rules", str(tmp_path / "rules.yaml"))
    (tmp_path / "prometheus.yaml").write_text(estate.get("/api/v1/status/config")["yaml"])
    assert "SUCCESS" in tool("promtool", "check", "config", "--syntax-only", str(tmp_path / "prometheus.yaml"))


def _written(shown: Json) -> Json:
    """Return a group as its file would have it."""
    rules = [
        {
            "alert": one["name"],
            "expr": one["query"],
            "for": f"{one['duration']:.0f}s",
            "labels": one["labels"],
            "annotations": one["annotations"],
        }
        for one in shown["rules"]
    ]
    return {"name": shown["name"], "interval": f"{shown['interval']}s", "rules": rules}


def test_amtool_lists_alerts_and_checks_the_configuration(estate: Rehearsed, tmp_path: Path) -> None:
    url = f"--alertmanager.url={estate.alertmanagers[0]}"
    active = json.loads(tool("amtool", url, "alert", "query", "-o", "json"))
    assert "Watchdog" in {one["labels"]["alertname"] for one in active}
    assert all(not one["status"]["silencedBy"] and not one["status"]["inhibitedBy"] for one in active)
    for state in ("silenced", "inhibited"):
        hidden = json.loads(tool("amtool", url, "alert", "query", f"--{state}", "-o", "json"))
        assert hidden, state
        assert all(one["status"]["state"] == "suppressed" for one in hidden)
    one = json.loads(tool("amtool", url, "alert", "query", 'alertname="Watchdog"', "-o", "json"))
    assert [alert["labels"]["severity"] for alert in one] == ["none"]
    status = httpx.get(f"{estate.alertmanagers[0]}/api/v2/status", timeout=PATIENCE).json()
    (tmp_path / "config.yaml").write_text(status["config"]["original"])
    assert "SUCCESS" in tool("amtool", "check-config", str(tmp_path / "config.yaml"))
    assert "team-chat" in tool("amtool", url, "config", "routes", "show")


def test_amtool_silences_at_one_peer_and_both_know(estate: Rehearsed) -> None:
    first, second = (f"--alertmanager.url={url}" for url in estate.alertmanagers)
    told = ("--author=tester", "--comment=drill", "--duration=1h", "alertname=Watchdog")
    identity = tool("amtool", first, "silence", "add", *told).strip()
    assert told_of(estate.alertmanagers[1], "drill")["id"] == identity
    assert identity in tool("amtool", first, "silence", "query", "alertname=Watchdog")
    for url in (first, second):
        active = json.loads(tool("amtool", url, "alert", "query", "-o", "json"))
        assert "Watchdog" not in {one["labels"]["alertname"] for one in active}
    tool("amtool", second, "silence", "expire", identity)

    def ended() -> bool:
        return identity in tool("amtool", first, "silence", "query", "--expired", "--within=1h")

    until(ended, PATIENCE, "the end of the silence")
    active = json.loads(tool("amtool", first, "alert", "query", "-o", "json"))
    assert "Watchdog" in {one["labels"]["alertname"] for one in active}


def test_amtool_adds_an_alert_to_one_peer_only(estate: Rehearsed) -> None:
    first, second = (f"--alertmanager.url={url}" for url in estate.alertmanagers)
    tool("amtool", first, "alert", "add", "alertname=ByHand", "severity=warning", "--annotation=summary=tried")
    assert "ByHand" in tool("amtool", first, "alert", "query", "alertname=ByHand")
    assert "ByHand" not in tool("amtool", second, "alert", "query", "alertname=ByHand")


def test_rules_alerts_and_status_have_the_real_shape(estate: Rehearsed, monitoring: Monitoring) -> None:
    peer = monitoring.alertmanager()
    rules = [
        rule("Firing", "vector(1)", labels={"severity": "warning"}, summary="it is {{ $value }}"),
        rule("Pending", "vector(1)", hold="1h"),
    ]
    arguments = ["--rules.alert.resend-delay=1s"]
    labels = {"cluster": "one"}
    real = monitoring.prometheus([group(*rules)], alertmanagers=[peer], external_labels=labels, arguments=arguments)
    await_alert(real, "Firing", "firing")
    for path in (
        "/api/v1/alerts",
        "/api/v1/rules",
        "/api/v1/alertmanagers",
        "/api/v1/status/buildinfo",
        "/api/v1/status/config",
    ):
        assert _covers(estate.get(path), real.get(path)["data"], path) == []
    deadline = time.monotonic() + 90
    while not (shown := httpx.get(f"{peer.url}/api/v2/alerts", timeout=5).json()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert shown
    peer.silence({"alertname": "Other"}, _stamp(0), _stamp(3600))
    for path in ("alerts", "alerts/groups", "silences", "status", "receivers"):
        theirs = httpx.get(f"{peer.url}/api/v2/{path}", timeout=5).json()
        mine = httpx.get(f"{estate.alertmanagers[0]}/api/v2/{path}", timeout=PATIENCE).json()
        assert _covers(mine, theirs, path) == []


def _stamp(ahead: float) -> str:
    return datetime.fromtimestamp(time.time() + ahead, UTC).isoformat()


OPTIONAL = {"labels", "annotations", "alerts", "peers"}
"""Keys below which the names are data, not shape."""


def _covers(mine: Any, real: Any, where: str) -> list[str]:
    """Return what the real answer has and mine lacks, or has of another type."""
    if isinstance(real, dict):
        if not isinstance(mine, dict):
            return [f"{where}: {type(mine).__name__} is no object"]
        if where.rsplit(".", 1)[-1] in {"labels", "annotations"}:
            return []
        found = [f"{where}.{key} is missing" for key in real if key not in mine and key != "name"]
        return found + [one for key in real if key in mine for one in _covers(mine[key], real[key], f"{where}.{key}")]
    if isinstance(real, list):
        if not isinstance(mine, list):
            return [f"{where}: {type(mine).__name__} is no array"]
        return _covers(mine[0], real[0], f"{where}[]") if real and mine else []
    same = isinstance(mine, int | float) if isinstance(real, int | float) else isinstance(mine, type(real))
    return [] if same else [f"{where}: {mine!r} beside {real!r}"]


REFUSED = (
    {},
    {"matchers": [], "startsAt": "0", "endsAt": "3600", "createdBy": "a", "comment": "b"},
    {"matchers": [{"name": "a", "value": "b"}], "startsAt": "0", "endsAt": "3600", "createdBy": "a", "comment": "b"},
    {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "-9",
        "endsAt": "-5",
        "createdBy": "a",
        "comment": "b",
    },
    {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "50",
        "endsAt": "20",
        "createdBy": "a",
        "comment": "b",
    },
    {
        "matchers": [{"name": "a", "value": ".*", "isRegex": True}],
        "startsAt": "0",
        "endsAt": "9",
        "createdBy": "a",
        "comment": "b",
    },
    {
        "matchers": [{"name": "a", "value": "(", "isRegex": True}],
        "startsAt": "0",
        "endsAt": "9",
        "createdBy": "a",
        "comment": "b",
    },
    {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "0",
        "endsAt": "9",
        "createdBy": "a",
        "comment": "",
    },
    {"matchers": [{"name": "a", "value": "b", "isRegex": False}], "startsAt": "0", "endsAt": "9", "createdBy": "a"},
    {
        "id": "00000000-0000-4000-8000-000000000000",
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "0",
        "endsAt": "9",
        "createdBy": "a",
        "comment": "b",
    },
)


@pytest.mark.parametrize("body", REFUSED)
def test_silences_are_refused_alike(estate: Rehearsed, monitoring: Monitoring, body: Json) -> None:
    filled = {key: _stamp(float(value)) if key in {"startsAt", "endsAt"} else value for key, value in body.items()}
    real_peer = monitoring.alertmanager()
    mine, real = (
        httpx.post(f"{base}/api/v2/silences", json=filled, timeout=PATIENCE)
        for base in (estate.alertmanagers[0], real_peer.url)
    )
    assert mine.status_code == real.status_code, (mine.text, real.text)
    if real.status_code != 200:
        assert type(mine.json() if mine.content else "") is type(real.json() if real.content else "")


def test_a_peer_dies_and_comes_back_without_alerts(estate: Rehearsed) -> None:
    first, second = estate.alertmanagers
    estate.pull("stop-server", name="alertmanager-1")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{second}/api/v2/status", timeout=PATIENCE)
    status = httpx.get(f"{first}/api/v2/status", timeout=PATIENCE).json()
    assert len(status["cluster"]["peers"]) == 1
    estate.pull("start-server", name="alertmanager-1")
    status = httpx.get(f"{second}/api/v2/status", timeout=PATIENCE).json()
    assert status["cluster"]["status"] == "settling"
    assert httpx.get(f"{second}/api/v2/alerts", timeout=PATIENCE).json() == []
    assert httpx.get(f"{second}/api/v2/silences", timeout=PATIENCE).json() != []


async def test_a_silence_of_ours_is_amtool_s_too_and_the_other_way_round(estate: Rehearsed) -> None:
    first, second = estate.alertmanagers
    async with operator({"am-1": first, "am-2": second}) as one:
        target = await one.alert("Watchdog")
        plan = await one.plan("silence", target, comment="INC-42", for_="1h")
        assert plan.typed == "Watchdog"
        ended = await one.run(plan)
        assert ended.outcome is Outcome.OK, ended.text
        assert ended.undo is not None
        mine = await asyncio.to_thread(told_of, second, "INC-42")
        assert mine["id"] == ended.undo.ref.uid
        tool("amtool", f"--alertmanager.url={first}", "silence", "expire", mine["id"])
        await asyncio.to_thread(until, lambda: "INC-42" not in silences_at(second), PATIENCE, "the end of INC-42")
        plan = await one.plan("ack", target)
        assert (await one.run(plan)).outcome is Outcome.OK
        await asyncio.to_thread(told_of, second, "ACK! alice")
        assert (await one.do("expire", target)).outcome is Outcome.OK
