"""What node exporters, kubelets and scrapes themselves say: processor, memory, disk, containers, up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.catalogue import Family, series
from services.rehearsal.monitoring.promql.lines import Series, Value

if TYPE_CHECKING:
    from services.rehearsal.monitoring.estate import Estate
    from services.rehearsal.monitoring.load import Machine, Use
    from services.rehearsal.monitoring.stories import NodeStory

_SINGLES = (("kube-state-metrics", "10.244.0.8:8080"), ("edge", "10.244.0.9:10254"), ("prometheus", "localhost:9090"))
_DISK = 104_845_292.0 * 1024


def heard(node: NodeStory, moment: float) -> bool:
    """Tell whether a node answers scrapes."""
    state = node.at(moment)
    return state is not None and state.status("Ready") != "unknown"


def _of_node(machine: Machine) -> dict[str, str]:
    node = machine.node
    return {"job": "node-exporter", "instance": f"{node.address}:9100", "node": node.name}


def _node_gauge(
    name: str, read: Callable[[Machine, float], float], **more: str
) -> Callable[[Estate], Iterator[Series]]:
    def make(estate: Estate) -> Iterator[Series]:
        for machine in estate.machines():
            yield series(name, _while_heard(machine, read), **_of_node(machine), **more)

    return make


def _while_heard(machine: Machine, read: Callable[[Machine, float], float]) -> Callable[[float], Value]:
    return lambda moment: read(machine, moment) if heard(machine.node, moment) else None


def _cpu(estate: Estate) -> Iterator[Series]:
    shares = {"user": 0.72, "system": 0.24, "iowait": 0.04}
    for machine in estate.machines():
        for mode, share in shares.items():
            read = _share_of_busy(share)
            yield series("node_cpu_seconds_total", _while_heard(machine, read), **_of_node(machine), cpu="0", mode=mode)
        idle = _while_heard(machine, lambda one, at: one.node.cpu * one.elapsed(at) - one.busy(at))
        yield series("node_cpu_seconds_total", idle, **_of_node(machine), cpu="0", mode="idle")


def _share_of_busy(share: float) -> Callable[[Machine, float], float]:
    return lambda machine, moment: machine.busy(moment) * share


def _container(name: str, read: Callable[[Use, float], Value]) -> Callable[[Estate], Iterator[Series]]:
    def make(estate: Estate) -> Iterator[Series]:
        nodes = estate.chronicle.nodes
        for pod in estate.pods():
            node = nodes.get(pod.node)
            if node is None:
                continue
            for container in pod.containers:
                yield series(
                    name,
                    _used(estate.use(pod, container), node, read),
                    job="kubelet",
                    metrics_path="/metrics/cadvisor",
                    instance=f"{node.address}:10250",
                    node=node.name,
                    namespace=pod.namespace,
                    pod=pod.name,
                    container=container.name,
                    image=container.image,
                )

    return make


def _used(use: Use, node: NodeStory, read: Callable[[Use, float], Value]) -> Callable[[float], Value]:
    return lambda moment: read(use, moment) if heard(node, moment) else None


def _up(estate: Estate) -> Iterator[Series]:
    for machine in estate.machines():
        node = machine.node
        for job, port in (("node-exporter", 9100), ("kubelet", 10250)):
            read = _answers(node)
            yield series("up", read, job=job, instance=f"{node.address}:{port}", node=node.name)
    for job, instance in _SINGLES:
        yield series("up", lambda _: 1.0, job=job, instance=instance)
    for peer in range(estate.peers):
        yield series("up", _peer(estate, peer), job="alertmanager", instance=f"alertmanager-{peer}:9093")


def _answers(node: NodeStory) -> Callable[[float], Value]:
    return lambda moment: None if node.at(moment) is None else float(heard(node, moment))


def _peer(estate: Estate, peer: int) -> Callable[[float], Value]:
    return lambda moment: float(moment < estate.down_peers.get(peer, moment + 1))


def _flood(estate: Estate) -> Iterator[Series]:
    for number in range(estate.flood):
        yield series("drill_queue_depth", lambda _: 99.0, job="drill", instance=f"drill-{number:05d}:8080")


def _prometheus_build(_: Estate) -> Iterator[Series]:
    yield series("prometheus_build_info", lambda _: 1.0, job="prometheus", instance="localhost:9090", version="2.55.1")


FAMILIES = (
    Family("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.", _cpu),
    Family(
        "node_memory_MemTotal_bytes",
        "gauge",
        "Memory information field MemTotal_bytes.",
        _node_gauge("node_memory_MemTotal_bytes", lambda one, _: one.node.memory),
    ),
    Family(
        "node_memory_MemAvailable_bytes",
        "gauge",
        "Memory information field MemAvailable_bytes.",
        _node_gauge("node_memory_MemAvailable_bytes", lambda one, at: one.available_memory(at)),
    ),
    Family(
        "node_filesystem_size_bytes",
        "gauge",
        "Filesystem size in bytes.",
        _node_gauge("node_filesystem_size_bytes", lambda _one, _at: _DISK, mountpoint="/", fstype="ext4"),
    ),
    Family(
        "node_filesystem_avail_bytes",
        "gauge",
        "Filesystem space available to non-root users in bytes.",
        _node_gauge(
            "node_filesystem_avail_bytes",
            lambda one, at: float(int(_DISK * one.available_disk(at))),
            mountpoint="/",
            fstype="ext4",
        ),
    ),
    Family("node_load1", "gauge", "1m load average.", _node_gauge("node_load1", lambda one, at: one.cores(at) * 1.08)),
    Family(
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed in seconds.",
        _container("container_cpu_usage_seconds_total", lambda use, at: use.seconds(at)),
    ),
    Family(
        "container_memory_working_set_bytes",
        "gauge",
        "Current working set in bytes.",
        _container("container_memory_working_set_bytes", lambda use, at: use.bytes(at)),
    ),
    Family("up", "gauge", "Whether the last scrape of a target succeeded.", _up),
    Family("drill_queue_depth", "gauge", "What a drill has asked for.", _flood),
    Family("prometheus_build_info", "gauge", "The version that Prometheus was built from.", _prometheus_build),
)
