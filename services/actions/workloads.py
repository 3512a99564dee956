"""What actions on workloads share: the kinds, the rights, the pods they touch, the row they are offered for."""

from __future__ import annotations

from services.actions.reading import at, entries, slashed
from services.actions.spec import Document, Hands
from services.errors import Problem
from services.model.action import Fact, Right, Target
from services.model.ref import ARGO_ROLLOUTS, DAEMONSETS, DEPLOYMENTS, PODS, STATEFULSETS, Resource, ref_of
from services.model.severity import Severity
from services.model.workload import Rollout
from services.ports import Snapshot

DEPLOYMENT = (DEPLOYMENTS.group, DEPLOYMENTS.kind)
STATEFULSET = (STATEFULSETS.group, STATEFULSETS.kind)
DAEMONSET = (DAEMONSETS.group, DAEMONSETS.kind)
WORKLOADS = frozenset({DEPLOYMENT, STATEFULSET, DAEMONSET})

HASH_LABEL = "rollouts-pod-template-hash"

AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
SCALED_OBJECTS = Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")


def rollout_of(row: object, snapshot: Snapshot) -> Rollout | None:
    """Return the workload's joined row, from the row itself or by its identity; None where there is none."""
    if isinstance(row, Rollout):
        return row
    ref = ref_of(row)
    rows = snapshot.tables.get("rollouts", {})
    found = rows.get(f"{ref.kind}/{ref.key}") if ref is not None else None
    return found if isinstance(found, Rollout) else None


def rollout_command(target: Target, verb: str, flags: str = "") -> str:
    """Return the command for a roll-out: "rollout undo deployment/cart", "argo rollouts undo cart" for a Rollout."""
    if target.ref.kind == ARGO_ROLLOUTS.kind:
        return f"argo rollouts {verb} {target.ref.name}{flags}"
    return f"rollout {verb} {slashed(target)}{flags}"


def patch_right(target: Target, subresource: str = "") -> Right:
    """Return the right to patch the object."""
    return Right("patch", target.resource, target.ref.namespace, subresource)


async def pods_touched(target: Target, document: Document, hands: Hands) -> int:
    """Return how many pods belong to a workload now."""
    selector = labels_wanted(document)
    return len(await hands.find(PODS, target.ref.namespace, labelSelector=selector)) if selector else 0


def labels_wanted(document: Document) -> str:
    """Return the label selector of a workload in the API's string form, "" for none.

    A Rollout may take it from the workload that it follows; then its status names it, of one of its versions alone.
    """
    labels = at(document, "spec", "selector", "matchLabels") or {}
    if labels:
        return ",".join(f"{name}={value}" for name, value in labels.items())
    said = str(at(document, "status", "selector") or "")
    return ",".join(part for part in said.split(",") if part and not part.startswith(f"{HASH_LABEL}="))


async def scaled_by_itself(target: Target, hands: Hands) -> list[Fact]:
    """Return a warning for each autoscaler that owns the workload's number of replicas."""
    found = []
    for resource, named in ((AUTOSCALERS, "HPA"), (SCALED_OBJECTS, "KEDA")):
        try:
            scalers = await hands.find(resource, target.ref.namespace)
        except Problem as problem:
            if problem.status != 404:
                said = f"whether a {named} scales it is not known: {problem.sentence}"
                found.append(Fact("scaler", said, Severity.NOTICE))
            continue
        for one in scalers:
            about = at(one, "spec", "scaleTargetRef") or {}
            if about.get("name") != target.ref.name or about.get("kind", "Deployment") != target.ref.kind:
                continue
            name = at(one, "metadata", "name")
            low, high = _bounds(one)
            text = f"{named} {name} ({low} to {high}) sets the replicas and will undo this"
            found.append(Fact("scaler", text, Severity.WARN))
    return found


def _bounds(scaler: Document) -> tuple[object, object]:
    spec = at(scaler, "spec") or {}
    low = spec.get("minReplicas", spec.get("minReplicaCount", 1))
    return low, spec.get("maxReplicas", spec.get("maxReplicaCount", "?"))


def single_container(document: Document) -> str:
    """Return the name of the only container, "" where there are several."""
    containers = entries(at(document, "spec", "template", "spec", "containers"))
    return str(containers[0].get("name", "")) if len(containers) == 1 else ""
