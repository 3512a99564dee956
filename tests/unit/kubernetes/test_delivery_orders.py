"""What may be ordered of a Rollout, what is ordered then, and which revision is the way back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.actions.abort import why_no_abort, why_no_retry
from services.actions.deliveries import Scene
from services.actions.promote import next_orders, why_no_full_promotion, why_no_promotion
from services.kubernetes.history import revisions
from services.kubernetes.undo import CannotUndo, rollback
from services.kubernetes.writing import digest_for
from tests.unit.kubernetes.a_rollout import (
    ABORTED,
    IMAGE,
    MISSED,
    PAUSE,
    PAUSED,
    delivery,
    document,
    replicaset,
    workload,
)

BLUE_GREEN = {"blueGreen": {"activeService": "a", "autoPromotionEnabled": False}}
WAITS = {"pauseConditions": [{**PAUSE, "reason": "BlueGreenPause"}]}
ENABLED: list[tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any], str]] = [
    ({"stableRS": "new"}, None, {}, ""),
    ({"stableRS": "new"}, None, {"paused": True}, "promote"),
    ({"stableRS": ""}, None, {}, "promote"),
    (PAUSED, None, {}, "promote full abort"),
    (PAUSED, None, {"paused": True}, "promote full abort"),
    ({"currentStepIndex": 0}, None, {}, "promote full abort"),
    ({"currentStepIndex": 4}, None, {}, "full abort"),
    ({"currentStepIndex": 1, "promoteFull": True}, None, {}, "promote abort"),
    (ABORTED, None, {}, "full retry"),
    ({}, {"canary": {}}, {}, "full abort"),
    (WAITS, BLUE_GREEN, {}, "promote full abort"),
    ({}, BLUE_GREEN, {}, "full abort"),
    ({"abort": True}, BLUE_GREEN, {}, "full retry"),
]


@pytest.mark.parametrize(("status", "strategy", "spec", "wanted"), ENABLED)
def test_actions_are_on_exactly_when_they_make_sense(status: Any, strategy: Any, spec: Any, wanted: str) -> None:
    found, parts = workload(status, strategy, **spec), delivery(status, strategy, **spec)
    rules = {"promote": why_no_promotion, "full": why_no_full_promotion, "abort": why_no_abort, "retry": why_no_retry}
    reasons = {name: rule(found, parts) for name, rule in rules.items()}
    assert " ".join(name for name, reason in reasons.items() if not reason) == wanted


INCONCLUSIVE = {**PAUSED, "controllerPause": True, "canary": MISSED}


@pytest.mark.parametrize(
    ("status", "strategy", "wanted"),
    [
        (PAUSED, None, {"pauseConditions": None}),
        ({"currentStepIndex": 0}, None, {"pauseConditions": None, "currentStepIndex": 1}),
        ({"currentStepIndex": 3}, None, {"pauseConditions": None, "currentStepIndex": 4}),
        (INCONCLUSIVE, None, {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}),
        (WAITS, BLUE_GREEN, {"pauseConditions": None}),
        ({}, BLUE_GREEN, {}),
        ({"stableRS": "new"}, None, {}),
    ],
)
def test_a_promotion_orders_what_the_plugin_orders(status: Any, strategy: Any, wanted: dict[str, object]) -> None:
    scene = Scene({}, workload(status, strategy), delivery(status, strategy), 1)
    assert next_orders(scene) == wanted


def test_orders_are_about_what_they_change_and_for_which_version() -> None:
    path, abort, promote = "/x/status", b'{"status":{"abort":true}}', b'{"status":{"pauseConditions":null}}'
    before = document(PAUSED)
    elsewhere = document({**PAUSED, "pauseConditions": [{**PAUSE, "startTime": "2026-08-01T03:05:00Z"}]})
    another = document({**PAUSED, "currentPodHash": "newer"})
    assert digest_for(path, abort, before) == digest_for(path, abort, elsewhere)
    assert digest_for(path, promote, before) != digest_for(path, promote, elsewhere)
    assert digest_for(path, abort, before) != digest_for(path, abort, another)
    assert digest_for("/x", promote, before) == digest_for("/x", promote, another)


def test_the_way_back_is_to_the_stable_revision_though_what_was_given_up_still_has_pods() -> None:
    held = [
        replicaset(1, "old", 4, f"{IMAGE}:1"),
        replicaset(2, "given-up", 1, f"{IMAGE}:1.5"),
        replicaset(3, "new", 1, f"{IMAGE}:2"),
    ]
    whole = document(PAUSED)
    whole["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "3"
    found = rollback(whole, held)
    assert (found.revision.number, found.words) == (1, "inferred: it is the stable one")
    (patch,) = json.loads(found.body)
    assert patch["value"]["metadata"]["labels"] == {"app": "front"}
    known = revisions(json.dumps(whole).encode(), json.dumps({"items": held}).encode(), "Rollout")
    assert [(one.number, one.current, one.mark) for one in known] == [
        (3, True, ""),
        (2, False, ""),
        (1, False, "inferred"),
    ]


def test_defaults_of_the_server_are_no_difference_and_never_make_the_present_one_the_way_back() -> None:
    held = [replicaset(1, "old", 2, f"{IMAGE}:1"), replicaset(2, "new", 2, f"{IMAGE}:2")]
    for one in held:
        one["spec"]["template"]["spec"] |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always"}
    found = rollback(document({"stableRS": "new"}), held)
    assert found.revision.number == 1
    assert [one.path for one in found.differences] == ["spec.containers[front].image"]
    with pytest.raises(CannotUndo, match="already matches revision 2"):
        rollback(document({"stableRS": "new"}), held, to=2)
