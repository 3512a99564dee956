"""Asks Prometheus what pods requested and nodes had to give, for the time in which no console watched.

The names and labels are kube-state-metrics' (docs/metrics/workload/pod-metrics.md, cluster/node-metrics.md).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence, Set

from services.model.metric import Requests, Sizes
from services.prometheus.client import PrometheusClient
from services.prometheus.decode import Line
from services.prometheus.window import Window

ALIKE = 0.8
"""The part of the nodes of both that must be the same for a Prometheus to speak of the watched cluster."""

_NOBODY = "|Node|<none>"
"""Owners by which pods are not told apart: those without one, and those that a node runs by itself."""

_BY = "by (namespace, pod, owner_kind, owner_name)"
_OWNED = f'max {_BY} (kube_pod_owner{{owner_kind!~"{_NOBODY}",owner_is_controller!="false"}})'
_ALONE = f'max {_BY} (label_replace(kube_pod_owner{{owner_kind=~"{_NOBODY}"}}, "owner_name", "$1", "pod", "(.*)"))'
_LIVING = 'max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Running"} == 1)'

NODES_NOW = "count by (node) (kube_node_info)"


def requested(resource: str) -> str:
    """Return the query of what living pods that have a node request, by owner; copies of an exporter count once."""
    asked = f'kube_pod_container_resource_requests{{resource="{resource}",node!=""}}'
    pods = f"sum by (namespace, pod) (max by (namespace, pod, container) ({asked}))"
    owners = f"* on (namespace, pod) group_left (owner_kind, owner_name) ({_OWNED} or {_ALONE})"
    return f"sum by (namespace, owner_kind, owner_name) ({pods} * on (namespace, pod) {_LIVING} {owners})"


def offered(resource: str) -> str:
    """Return the query of what each node has for pods."""
    return f'max by (node) (kube_node_status_allocatable{{resource="{resource}"}})'


async def ask(client: PrometheusClient, window: Window, nodes: Set[str], now: float) -> Requests:
    """Return what a Prometheus knows of the cluster that has `nodes` now; nothing where it knows another one.

    Raises Problem.
    """
    found = Requests(window.first, window.step)
    known = {line.labels.get("node", "") for line in (await client.query(NODES_NOW, now)).lines}
    if not alike(known, nodes):
        return found
    queries = [query for resource in ("cpu", "memory") for query in (offered(resource), requested(resource))]
    answers = await asyncio.gather(*(client.query_range(query, window) for query in queries))
    cpu, wanted_cpu, memory, wanted_memory = (answer.lines for answer in answers)
    return Requests(
        window.first,
        window.step,
        _sizes(window, cpu, memory, of_nodes=True),
        _sizes(window, wanted_cpu, wanted_memory, of_nodes=False),
    )


def alike(known: Set[str], nodes: Set[str]) -> bool:
    """Return whether two sets of nodes are those of one cluster, of which one may be a little older."""
    return bool(nodes) and len(known & nodes) >= ALIKE * len(known | nodes)


Name = tuple[str, str, str]


def _sizes(window: Window, cpu: Iterable[Line], memory: Iterable[Line], *, of_nodes: bool) -> tuple[Sizes, ...]:
    cores = {_name(line, of_nodes=of_nodes): window.values(line.points) for line in cpu}
    sizes = {_name(line, of_nodes=of_nodes): window.values(line.points) for line in memory}
    nothing: Sequence[float] = (math.nan,) * window.count
    return tuple(
        Sizes(*name, tuple(cores.get(name, nothing)), tuple(sizes.get(name, nothing)))
        for name in dict.fromkeys((*cores, *sizes))
    )


def _name(line: Line, *, of_nodes: bool) -> Name:
    own = line.labels.get
    if of_nodes:
        return "Node", "", own("node", "")
    kind = own("owner_kind", "")
    return "" if kind == "<none>" else kind, own("namespace", ""), own("owner_name", "")
