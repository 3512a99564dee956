"""Restarts a workload's pods as `kubectl rollout restart` does: a new revision with the time in its template."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from services.actions.deliveries import ARGO_ROLLOUT, watch_restarted
from services.actions.keepers import check_keepers
from services.actions.ordinary import Ordinary
from services.actions.reading import MERGE, STRATEGIC, at, fetch, patch, rehearse
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.watching import watch_rollout, workload_of
from services.actions.workloads import patch_right, pods_touched, rollout_command, rollout_of
from services.model.action import Ended, Fact, Plan, Target
from services.model.severity import Severity
from services.ports import Snapshot
from services.sanitize import safe_text

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class Restart(Ordinary):
    """`kubectl rollout restart` (kubectl pkg/polymorphichelpers/objectrestarter.go)."""

    id = "restart"

    def available(self, row: object, snapshot: Snapshot) -> str:
        """Not while it is paused, as kubectl refuses it too."""
        rollout = rollout_of(row, snapshot)
        if rollout is None or rollout.workload.delivery is not None:
            return ""
        return "it is paused: resume it first" if rollout.workload.paused else ""

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands) -> Plan:
        """Return the new template annotation; `at` (RFC 3339) is the present where it is not given."""
        document = await fetch(target, hands)
        keepers = await check_keepers(document, target, hands)
        argo = (target.ref.group, target.ref.kind) == ARGO_ROLLOUT
        if at(document, "spec", "paused") and not argo:
            raise Refused(safe_text("A paused deployment cannot be restarted: resume it first."))
        when = given.get("at") or datetime.fromtimestamp(hands.clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if _restarted_at(document) == when:
            raise Refused(safe_text("It was restarted within this very second: wait a moment."))
        body = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: when}}}}}
        write = patch(target, document, {"spec": {"restartAt": when}} if argo else body, MERGE if argo else STRATEGIC)
        edits, said = await rehearse(write, document, hands)
        workload = workload_of(target, document)
        same = ", ".join(workload.images) or (f"that of {workload.delivery.follows}" if workload.delivery else "")
        facts = [
            Fact("restarts", f"{workload.desired} pods, with the same image: {same}"),
            *_warnings(target, document, workload.ready, workload.desired),
            *keepers,
            *said,
        ]
        return Plan(
            action=self.id,
            target=target,
            title=f"Restart {target.ref.key}",
            parameters={"at": when},
            facts=tuple(facts),
            edits=edits,
            writes=(write,),
            rights=(patch_right(target),),
            command=rollout_command(target, "restart"),
            touches=await pods_touched(target, document, hands),
            expects="until every pod is a new one, and ready",
            no_undo="a restart cannot be undone: the pods that were are gone",
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Watch the new revision roll out."""
        when = plan.parameters["at"]
        if (plan.target.ref.group, plan.target.ref.kind) == ARGO_ROLLOUT:
            return await watch_restarted(plan, hands, note)
        return await watch_rollout(
            plan, hands, note, lambda document: _restarted_at(document) == when, f"{plan.target.ref.key} has restarted"
        )


def _restarted_at(document: Document) -> object:
    if document.get("kind") == "Rollout":
        return at(document, "spec", "restartAt")
    return at(document, "spec", "template", "metadata", "annotations", RESTARTED_AT)


def _warnings(target: Target, document: Document, ready: int, desired: int) -> list[Fact]:
    found = []
    if (target.ref.group, target.ref.kind) == ARGO_ROLLOUT:
        return []
    strategy = at(document, "spec", "updateStrategy" if target.ref.kind != "Deployment" else "strategy", "type")
    if strategy == "OnDelete":
        found.append(Fact("strategy", "OnDelete: nothing happens until each pod is deleted", Severity.WARN))
    if strategy == "Recreate":
        found.append(Fact("strategy", "Recreate: every pod stops before a new one starts", Severity.WARN))
    if desired == 1 and strategy != "RollingUpdate":
        found.append(Fact("single", "there is one pod only: it is away for a while", Severity.WARN))
    if ready < desired:
        text = f"{ready} of {desired} are ready: a restart seldom helps while the image is the same"
        found.append(Fact("doubt", text, Severity.NOTICE))
    return found
