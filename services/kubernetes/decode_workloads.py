"""Turns wire Deployments, StatefulSets, DaemonSets and ReplicaSets into workloads and their revisions."""

from __future__ import annotations

from sys import intern
from typing import TypedDict

from msgspec import Raw, Struct, field

from services.kubernetes.wire import (
    WireCondition,
    WireConfiguredTemplate,
    WireMeta,
    WireTemplate,
    conditions_of,
    config_maps_of,
    epoch,
    images_of,
    labels_of,
    owner_of,
    ref_of,
    template_and_scale,
)
from services.model.ref import DAEMONSETS, DEPLOYMENTS, REPLICASETS, STATEFULSETS, Resource
from services.model.workload import Condition, ReplicaSetInfo, Workload

TRACKING = "argocd.argoproj.io/tracking-id"


class Annotations(Struct, frozen=True, gc=False):
    """The annotations that tell revisions apart."""

    revision: str | None = field(default=None, name="deployment.kubernetes.io/revision")
    history: str | None = field(default=None, name="deployment.kubernetes.io/revision-history")
    cause: str | None = field(default=None, name="kubernetes.io/change-cause")
    template_generation: str | None = field(default=None, name="deprecated.daemonset.template.generation")
    delivered: str | None = field(default=None, name="rollout.argoproj.io/revision")
    delivered_before: str | None = field(default=None, name="rollout.argoproj.io/revision-history")
    followed_generation: str | None = field(default=None, name="rollout.argoproj.io/workload-generation")
    leaves_at: str | None = field(default=None, name="scale-down-deadline")
    tracking: str | None = field(default=None, name=TRACKING)


class WorkloadMeta(WireMeta, frozen=True, gc=False):
    """Metadata with the annotations of a rollout and who wrote what."""

    annotations: Annotations | None = None
    managed_fields: Raw = Raw()


class _Requirement(Struct, frozen=True, gc=False):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class WireSelector(Struct, frozen=True, gc=False, rename="camel"):
    """A label selector."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[_Requirement] | None = None


class _RollingUpdate(Struct, frozen=True, gc=False):
    partition: int | None = None


class _Strategy(Struct, frozen=True, gc=False, rename="camel"):
    type: str | None = None
    rolling_update: _RollingUpdate | None = None


class _Spec(Struct, frozen=True, gc=False, rename="camel"):
    replicas: int | None = None
    paused: bool | None = None
    selector: WireSelector | None = None
    template: WireConfiguredTemplate | None = None
    strategy: _Strategy | None = None
    update_strategy: _Strategy | None = None
    progress_deadline_seconds: int | None = None


class _Status(Struct, frozen=True, gc=False, rename="camel"):
    observed_generation: int | None = None
    replicas: int | None = None
    ready_replicas: int | None = None
    updated_replicas: int | None = None
    available_replicas: int | None = None
    current_replicas: int | None = None
    terminating_replicas: int | None = None
    current_revision: str | None = None
    update_revision: str | None = None
    conditions: list[WireCondition] | None = None


class _DaemonStatus(Struct, frozen=True, gc=False, rename="camel"):
    observed_generation: int | None = None
    desired_number_scheduled: int | None = None
    current_number_scheduled: int | None = None
    updated_number_scheduled: int | None = None
    number_available: int | None = None
    number_ready: int | None = None
    conditions: list[WireCondition] | None = None


class WireWorkload(Struct, frozen=True, gc=False):
    """A Deployment or StatefulSet as the API server sends it."""

    metadata: WorkloadMeta
    spec: _Spec | None = None
    status: _Status | None = None


class WireDaemonSet(Struct, frozen=True, gc=False):
    """A DaemonSet as the API server sends it."""

    metadata: WorkloadMeta
    spec: _Spec | None = None
    status: _DaemonStatus | None = None


class _HashLabel(Struct, frozen=True, gc=False):
    template_hash: str | None = field(default=None, name="pod-template-hash")
    delivered: str | None = field(default=None, name="rollouts-pod-template-hash")


class Common(TypedDict):
    """What every kind of workload says of itself in the same places."""

    change_cause: str
    selector: str
    conditions: tuple[Condition, ...]
    labels: tuple[str, ...]
    resource_version: str
    changed_by: str
    changed_at: float
    scaled_by: str
    tracking: str


def common(meta: WorkloadMeta, selector: str, conditions: list[WireCondition] | None) -> Common:
    """Return what a workload's metadata and conditions say, by the names of `Workload`; raises msgspec's errors."""
    annotations = meta.annotations or _NO_ANNOTATIONS
    (writer, written_at), scaler = template_and_scale(meta.managed_fields)
    return {
        "change_cause": annotations.cause or "",
        "selector": selector,
        "conditions": conditions_of(conditions),
        "labels": labels_of(meta.labels),
        "resource_version": meta.resource_version or "",
        "changed_by": writer,
        "changed_at": written_at,
        "scaled_by": scaler,
        "tracking": annotations.tracking or "",
    }


class ReplicaSetMeta(Struct, frozen=True, gc=False, rename="camel"):
    """Metadata of a ReplicaSet: one label is enough, and thousands of label sets are not kept."""

    name: str = ""
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    creation_timestamp: str | None = None
    owner_references: Raw = Raw()
    labels: _HashLabel | None = None
    annotations: Annotations | None = None


class _ReplicaSetSpec(Struct, frozen=True, gc=False):
    replicas: int | None = None
    template: WireTemplate | None = None


class WireReplicaSet(Struct, frozen=True, gc=False):
    """A ReplicaSet as the API server sends it."""

    metadata: ReplicaSetMeta
    spec: _ReplicaSetSpec | None = None
    status: _Status | None = None


_NO_SPEC = _Spec()
_NO_STATUS = _Status()
_NO_DAEMON_STATUS = _DaemonStatus()
_NO_ANNOTATIONS = Annotations()


def deployment_of(wire: WireWorkload, cluster: str) -> Workload:
    """Return a Deployment; raises ValueError or msgspec's errors where the object makes no sense."""
    return _replicated(wire, DEPLOYMENTS, cluster)


