"""A bad image on the real control plane and a real alert firing on it meet on one screen, in order, with reasons."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane
from tests.controlplane.process import until
from tests.flows import program as flows
from tests.monitoring.servers import Monitored, Monitoring, await_alert, group, rule

NAMES = ("basket", "ledger", "mailer", "quotes", "tracking", "pricing")


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_explain_screen_names_the_rollout(
    plane: ControlPlane,
    monitoring: Monitoring,
    namespace: str,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    chance = random.Random(seed)  # noqa: S311 - names, not keys
    name = chance.choice(NAMES)
    good, bad = f"{chance.randint(1, 9)}.{chance.randint(0, 9)}.0", f"{chance.randint(10, 19)}.0.0-crash"
    image = f"registry.example/{name}"
    template = manifests.pod_template(name, f"{image}:{good}")
    await apply(plane, manifests.workload("Deployment", namespace, name, template, replicas=2))
    await kubectl(plane, "-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=180s")

    exporter = monitoring.exporter()
    labels = {"namespace": namespace, "deployment": name}
    exporter.set("failing_ratio", 0.0, **labels)
    alertmanager = monitoring.alertmanager()
    alert = f"{name.capitalize()}Errors"
    runbook = f"https://runbooks.example/{alert}"
    rules = [group(rule(alert, "failing_ratio > 0.05", labels={"severity": "critical"}, runbook_url=runbook))]
    prometheus = monitoring.prometheus(rules, scrape={"tried": exporter}, alertmanagers=[alertmanager])
    await kubectl(plane, "-n", namespace, "set", "image", f"deployment/{name}", f"{name}={image}:{bad}")
    await asyncio.to_thread(_until_crashing, plane, namespace)
    exporter.set("failing_ratio", 0.4, **labels)
    await asyncio.to_thread(await_alert, prometheus, alert, "firing")

    monkeypatch.setattr(flows, "PATIENCE", 180.0)
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("QUARTERDECK_PROMETHEUS_URLS", prometheus.url)
    monkeypatch.setenv("QUARTERDECK_ALERTMANAGER_URLS", alertmanager.url)
    async with flows.program("--kubeconfig", str(plane.kubeconfig()), "-n", namespace) as running:
        await running.until_seen(alert, "rev 2", f"{namespace}/{name}")
        assert bad in running.text
        await running.press("X")
        await running.until_seen("SUSPECT", "same workload", "rollout unhealthy", bad)
        suspect = next(line for line in running.text.splitlines() if "SUSPECT" in line)
        assert re.search(r"SUSPECT +\d\d (likely|possible)", suspect)
        await running.press("escape")
        rolled_out, fired = await _times(running, alert)
        assert rolled_out < fired
        await running.press("2", "enter")
        await running.until_seen(alert, "SUSPECT", "LABELS", namespace)

    told = await asyncio.to_thread(_paged, alertmanager, alert)
    for link in (f"{alertmanager.url}/#/alerts?silenced=false&filter={_filter(told)}", told["generatorURL"]):
        async with flows.program("open", link, "--kubeconfig", str(plane.kubeconfig()), "-n", namespace) as running:
            await running.until_seen(alert, "firing", f"{namespace}/{name}", "SUSPECT", "same workload", bad)
            assert running.app.front is not None
            assert running.app.front.place == "alert"
    there = ("--kubeconfig", str(plane.kubeconfig()), "-n", namespace)
    async with flows.program("open", f"{namespace}/deploy/{name}", *there, size=(200, 60)) as running:
        await running.until_seen(alert, runbook, "LAST LOG", "FATAL cannot start: required configuration is missing")


def _paged(alertmanager: Monitored, alert: str) -> dict[str, Any]:
    """Return the alert as Alertmanager would notify of it."""
    listed: list[dict[str, Any]] = alertmanager.get("/api/v2/alerts")
    return next(one for one in listed if one["labels"]["alertname"] == alert)


def _filter(told: dict[str, Any]) -> str:
    """Return the filter of a notification's link, which names every label."""
    return quote("{" + ",".join(f'{name}="{value}"' for name, value in told["labels"].items()) + "}", safe="")


async def _times(running: flows.Program, alert: str) -> tuple[float, float]:
    """Return when the timeline says that the second revision came, and when the alert began."""

    def found(word: str) -> list[float]:
        return [event.at for event in running.assembly.live.snapshot().events if word in event.text]

    await running.until(lambda: bool(found("rev 2") and found(alert)))
    return max(found("rev 2")), max(found(alert))


def _until_crashing(plane: ControlPlane, namespace: str) -> None:
    """Wait until a pod of the bad image has crashed."""

    def crashing() -> bool:
        reason = "{.items[*].status.containerStatuses[*].state.waiting.reason}"
        return "CrashLoopBackOff" in plane.kubectl("-n", namespace, "get", "pods", "-o", f"jsonpath={reason}").stdout

    until(crashing, 60, "a pod of the bad image crashing")
