"""Alerts are acted upon on the screen without any cluster, and through the cluster's own way to its Services."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.rehearsal.server import Rehearsal
from tests.flows.program import Program, kubeconfig_of, program
from widgets.form import FormDialog
from widgets.plan_dialog import PlanDialog, RunDialog

THROUGH = """
[alertmanager.one]
service = "monitoring/alertmanager:9093"
"""


@pytest.fixture(autouse=True)
def home(home: Path) -> Path:
    (home / "config.toml").write_text(THROUGH)
    return home


async def acknowledged(console: Program, *words: str) -> None:
    """Acknowledge the first alert of the table; `words` stand on its plan."""
    console.app.open_view("alerts", "is:firing")
    await console.until_seen("firing")
    await console.until(lambda: console.app.front is not None and console.app.front.subject() is not None)
    await console.press("a")
    await console.until(lambda: isinstance(console.app.screen, PlanDialog))
    dialog = console.app.screen
    assert isinstance(dialog, FormDialog)
    await console.until_seen(*words)
    dialog.answers._since = -1.0
    await console.press("y")
    await console.until(lambda: isinstance(console.app.screen, RunDialog))
    await console.until_seen("OK", "hides 1 alert")
    await console.press("escape")


async def test_without_any_cluster(estate: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_ALERTMANAGER_URLS", ",".join(estate.address.alertmanagers))
    async with program("--view", "alerts") as console:
        await acknowledged(console, "Acknowledge", "amtool --alertmanager.url=http://127.0.0.1")
        await console.press("!")
        await console.until_seen("ARMED")


async def test_through_the_cluster(estate: Rehearsal, home: Path) -> None:
    words = ("--kubeconfig", kubeconfig_of(estate), "--config", str(home / "config.toml"), "--view", "alerts")
    async with program(*words) as console:
        await acknowledged(console, "Acknowledge", "kubectl --context", "proxy --port", "amtool")
