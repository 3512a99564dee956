"""What keeps an object as it is: controllers to act on instead, GitOps that undoes a change; and holding it off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import structs

from services.actions.following import written
from services.actions.ordinary import Ordinary
from services.actions.reading import fetch, rehearse, spoken
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.workloads import rollout_of
from services.errors import Problem
from services.kubernetes.gitops import Ownership, keeper_among, kept_by_gitops, known, owners
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Right, Stage, Target, Undo, Write
from services.model.severity import Severity
from services.model.workload import Rollout, Workload
from services.ports import Snapshot
from services.sanitize import safe_text

HOLDABLE = "GitOps"
"""The label of a keeper's warning where it can be held off from here."""


async def keepers_of(document: Document, target: Target, hands: Hands) -> tuple[Ownership, ...]:
    """Return who keeps an object, and what they will do to a change as far as their own documents may be read."""
    found = []
    for ownership in owners(document, target.ref):
        keeper = await _document_of(ownership, hands)
        found.append(known(ownership, keeper) if keeper is not None else ownership)
    return tuple(found)


async def check_keepers(document: Document, target: Target, hands: Hands) -> list[Fact]:
    """Return a warning for each keeper that will undo a change, or may. Raises Refused where a controller has it."""
    found = []
    for ownership in await keepers_of(document, target, hands):
        if ownership.refuses:
            raise Refused(ownership.sentence)
        severity = Severity.NOTICE if ownership.reverts is False else Severity.WARN
        label = HOLDABLE if ownership.suspend is not None else "owner"
        found.append(Fact(label, ownership.sentence, severity))
    return found


async def _document_of(ownership: Ownership, hands: Hands) -> Document | None:
    if ownership.resource is None or ownership.refuses:
        return None
    try:
        documents = await hands.find(ownership.resource, ownership.namespace)
    except Problem:
        return None
    found = keeper_among(ownership, documents)
    return dict(found) if found is not None else None


class SuspendGitOps(Ordinary):
    """Holds off what would undo a change by hand; the target is the object that it keeps."""

    id = "suspend-gitops"

    def available(self, row: object, snapshot: Snapshot, /) -> str:
        """Only where Argo CD or Flux was found to keep the workload."""
        rollout = rollout_of(row, snapshot)
        kept = rollout is None or any(kept_by_gitops(one) for one in _with_followed(rollout.workload, snapshot))
        return "" if kept else "neither Argo CD nor Flux was found to keep it"

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the change of the keeper's own document, and how to put back what it is now."""
        for ownership in await _of_both(target, hands):
            if ownership.suspend is not None and ownership.resume is not None and ownership.resource is not None:
                keeper = f"{ownership.keeper.value} {ownership.name}"
                kept, undo = _kept(ownership.resume), f"let {keeper} work again"
                facts = (
                    Fact("keeps", ownership.sentence, Severity.NOTICE),
                    Fact("holds", f"off all that {keeper} keeps, not this object alone", Severity.NOTICE),
                )
                plan = await _planned(self.id, target, ownership.suspend, facts, hands)
                return structs.replace(
                    plan,
                    title=f"Hold off {keeper}",
                    rights=(Right("patch", ownership.resource, ownership.namespace),),
                    undo=Undo("resume-gitops", target.ref, target.resource, kept, undo),
                )
        raise Refused(safe_text(f"{spoken(target)} has no keeper that could be held off from here."))

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Look whether the keeper is still to be held off; another one is held off by itself."""
        await note(Progress(Stage.VERIFY, "looking whether it is so"))
        working = _working(await _of_both(plan.target, hands))
        return _seen(working.isdisjoint(write.path for write in plan.writes), f"{plan.title}: done", hands)


class ResumeGitOps(Ordinary):
    """Puts back what `SuspendGitOps` found; offered as its undo alone, since nobody else knows what that was."""

    id = "resume-gitops"

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the change that is put back."""
        if "body" not in given:
            raise Refused(safe_text("What it was before is not known here: resume it where it was held off."))
        write = Write(
            "PATCH", given["path"], given["what"], given["body"].encode(), given["content_type"], uid=given["uid"]
        )
        if write.path in _working(await _of_both(target, hands)):
            text = "it works again already, as somebody else has it: nothing is sent, and it is off the list"
            plan = Plan(self.id, target, "", facts=(Fact("means", text, Severity.NOTICE),), command=_reading(write))
        else:
            plan = await _planned(self.id, target, write, (Fact("again", given["what"]),), hands)
        return structs.replace(
            plan,
            title=f"Let GitOps work on {target.ref.key} again",
            parameters=dict(given),
            no_undo="hold it off again from the action menu",
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Look whether the keeper could be held off again."""
        await note(Progress(Stage.VERIFY, "looking whether it is so"))
        works = plan.parameters["path"] in _working(await _of_both(plan.target, hands))
        return _seen(works, f"{plan.title}: done", hands)


def _working(keepers: Iterable[Ownership]) -> frozenset[str]:
    """Return the paths of the keepers that could be held off now."""
    return frozenset(one.suspend.path for one in keepers if one.suspend is not None)


async def _of_both(target: Target, hands: Hands) -> tuple[Ownership, ...]:
    """Return who keeps an object, and who keeps another one that its pod template is written in."""
    document = await fetch(target, hands)
    found = await keepers_of(document, target, hands)
    try:
        holder = await written(target, document, hands)
    except Refused:
        return found
    return (*found, *await keepers_of(holder.document, holder.target, hands)) if holder.borrowed else found


def _with_followed(workload: Workload, snapshot: Snapshot) -> tuple[Workload, ...]:
    """Return a workload, and the Deployment whose template it takes where that is watched."""
    follows = workload.delivery.follows if workload.delivery is not None else ""
    kind, _, name = follows.partition("/")
    key = f"Deployment/{workload.ref.namespace}/{name}"
    followed = snapshot.tables.get("rollouts", {}).get(key) if kind == "deployment" else None
    return (workload, followed.workload) if isinstance(followed, Rollout) else (workload,)


async def _planned(action: str, target: Target, write: Write, facts: tuple[Fact, ...], hands: Hands) -> Plan:
    _, said = await rehearse(write, {}, hands)
    return Plan(
        action=action,
        target=target,
        title="",
        facts=(*facts, *said),
        writes=(write,),
        command=_command(write),
        expects="at once",
    )


def _command(write: Write) -> str:
    """Return the command, with the keeper's own namespace, and its group: others may have a kind of that name."""
    group, _version, _namespaces, namespace, plural, name = write.path.removeprefix("/apis/").split("/")
    return f"-n {namespace} patch {plural}.{group} {name} --type merge -p '{write.body.decode()}'"


def _reading(write: Write) -> str:
    """Return the command that shows the keeper, for where nothing is sent."""
    return _command(write).partition(" --type")[0].replace(" patch ", " get ", 1)


def _kept(write: Write) -> Mapping[str, str]:
    return {
        "path": write.path,
        "what": write.what,
        "body": write.body.decode(),
        "content_type": write.content_type,
        "uid": write.uid,
    }


def _seen(holds: bool, done: str, hands: Hands) -> Ended:
    if holds:
        return Ended(Outcome.OK, safe_text(done), at=hands.clock.now())
    return Ended(Outcome.FAILED, safe_text("the keeper does not show the change"), at=hands.clock.now())
