"""People whom only a row or a happening names are masked in every sentence, before that row was ever shown."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec import structs

from screenshots import scene
from services.clock import ManualClock
from services.model.action import ALTERED, Altered, Target, Undo
from services.model.alert import Silence
from services.model.ref import DEPLOYMENTS, SILENCES, Ref
from services.model.timeline import Event, EventKind
from services.ports import Changes, Snapshot
from tui.aiming import freeze, moved
from tui.sharing import Sharing

CART = Ref("prod", "apps", "Deployment", "shop", "cart", "uid-cart")
DONE = Event("1", 1.0, 1.0, EventKind.ACTION, CART, "Restart: done for zelda", payload={"actor": "zelda@bastion-2"})
LEFT = Altered("1", "Cordon node-009", CART, "zelda@bastion-2", 1.0, Undo("uncordon", CART, DEPLOYMENTS, {}, ""))
QUIET = Silence("1", (), 1.0, 2.0, "zelda", "", "active")
TOLD = {
    "an action": Snapshot(1, {}, {}, (DONE,)),
    "what was left altered": Snapshot(1, {ALTERED: {"1": LEFT}}, {}),
    "a silence": Snapshot(1, {SILENCES.table: {"1": QUIET}}, {}),
}


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("later", [False, True])
def test_a_person_whom_only_this_names_is_masked_in_sentences(told: str, later: bool) -> None:
    sharing, snapshot = Sharing(), TOLD[told]
    assert "zelda" in sharing.mask("set by zelda until 12:00")
    if later:
        sharing.look_at_changes(Changes(snapshot, dict.fromkeys(snapshot.tables), frozenset(), bool(snapshot.events)))
    else:
        sharing.look_at(snapshot)
    assert "zelda" not in sharing.mask("set by zelda until 12:00")


def test_who_changed_a_target_meanwhile_is_named_as_the_screen_may_name_them() -> None:
    snapshot = scene.live(ManualClock(scene.NOW)).publish()
    row = next(iter(snapshot.tables["rollouts"].values())).workload
    row = structs.replace(row, generation=7)
    target = freeze(row, snapshot)
    assert isinstance(target, Target)
    now = structs.replace(row, generation=target.generation + 1, changed_by="zelda")
    later = Snapshot(2, {target.resource.table: {target.ref.key: now}}, {})
    assert "by zelda" in moved(target, later)
    assert "by user-" in moved(target, later, partial(Sharing().name, "user"))
