"""Keeps new pods away from a node, and lets them come again (`kubectl cordon` and `uncordon`)."""

from __future__ import annotations

from collections.abc import Mapping

from services.actions.ordinary import Ordinary
from services.actions.reading import STRATEGIC, at, fetch, patch, rehearse, spoken
from services.actions.spec import Hands, Note, Refused
from services.actions.watching import see_once
from services.actions.workloads import patch_right
from services.model.action import Ended, Fact, Plan, Target, Undo
from services.model.cluster import Node
from services.model.ref import PODS
from services.ports import Snapshot
from services.sanitize import safe_text


class _Scheduling(Ordinary):
    """Cordon or uncordon; they are each other's undo."""

    id = ""
    closed = False

    def available(self, row: object, _snapshot: Snapshot, /) -> str:
        """Only where it would change something."""
        if not isinstance(row, Node) or row.unschedulable is not self.closed:
            return ""
        return "it is cordoned already" if self.closed else "it is not cordoned"

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the change of `spec.unschedulable`."""
        document = await fetch(target, hands)
        if bool(at(document, "spec", "unschedulable")) is self.closed:
            raise Refused(safe_text(f"{spoken(target)} is {'already' if self.closed else 'not'} cordoned."))
        write = patch(target, document, {"spec": {"unschedulable": True if self.closed else None}}, STRATEGIC)
        edits, said = await rehearse(write, document, hands)
        pods = await hands.find(PODS, "", fieldSelector=f"spec.nodeName={target.ref.name}")
        means = "new pods go elsewhere" if self.closed else "pods may come here again"
        back = "uncordon" if self.closed else "cordon"
        return Plan(
            action=self.id,
            target=target,
            title=f"{self.id.capitalize()} {target.ref.name}",
            facts=(Fact("means", f"{means}; its {len(pods)} pods stay"), *said),
            edits=edits,
            writes=(write,),
            rights=(patch_right(target),),
            command=f"{self.id} {target.ref.name}",
            expects="at once",
            undo=Undo(back, target.ref, target.resource, {}, f"{back} it"),
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Look whether it is so."""
        done = f"{plan.target.ref.name} is {'cordoned' if self.closed else 'open for pods again'}"
        return await see_once(
            plan, hands, note, lambda found: bool(at(found, "spec", "unschedulable")) is self.closed, done
        )


class Cordon(_Scheduling):
    """`kubectl cordon`."""

    id = "cordon"
    closed = True


class Uncordon(_Scheduling):
    """`kubectl uncordon`."""

    id = "uncordon"
