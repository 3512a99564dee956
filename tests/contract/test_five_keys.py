"""From the row of a page to a verified rollback with the room told, on real servers, by five keys at the most."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cache.ledger.ledger import Ledger
from services.clock import SystemClock
from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.plane import ControlPlane
from tests.controlplane.process import until
from tests.flows import program as flows
from tests.monitoring.servers import Monitoring, await_alert, group, rule
from tests.unit.notifications.vendor import vendor

IMAGE = "registry.example/basket"
GOOD, BAD = f"{IMAGE}:1.4.0", f"{IMAGE}:1.5.0-crash"
CONFIG = '[notify.room]\ntype = "slack"\nurl = "env:ROOM_WEBHOOK"\nto = ["#payments-oncall"]\n'
CANARY = "canary-webhook-path"


async def test_a_page_is_rolled_back_and_told_with_four_keys(
    plane: ControlPlane,
    monitoring: Monitoring,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("state")
    template = manifests.pod_template("basket", GOOD)
    await apply(plane, manifests.workload("Deployment", namespace, "basket", template, replicas=2))
    await kubectl(plane, "-n", namespace, "rollout", "status", "deployment/basket", "--timeout=180s")
    exporter = monitoring.exporter()
    labels = {"namespace": namespace, "deployment": "basket"}
    exporter.set("failing_ratio", 0.4, **labels)
    alertmanager = monitoring.alertmanager()
    rules = [group(rule("BasketErrors", "failing_ratio > 0.05", labels={"severity": "critical"}))]
    prometheus = monitoring.prometheus(rules, scrape={"tried": exporter}, alertmanagers=[alertmanager])
    await kubectl(plane, "-n", namespace, "set", "image", "deployment/basket", f"basket={BAD}")
    await asyncio.to_thread(await_alert, prometheus, "BasketErrors", "firing")

    async with vendor() as room:
        (folder / "config.toml").write_text(CONFIG)
        monkeypatch.setattr(flows, "PATIENCE", 240.0)
        monkeypatch.setenv("ROOM_WEBHOOK", f"{room.url}/{CANARY}")
        monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(folder / "state"))
        monkeypatch.setenv("QUARTERDECK_PROMETHEUS_URLS", prometheus.url)
        monkeypatch.setenv("QUARTERDECK_ALERTMANAGER_URLS", alertmanager.url)
        words = ("--kubeconfig", str(plane.kubeconfig()), "-n", namespace, "--config", str(folder / "config.toml"))
        async with flows.program(*words) as running:
            await running.until_seen("BasketErrors", "rev 2")
            await running.press("2")
            keys = 0

            async def press(key: str) -> None:
                nonlocal keys
                keys += 1
                await running.press(key)

            await press("enter")
            await running.until_seen("BasketErrors", "SUSPECT", "rev 2")
            await press("R")
            await running.until_seen("Roll back", GOOD, "Cancel", "BasketErrors clears")
            await running.until(lambda: getattr(running.app.screen, "armed", False))
            await press("y")
            await running.until_seen("audit entry", "send")
            await asyncio.to_thread(_until_back, plane, namespace)
            exporter.set("failing_ratio", 0.0, **labels)
            await running.until_seen("OK", "its alerts have cleared", "tells:", "#payments-oncall")
            await running.until(lambda: getattr(running.app.screen, "armed", False))
            await press("T")
            await running.until(lambda: bool(room.got))
            assert keys <= 5
            assert "rolled back" in json.dumps([json.loads(body) for _, _, body in room.got])
            screen = running.text
    assert CANARY not in screen
    _check_record(folder / "state")


def _check_record(folder: Path) -> None:
    """The trail holds and says how it ended; the webhook's secret stands nowhere."""
    ledger = Ledger(folder, SystemClock())
    assert ledger.verify().ok
    assert [one.result for one in ledger.entries() if one.kind == "outcome"] == ["ok"]
    ledger.close()
    assert not any(CANARY.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _until_back(plane: ControlPlane, namespace: str) -> None:
    """Wait until the good image is asked for again."""

    def back() -> bool:
        image = "{.spec.template.spec.containers[0].image}"
        return plane.kubectl("-n", namespace, "get", "deploy", "basket", "-o", f"jsonpath={image}").stdout == GOOD

    until(back, 60, "the good image")
