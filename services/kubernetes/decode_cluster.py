"""Turns wire nodes, namespaces, events, jobs, cron jobs and usage into their domain types."""

from __future__ import annotations

from sys import intern

from msgspec import Raw, Struct, field, structs

from services.kubernetes.quantity import millicores, whole
from services.kubernetes.wire import (
    NOBODY,
    WireCondition,
    WireMeta,
    WireTemplate,
    conditions_of,
    epoch,
    images_of,
    label,
    labels_of,
    owner_of,
    ref_of,
    writer_of,
)
from services.model.cluster import CronJob, Job, KubeEvent, Namespace, Node, Usage
from services.model.ref import CRONJOBS, EVENTS, JOBS, NAMESPACES, NODES, PODS, Ref
from services.model.severity import Severity
from services.model.workload import Condition

Quantity = str | int | float | None

_ROLE = "node-role.kubernetes.io/"
_PRESSURES = frozenset({"MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"})


class _Taint(Struct, frozen=True, gc=False):
    key: str = ""
    value: str | None = None
    effect: str | None = None


class _NodeSpec(Struct, frozen=True, gc=False):
    unschedulable: bool | None = None
    taints: list[_Taint] | None = None


class _Address(Struct, frozen=True, gc=False):
    type: str = ""
    address: str = ""


class _NodeInfo(Struct, frozen=True, gc=False, rename="camel"):
    kubelet_version: str | None = None


class _Allocatable(Struct, frozen=True, gc=False):
    cpu: Quantity = None
    memory: Quantity = None
    pods: Quantity = None


class _NodeStatus(Struct, frozen=True, gc=False, rename="camel"):
    conditions: list[WireCondition] | None = None
    addresses: list[_Address] | None = None
    node_info: _NodeInfo | None = None
    allocatable: _Allocatable | None = None


class _NodeMeta(WireMeta, frozen=True, gc=False):
    managed_fields: Raw = Raw()


class WireNode(Struct, frozen=True, gc=False):
    """A node as the API server sends it."""

    metadata: _NodeMeta
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


