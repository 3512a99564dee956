"""From the row of the demo's page to a verified rollback with the room told: five keys at the most, all counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cache.ledger.ledger import Ledger
from services.clock import SystemClock
from services.rehearsal.clock import Alarm, WallClock
from tests.flows import program as flows
from tests.flows.program import estate_served, kubeconfig_of, program
from tests.unit.notifications.vendor import vendor

CONFIG = '[notify.room]\ntype = "slack"\nurl = "env:ROOM_WEBHOOK"\nto = ["#payments-oncall"]\n'
MOST = 5
FASTER = 16.0


class Hurried(WallClock):
    """The machine's clock, which runs faster from some moment on: nobody waits for minutes to be over."""

    _from = 0.0

    def hurry(self) -> None:
        """Run faster from now on."""
        self._from = super().now()

    def now(self) -> float:
        now = super().now()
        return now + (now - self._from) * (FASTER - 1) if self._from else now

    def call_at(self, due: float, action: Callable[[], None]) -> Alarm:
        left = max(0.0, due - self.now()) / (FASTER if self._from else 1.0)
        return asyncio.get_running_loop().call_later(left, action)


async def test_the_demo_is_rolled_back_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "QUARTERDECK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(flows, "PATIENCE", 180.0)
    clock = Hurried()
    with estate_served(clock=clock) as estate:
        monkeypatch.setenv("QUARTERDECK_PROMETHEUS_URLS", estate.address.prometheus)
        monkeypatch.setenv("QUARTERDECK_ALERTMANAGER_URLS", ",".join(estate.address.alertmanagers))
        async with vendor() as room:
            monkeypatch.setenv("ROOM_WEBHOOK", f"{room.url}/hook")
            async with program("--kubeconfig", kubeconfig_of(estate), "--config", str(config)) as console:
                await console.until_seen("SUSPECT", "rev ")
                await console.press("2")
                keys: list[str] = []

                async def press(key: str) -> None:
                    keys.append(key)
                    await console.press(key)

                await press("enter")
                await console.until_seen("firing", "SUSPECT")
                await press("R")
                await console.until_seen("Roll back", "Cancel", "to-revision=")
                await console.until(lambda: getattr(console.app.screen, "armed", False))
                await press("y")
                clock.hurry()
                await console.until_seen("OK", "tells:", "#payments-oncall")
                await console.until(lambda: getattr(console.app.screen, "armed", False))
                await press("T")
                await console.until(lambda: bool(room.got))
    assert len(keys) <= MOST
    assert "rolled back" in json.dumps([json.loads(body) for _, _, body in room.got])
    ledger = Ledger(tmp_path / "state", SystemClock())
    assert ledger.verify().ok
    assert [one.result for one in ledger.entries() if one.kind == "outcome"] == ["ok"]
    ledger.close()
