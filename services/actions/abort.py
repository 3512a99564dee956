"""Gives an Argo Rollout's update up, and takes it up again (`kubectl argo rollouts abort` and `retry rollout`).

An abort moves traffic and pods alone: the spec goes on naming the version that was given up, until it is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.actions.deliveries import (
    NOTHING,
    Delivering,
    Gone,
    Scene,
    order,
    pods_facts,
    rehearse_orders,
    watch_delivery,
)
from services.actions.keepers import check_keepers
from services.actions.spec import Hands, Note
from services.actions.workloads import patch_right, pods_touched
from services.model.action import Ended, Fact, Plan, Target, Undo
from services.model.delivery import BLUE_GREEN, DEGRADED, Delivery
from services.model.severity import Severity
from services.model.workload import Workload


def why_no_abort(_workload: Workload, delivery: Delivery) -> str:
    """Return why there is nothing to give up."""
    if delivery.promoted:
        return NOTHING
    if not delivery.stable:
        return "no version is stable yet that it could go back to"
    return "it is aborted already" if delivery.aborted else ""


def why_no_retry(_workload: Workload, delivery: Delivery) -> str:
    """Return why there is nothing to take up again."""
    if delivery.promoted:
        return NOTHING
    return "" if delivery.aborted else "it is not aborted"


class Abort(Delivering):
    """Everything goes back to the stable version at once."""

    id = "abort"
    rule = staticmethod(why_no_abort)

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the order to give up, and what it leaves behind."""
        scene = await self.scene(target, hands)
        left = (
            f"the spec still names {scene.images}: undo it afterwards to rev {scene.stable}, or a retry brings it again"
        )
        facts = [
            Fact("means", f"pods and traffic go back to rev {scene.stable}, at once"),
            Fact("leaves", left, Severity.NOTICE),
        ]
        return await _ordered(self.id, "Abort", target, scene, hands, facts=facts, aborted=True)

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Watch until the stable version serves everything."""
        key = plan.target.ref.key

        def look(workload: Workload, delivery: Delivery) -> str:
            if delivery.promoted:
                raise Gone(f"{key} is not aborted: revision {workload.revision} is stable now")
            if not delivery.aborted or not stable_serves(workload, delivery):
                return ""
            images = ", ".join(workload.images) or "the new version"
            back = plan.state.get("stable", "")
            serves = f"revision {back} serves everything" if back else "the stable version serves everything"
            undo = f"roll it back to revision {back}" if back else "roll it back"
            return f"{key} is aborted: {serves}; the spec still names {images}: {undo}"

        return await watch_delivery(plan, hands, note, look)


class Retry(Delivering):
    """The update that was given up begins again from its first step."""

    id = "retry"
    rule = staticmethod(why_no_retry)

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the order to begin again."""
        scene = await self.scene(target, hands)
        facts = [
            Fact("means", f"{scene.images} is delivered again, from the first step on"),
            Fact("was", f"given up: {scene.delivery.message}", Severity.WARN),
        ]
        return await _ordered(self.id, "Retry", target, scene, hands, facts=facts, aborted=False)

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Watch until the controller works on it again."""
        key = plan.target.ref.key

        def look(workload: Workload, delivery: Delivery) -> str:
            if delivery.promoted:
                return f"{key} was tried again: revision {workload.revision} is stable"
            if delivery.aborted or delivery.phase == DEGRADED:
                return ""
            return f"{key} is delivered again: {delivery.phase}"

        return await watch_delivery(plan, hands, note, look)


def stable_serves(workload: Workload, delivery: Delivery) -> bool:
    """Return whether nothing but the stable version serves: no canary pods, or no weight, or the old colour active."""
    if delivery.strategy == BLUE_GREEN:
        return delivery.active == delivery.stable
    if delivery.routed is not None:
        return delivery.routed == 0
    return workload.updated == 0 and workload.available >= workload.desired


async def _ordered(
    name: str, verb: str, target: Target, scene: Scene, hands: Hands, *, facts: list[Fact], aborted: bool
) -> Plan:
    keepers = await check_keepers(scene.document, target, hands)
    first = order(target, scene.document, {"abort": aborted})
    write, edits, said = await rehearse_orders(first, scene.document, hands)
    inverse, words = ("retry", "retry: deliver it again") if aborted else ("abort", "abort it again")
    return Plan(
        action=name,
        target=target,
        title=f"{verb} {target.ref.key}",
        facts=(*pods_facts(scene, facts), *keepers, said),
        edits=edits,
        writes=(write,),
        rights=(patch_right(target, "status" if write.path.endswith("/status") else ""),),
        command=f"argo rollouts {'abort' if aborted else 'retry rollout'} {target.ref.name}",
        touches=await pods_touched(target, scene.document, hands),
        expects="until the stable version serves everything" if aborted else "until it is on its way again",
        undo=Undo(inverse, target.ref, target.resource, {}, words),
        state={"stable": str(scene.stable) if scene.stable else ""},
    )
