"""What was left altered is found in the audit trail, and is gone from the list once it was put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from cache.ledger.altered import AlteredReader
from cache.ledger.ledger import Ledger
from cache.ledger.records import Request, Result
from services.clock import ManualClock
from services.model.action import Undo
from services.model.actor import Actor
from services.model.ref import DEPLOYMENTS, NODES, Ref, Resource

ALICE = Actor("alice", "bastion-2", "c1")
NODE = Ref("c", "", "Node", "", "node-009", "u-9")
CART = Ref("c", "apps", "Deployment", "shop", "cart", "u-1")


class Trail:
    """A ledger that actions are written into."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder, ManualClock())
        self.reader = AlteredReader(folder)

    def done(
        self, action: str, ref: Ref, result: Result = Result.OK, undo: str = "", given: dict[str, str] | None = None
    ) -> None:
        body = {"title": f"{action.capitalize()} {ref.name}", "plan": {"parameters": given or {}}}
        name = self.ledger.intent(Request(ALICE, action, ref, body))
        kind: Resource = NODES if ref.kind == "Node" else DEPLOYMENTS
        back: dict[str, Any] = {"undo": msgspec.to_builtins(Undo(undo, ref, kind, {}, f"{undo} it")) if undo else None}
        self.ledger.outcome(name, ALICE, result, back)

    def left(self) -> list[str]:
        return [one.title for one in self.reader.look().values()]


def test_it_is_listed_until_it_is_put_back(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    assert trail.left() == []
    trail.done("cordon", NODE, undo="uncordon")
    trail.done("pause", CART, undo="resume")
    trail.done("restart", CART)
    trail.done("pause", CART, Result.FAILED, undo="resume")
    assert trail.left() == ["Cordon node-009", "Pause cart"]
    assert trail.left() == ["Cordon node-009", "Pause cart"]
    trail.done("uncordon", NODE, Result.FAILED, undo="cordon")
    assert trail.left() == ["Cordon node-009", "Pause cart"]
    trail.done("uncordon", NODE, undo="cordon")
    assert trail.left() == ["Pause cart"]
    assert AlteredReader(tmp_path).look().keys() == trail.reader.look().keys()


def test_a_drain_that_was_stopped_leaves_its_cordon(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.done("drain", NODE, Result.FAILED)
    trail.done("drain", NODE, Result.CANCELLED, undo="uncordon")
    assert trail.left() == []
    trail.done("drain", NODE, Result.FAILED, undo="uncordon")
    assert trail.left() == ["Drain node-009"]
    # taken up again, it finds the node cordoned: what it leaves is still the first one's
    trail.done("drain", NODE)
    assert trail.left() == ["Drain node-009"]
    trail.done("uncordon", NODE, undo="cordon")
    assert trail.left() == []


def test_a_manual_scale_is_over_when_the_first_number_is_back(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.done("scale", CART, undo="scale", given={"from": "3", "replicas": "5"})
    trail.done("scale", CART, undo="scale", given={"from": "5", "replicas": "8"})
    (left,) = trail.reader.look().values()
    assert (left.undo.parameters, left.undo.words, left.who) == (
        {"replicas": "3"},
        "scale back to 3",
        "alice@bastion-2",
    )
    trail.done("scale", CART, undo="scale", given={"from": "8", "replicas": "3"})
    assert trail.left() == []


def test_without_a_ledger_nothing_is_left(tmp_path: Path) -> None:
    assert AlteredReader(tmp_path / "nowhere").look() == {}
