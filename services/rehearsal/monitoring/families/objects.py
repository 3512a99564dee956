"""What kube-state-metrics says of workloads, nodes, Jobs, quotas and claims."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.catalogue import Family, series
from services.rehearsal.monitoring.families.kube import SELF
from services.rehearsal.monitoring.promql.lines import Series, Value
from services.rehearsal.simulation.capacity import mebibytes, millicores

if TYPE_CHECKING:
    from services.rehearsal.monitoring.estate import Estate
    from services.rehearsal.monitoring.records import NodeState, Plain, WorkloadState
    from services.rehearsal.monitoring.stories import NodeStory, Story, WorkloadStory

_LABEL = {"Deployment": "deployment", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}
_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_STATUSES = ("true", "false", "unknown")


def _workload(name: str, kind: str, read: Callable[[WorkloadState], float], **more: str) -> Family:
    def make(estate: Estate) -> Iterator[Series]:
        for (own, namespace, workload), story in estate.chronicle.workloads.items():
            if own == kind:
                where = {**SELF, "namespace": namespace, _LABEL[kind]: workload}
                yield series(name, _workload_value(story, read), **where, **more)

    return Family(name, "gauge", name.replace("_", " ").capitalize() + ".", make)


def _workload_value(story: WorkloadStory, read: Callable[[WorkloadState], float]) -> Callable[[float], Value]:
    def value(moment: float) -> Value:
        state = story.at(moment)
        return None if state is None else read(state)

    return value


def _deployment_conditions(estate: Estate) -> Iterator[Series]:
    name = "kube_deployment_status_condition"
    for (kind, namespace, deployment), story in estate.chronicle.workloads.items():
        if kind != "Deployment":
            continue
        for condition in ("Progressing", "Available"):
            for status in _STATUSES:
                where = {**SELF, "namespace": namespace, "deployment": deployment}
                read = _workload_value(story, _condition_is(condition, status))
                yield series(name, read, **where, condition=condition, status=status)


def _condition_is(condition: str, status: str) -> Callable[[WorkloadState], float]:
    if condition == "Progressing":
        return lambda state: float(state.progressing == status)
    return lambda state: float(("true" if state.available >= state.desired else "false") == status)


def _node_value(story: NodeStory, read: Callable[[NodeState], float]) -> Callable[[float], Value]:
    def value(moment: float) -> Value:
        state = story.at(moment)
        return None if state is None else read(state)

    return value


def _node_conditions(estate: Estate) -> Iterator[Series]:
    for name, story in estate.chronicle.nodes.items():
        for condition in _CONDITIONS:
            for status in _STATUSES:
                read = _node_value(story, _node_condition_is(condition, status))
                where = {**SELF, "node": name, "condition": condition, "status": status}
                yield series("kube_node_status_condition", read, **where)


def _node_condition_is(condition: str, status: str) -> Callable[[NodeState], float]:
    return lambda state: float(state.status(condition) == status)


def _node_info(estate: Estate) -> Iterator[Series]:
    for name, story in estate.chronicle.nodes.items():
        more = {"internal_ip": story.address, "kubelet_version": "v1.36.3"}
        yield series("kube_node_info", _node_value(story, lambda _: 1.0), **SELF, node=name, **more)


def _node_labels(estate: Estate) -> Iterator[Series]:
    for name, story in estate.chronicle.nodes.items():
        more = {f"label_{''.join(one if one.isalnum() else '_' for one in key)}": v for key, v in story.labels.items()}
        yield series("kube_node_labels", _node_value(story, lambda _: 1.0), **{**SELF, **more, "node": name})


def _unschedulable(estate: Estate) -> Iterator[Series]:
    for name, story in estate.chronicle.nodes.items():
        read = _node_value(story, lambda state: float(state.unschedulable))
        yield series("kube_node_spec_unschedulable", read, **SELF, node=name)


def _node_sizes(name: str, *, free: bool) -> Callable[[Estate], Iterator[Series]]:
    def make(estate: Estate) -> Iterator[Series]:
        for node, story in estate.chronicle.nodes.items():
            cpu, memory = (story.free_cpu, story.free_memory) if free else (story.cpu, story.memory)
            rows = (("cpu", "core", cpu), ("memory", "byte", memory), ("pods", "integer", story.pods))
            for resource, unit, amount in rows:
                read = _node_value(story, _constant(amount))
                yield series(name, read, **SELF, node=node, resource=resource, unit=unit)

    return make


def _constant(amount: float) -> Callable[[object], float]:
    return lambda _: amount


def _plain_value(story: Story[Plain], read: Callable[[Plain], float]) -> Callable[[float], Value]:
    def value(moment: float) -> Value:
        state = story.at(moment)
        return None if state is None else read(state)

    return value


def _others(estate: Estate, kind: str) -> Iterator[Story[Plain]]:
    for (own, _, _), story in estate.chronicle.others.items():
        if own == kind:
            yield story


def _jobs(name: str, read: Callable[[Plain], float], **more: str) -> Family:
    def make(estate: Estate) -> Iterator[Series]:
        for story in _others(estate, "Job"):
            where = {**SELF, "namespace": story.namespace, "job_name": story.name}
            yield series(name, _plain_value(story, read), **where, **more)

    return Family(name, "gauge", name.replace("_", " ").capitalize() + ".", make)


def _failed(job: Plain) -> float:
    return float(any(one.type == "Failed" and one.status == "True" for one in job.status.conditions))


def _quotas(estate: Estate) -> Iterator[Series]:
    for story in _others(estate, "ResourceQuota"):
        for resource in story.states[-1].status.hard:
            for kind in ("hard", "used"):
                where = {**SELF, "namespace": story.namespace, "resourcequota": story.name, "resource": resource}
                yield series("kube_resourcequota", _plain_value(story, _quota(kind, resource)), **where, type=kind)


def _quota(kind: str, resource: str) -> Callable[[Plain], float]:
    if kind == "hard":
        return lambda quota: _amount(quota.status.hard.get(resource, "0"), resource)
    return lambda quota: _amount(quota.status.used.get(resource, "0"), resource)


def _amount(text: str, resource: str) -> float:
    if resource.endswith("cpu"):
        return millicores(text) / 1000
    return mebibytes(text) * 1_048_576.0 if text.endswith("i") else float(text)


def _claims(estate: Estate) -> Iterator[Series]:
    for story in _others(estate, "Claim"):
        where = {**SELF, "namespace": story.namespace, "persistentvolumeclaim": story.name}
        read = _plain_value(story, lambda claim: _amount(claim.status.capacity.get("storage", "0"), "storage"))
        yield series("kube_persistentvolumeclaim_resource_requests_storage_bytes", read, **where)


FAMILIES = (
    _workload("kube_deployment_spec_replicas", "Deployment", lambda one: one.desired),
    _workload("kube_deployment_status_replicas", "Deployment", lambda one: one.replicas),
    _workload("kube_deployment_status_replicas_ready", "Deployment", lambda one: one.ready),
    _workload("kube_deployment_status_replicas_available", "Deployment", lambda one: one.available),
    _workload("kube_deployment_status_replicas_updated", "Deployment", lambda one: one.updated),
    _workload("kube_deployment_status_observed_generation", "Deployment", lambda one: one.observed),
    _workload("kube_deployment_metadata_generation", "Deployment", lambda one: one.generation),
    Family("kube_deployment_status_condition", "gauge", "The current status conditions.", _deployment_conditions),
    _workload("kube_statefulset_replicas", "StatefulSet", lambda one: one.desired),
    _workload("kube_statefulset_status_replicas_ready", "StatefulSet", lambda one: one.ready),
    _workload("kube_daemonset_status_desired_number_scheduled", "DaemonSet", lambda one: one.desired),
    _workload("kube_daemonset_status_number_ready", "DaemonSet", lambda one: one.ready),
    _workload("kube_daemonset_status_number_available", "DaemonSet", lambda one: one.available),
    Family("kube_node_info", "gauge", "Information about a cluster node.", _node_info),
    Family("kube_node_labels", "gauge", "Kubernetes labels converted to Prometheus labels.", _node_labels),
    Family("kube_node_status_condition", "gauge", "The condition of a cluster node.", _node_conditions),
    Family("kube_node_spec_unschedulable", "gauge", "Whether a node can schedule new pods.", _unschedulable),
    Family(
        "kube_node_status_capacity",
        "gauge",
        "The capacity of a node's resources.",
        _node_sizes("kube_node_status_capacity", free=False),
    ),
    Family(
        "kube_node_status_allocatable",
        "gauge",
        "The allocatable of a node's resources.",
        _node_sizes("kube_node_status_allocatable", free=True),
    ),
    _jobs("kube_job_status_failed", lambda job: float(job.status.failed)),
    _jobs("kube_job_status_succeeded", lambda job: float(job.status.succeeded)),
    _jobs("kube_job_status_active", lambda job: float(job.status.active)),
    _jobs("kube_job_failed", _failed, condition="true"),
    Family("kube_resourcequota", "gauge", "Information about resource quota.", _quotas),
    Family(
        "kube_persistentvolumeclaim_resource_requests_storage_bytes",
        "gauge",
        "The capacity of storage requested by the persistent volume claim.",
        _claims,
    ),
)
