"""Holds a Deployment's roll-out, and lets it go on (`kubectl rollout pause` and `resume`)."""

from __future__ import annotations

from collections.abc import Mapping

from services.actions.keepers import check_keepers
from services.actions.ordinary import Ordinary
from services.actions.reading import at, fetch, patch, rehearse, spoken
from services.actions.spec import Hands, Note, Refused
from services.actions.watching import see_once
from services.actions.workloads import patch_right, rollout_command, rollout_of
from services.model.action import Ended, Fact, Plan, Target, Undo
from services.model.severity import Severity
from services.ports import Snapshot
from services.sanitize import safe_text


class _Holding(Ordinary):
    """Pause or resume; they are each other's undo."""

    id = ""
    paused = False

    def available(self, row: object, snapshot: Snapshot) -> str:
        """Only where it would change something."""
        rollout = rollout_of(row, snapshot)
        if rollout is None or rollout.workload.paused is not self.paused:
            return ""
        return "it is paused already" if self.paused else "it is not paused"

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands) -> Plan:
        """Return the change of `spec.paused`."""
        document = await fetch(target, hands)
        keepers = await check_keepers(document, target, hands)
        if bool(at(document, "spec", "paused")) is self.paused:
            raise Refused(safe_text(f"{spoken(target)} {'is already paused' if self.paused else 'is not paused'}."))
        write = patch(target, document, {"spec": {"paused": True if self.paused else None}})
        edits, said = await rehearse(write, document, hands)
        return Plan(
            action=self.id,
            target=target,
            title=f"{self.id.capitalize()} {target.ref.key}",
            facts=(self._meaning(), *keepers, *said),
            edits=edits,
            writes=(write,),
            rights=(patch_right(target),),
            command=self._command(target),
            expects="at once",
            undo=Undo("resume" if self.paused else "pause", target.ref, target.resource, {}, self._back()),
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Look whether it is so."""
        done = f"{plan.target.ref.key} is {'paused' if self.paused else 'no longer paused'}"
        return await see_once(plan, hands, note, lambda found: bool(at(found, "spec", "paused")) is self.paused, done)

    def _meaning(self) -> Fact:
        if self.paused:
            text = "a new template waits, pods of both revisions stay; scaling still works, the deadline is not counted"
            return Fact("means", text, Severity.NOTICE)
        return Fact("means", "the roll-out goes on with the template as it is now")

    def _command(self, target: Target) -> str:
        """Return the command; Argo Rollouts has none that resumes without promoting too."""
        if target.ref.kind == "Rollout" and not self.paused:
            return f'patch rollouts.argoproj.io {target.ref.name} --type=merge -p \'{{"spec":{{"paused":null}}}}\''
        return rollout_command(target, self.id)

    def _back(self) -> str:
        return "resume it" if self.paused else "pause it again"


class Pause(_Holding):
    """`kubectl rollout pause`."""

    id = "pause"
    paused = True


class Resume(_Holding):
    """`kubectl rollout resume`."""

    id = "resume"
