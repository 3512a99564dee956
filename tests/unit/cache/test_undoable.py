"""What was last done to an object can be undone by a later console, as long as there is time for it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cache.ledger.ledger import Ledger
from cache.ledger.records import Request, Result
from cache.ledger.undoable import last_undoable
from services.clock import ManualClock
from services.model.action import Undo
from services.model.actor import Actor
from services.model.ref import DEPLOYMENTS, Ref

ALICE = Actor("alice", "bastion-2", "c1")
CART = Ref("c", "apps", "Deployment", "shop", "cart", "u-1")
WEB = Ref("c", "apps", "Deployment", "shop", "web", "u-2")


def back(action: str, ref: Ref = CART, until: float = 0.0) -> Undo:
    return Undo(action, ref, DEPLOYMENTS, {"image": "cart:1"}, f"{action} again", until)


class Trail:
    """A ledger that actions are written into."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.folder = ManualClock(), folder
        self.ledger = Ledger(folder, self.clock)

    def done(self, action: str, ref: Ref = CART, result: Result = Result.OK, undo: Undo | None = None) -> None:
        name = self.ledger.intent(Request(ALICE, action, ref, {"title": f"{action} {ref.name}"}))
        kept = msgspec.to_builtins(undo, enc_hook=str) if undo is not None else None
        self.ledger.outcome(name, ALICE, result, {"text": "so it went", "undo": kept})

    def undoable(self, ref: Ref = CART) -> str:
        found = last_undoable(self.folder, ref, self.clock.now())
        return f"{found.title} by {found.who}: {found.undo.words}" if found is not None else ""


def test_the_last_thing_done_to_it_is_offered_for_it_alone(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    assert trail.undoable() == ""
    trail.done("set-image", undo=back("set-image"))
    trail.done("pause", WEB, undo=back("resume", WEB))
    assert trail.undoable() == "set-image cart by alice@bastion-2: set-image again"
    assert trail.undoable(Ref("d", "apps", "Deployment", "shop", "cart", "u-1")) == ""
    assert trail.undoable(Ref("c", "apps", "Deployment", "shop", "cart", "u-new")) == ""
    trail.ledger.close()
    assert trail.undoable(WEB) == "pause web by alice@bastion-2: resume again"


def test_what_failed_half_way_is_offered_and_what_was_never_done_changes_nothing(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.done("set-image", result=Result.FAILED, undo=back("set-image"))
    trail.done("scale", result=Result.CANCELLED, undo=back("scale"))
    trail.done("scale", result=Result.UNKNOWN, undo=back("scale"))
    trail.done("scale", result=Result.FAILED)
    assert trail.undoable().startswith("set-image cart")
    trail.done("restart")
    assert trail.undoable() == ""
    trail.ledger.close()


def test_it_is_offered_for_its_lifetime(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.done("set-image", undo=back("set-image", until=trail.clock.now() + 60))
    assert trail.undoable()
    assert last_undoable(tmp_path, CART, trail.clock.now() + 60) is None
    trail.ledger.close()


def test_what_cannot_be_read_offers_nothing(tmp_path: Path) -> None:
    assert last_undoable(tmp_path / "nowhere", CART, 0.0) is None
