"""The console on a real cluster whose deployments come and go: its audit log names nothing but what was shown."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple, cast

import pytest

from tests.contract.watched import apply, kubectl
from tests.controlplane import manifests
from tests.controlplane.audit import until_asked
from tests.controlplane.plane import ControlPlane
from tests.flows import program as flows
from tests.flows.aimed import SIZE, Watched
from tests.flows.test_aimed import FIRST
from tui import assembly
from tui import flows as acting
from tui.screens.cursor import CursorScreen
from widgets.modal import Modal
from widgets.plan_dialog import PlanDialog, RunDialog

NAMES = "abcdef"
ROUNDS = 14
RESTARTED = "kubectl.kubernetes.io/restartedAt"


class Estate:
    """Deployments without pods, each of which shows a number that no other ever has: its image's tag."""

    def __init__(self, plane: ControlPlane, namespace: str, random: Random) -> None:
        self.plane = plane
        self.namespace = namespace
        self.births = 0
        self._random = random

    async def bear(self, *names: str) -> None:
        """Make deployments, or make them anew."""
        made = []
        for name in names:
            self.births += 1
            template = manifests.pod_template(name, f"registry.example/{name}:u{self.births}")
            made.append(manifests.workload("Deployment", self.namespace, name, template, replicas=0))
        await apply(self.plane, *made)

    async def change(self) -> None:
        """Delete one, and often put another in its place."""
        name = self._random.choice(NAMES)
        await kubectl(self.plane, "-n", self.namespace, "delete", "deployment", name, "--ignore-not-found", "--wait")
        if self._random.random() < 0.7:
            await self.bear(name)

    async def restarted(self) -> set[tuple[str, str]]:
        """Return the name and the number of each that was restarted and is there."""
        listed = json.loads(await kubectl(self.plane, "-n", self.namespace, "get", "deployments", "-o", "json"))[
            "items"
        ]
        found = [(one["metadata"]["name"], one["spec"]["template"]) for one in listed]
        return {
            (name, template["spec"]["containers"][0]["image"].rpartition(":")[2])
            for name, template in found
            if RESTARTED in (template["metadata"].get("annotations") or {})
        }


class Witness(NamedTuple):
    """What the server changed, as its audit log has it, and what its terminal showed of each that was meant."""

    hit: Counter[str]
    meant: Counter[str]
    restarted: set[tuple[str, str]]
    shown: set[tuple[str, str]]

    @property
    def astray(self) -> bool:
        """Whether anything else was changed than what was shown."""
        return bool(self.hit - self.meant) or not self.restarted <= self.shown


async def witnessed(plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Witness:
    """Let an operator restart what is shown while deployments come and go, and ask the server what was done."""
    random = Random(7)  # noqa: S311 - a test's dice
    estate = Estate(plane, namespace, random)
    await estate.bear(*NAMES)
    monkeypatch.setattr(assembly, "QuarterdeckApp", Watched)
    monkeypatch.setattr(acting, "PlanDialog", partial(PlanDialog, armed_after=1e-6))
    monkeypatch.setattr("services.actions.guard.BURST", 10**9)
    monkeypatch.setattr(flows, "PATIENCE", 180.0)
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(folder / "state"))
    words = ("--kubeconfig", str(plane.kubeconfig()), "-n", namespace, "--view", "rollouts", "--theme", "mono")
    async with flows.program(*words, size=SIZE) as running:
        app = cast(Watched, running.app)
        await running.until_seen(f"{namespace}/a", "live")
        app.look()
        for _ in range(ROUNDS):
            await one_round(running, app, estate, random)
        shown = [one for one in app.confirmed if one is not None]
    sent = [one for one in until_asked(plane.data, namespace, 1) if not one.dry_run]
    assert sent, "nothing was acted upon at all"
    assert {one.verb for one in sent} == {"patch"}
    hit = Counter(one.path.rpartition("/")[2] for one in sent if one.code == 200)
    return Witness(hit, Counter(name for name, _ in shown), await estate.restarted(), set(shown))


async def test_the_servers_audit_log_names_what_was_shown(
    plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = await witnessed(plane, namespace, monkeypatch, tmp_path)
    assert not seen.astray, seen


async def test_the_audit_log_finds_a_console_out_that_chooses_by_the_cursors_position(
    plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def by_position(self: CursorScreen) -> object:
        app = cast(Watched, self.app)
        app.under_cursor()
        rows = self.console.feed.snapshot().tables.get("rollouts", {})
        order, line = sorted(rows), app.line - FIRST
        assert self.driver is not None
        return (self.driver.view, rows[order[line]]) if 0 <= line < len(order) else None

    monkeypatch.setattr(CursorScreen, "target", by_position)
    monkeypatch.setattr(CursorScreen, "seen_identity", lambda _: "")
    assert (await witnessed(plane, namespace, monkeypatch, tmp_path)).astray


async def one_round(running: flows.Program, app: Watched, estate: Estate, random: Random) -> None:
    """Let something change while keys are pressed that move, sort, act and confirm; then leave whatever is open."""
    changing = asyncio.ensure_future(estate.change())
    for key in random.choices(["j", "k", "g", "G", "N", "A", "o"], k=random.randrange(3)):
        await running.press(key)
    await running.press("B")
    await running.until(lambda: not isinstance(app.screen, RunDialog))
    if random.random() < 0.5:
        await changing
    if isinstance(app.screen, PlanDialog):
        await running.press("y")
    await running.until(lambda: not app.running)
    while isinstance(app.screen, Modal):
        await running.press("escape")
    await changing
