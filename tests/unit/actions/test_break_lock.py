"""Breaking a lock says who holds it, wants their name typed, and hits nobody who took it in between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from services.actions.guard import Allow, Consent, consents
from services.actions.locks import BreakLock
from services.actions.spec import Refused
from services.config_policy import Policy
from services.errors import Problem
from services.kubernetes.lease import CLAIM, DRAINS, spot_of
from services.model.action import Outcome, Progress, Target, Tier, Write
from services.model.ref import NODES, Ref, Resource
from services.sanitize import safe_text
from tests.unit.actions.stage import CART, StageHands, World

HOLDER = "bob@bastion-1/console-7"


class LeaseHands(StageHands):
    """Hands on a server with Leases."""

    def __init__(self) -> None:
        super().__init__(World())
        self.leases: dict[str, dict[str, Any]] = {}
        self.sent: list[Write] = []

    def hold(self, target: Target, holder: str = HOLDER) -> None:
        spot = spot_of(target.ref)
        claim = json.dumps({"who": "bob@bastion-1", "what": "Roll back shop/cart", "until": 0.0})
        self.leases[f"{spot.namespace}/{spot.name}"] = {
            "metadata": {"uid": "l-1", "annotations": {CLAIM: claim}},
            "spec": {"holderIdentity": holder, "renewTime": "2027-01-15T08:00:00.000000Z"},
        }

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> dict[str, Any]:
        if f"{namespace}/{name}" not in self.leases:
            raise Problem(safe_text("not found"), 404)
        return self.leases[f"{namespace}/{name}"]

    async def send(self, write: Write, *, dry_run: bool = False) -> dict[str, Any]:
        if not dry_run:
            self.sent.append(write)
            for lease in self.leases.values():
                lease["spec"]["holderIdentity"] = ""
        return next(iter(self.leases.values()))


async def quiet(_progress: Progress) -> None:
    return


async def test_who_holds_it_is_said_and_has_to_be_typed() -> None:
    hands = LeaseHands()
    hands.hold(CART)
    plan = await BreakLock().plan(CART, {}, hands)
    told = " ".join(fact.text for fact in plan.facts)
    assert HOLDER in told
    assert "Roll back shop/cart" in told
    assert (plan.tier, plan.typed, plan.leased) == (Tier.TYPED, "bob@bastion-1", False)
    assert consents(Allow(plan.tier), plan, Policy(), Consent(typed="alice")) == "type bob@bastion-1 to confirm"
    assert not consents(Allow(plan.tier), plan, Policy(), Consent(typed="bob@bastion-1"))
    await BreakLock().execute(plan, hands, quiet)
    [sent] = hands.sent
    assert json.loads(sent.body)[0] == {"op": "test", "path": "/spec/holderIdentity", "value": HOLDER}
    assert sent.uid == "l-1"
    ended = await BreakLock().verify(plan, hands, quiet)
    assert (ended.outcome, ended.text) == (Outcome.OK, "nobody holds it any more")


async def test_a_renewal_in_between_makes_no_other_plan() -> None:
    hands = LeaseHands()
    hands.hold(CART)
    first = await BreakLock().plan(CART, {}, hands)
    [lease] = hands.leases.values()
    lease["spec"]["renewTime"] = "2027-01-15T08:00:15.000000Z"
    assert (await BreakLock().plan(CART, {}, hands)).digest == first.digest
    lease["spec"]["holderIdentity"] = "carol@bastion-2/console-1"
    assert (await BreakLock().plan(CART, {}, hands)).digest != first.digest


async def test_where_nobody_holds_it_nothing_is_broken() -> None:
    with pytest.raises(Refused, match="Nobody holds a lock on deployment shop/cart"):
        await BreakLock().plan(CART, {}, LeaseHands())


async def test_a_drain_is_found_from_any_node() -> None:
    hands = LeaseHands()
    node = Target(Ref("c", "", "Node", "", "node-1", "n-1"), NODES)
    hands.hold(structs.replace(node, ref=structs.replace(node.ref, name="node-2")))
    hands.leases = {f"{DRAINS.namespace}/{DRAINS.name}": next(iter(hands.leases.values()))}
    plan = await BreakLock().plan(node, {}, hands)
    assert plan.title == "Break the lock on drains of this cluster"
    assert plan.command.startswith("-n kube-system patch lease")
