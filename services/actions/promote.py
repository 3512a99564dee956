"""Takes an Argo Rollout a step on, or to its end at once (`kubectl argo rollouts promote`, `promote --full`)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from services.actions.deliveries import (
    NOTHING,
    Delivering,
    Gone,
    Scene,
    order,
    pods_facts,
    rehearse_orders,
    unless_degraded,
    watch_delivery,
)
from services.actions.keepers import check_keepers
from services.actions.reading import patch, rehearse
from services.actions.spec import Hands, Note
from services.actions.workloads import patch_right, pods_touched
from services.kubernetes.writing import digest_for
from services.model.action import Edit, Ended, Fact, Plan, Target, Tier, Undo, Write
from services.model.delivery import BLUE_GREEN, CANARY, HEALTHY, Delivery
from services.model.severity import Severity
from services.model.workload import Workload

ABORTED = "it is aborted: retry it, roll its spec back, or promote it in full"


def why_no_promotion(workload: Workload, delivery: Delivery) -> str:
    """Return why no step can be taken: nothing waits, or nothing is on its way."""
    if workload.paused:
        return ""
    if delivery.promoted:
        return NOTHING
    if delivery.aborted:
        return ABORTED
    if delivery.pauses:
        return ""
    if delivery.strategy == BLUE_GREEN:
        return "nothing waits for a promotion: the preview is still coming up"
    if delivery.step is None:
        return "it has no steps: it goes on by itself"
    return "its last step is done: it goes on by itself" if delivery.step >= len(delivery.steps) else ""


def why_no_full_promotion(workload: Workload, delivery: Delivery) -> str:
    """Return why there is nothing to promote to its end."""
    if delivery.promoted:
        return NOTHING
    if not delivery.stable:
        return "its first version is still coming up: it takes no steps"
    return "it is being promoted in full already" if delivery.full and not workload.paused else ""


def next_orders(scene: Scene) -> dict[str, object]:
    """Return what the status has to order for the next step: a pause ended, or the present step left, never both.

    A step whose analysis was inconclusive is left with its pause, or it would pause again.
    """
    delivery = scene.delivery
    if delivery.promoted:
        return {}
    behind = min((delivery.step or 0) + 1, len(delivery.steps))
    if delivery.strategy == CANARY and delivery.inconclusive and delivery.pauses and delivery.held:
        return {"pauseConditions": None, "controllerPause": False, "currentStepIndex": behind}
    if delivery.pauses:
        return {"pauseConditions": None}
    if delivery.strategy == CANARY and delivery.step is not None:
        return {"pauseConditions": None, "currentStepIndex": behind}
    return {}


class Promote(Delivering):
    """The next step: ends the pause, or leaves the step that runs."""

    id = "promote"
    rule = staticmethod(why_no_promotion)

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the end of the pause, by hand and of the step, and where it goes from there."""
        scene = await self.scene(target, hands)
        keepers = await check_keepers(scene.document, target, hands)
        orders = next_orders(scene)
        writes, edits, said = await _writes(target, scene, orders, hands)
        delivery = scene.delivery
        last = not delivery.steps or (delivery.step or 0) + 1 >= len(delivery.steps)
        return Plan(
            action=self.id,
            target=target,
            title=f"Promote {target.ref.key}",
            facts=(*pods_facts(scene, [Fact("next", _next(delivery)), *_skipped(delivery)]), *keepers, *said),
            edits=edits,
            writes=writes,
            rights=tuple(patch_right(target, one.path.rpartition("/")[2] if _ordered(one) else "") for one in writes),
            command=f"argo rollouts promote {target.ref.name}",
            touches=await pods_touched(target, scene.document, hands),
            expects="until the next step is reached, or what it delivers is stable",
            undo=_way_back(target, scene) if last else _abort(target, scene),
            no_undo="nothing was stable before" if not scene.stable else "",
            state={"step": "" if delivery.step is None else str(delivery.step), "hash": delivery.current},
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Watch until the next step is reached: behind the pause, switched over, or stable."""
        key, before = plan.target.ref.key, plan.state.get("step", "")

        def look(workload: Workload, delivery: Delivery) -> str:
            _same(plan, delivery)
            unless_degraded(delivery, key)
            if workload.paused or (delivery.held and not delivery.pauses):
                return ""
            if delivery.promoted:
                return f"{key} is promoted: revision {workload.revision} is stable"
            if delivery.strategy == BLUE_GREEN:
                switched = delivery.active == delivery.current
                return f"{key} is promoted: revision {workload.revision} serves" if switched else ""
            if before and delivery.step is not None and delivery.step > int(before):
                return f"{key} went on to step {delivery.step}/{len(delivery.steps)}, {delivery.weight} %"
            return ""

        return await watch_delivery(plan, hands, note, look)


class PromoteFull(Delivering):
    """To the end at once: no pause, no step, no analysis."""

    id = "promote-full"
    rule = staticmethod(why_no_full_promotion)

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the order to leave all steps out; its name has to be typed."""
        scene = await self.scene(target, hands)
        keepers = await check_keepers(scene.document, target, hands)
        writes, edits, said = await _writes(target, scene, {"promoteFull": True}, hands)
        left = len(scene.delivery.steps) - (scene.delivery.step or 0)
        skipped = f"{left} steps are" if scene.delivery.steps else "the pause is"
        warnings = [Fact("skips", f"{skipped} left out, and every analysis with them", Severity.WARN)]
        if scene.delivery.aborted:
            text = f"it was aborted ({scene.delivery.message}): this takes that back"
            warnings.append(Fact("abort", text, Severity.WARN))
        return Plan(
            action=self.id,
            target=target,
            title=f"Promote {target.ref.key} in full",
            facts=(*pods_facts(scene, warnings), *keepers, *said),
            edits=edits,
            writes=writes,
            rights=tuple(patch_right(target, "status" if _ordered(one) else "") for one in writes),
            command=f"argo rollouts promote {target.ref.name} --full",
            tier=Tier.TYPED,
            typed=target.ref.name,
            touches=await pods_touched(target, scene.document, hands),
            expects=f"until revision {scene.workload.revision} is stable and Healthy",
            undo=_way_back(target, scene),
            no_undo="nothing was stable before" if not scene.stable else "",
            state={"hash": scene.delivery.current},
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Watch until all of it is the new version."""
        key, asked = plan.target.ref.key, [False]

        def look(workload: Workload, delivery: Delivery) -> str:
            _same(plan, delivery)
            if delivery.promoted and delivery.phase == HEALTHY:
                return f"{key} is promoted in full: revision {workload.revision} is stable"
            asked[0] = asked[0] or delivery.full or delivery.promoted
            if asked[0] and not delivery.full:
                unless_degraded(delivery, key)
            return ""

        return await watch_delivery(plan, hands, note, look)


async def _writes(
    target: Target, scene: Scene, orders: Mapping[str, object], hands: Hands
) -> tuple[tuple[Write, ...], tuple[Edit, ...], tuple[Fact, ...]]:
    """Return the requests, and what the server's dry run says of each: what holds it by hand is let go first.

    The plugin sends the status first: a controller that looks in between finds a Rollout that is held without a reason,
    pauses it anew, and the promotion is lost.
    """
    writes: list[Write] = []
    edits: list[Edit] = []
    facts: list[Fact] = []
    document = scene.document
    if scene.workload.paused:
        write = patch(target, document, {"spec": {"paused": False}})
        found, said = await rehearse(write, document, hands)
        writes.append(write)
        edits += found
        facts += said
    if orders:
        first = order(target, document, orders)
        write, changed, fact = await rehearse_orders(first, document, hands)
        if scene.workload.paused:
            let_go = {**document, "spec": {**document["spec"], "paused": False}}
            write = structs.replace(write, spec=digest_for(write.path, write.body, let_go))
        writes.append(write)
        edits += changed
        facts += () if facts else (fact,)
    return tuple(writes), tuple(edits), tuple(facts)


def _ordered(write: Write) -> bool:
    return write.path.endswith("/status")


def _next(delivery: Delivery) -> str:
    if delivery.strategy == BLUE_GREEN:
        return "the active service goes over to the preview"
    behind = (delivery.step or 0) + 1
    if not delivery.steps or behind >= len(delivery.steps):
        return "100 %: what it delivers becomes stable"
    return f"step {behind}/{len(delivery.steps)}: {delivery.steps[behind]}"


def _skipped(delivery: Delivery) -> list[Fact]:
    """Return the warning that a step is left which has not said yet whether it is good."""
    running = [one for one in delivery.judgements if one.role == "step" and one.phase in ("Running", "Pending")]
    if delivery.pauses or delivery.step is None or not delivery.steps:
        return []
    now = delivery.steps[min(delivery.step, len(delivery.steps) - 1)]
    what = f"its analysis {running[0].name} still runs" if running else "it is not done yet"
    return [Fact("leaves", f"the present step ({now}) is skipped: {what}", Severity.WARN)]


def _same(plan: Plan, delivery: Delivery) -> None:
    if plan.state.get("hash") and delivery.current and delivery.current != plan.state["hash"]:
        raise Gone(f"{plan.target.ref.key} delivers something else now: somebody changed its template")


def _way_back(target: Target, scene: Scene) -> Undo | None:
    if not scene.stable:
        return None
    words = f"roll back to rev {scene.stable}"
    return Undo("rollback", target.ref, target.resource, {"to": str(scene.stable)}, words)


def _abort(target: Target, scene: Scene) -> Undo | None:
    words = f"abort: everything goes back to rev {scene.stable}" if scene.stable else "abort"
    return Undo("abort", target.ref, target.resource, {}, words) if scene.stable else None
