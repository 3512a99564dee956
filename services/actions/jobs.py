"""Runs, holds and repeats what runs by the clock: CronJobs suspended, resumed, triggered; a failed Job tried again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from services.actions.ordinary import Ordinary
from services.actions.reading import at, check_owner, entries, fetch, mapping, patch, rehearse, slashed, spoken
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.watching import see_once
from services.actions.workloads import patch_right
from services.errors import Problem
from services.kubernetes.gitops import INSTANCE
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Right, Stage, Target, Undo, Write
from services.model.cluster import CronJob, Job
from services.model.ref import JOBS
from services.model.severity import Severity
from services.ports import Snapshot
from services.sanitize import safe_text

LONGEST_NAME = 63
OWN_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
"""Labels that the Job controller sets, and that a copy must not carry."""

KEPT_BY = (INSTANCE, "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
"""Labels by which GitOps knows what it made: a copy that carries one is deleted as what Git does not name."""

INSTANTIATED = "cronjob.kubernetes.io/instantiate"
POLL, PATIENCE = 1.0, 30.0


class _Clockwork(Ordinary):
    """Suspend or resume; they are each other's undo."""

    id = ""
    suspended = False

    def available(self, row: object, _snapshot: Snapshot, /) -> str:
        """Only where it would change something."""
        if not isinstance(row, CronJob) or row.suspended is not self.suspended:
            return ""
        return "it is suspended already" if self.suspended else "it is not suspended"

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the change of `spec.suspend`."""
        document = await fetch(target, hands)
        check_owner(document, target)
        if bool(at(document, "spec", "suspend")) is self.suspended:
            raise Refused(safe_text(f"{spoken(target)} is {'already' if self.suspended else 'not'} suspended."))
        write = patch(target, document, {"spec": {"suspend": self.suspended}})
        edits, said = await rehearse(write, document, hands)
        back = "resume-cronjob" if self.suspended else "suspend-cronjob"
        body = msgspec.json.encode({"spec": {"suspend": self.suspended}}).decode()
        return Plan(
            action=self.id,
            target=target,
            title=f"{self.id.partition('-')[0].capitalize()} {target.ref.key}",
            facts=(Fact("schedule", str(at(document, "spec", "schedule") or "")), self._meaning(), *said),
            edits=edits,
            writes=(write,),
            rights=(patch_right(target),),
            command=f"patch {slashed(target)} --type merge -p '{body}'",
            expects="at once",
            undo=Undo(back, target.ref, target.resource, {}, f"{back.partition('-')[0]} it"),
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Look whether it is so."""
        done = f"{plan.target.ref.key} is {'suspended' if self.suspended else 'no longer suspended'}"
        return await see_once(
            plan, hands, note, lambda found: bool(at(found, "spec", "suspend")) is self.suspended, done
        )

    def _meaning(self) -> Fact:
        if self.suspended:
            return Fact("means", "no new run begins; what runs goes on", Severity.NOTICE)
        return Fact("means", "it runs by its schedule again; a missed run within its starting deadline begins at once")


class SuspendCronJob(_Clockwork):
    """Set `spec.suspend`."""

    id = "suspend-cronjob"
    suspended = True


class ResumeCronJob(_Clockwork):
    """Clear `spec.suspend`."""

    id = "resume-cronjob"


class _NewJob(Ordinary):
    """A Job made from what another object describes."""

    id = ""

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the Job to create; `name`, where it is not given, comes from the clock."""
        document = await fetch(target, hands)
        self._check(document, target)
        name = given.get("name") or _name(target.ref.name, self._word(), hands.clock.now())
        body = self._job(document, name)
        namespace = target.ref.namespace
        write = Write("POST", JOBS.path(namespace), f"create job {namespace}/{name}", msgspec.json.encode(body))
        _, said = await rehearse(write, {}, hands)
        return Plan(
            action=self.id,
            target=target,
            title=f"{self._word().capitalize()} {target.ref.key}",
            parameters={"name": name},
            facts=(Fact("makes", f"job {namespace}/{name}"), *self._facts(document), *said),
            writes=(write,),
            rights=(Right("create", JOBS, namespace),),
            command=self._command(target, name, hands.context),
            touches=int(at(body, "spec", "parallelism") or 1),
            expects="until its first pod runs, or has ended",
            no_undo=f"what a job has done stays done; `kubectl delete job {name}` ends it",
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Watch until the Job has begun."""
        name, clock = plan.parameters["name"], hands.clock
        until = clock.monotonic() + PATIENCE
        await note(Progress(Stage.VERIFY, f"waiting for job {name} to begin"))
        while True:
            try:
                job = await hands.get(JOBS, plan.target.ref.namespace, name)
            except Problem as problem:
                if problem.status != 404:
                    raise
                return Ended(Outcome.FAILED, safe_text(f"There is no job {name}: it was never made."), at=clock.now())
            status = mapping(job.get("status"))
            if status.get("failed"):
                return Ended(Outcome.FAILED, safe_text(f"job {name} ran, and failed: see its logs"), at=clock.now())
            if status.get("active") or status.get("succeeded"):
                word = "has ended well" if status.get("succeeded") else "runs"
                return Ended(Outcome.OK, safe_text(f"job {name} {word}"), at=clock.now())
            if clock.monotonic() >= until:
                return Ended(Outcome.UNKNOWN, safe_text(f"job {name} was made, and has not begun yet"), at=clock.now())
            await clock.sleep(POLL)

    def _check(self, document: Document, target: Target) -> None:
        raise NotImplementedError

    def _word(self) -> str:
        raise NotImplementedError

    def _job(self, document: Document, name: str) -> Document:
        raise NotImplementedError

    def _facts(self, document: Document) -> tuple[Fact, ...]:
        raise NotImplementedError

    def _command(self, target: Target, name: str, context: str) -> str:
        raise NotImplementedError


