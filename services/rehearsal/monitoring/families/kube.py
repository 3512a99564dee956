"""What kube-state-metrics says of pods: the state of objects as gauges, in the names of kube-state-metrics 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.catalogue import Family, series
from services.rehearsal.monitoring.promql.lines import Series, Value

if TYPE_CHECKING:
    from services.rehearsal.monitoring.estate import Estate
    from services.rehearsal.monitoring.records import ContainerState, PodState
    from services.rehearsal.monitoring.stories import PodStory

SELF = {"job": "kube-state-metrics", "instance": "10.244.0.8:8080"}
_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")


def _of_pod(pod: PodStory) -> dict[str, str]:
    return {**SELF, "namespace": pod.namespace, "pod": pod.name, "uid": pod.uid}


def _pod_gauge(
    name: str, read: Callable[[PodState], Value], wanted: Callable[[PodStory], bool] = lambda _: True, **more: str
) -> Callable[[Estate], Iterator[Series]]:
    def make(estate: Estate) -> Iterator[Series]:
        for pod in estate.pods():
            if wanted(pod):
                yield series(name, _pod_value(pod, read), **_of_pod(pod), **more)

    return make


def _pod_value(pod: PodStory, read: Callable[[PodState], Value]) -> Callable[[float], Value]:
    def value(moment: float) -> Value:
        state = pod.at(moment)
        return None if state is None else read(state)

    return value


def _info(estate: Estate) -> Iterator[Series]:
    for pod in estate.pods():
        more = {"node": pod.node, "host_ip": pod.host_ip, "pod_ip": pod.pod_ip}
        owner = {"created_by_kind": pod.owner_kind, "created_by_name": pod.owner_name}
        yield series("kube_pod_info", _pod_value(pod, lambda _: 1.0), **_of_pod(pod), **more, **owner)


def _owner(estate: Estate) -> Iterator[Series]:
    for pod in estate.pods():
        more = {"owner_kind": pod.owner_kind, "owner_name": pod.owner_name, "owner_is_controller": "true"}
        yield series("kube_pod_owner", _pod_value(pod, lambda _: 1.0), **_of_pod(pod), **more)


def _replica_set_owner(estate: Estate) -> Iterator[Series]:
    seen: dict[tuple[str, str], list[PodStory]] = {}
    for pod in estate.pods():
        if pod.owner_kind == "ReplicaSet":
            seen.setdefault((pod.namespace, pod.owner_name), []).append(pod)
    for (namespace, name), pods in seen.items():
        owner = {"owner_kind": "Deployment", "owner_name": pods[0].workload, "owner_is_controller": "true"}
        born = min(pod.born for pod in pods)
        yield series("kube_replicaset_owner", _since(born), **SELF, namespace=namespace, replicaset=name, **owner)


def _since(born: float) -> Callable[[float], Value]:
    return lambda moment: 1.0 if moment >= born else None


def _relabelled(estate: Estate) -> Iterator[Series]:
    """The recording rule of kubernetes-mixin that joins pods to their workloads."""
    name = "namespace_workload_pod:kube_pod_owner:relabel"
    for pod in estate.pods():
        if pod.workload:
            more = {"workload": pod.workload, "workload_type": pod.kind.lower()}
            yield series(name, _pod_value(pod, lambda _: 1.0), namespace=pod.namespace, pod=pod.name, **more)


def _phase(estate: Estate) -> Iterator[Series]:
    for pod in estate.pods():
        for phase in _PHASES:
            yield series("kube_pod_status_phase", _pod_value(pod, _is_phase(phase)), **_of_pod(pod), phase=phase)


def _is_phase(phase: str) -> Callable[[PodState], Value]:
    return lambda state: float(state.phase == phase)


def _amounts(name: str, *, limits: bool) -> Callable[[Estate], Iterator[Series]]:
    def make(estate: Estate) -> Iterator[Series]:
        for pod in estate.pods():
            for one in pod.containers:
                cpu, memory = (one.cpu_limit, one.memory_limit) if limits else (one.cpu_request, one.memory_request)
                for resource, unit, amount in (("cpu", "core", cpu), ("memory", "byte", memory)):
                    if amount:
                        given = {"container": one.name, "node": pod.node, "resource": resource, "unit": unit}
                        yield series(name, _pod_value(pod, _constant(amount)), **_of_pod(pod), **given)

    return make


def _constant(amount: float) -> Callable[[object], Value]:
    return lambda _: amount


def _containers(
    name: str, read: Callable[[ContainerState], Value], told: Callable[[ContainerState], str] | None = None
) -> Callable[[Estate], Iterator[Series]]:
    """Make a series a container, or one for each reason that `told` has ever given."""

    def make(estate: Estate) -> Iterator[Series]:
        for pod in estate.pods():
            for index, one in enumerate(pod.containers):
                given = {**_of_pod(pod), "container": one.name}
                if told is None:
                    yield series(name, _container_value(pod, index, read), **given)
                    continue
                states = (state.containers[index] for state in pod.states if index < len(state.containers))
                for reason in sorted({told(state) for state in states} - {""}):
                    yield series(name, _reason_value(pod, index, told, reason), **given, reason=reason)

    return make


def _container_value(pod: PodStory, index: int, read: Callable[[ContainerState], Value]) -> Callable[[float], Value]:
    def value(moment: float) -> Value:
        state = pod.at(moment)
        return read(state.containers[index]) if state is not None and index < len(state.containers) else None

    return value


def _reason_value(
    pod: PodStory, index: int, told: Callable[[ContainerState], str], reason: str
) -> Callable[[float], Value]:
    def value(moment: float) -> Value:
        state = pod.at(moment)
        if state is None or index >= len(state.containers):
            return None
        return 1.0 if told(state.containers[index]) == reason else None

    return value


_STATUS = "kube_pod_container_status"
FAMILIES = (
    Family("kube_pod_info", "gauge", "Information about pod.", _info),
    Family("kube_pod_owner", "gauge", "Information about the Pod's owner.", _owner),
    Family("kube_replicaset_owner", "gauge", "Information about the ReplicaSet's owner.", _replica_set_owner),
    Family("namespace_workload_pod:kube_pod_owner:relabel", "unknown", "", _relabelled),
    Family("kube_pod_status_phase", "gauge", "The pods current phase.", _phase),
    Family(
        "kube_pod_status_ready",
        "gauge",
        "Describes whether the pod is ready to serve requests.",
        _pod_gauge("kube_pod_status_ready", lambda state: float(state.ready), condition="true"),
    ),
    Family(
        "kube_pod_status_unschedulable",
        "gauge",
        "Describes the unschedulable status for the pod.",
        _pod_gauge("kube_pod_status_unschedulable", lambda state: None if state.scheduled else 1.0),
    ),
    Family(
        "kube_pod_container_resource_requests",
        "gauge",
        "The number of requested request resource by a container.",
        _amounts("kube_pod_container_resource_requests", limits=False),
    ),
    Family(
        "kube_pod_container_resource_limits",
        "gauge",
        "The number of requested limit resource by a container.",
        _amounts("kube_pod_container_resource_limits", limits=True),
    ),
    Family(
        f"{_STATUS}_restarts_total",
        "counter",
        "The number of container restarts per container.",
        _containers(f"{_STATUS}_restarts_total", lambda one: float(one.restarts)),
    ),
    Family(
        f"{_STATUS}_ready",
        "gauge",
        "Describes whether the containers readiness check succeeded.",
        _containers(f"{_STATUS}_ready", lambda one: float(one.ready)),
    ),
    Family(
        f"{_STATUS}_running",
        "gauge",
        "Describes whether the container is currently in running state.",
        _containers(f"{_STATUS}_running", lambda one: float(one.running)),
    ),
    Family(
        f"{_STATUS}_waiting_reason",
        "gauge",
        "Describes the reason the container is currently in waiting state.",
        _containers(f"{_STATUS}_waiting_reason", lambda _: 1.0, lambda one: one.waiting),
    ),
    Family(
        f"{_STATUS}_last_terminated_reason",
        "gauge",
        "Describes the last reason the container was in terminated state.",
        _containers(f"{_STATUS}_last_terminated_reason", lambda _: 1.0, lambda one: one.last_reason),
    ),
)
