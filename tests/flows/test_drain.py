"""A drain from the screen: blocked and allowed, read pod by pod, watched while it runs, stopped, and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from services.config_policy import Policy
from services.model.action import Right
from services.model.cluster import Node
from services.model.ref import NODES, Ref
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.model.workload import Healthy
from services.ports import AccessAnswer, Snapshot
from tests.flows.conftest import Deck, Open
from tests.unit.actions.stage import StageLocks, StageTrail, World
from tests.unit.actions.test_drain_plan import Cluster, budget, pod
from tui import blocked, flows
from tui.acting import Acting
from tui.trail import LedgerTrail
from widgets.plan_dialog import PlanDialog, RunDialog


class Hands(Cluster):
    """Hands on the pods of the scene's first node."""

    context, who = "prod-eu-1", "alice@bastion-2"

    def __init__(self, deck: Deck, shown: Node) -> None:
        scratch = {"volumes": [{"name": "t", "emptyDir": {}}]}
        super().__init__(pod("web"), pod("db"), pod("cache", **scratch), pod("agent", "DaemonSet"), node=shown.ref)
        self.clock = deck.clock
        self.budgets, self.keeps = [budget("db", 0)], {"db": 99}
        self.snapshot = deck.live.snapshot

    async def observed(self, _ref: Ref) -> Mapping[int, Healthy]:
        return {}

    async def can(self, _right: Right) -> AccessAnswer:
        return AccessAnswer(True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arm confirm keys at once."""
    for module, name, made in (
        (flows, "PlanDialog", PlanDialog),
        (flows, "RunDialog", RunDialog),
        (blocked, "RunDialog", RunDialog),
    ):
        monkeypatch.setattr(module, name, lambda *given, _made=made, **named: _made(*given, **named, armed_after=1e-6))


async def test_a_drain_is_allowed_watched_stopped_and_taken_up_again(
    open_deck: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands: list[Acting] = []
    async with open_deck((120, 40), console={"acting": lambda: hands[0] if hands else None}) as deck:
        deck.app.open_view("nodes")
        await deck.settle()
        shown = cast(Node, deck.app.front.subject()) if deck.app.front is not None else None
        assert shown is not None
        server, world = Hands(deck, shown), World()
        trail = cast(LedgerTrail, StageTrail(world))
        acting = Acting(cast(Any, server), trail, StageLocks(world), Policy(), watched=lambda: _fresh(deck))
        monkeypatch.setattr(acting, "_event", lambda *_: None)
        hands.append(acting)
        assert NODES.table in deck.live.snapshot().tables

        deck.app.act("drain")
        await deck.settle()
        assert "nothing is evicted as long as these are there" in deck.text
        assert "shop/cache" in deck.text
        assert server.sent == []

        await deck.press("l")
        for words in ("shop/db", "needs 2 healthy pods, has 2", "0 (db-stays)", "its DaemonSet would make it again"):
            assert words in deck.text
        await confirm(deck, shown.ref.name)
        await pass_time(deck, 4)
        assert "refused again in" in deck.text
        assert "shop/web" in deck.text
        await deck.pilot.press("s")
        await pass_time(deck, 8)
        assert "stopped, as asked: 1 of 3 pods are still there (shop/db)" in deck.text
        assert "not asked any more" in deck.text
        asked = server.sent.count("evict pod shop/db")
        await deck.press("escape")
        await pass_time(deck, 20)
        assert server.sent.count("evict pod shop/db") == asked

        server.keeps.clear()
        deck.app.act("drain")
        await deck.settle()
        assert "it is cordoned already" in deck.text
        await confirm(deck, shown.ref.name)
        await pass_time(deck, 4)
        assert "is drained and cordoned; 1 pod is gone" in deck.text


def _fresh(deck: Deck) -> Snapshot:
    """Return what is watched as if the server had just answered."""
    now = deck.clock.now()
    return Snapshot(0, {}, {CONNECTION: SourceStatus(CONNECTION, SourceState.LIVE, now, now, now)})


async def confirm(deck: Deck, name: str) -> None:
    """Type the name, and confirm."""
    await deck.press(*name, "enter")
    await deck.pilot.press("y")
    await deck.pilot.pause()


async def pass_time(deck: Deck, seconds: int) -> None:
    """Let time pass for both sides."""
    for _ in range(seconds):
        await deck.clock.advance(1.0)
        await deck.pilot.pause()