class TriggerCronJob(_NewJob):
    """`kubectl create job --from=cronjob/NAME`."""

    id = "trigger-cronjob"

    def _check(self, document: Document, target: Target) -> None:
        check_owner(document, target)

    def _word(self) -> str:
        return "trigger"

    def _job(self, document: Document, name: str) -> Document:
        template = at(document, "spec", "jobTemplate") or {}
        metadata = mapping(template.get("metadata"))
        annotations = {**mapping(metadata.get("annotations")), INSTANTIATED: "manual"}
        owner = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": at(document, "metadata", "name"),
            "uid": at(document, "metadata", "uid"),
            "controller": True,
        }
        made = {"name": name, "annotations": annotations, "labels": dict(mapping(metadata.get("labels")))}
        return _job({**made, "ownerReferences": [owner]}, dict(mapping(template.get("spec"))))

    def _facts(self, document: Document) -> tuple[Fact, ...]:
        active = at(document, "status", "active") or []
        if active and at(document, "spec", "concurrencyPolicy") == "Forbid":
            return (Fact("now", "a run is going on, and its schedule forbids two at a time", Severity.WARN),)
        going = f"{len(active)} of its runs are going on" if active else "no run of it is going on"
        return (Fact("now", going),)

    def _command(self, target: Target, name: str, _context: str) -> str:
        return f"create job {name} --from={slashed(target)}"


class RetryJob(_NewJob):
    """A failed Job made anew from its own template, under another name: a Job's own is immutable."""

    id = "retry-job"

    def available(self, row: object, _snapshot: Snapshot, /) -> str:
        """Only a Job that has failed."""
        return "it has not failed" if isinstance(row, Job) and row.status != "Failed" else ""

    def _check(self, document: Document, target: Target) -> None:
        conditions = at(document, "status", "conditions") or []
        if not any(one.get("type") == "Failed" and one.get("status") == "True" for one in conditions):
            raise Refused(safe_text(f"{spoken(target)} has not failed: there is nothing to try again."))

    def _word(self) -> str:
        return "retry"

    def _job(self, document: Document, name: str) -> Document:
        metadata = mapping(document.get("metadata"))
        spec = {key: value for key, value in mapping(document.get("spec")).items() if key != "selector"}
        spec["template"] = _without_own_labels(mapping(spec.get("template")))
        spec.pop("manualSelector", None)
        left = (*OWN_LABELS, *KEPT_BY)
        labels = {key: value for key, value in mapping(metadata.get("labels")).items() if key not in left}
        return _job({"name": name, "labels": labels}, spec)

    def _facts(self, document: Document) -> tuple[Fact, ...]:
        failed = at(document, "status", "failed") or 0
        conditions = entries(at(document, "status", "conditions"))
        why = next((f" ({one.get('reason')})" for one in conditions if one.get("type") == "Failed"), "")
        return (Fact("failed", f"{failed} of its pods failed{why}; the same template runs again"),)

    def _command(self, target: Target, name: str, context: str) -> str:
        left = "del(.status,.spec.selector,.spec.template.metadata.labels)"
        anew = f'.metadata={{name:"{name}"}}|{left}'
        where = f"--context {shlex.quote(context)} -n {target.ref.namespace}"
        return f"get {slashed(target)} -o json | jq '{anew}' | kubectl {where} create -f -"


def _job(metadata: dict[str, Any], spec: dict[str, Any]) -> Document:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _without_own_labels(template: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(mapping(template.get("metadata")))
    labels = mapping(metadata.get("labels"))
    metadata["labels"] = {key: value for key, value in labels.items() if key not in OWN_LABELS}
    metadata.pop("creationTimestamp", None)
    return {**template, "metadata": metadata}


def _name(base: str, word: str, now: float) -> str:
    tail = f"-{word}-{int(now) % 100_000_000:08d}"
    return f"{base[: LONGEST_NAME - len(tail)].rstrip('-.')}{tail}"