def statefulset_of(wire: WireWorkload, cluster: str) -> Workload:
    """Return a StatefulSet; raises ValueError or msgspec's errors where the object makes no sense."""
    return _replicated(wire, STATEFULSETS, cluster)


def _replicated(wire: WireWorkload, resource: Resource, cluster: str) -> Workload:
    meta, spec, status = wire.metadata, wire.spec or _NO_SPEC, wire.status or _NO_STATUS
    annotations = meta.annotations or _NO_ANNOTATIONS
    strategy = (spec.strategy if resource is DEPLOYMENTS else spec.update_strategy) or _Strategy()
    return Workload(
        ref_of(meta, resource, cluster),
        meta.generation or 0,
        status.observed_generation or 0,
        spec.replicas,
        1 if spec.replicas is None else spec.replicas,
        status.replicas or 0,
        status.ready_replicas or 0,
        status.updated_replicas or 0,
        status.available_replicas or 0,
        epoch(meta.creation_timestamp),
        terminating=status.terminating_replicas or 0,
        revision=annotations.revision or "",
        images=images_of(spec.template),
        config_maps=config_maps_of(spec.template),
        paused=bool(spec.paused),
        strategy=intern(strategy.type or ""),
        partition=None if strategy.rolling_update is None else strategy.rolling_update.partition or 0,
        progress_deadline=spec.progress_deadline_seconds or 0,
        current_revision=status.current_revision or "",
        update_revision=status.update_revision or "",
        current=status.current_replicas or 0,
        **common(meta, selector_text(spec.selector), status.conditions),
    )


def daemonset_of(wire: WireDaemonSet, cluster: str) -> Workload:
    """Return a DaemonSet; raises ValueError or msgspec's errors where the object makes no sense.

    `revision` is the template generation, which counts the template's changes as ControllerRevisions do.
    """
    meta, spec, status = wire.metadata, wire.spec or _NO_SPEC, wire.status or _NO_DAEMON_STATUS
    annotations = meta.annotations or _NO_ANNOTATIONS
    strategy = spec.update_strategy or _Strategy()
    return Workload(
        ref_of(meta, DAEMONSETS, cluster),
        meta.generation or 0,
        status.observed_generation or 0,
        None,
        status.desired_number_scheduled or 0,
        status.current_number_scheduled or 0,
        status.number_ready or 0,
        status.updated_number_scheduled or 0,
        status.number_available or 0,
        epoch(meta.creation_timestamp),
        revision=annotations.template_generation or "",
        images=images_of(spec.template),
        config_maps=config_maps_of(spec.template),
        strategy=intern(strategy.type or ""),
        partition=None,
        **common(meta, selector_text(spec.selector), status.conditions),
    )


def replicaset_of(wire: WireReplicaSet, cluster: str) -> ReplicaSetInfo:
    """Return a ReplicaSet as one revision; raises ValueError or msgspec's errors where the object makes no sense."""
    meta, spec, status = wire.metadata, wire.spec or _ReplicaSetSpec(), wire.status or _NO_STATUS
    annotations = meta.annotations or _NO_ANNOTATIONS
    plain = WireMeta(meta.name, meta.namespace, meta.uid)
    labels = meta.labels or _HashLabel()
    return ReplicaSetInfo(
        ref_of(plain, REPLICASETS, cluster),
        owner_of(meta.owner_references),
        revision_number(annotations.revision or annotations.delivered),
        annotations.history or annotations.delivered_before or "",
        1 if spec.replicas is None else spec.replicas,
        status.replicas or 0,
        status.ready_replicas or 0,
        images_of(spec.template),
        epoch(meta.creation_timestamp),
        annotations.cause or "",
        labels.template_hash or labels.delivered or "",
        conditions_of(status.conditions),
        epoch(annotations.leaves_at) if annotations.leaves_at else 0.0,
    )


def revision_number(text: str | None) -> int:
    """Return a revision annotation as a number; 0 where it is missing or no number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def selector_text(selector: WireSelector | None) -> str:
    """Return a label selector in the string form of the API's `labelSelector` parameter."""
    if selector is None:
        return ""
    terms = [f"{key}={value}" for key, value in sorted((selector.match_labels or {}).items())]
    for each in selector.match_expressions or ():
        values = ",".join(sorted(each.values or ()))
        if each.operator in ("In", "NotIn"):
            terms.append(f"{each.key} {each.operator.lower()} ({values})")
        elif each.operator in ("Exists", "DoesNotExist"):
            terms.append(each.key if each.operator == "Exists" else f"!{each.key}")
    return ",".join(terms)