def node_of(wire: WireNode, cluster: str) -> Node:
    """Return a node; raises ValueError or msgspec's errors where the object makes no sense.

    Heartbeat times are left out: a node that only breathes is the same node.
    """
    spec, status = wire.spec or _NodeSpec(), wire.status or _NodeStatus()
    labels = labels_of(wire.metadata.labels)
    conditions = conditions_of(status.conditions)
    allocatable = status.allocatable or _Allocatable()
    ready = next((each.status for each in conditions if each.type == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if spec.unschedulable:
        words.append("SchedulingDisabled")
    cordoner = writer_of(wire.metadata.managed_fields, b'"f:unschedulable"') if spec.unschedulable else NOBODY
    pressure = tuple(each.type for each in conditions if each.type in _PRESSURES and each.status == "True")
    return Node(
        ref_of(wire.metadata, NODES, cluster),
        intern(",".join(words)),
        _node_severity(ready, pressure, bool(spec.unschedulable)),
        epoch(wire.metadata.creation_timestamp),
        ",".join(_roles(labels)),
        intern((status.node_info.kubelet_version if status.node_info else None) or ""),
        next((each.address for each in status.addresses or () if each.type == "InternalIP"), ""),
        bool(spec.unschedulable),
        pressure,
        conditions,
        millicores(allocatable.cpu),
        whole(allocatable.memory),
        whole(allocatable.pods),
        tuple(f"{each.key}={each.value}:{each.effect or ''}" if each.value else f"{each.key}:{each.effect or ''}"
              for each in spec.taints or ()),
        labels,
        *cordoner,
    )  # fmt: skip


def _node_severity(ready: str | None, pressure: tuple[str, ...], unschedulable: bool) -> Severity:
    if ready != "True":
        return Severity.CRIT
    if pressure:
        return Severity.WARN
    return Severity.NOTICE if unschedulable else Severity.OK


def _roles(labels: tuple[str, ...]) -> list[str]:
    found = {entry[len(_ROLE) :].partition("=")[0] for entry in labels if entry.startswith(_ROLE)}
    return sorted(role for role in found | {label(labels, "kubernetes.io/role")} if role)


class _Phase(Struct, frozen=True, gc=False):
    phase: str | None = None


class WireNamespace(Struct, frozen=True, gc=False):
    """A namespace as the API server sends it."""

    metadata: WireMeta
    status: _Phase | None = None


def namespace_of(wire: WireNamespace, cluster: str) -> Namespace:
    """Return a namespace; raises ValueError or msgspec's errors where the object makes no sense."""
    return Namespace(
        ref_of(wire.metadata, NAMESPACES, cluster),
        intern((wire.status.phase if wire.status else None) or ""),
        epoch(wire.metadata.creation_timestamp),
        labels_of(wire.metadata.labels),
    )


class _About(Struct, frozen=True, gc=False, rename="camel"):
    api_version: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None


class _Series(Struct, frozen=True, gc=False, rename="camel"):
    count: int | None = None
    last_observed_time: str | None = None


class _Component(Struct, frozen=True, gc=False):
    component: str | None = None


class WireEvent(Struct, frozen=True, gc=False, rename="camel"):
    """A core/v1 Event as the API server sends it."""

    metadata: WireMeta
    involved_object: _About | None = None
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    count: int | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    series: _Series | None = None
    source: _Component | None = None
    reporting_component: str | None = None


def event_of(wire: WireEvent, cluster: str) -> KubeEvent:
    """Return an Event, its times chosen as kubectl does; raises ValueError or msgspec's errors for nonsense."""
    about, series = wire.involved_object or _About(), wire.series
    first = epoch(wire.first_timestamp) or epoch(wire.event_time) or epoch(wire.metadata.creation_timestamp)
    last = epoch(wire.last_timestamp) or first
    count = wire.count or 1
    if series is not None:
        last, count = epoch(series.last_observed_time) or last, series.count or count
    group, slash, _ = (about.api_version or "").partition("/")
    return KubeEvent(
        ref_of(wire.metadata, EVENTS, cluster),
        Ref(
            cluster,
            intern(group) if slash else "",
            intern(about.kind or ""),
            intern(about.namespace or ""),
            about.name or "",
            about.uid or "",
        ),
        intern(wire.type or ""),
        intern(wire.reason or ""),
        (wire.message or "").strip(),
        last,
        first,
        count,
        intern((wire.source.component if wire.source else None) or wire.reporting_component or ""),
    )


class _JobSpec(Struct, frozen=True, gc=False):
    completions: int | None = None
    template: WireTemplate | None = None


class _JobStatus(Struct, frozen=True, gc=False, rename="camel"):
    active: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    start_time: str | None = None
    completion_time: str | None = None
    conditions: list[WireCondition] | None = None


class WireJob(Struct, frozen=True, gc=False):
    """A Job as the API server sends it."""

    metadata: WireMeta
    spec: _JobSpec | None = None
    status: _JobStatus | None = None


_JOB_ENDS = (
    # condition, kubectl's word; in kubectl's order, None standing for "being deleted"
    ("Complete", "Complete"),
    ("Failed", "Failed"),
    (None, "Terminating"),
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)
_FAILED_JOB = frozenset({"Failed", "FailureTarget"})


def job_of(wire: WireJob, cluster: str) -> Job:
    """Return a Job, its status as kubectl prints it; raises ValueError or msgspec's errors for nonsense."""
    spec, status = wire.spec or _JobSpec(), wire.status or _JobStatus()
    conditions = {each.type: each for each in conditions_of(status.conditions) if each.status == "True"}
    word, end = "Running", Condition("", "")
    for kind, name in _JOB_ENDS:
        if kind in conditions or (kind is None and wire.metadata.deletion_timestamp):
            word, end = name, conditions.get(kind or "", end)
            break
    failed = word in _FAILED_JOB
    return Job(
        ref_of(wire.metadata, JOBS, cluster),
        word,
        Severity.WARN if failed else Severity.NOTICE if word == "Running" and status.failed else Severity.OK,
        epoch(wire.metadata.creation_timestamp),
        1 if spec.completions is None else spec.completions,
        status.succeeded or 0,
        status.failed or 0,
        status.active or 0,
        epoch(status.start_time),
        epoch(status.completion_time) or (end.changed_at if failed or word == "Complete" else 0.0),
        end.reason,
        end.message,
        owner_of(wire.metadata.owner_references),
        images_of(spec.template),
        labels_of(wire.metadata.labels),
    )


class _JobTemplate(Struct, frozen=True, gc=False):
    spec: _JobSpec | None = None


class _CronSpec(Struct, frozen=True, gc=False, rename="camel"):
    schedule: str | None = None
    suspend: bool | None = None
    job_template: _JobTemplate | None = None


class _CronStatus(Struct, frozen=True, gc=False, rename="camel"):
    active: list[Raw] | None = None
    last_schedule_time: str | None = None
    last_successful_time: str | None = None


class WireCronJob(Struct, frozen=True, gc=False):
    """A CronJob as the API server sends it."""

    metadata: WireMeta
    spec: _CronSpec | None = None
    status: _CronStatus | None = None


def cronjob_of(wire: WireCronJob, cluster: str) -> CronJob:
    """Return a CronJob; raises ValueError or msgspec's errors where the object makes no sense."""
    spec, status = wire.spec or _CronSpec(), wire.status or _CronStatus()
    job = (spec.job_template.spec if spec.job_template else None) or _JobSpec()
    return CronJob(
        ref_of(wire.metadata, CRONJOBS, cluster),
        spec.schedule or "",
        bool(spec.suspend),
        epoch(wire.metadata.creation_timestamp),
        len(status.active or ()),
        epoch(status.last_schedule_time),
        epoch(status.last_successful_time),
        images_of(job.template),
        labels_of(wire.metadata.labels),
    )


class _Measured(Struct, frozen=True, gc=False):
    cpu: Quantity = None
    memory: Quantity = None


class _MeasuredContainer(Struct, frozen=True, gc=False):
    usage: _Measured | None = None


class WireUsage(Struct, frozen=True, gc=False):
    """A PodMetrics or NodeMetrics of metrics.k8s.io."""

    metadata: WireMeta
    timestamp: str | None = None
    usage: _Measured | None = None
    containers: list[_MeasuredContainer] | None = None


class WireUsageList(Struct, frozen=True, gc=False):
    """A list of them."""

    items: list[WireUsage] | None = field(default=None)


def usage_of(wire: WireUsage, cluster: str) -> Usage:
    """Return what a pod (the sum of its containers) or a node uses; raises ValueError where it has no name."""
    resource = PODS if wire.metadata.namespace else NODES
    parts = [wire.usage] if wire.usage else [each.usage for each in wire.containers or () if each.usage]
    ref = structs.replace(ref_of(wire.metadata, resource, cluster), uid="")
    return Usage(
        ref,
        sum(millicores(part.cpu) for part in parts),
        sum(whole(part.memory) for part in parts),
        epoch(wire.timestamp),
    )
