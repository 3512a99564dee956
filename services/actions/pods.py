"""Lets a pod go: evicted where a disruption budget has a say, or deleted; never another one of the same name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from services.actions.drain import BUDGETS
from services.actions.ordinary import Ordinary
from services.actions.reading import at, entries, fetch, rehearse, spoken
from services.actions.spec import Document, Hands, Note, Refused
from services.errors import Problem
from services.kubernetes.drain import refusals
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Right, Stage, Target, Tier, Write
from services.model.ref import PODS
from services.model.severity import Severity
from services.sanitize import safe_text

POLL = 1.0
GRACE = 30.0
SLACK = 30.0
MIRROR = "kubernetes.io/config.mirror"


class _Going(Ordinary):
    """A pod's end, by one of the two ways."""

    id = ""

    async def plan(self, target: Target, _given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the request with the pod's uid as its precondition."""
        document = await fetch(target, hands)
        self._check(document, target)
        write = self._write(document, target)
        _, said = await rehearse(write, document, hands)
        owner, budgets = _owner(document), await self._budgets(document, target, hands)
        return Plan(
            action=self.id,
            target=target,
            title=f"{self.id.partition('-')[0].capitalize()} pod {target.ref.key}",
            facts=(*_facts(document, owner), *budgets, *said),
            writes=(write,),
            rights=(self._right(target),),
            command=self._command(target),
            tier=_tier(owner, budgets),
            typed=target.ref.name,
            touches=1,
            expects="until it is gone",
            no_undo="a pod that is gone does not come back; what manages it makes another",
            state={"grace": str(at(document, "spec", "terminationGracePeriodSeconds") or GRACE)},
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Watch until the pod is gone, or another one has its name."""
        target, clock = plan.target, hands.clock
        until = clock.monotonic() + float(plan.state.get("grace", GRACE)) + SLACK
        told = False
        while True:
            document = await _still_there(target, hands)
            if document is None:
                return Ended(Outcome.OK, safe_text(f"{spoken(target)} is gone"), at=clock.now())
            leaving = bool(at(document, "metadata", "deletionTimestamp"))
            if clock.monotonic() >= until:
                text = "is still shutting down" if leaving else "is still there: the request never took effect"
                outcome = Outcome.UNKNOWN if leaving else Outcome.FAILED
                return Ended(outcome, safe_text(f"{spoken(target)} {text}"), at=clock.now())
            if not told:
                told = True
                await note(Progress(Stage.VERIFY, "it is shutting down"))
            await clock.sleep(POLL)

    def _check(self, document: Document, target: Target) -> None:
        if at(document, "metadata", "annotations", MIRROR):
            raise Refused(safe_text(f"{spoken(target)} is a mirror of a static pod: its node's kubelet alone ends it."))

    async def _budgets(self, _document: Document, _target: Target, _hands: Hands) -> tuple[Fact, ...]:
        return ()

    def _write(self, document: Document, target: Target) -> Write:
        raise NotImplementedError

    def _right(self, target: Target) -> Right:
        raise NotImplementedError

    def _command(self, target: Target) -> str:
        raise NotImplementedError


class DeletePod(_Going):
    """`kubectl delete pod`, with the pod's uid as a precondition."""

    id = "delete-pod"

    async def _budgets(self, document: Document, target: Target, hands: Hands) -> tuple[Fact, ...]:
        """Say which disruption budgets a deletion passes by: the server asks them for an eviction alone."""
        try:
            budgets = await hands.find(BUDGETS, target.ref.namespace)
        except Problem as problem:
            text = f"whether a disruption budget protects it is not known: {problem.sentence}"
            return (Fact("budget", safe_text(text), Severity.NOTICE),)
        passed = "a deletion passes by it, an eviction would be refused"
        found = refusals(document, budgets)
        return tuple(Fact("budget", safe_text(f"{why}: {passed}"), Severity.WARN) for why in found)

    def _write(self, document: Document, target: Target) -> Write:
        return Write(
            method="DELETE",
            path=PODS.path(target.ref.namespace, target.ref.name),
            what=f"delete {spoken(target)}",
            uid=str(at(document, "metadata", "uid") or ""),
        )

    def _right(self, target: Target) -> Right:
        return Right("delete", PODS, target.ref.namespace)

    def _command(self, target: Target) -> str:
        return f"delete pod {target.ref.name}"


class EvictPod(_Going):
    """An eviction (policy/v1), which a PodDisruptionBudget may refuse."""

    id = "evict-pod"

    def _write(self, document: Document, target: Target) -> Write:
        ref = target.ref
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": ref.name, "namespace": ref.namespace},
        }
        return Write(
            method="POST",
            path=PODS.path(ref.namespace, ref.name, "eviction"),
            what=f"evict {spoken(target)}",
            body=msgspec.json.encode(body),
            uid=str(at(document, "metadata", "uid") or ""),
        )

    def _right(self, target: Target) -> Right:
        return Right("create", PODS, target.ref.namespace, "eviction")

    def _command(self, target: Target) -> str:
        path = PODS.path(target.ref.namespace, target.ref.name, "eviction")
        return f"create --raw {path} -f eviction.json"


async def _still_there(target: Target, hands: Hands) -> Document | None:
    try:
        document = await hands.get(PODS, target.ref.namespace, target.ref.name)
    except Problem as problem:
        if problem.status == 404:
            return None
        raise
    return document if at(document, "metadata", "uid") == target.ref.uid or not target.ref.uid else None


def _owner(document: Document) -> str:
    owners = entries(at(document, "metadata", "ownerReferences"))
    found = next((one for one in owners if one.get("controller")), None)
    return f"{found.get('kind', '')} {found.get('name', '')}" if found is not None else ""


def _tier(owner: str, budgets: Sequence[Fact]) -> Tier:
    """Return how much has to be said: why, where a budget is overridden; the name, of what does not come back."""
    if not owner:
        return Tier.TYPED
    return Tier.REASON if any(one.severity is Severity.WARN for one in budgets) else Tier.KEY


def _facts(document: Document, owner: str) -> list[Fact]:
    found = [Fact("node", str(at(document, "spec", "nodeName") or "none"))]
    if owner:
        found.append(Fact("owner", f"{owner} makes another"))
    else:
        found.append(Fact("owner", "nothing manages it: it does not come back", Severity.CRIT))
    volumes = entries(at(document, "spec", "volumes"))
    if any("emptyDir" in one for one in volumes):
        found.append(Fact("emptyDir", "what it keeps in its emptyDir is lost", Severity.WARN))
    return found
