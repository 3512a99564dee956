"""Finds where a workload's pod template is written: in itself, or in another object that a Rollout follows.

Source: argo-rollouts v1.10 rollout/templateref.go, pkg/kubectl-argo-rollouts/cmd/{undo,set}: what changes the template
of a Rollout with a `workloadRef` is sent to the object that it names, and the controller takes it over from there.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from services.actions.reading import at, fetch, slashed
from services.actions.spec import Document, Hands, Refused
from services.errors import Problem
from services.model.action import Fact, Target
from services.model.ref import ARGO_ROLLOUTS, DEPLOYMENTS, REPLICASETS, Ref, Resource
from services.model.severity import Severity
from services.sanitize import safe_text

FOLLOWED = {("apps", one.kind): one for one in (DEPLOYMENTS, REPLICASETS)}
"""What a Rollout may follow and an action may change, by group and kind; a PodTemplate is the one other kind."""

WORKLOAD_OBSERVED = "workloadObservedGeneration"


class Reads(Protocol):
    """What is needed of the hands to find out what is locked."""

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        """One object, as it is now."""
        ...


class Written(NamedTuple):
    """The object that holds a workload's pod template: `target` and `document` are the workload's own, or another's."""

    target: Target
    document: Document
    borrowed: bool = False

    @property
    def facts(self) -> list[Fact]:
        """What a plan has to say of a change that goes to another object than was shown, () for its own."""
        if not self.borrowed:
            return []
        name = slashed(self.target)
        found = [Fact("changes", f"{name}, whose template it follows", Severity.NOTICE)]
        pods = int(at(self.document, "spec", "replicas") or 0)
        if pods and self.target.ref.kind == DEPLOYMENTS.kind:
            text = f"{name} has {pods} pods of its own: they are replaced too, at its own pace and without these steps"
            found.append(Fact("beside", text, Severity.WARN))
        return found


async def written(target: Target, document: Document, hands: Hands) -> Written:
    """Return where the pod template of a workload is written, as it is on the server now.

    Raises Refused where that object is gone, or of a kind that no action changes.
    """
    reference = at(document, "spec", "workloadRef")
    name = str(at(reference, "name") or "")
    if not name:
        return Written(target, document)
    kind, group = str(at(reference, "kind") or ""), str(at(reference, "apiVersion") or "").rpartition("/")[0]
    resource = FOLLOWED.get((group, kind))
    if resource is None:
        text = f"its template is that of {kind.lower()}/{name}, which is changed where it came from: it then follows"
        raise Refused(safe_text(f"{target.ref.kind.lower()} {target.ref.key}: {text}."))
    ref = Ref(target.ref.cluster, resource.group, resource.kind, target.ref.namespace, name, "")
    followed = Target(ref, resource)
    return Written(followed, await fetch(followed, hands), borrowed=True)


async def locked_as(ref: Ref, hands: Reads) -> Ref:
    """Return the object under whose lock another is acted on: what a Rollout follows, anything else itself.

    A Rollout and the Deployment that holds its pod template are one thing to change: two operators, one at each, would
    change the same template. Raises Problem where the Rollout cannot be read.
    """
    if (ref.group, ref.kind) != (ARGO_ROLLOUTS.group, ARGO_ROLLOUTS.kind):
        return ref
    try:
        document = await hands.get(ARGO_ROLLOUTS, ref.namespace, ref.name)
    except Problem as problem:
        if problem.status == 404:
            return ref
        raise
    reference = at(document, "spec", "workloadRef")
    kind, name = str(at(reference, "kind") or ""), str(at(reference, "name") or "")
    if not kind or not name:
        return ref
    group = str(at(reference, "apiVersion") or "").rpartition("/")[0]
    return Ref(ref.cluster, group, kind, ref.namespace, name, "")


def taken_over(document: Document, holder: Written) -> bool:
    """Tell whether a Rollout's controller has seen its present spec, and the template that it follows."""
    seen, made = _number(at(document, "status", "observedGeneration")), at(document, "metadata", "generation")
    if seen < int(made or 0):
        return False
    if not holder.borrowed:
        return True
    taken = _number(at(document, "status", WORKLOAD_OBSERVED))
    return taken >= int(at(holder.document, "metadata", "generation") or 0)


def _number(value: object) -> int:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
