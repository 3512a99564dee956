"""What a pod's end says before it is confirmed: the budget that a deletion passes by, and why it is wanted then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from services.actions.pods import DeletePod, EvictPod
from services.actions.spec import Document
from services.errors import Problem
from services.model.action import Target, Tier, Write
from services.model.ref import PODS, Ref, Resource
from services.model.severity import Severity
from services.sanitize import safe_text
from tests.unit.actions.stage import StageHands, World

DATABASE = Target(Ref("c", "", "Pod", "shop", "database-0", "u-1"), PODS)


class Served(StageHands):
    """Has one pod of a StatefulSet, and these budgets (None: they may not be read)."""

    def __init__(self, budgets: Sequence[Document] | None, *, ready: bool = True, owned: bool = True) -> None:
        super().__init__(World())
        self._budgets = budgets
        owners = [{"kind": "StatefulSet", "name": "database", "controller": True}] if owned else []
        metadata = {"name": "database-0", "namespace": "shop", "uid": "u-1", "resourceVersion": "7"}
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        self._pod: Document = {
            "metadata": {**metadata, "labels": {"app": "database"}, "ownerReferences": owners},
            "spec": {"nodeName": "n1"},
            "status": {"conditions": conditions},
        }

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        return self._pod

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        assert namespace == "shop"
        if self._budgets is None:
            raise Problem(safe_text("you may not list poddisruptionbudgets"), 403)
        return self._budgets

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        assert dry_run
        return {}


def budget(allowed: int, app: str = "database") -> dict[str, Any]:
    status = {"disruptionsAllowed": allowed, "desiredHealthy": 3, "currentHealthy": 3 + allowed}
    about = {"name": f"{app}-stays", "namespace": "shop"}
    return {"metadata": about, "spec": {"selector": {"matchLabels": {"app": app}}}, "status": status}


@pytest.mark.parametrize(
    ("budgets", "ready", "owned", "warned", "tier"),
    [
        ([budget(0)], True, True, True, Tier.REASON),
        ([budget(1)], True, True, False, Tier.KEY),
        ([budget(0, "web")], True, True, False, Tier.KEY),
        ([budget(0)], False, True, False, Tier.KEY),
        ([budget(0)], True, False, True, Tier.TYPED),
        ([], True, True, False, Tier.KEY),
    ],
)
def test_a_deletion_says_which_budget_it_passes_by_and_asks_why(
    budgets: Sequence[Document], ready: bool, owned: bool, warned: bool, tier: Tier
) -> None:
    plan = asyncio.run(DeletePod().plan(DATABASE, {}, Served(budgets, ready=ready, owned=owned)))
    said = [one for one in plan.facts if one.label == "budget"]
    assert [one.severity for one in said] == ([Severity.WARN] if warned else [])
    assert plan.tier is tier
    if warned:
        assert "database-stays needs 3 healthy pods and has 3" in said[0].text
        assert "a deletion passes by it" in said[0].text


def test_a_deletion_is_planned_without_the_right_to_read_budgets_and_says_so() -> None:
    plan = asyncio.run(DeletePod().plan(DATABASE, {}, Served(None)))
    assert [(one.severity, "not known" in one.text) for one in plan.facts if one.label == "budget"] == [
        (Severity.NOTICE, True)
    ]
    assert plan.tier is Tier.KEY


def test_an_eviction_leaves_its_budget_to_the_server() -> None:
    plan = asyncio.run(EvictPod().plan(DATABASE, {}, Served([budget(0)])))
    assert not [one for one in plan.facts if one.label == "budget"]
