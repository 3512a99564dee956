"""What GitOps would undo is held off from within the plan, which is then looked at again; warnings are said."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, cast

import msgspec
import pytest

from services.actions.spec import Document
from services.config_policy import Policy
from services.model.action import Write
from services.model.ref import Resource
from services.sanitize import safe_text
from tests.flows.aimed import Deployments
from tests.flows.conftest import Deck, Open
from tests.unit.actions.stage import StageLocks, StageTrail, World
from tui import flows
from tui.acting import Acting
from tui.trail import LedgerTrail
from widgets.plan_dialog import PlanDialog, RunDialog

WARNING = "spec.template: deprecated since v1.19"


class Kept(Deployments):
    """A server whose deployments Argo CD keeps, and which warns of each change."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.automated: dict[str, Any] | None = {"selfHeal": True}
        self.said: list[Any] = []

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        found = await super().get(resource, namespace, name, subresource)
        found["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": f"shop:apps/Deployment:shop/{name}"}
        return found

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        if resource.kind != "Application":
            return ()
        metadata = {"name": "shop", "namespace": "argocd", "uid": "app-1", "resourceVersion": "1"}
        return ({"metadata": metadata, "spec": {"syncPolicy": {"automated": self.automated}}},)

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        self.said.append(safe_text(WARNING))
        if "/applications/" not in write.path:
            return await super().send(write, dry_run=dry_run)
        if not dry_run:
            self.automated = msgspec.json.decode(write.body)["spec"]["syncPolicy"]["automated"]
        return (await self.find(Resource("argoproj.io", "v1alpha1", "applications", "Application")))[0]


async def test_gitops_is_held_off_from_within_the_plan(open_deck: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(flows, "PlanDialog", lambda *given, **named: PlanDialog(*given, **named, armed_after=1e-6))
    monkeypatch.setattr(flows, "RunDialog", lambda *given, **named: RunDialog(*given, **named, armed_after=1e-6))
    hands: list[Acting] = []
    async with open_deck((120, 40), console={"acting": lambda: hands[0] if hands else None}) as deck:
        server = Kept(Random(1), deck.clock, deck.live)  # noqa: S311 - a test's dice
        trail = cast(LedgerTrail, StageTrail(world))
        acting = Acting(server, trail, StageLocks(world), Policy(), watched=server.snapshot)
        monkeypatch.setattr(acting, "_event", lambda *_: None)
        acting.warnings = server.said
        hands.append(acting)
        server.begin()
        deck.app.open_view("rollouts")
        await deck.settle()
        await confirm_held_off(deck, server)


async def confirm_held_off(deck: Deck, server: Kept) -> None:
    """Press the keys from the restart to the restart that nobody undoes."""
    await deck.press("B")
    assert "Argo CD (application shop) will undo it in about 5 s" in deck.text
    assert f"warns: {WARNING}" in deck.text
    assert "s suspend GitOps first" in deck.text
    await deck.press("s")
    assert "Hold off Argo CD shop" in deck.text
    assert server.automated, "nothing before it is confirmed"
    await deck.press("y")
    for _ in range(5):
        await deck.settle()
    assert server.automated is None
    assert "Restart shop/" in deck.text, "the plan that it was in the way of, anew"
    assert "s suspend GitOps first" not in deck.text
    assert not [path for path, _ in server.sent if "deployments" in path]
    await deck.press("y")
    for _ in range(3):
        await deck.settle()
    assert [path for path, _ in server.sent if "deployments" in path]
