"""Sets how many pods a workload has, from the number that was shown and from no other.

Source: kubectl pkg/scale/scale.go, with its precondition on the current replicas always set.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.actions.deliveries import ARGO_ROLLOUT, watch_scaled
from services.actions.keepers import check_keepers
from services.actions.ordinary import Ordinary
from services.actions.reading import MERGE, at, fetch, patch, rehearse, slashed, spoken
from services.actions.spec import Hands, Note, Refused
from services.actions.watching import watch_rollout, workload_of
from services.actions.workloads import patch_right, rollout_of, scaled_by_itself
from services.model.action import Ended, Fact, Plan, Right, Target, Tier, Undo
from services.model.severity import Severity
from services.ports import Snapshot
from services.sanitize import safe_text

MOST = 10_000


class Scale(Ordinary):
    """`kubectl scale --current-replicas`."""

    id = "scale"

    def available(self, row: object, snapshot: Snapshot) -> str:
        """Always, where there is a workload."""
        return "" if rollout_of(row, snapshot) is not None else "it is not known as a workload yet"

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands) -> Plan:
        """Return the change from the replicas it has now; `from`, where given, must still be their number."""
        wanted = _count(given.get("replicas", ""))
        document = await fetch(target, hands)
        keepers = await check_keepers(document, target, hands)
        scale = await hands.get(target.resource, target.ref.namespace, target.ref.name, "scale")
        current = int(at(scale, "spec", "replicas") or 0)
        if given.get("from") and given["from"] != str(current):
            raise Refused(safe_text(f"Expected {given['from']} replicas, and there are {current}: look again."))
        if wanted == current:
            raise Refused(safe_text(f"{spoken(target)} has {current} replicas already."))
        write = patch(target, scale, {"spec": {"replicas": wanted}}, MERGE, "scale")
        _, said = await rehearse(write, scale, hands)
        facts = [Fact("from", f"{current} replicas"), Fact("to", f"{wanted} replicas")]
        facts += await scaled_by_itself(target, hands)
        if not wanted:
            text = "at 0 nothing serves, and a HPA stays off until somebody scales up again"
            facts.append(Fact("zero", text, Severity.CRIT))
        if (delivery := workload_of(target, document).delivery) is not None and not delivery.promoted:
            text = f"a delivery is on its way ({delivery.phase}): its share is reckoned anew from {wanted}"
            facts.append(Fact("delivery", text, Severity.NOTICE))
        return Plan(
            action=self.id,
            target=target,
            title=f"Scale {target.ref.key} from {current} to {wanted}",
            parameters={"replicas": str(wanted), "from": str(current)},
            facts=(*facts, *keepers, *said),
            writes=(write,),
            rights=(Right("get", target.resource, target.ref.namespace, "scale"), patch_right(target, "scale")),
            command=f"scale {slashed(target)} --replicas={wanted} --current-replicas={current}",
            tier=Tier.TYPED if not wanted else Tier.KEY,
            typed=target.ref.name,
            touches=abs(wanted - current),
            expects=f"until {wanted} are ready",
            undo=Undo(
                self.id,
                target.ref,
                target.resource,
                {"replicas": str(current), "from": str(wanted)},
                f"scale back to {current}",
            ),
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Watch until as many as were asked for are ready."""
        wanted = int(plan.parameters["replicas"])
        if (plan.target.ref.group, plan.target.ref.kind) == ARGO_ROLLOUT:
            return await watch_scaled(plan, hands, note, wanted)
        return await watch_rollout(
            plan,
            hands,
            note,
            lambda document: int(at(document, "spec", "replicas") or 0) == wanted,
            f"{plan.target.ref.key} has {wanted} replicas",
        )


def _count(text: str) -> int:
    if not text.strip().isdecimal() or int(text) > MOST:
        raise Refused(safe_text(f"How many replicas? {text[:40]!r} is no number from 0 to {MOST:,}."))
    return int(text)
