"""What a plan holds to before anything is sent: the object that was shown, its owner, its numbers, its order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs

from services.actions.deliveries import watch_template
from services.actions.jobs import SuspendCronJob, TriggerCronJob
from services.actions.pause import Pause
from services.actions.promote import Promote, PromoteFull
from services.actions.restart import Restart
from services.actions.scale import Scale
from services.actions.spec import Document, Refused
from services.clock import ManualClock
from services.kubernetes.writing import digest_for
from services.model.action import Outcome, Plan, Progress, Target, Tier, Write
from services.model.ref import ARGO_ROLLOUTS, CRONJOBS, Ref, Resource
from services.model.severity import Severity
from tests.unit.actions.stage import CART, StageHands, World
from tests.unit.kubernetes.a_rollout import PAUSED, STEPS, document, replicaset

FRONT = Target(Ref("c", "argoproj.io", "Rollout", "shop", "front", "u-1"), ARGO_ROLLOUTS)
HPA: Document = {
    "metadata": {"name": "cart"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "cart"}, "minReplicas": 2, "maxReplicas": 9},
}
KEDA: Document = {
    "metadata": {"name": "queue"},
    "spec": {"scaleTargetRef": {"name": "cart"}, "minReplicaCount": 0, "maxReplicaCount": 30},
}
OTHERS: Document = {
    "metadata": {"name": "front"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "front"}, "minReplicas": 2, "maxReplicas": 9},
}


def cart(**metadata: Any) -> Document:
    template = {"spec": {"containers": [{"name": "cart", "image": "cart:1"}]}}
    found = {"name": "cart", "namespace": "shop", "uid": "u-1", "resourceVersion": "7", **metadata}
    return {"kind": "Deployment", "metadata": found, "spec": {"replicas": 3, "template": template}}


class Holding(StageHands):
    """Has one object and what `find` finds by the kind; every dry run is taken, and answered with the patch put in."""

    def __init__(self, held: Document, **found: Sequence[Document]) -> None:
        super().__init__(World())
        self.held, self.found = held, found

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        if subresource == "scale":
            return {"metadata": self.held["metadata"], "spec": {"replicas": self.held["spec"]["replicas"]}}
        return self.held

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        name, _, value = params.get("labelSelector", "").partition("=")
        found = self.found.get(resource.kind, ())
        return [one for one in found if not name or one["metadata"]["labels"].get(name) == value]

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        assert dry_run
        body = json.loads(write.body)
        return {**self.held, **{part: {**self.held.get(part, {}), **body[part]} for part in body}}


async def scaled(replicas: str, held: Document | None = None, **given: Any) -> Plan:
    found = {kind: given.pop(kind) for kind in ("HorizontalPodAutoscaler", "ScaledObject") if kind in given}
    return await Scale().plan(CART, {"replicas": replicas, **given}, Holding(held or cart(), **found))


@pytest.mark.parametrize(
    ("replicas", "given", "why"),
    [
        ("5", {"from": "4"}, "Expected 4 replicas, and there are 3"),
        ("3", {}, "has 3 replicas already"),
        ("-1", {}, "no number from 0"),
        ("10001", {}, "no number from 0"),
        ("", {}, "How many replicas"),
    ],
)
async def test_what_is_not_to_be_scaled(replicas: str, given: dict[str, str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        await scaled(replicas, None, **given)


async def test_a_number_is_set_from_the_one_that_was_shown_and_back() -> None:
    plan = await scaled("5", None, **{"from": "3"})
    assert (plan.tier, plan.touches, plan.command) == (
        Tier.KEY,
        2,
        "scale deployment/cart --replicas=5 --current-replicas=3",
    )
    assert plan.undo is not None
    assert plan.undo.parameters == {"replicas": "3", "from": "5"}
    (write,) = plan.writes
    assert (write.uid, write.resource_version, json.loads(write.body)) == ("u-1", "7", {"spec": {"replicas": 5}})
    assert (await scaled("0")).tier is Tier.TYPED


async def test_who_scales_it_by_itself_is_named() -> None:
    plan = await scaled("5", HorizontalPodAutoscaler=[HPA, OTHERS], ScaledObject=[KEDA])
    said = [(one.text, one.severity) for one in plan.facts if one.label == "scaler"]
    assert said == [
        ("HPA cart (2 to 9) sets the replicas and will undo this", Severity.WARN),
        ("KEDA queue (0 to 30) sets the replicas and will undo this", Severity.WARN),
    ]


@pytest.mark.parametrize("action", [Scale(), Restart(), Pause()], ids=lambda one: one.id)
@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"uid": "u-2"}, "was deleted and made anew since it was shown"),
        (
            {"ownerReferences": [{"kind": "Shop", "name": "all", "uid": "o", "controller": True}]},
            "Shop all controls it and would undo the change at once: act on that instead",
        ),
    ],
)
async def test_a_namesake_and_what_another_controls_are_left_alone(
    action: Scale | Restart | Pause, metadata: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await action.plan(CART, {"replicas": "5"}, Holding(cart(**metadata)))


@pytest.mark.parametrize("action", [SuspendCronJob(), TriggerCronJob()], ids=lambda one: one.id)
async def test_what_an_operator_of_the_cluster_keeps_is_not_touched(action: SuspendCronJob | TriggerCronJob) -> None:
    owner = {"kind": "Backup", "name": "nightly", "uid": "o", "controller": True}
    held = cart(ownerReferences=[{"kind": "Shop", "name": "all", "uid": "s"}, owner])
    target = structs.replace(CART, resource=CRONJOBS)
    with pytest.raises(Refused, match=r"managed by Backup nightly, which would undo it: act on Backup nightly"):
        await action.plan(target, {}, Holding(held))


async def test_a_restart_is_over_when_the_controller_says_so_and_its_pods_are_ready() -> None:
    """It replaces pods a few at a time: those that are ready at the beginning prove nothing."""
    when = "2026-08-01T03:10:00Z"
    counts = {"stableRS": "new", "replicas": 5, "readyReplicas": 5, "updatedReplicas": 5, "availableReplicas": 5}
    stages = [{**counts}, {**counts, "restartedAt": "2026-08-01T03:00:00Z"}, {**counts, "readyReplicas": 4}]
    stages[2]["restartedAt"] = when
    hands = Holding(document(counts, restartAt=when))
    plan = structs.replace(await Restart().plan(FRONT, {}, hands), parameters={"at": when})

    class Rushed(ManualClock):
        async def sleep(self, seconds: float) -> None:
            seen.append(hands.held["status"].get("restartedAt", ""))
            status = stages.pop(0) if stages else {**counts, "restartedAt": when}
            hands.held = document(status, restartAt=when)

    async def quiet(_progress: Progress) -> None:
        return

    seen: list[str] = []
    hands.clock = Rushed()
    ended = await Restart().verify(plan, hands, quiet)
    assert (ended.outcome, len(seen)) == (Outcome.OK, 4), ended
    hands.held = document(counts, restartAt="2026-08-01T04:00:00Z")
    assert (await Restart().verify(plan, hands, quiet)).outcome is Outcome.FAILED, "somebody asked for another one"


async def test_a_way_back_is_over_when_its_router_has_let_go_of_what_was_left() -> None:
    """Seen on the real controller (dynamicStableScale): Healthy, all of it stable, and 80 % still go to what is bad."""
    routing = {"canary": {"steps": STEPS, "trafficRouting": {"istio": {}}, "dynamicStableScale": True}}

    def gives(share: int) -> Document:
        weights = {"canary": {"weight": share, "podTemplateHash": "bad"}}
        counts = {"phase": "Healthy", "stableRS": "new", "replicas": 5, "readyReplicas": 5, "updatedReplicas": 5}
        return document({**counts, "availableReplicas": 5, "canary": {"weights": weights}}, routing)

    class Rushed(ManualClock):
        async def sleep(self, seconds: float) -> None:
            seen.append(hands.held)
            hands.held = gives(0)

    async def quiet(_progress: Progress) -> None:
        return

    seen: list[Document] = []
    hands = Holding(gives(80))
    hands.clock = Rushed()
    plan = Plan("rollback", FRONT, "Roll back shop/front")
    ended = await watch_template(plan, hands, quiet, took=lambda _: True, done="it is back", on_way="it goes back")
    assert (ended.outcome, ended.text, len(seen)) == (Outcome.OK, "it is back", 1)


async def test_what_is_held_by_hand_is_let_go_before_its_step_is_left() -> None:
    """The other way round a controller that looks in between holds it anew, and the promotion is lost."""
    held = document(PAUSED, paused=True)
    sets = [replicaset(1, "old", 4, "front:1"), replicaset(2, "new", 1, "front:2")]
    plan = await Promote().plan(FRONT, {}, Holding(held, ReplicaSet=sets))
    let_go, left = plan.writes
    path = ARGO_ROLLOUTS.path("shop", "front")
    assert (let_go.path, json.loads(let_go.body)) == (path, {"spec": {"paused": False}})
    assert (left.path, json.loads(left.body)) == (f"{path}/status", {"status": {"pauseConditions": None}})
    # the second holds to what the first one makes of it, and to nothing else
    after = {**held, "spec": {**held["spec"], "paused": False}}
    assert left.spec == digest_for(left.path, left.body, after) != digest_for(left.path, left.body, held)
    assert [one.subresource for one in plan.rights] == ["", "status"]
    assert plan.undo is not None
    assert plan.undo.action == "abort"


@pytest.mark.parametrize(("step", "undo"), [(0, "abort"), (2, "abort"), (3, "rollback")])
async def test_a_promotion_is_taken_back_by_what_still_can(step: int, undo: str) -> None:
    sets = [replicaset(1, "old", 4, "front:1"), replicaset(2, "new", 1, "front:2")]
    held = document({**PAUSED, "currentStepIndex": step})
    plan = await Promote().plan(FRONT, {}, Holding(held, ReplicaSet=sets))
    assert plan.undo is not None
    assert plan.undo.action == undo
    assert plan.tier is Tier.KEY
    plan = await PromoteFull().plan(FRONT, {}, Holding(held, ReplicaSet=sets))
    assert plan.undo is not None
    assert (plan.undo.action, plan.undo.parameters, plan.tier, plan.typed) == (
        "rollback",
        {"to": "1"},
        Tier.TYPED,
        "front",
    )


async def test_where_nothing_was_stable_before_nothing_is_promised() -> None:
    plan = await Promote().plan(FRONT, {}, Holding(document(PAUSED)))
    assert (plan.undo, plan.no_undo) == (None, "nothing was stable before")
