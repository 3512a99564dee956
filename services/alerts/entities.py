"""Finds what an alert speaks of: the workload, pod and node its labels mean, checked against what the cluster holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from services.model.alert import Entity, Pairs
from services.model.ref import (
    CRONJOBS,
    JOBS,
    NODES,
    PODS,
    REPLICASETS,
    WORKLOAD_KINDS,
)
from services.model.workload import Owner

WORKLOAD_LABELS = (
    "deployment",
    "statefulset",
    "daemonset",
    "cronjob",
    "job_name",
    "workload",
    "app",
    "app_kubernetes_io_name",
    "service",
    "container",
    "job",
)
"""Labels that may name a workload, the most telling first: the first that names one the cluster holds is taken."""

_EXPLICIT = frozenset(("deployment", "statefulset", "daemonset", "cronjob", "job_name", "workload"))
_NODE_LABELS = ("node", "nodename", "kubernetes_node", "kubernetes_io_hostname", "exported_node")
_CLUSTER_LABELS = ("cluster", "cluster_name", "k8s_cluster")
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_OF_REPLICASET = re.compile(rf"(.+)-{_SAFE}{{6,10}}-{_SAFE}{{5}}")
_OF_STATEFULSET = re.compile(r"(.+)-\d{1,6}")
_OF_DAEMONSET = re.compile(rf"(.+)-{_SAFE}{{5}}")
_OF_CRONJOB = re.compile(r"(.+)-\d{8,10}")
_LONGEST_NAME = 253

Tables = Mapping[str, Mapping[str, Any]]
"""Live-state tables, as in `Snapshot.tables`."""

_NO_ROWS: Mapping[str, Any] = {}


class Home(Struct, frozen=True):
    """The cluster that is watched: its identity (`Ref.cluster`), and the values of `cluster` labels that mean it.

    Where `names` is None, any alert of a server that belongs to this cluster is taken to be about it.
    """

    cluster: str = ""
    names: frozenset[str] | None = None


NOWHERE = Home()


class Entities:
    """Reads entities out of labels, with one picture of the cluster's tables (any of which may be missing).

    Remembers what it found: make a new one when the tables have changed.
    """

    def __init__(self, tables: Tables, home: Home = NOWHERE, order: Sequence[str] = WORKLOAD_LABELS) -> None:
        self._home = home
        self._order = order
        self._pods = tables.get(PODS.table, _NO_ROWS)
        self._replicasets = tables.get(REPLICASETS.table, _NO_ROWS)
        self._jobs = tables.get(JOBS.table, _NO_ROWS)
        self._nodes = tables.get(NODES.table, _NO_ROWS)
        self._workloads = [tables.get(each.table, _NO_ROWS) for each in (*WORKLOAD_KINDS, CRONJOBS)]
        self._addresses: dict[str, str] | None = None
        self._elsewhere: Entities | None = None
        self._known: dict[tuple[Pairs, str], Entity] = {}

    def of(self, labels: Pairs, scope: str = "") -> Entity:
        """Return what labels speak of; `scope` is the cluster that the server they come from belongs to.

        Labels an exporter was refused (`exported_namespace`, `exported_pod`) name the real thing.
        """
        entity = self._known.get((labels, scope))
        if entity is None:
            entity = self._known[labels, scope] = self._read(dict(labels), scope)
        return entity

    def _read(self, labels: Mapping[str, str], scope: str) -> Entity:
        cluster = self.cluster(labels, scope)
        if cluster == self._home.cluster:
            return self._inside(labels, cluster)
        if self._elsewhere is None:
            self._elsewhere = Entities({}, order=self._order)
        return self._elsewhere._inside(labels, cluster)

    def cluster(self, labels: Mapping[str, str], scope: str) -> str:
        """Return the identity of the cluster that labels mean, else what they call it."""
        home = self._home
        said = next((labels[name] for name in _CLUSTER_LABELS if labels.get(name)), "")
        if said and home.names is not None and scope in ("", home.cluster):
            return home.cluster if said in home.names else said
        return scope or home.cluster

    def _inside(self, labels: Mapping[str, str], cluster: str) -> Entity:
        namespace = labels.get("exported_namespace") or labels.get("namespace") or ""
        pod = labels.get("exported_pod") or labels.get("pod") or labels.get("pod_name") or ""
        found = self._pods.get(f"{namespace}/{pod}") if pod and namespace else None
        node = self._node(labels) or (found.node if found is not None else "")
        return Entity(cluster, namespace, self._workload(labels, namespace, pod, found), pod, node)

    def _workload(self, labels: Mapping[str, str], namespace: str, pod: str, found: Any) -> str:  # noqa: ANN401
        if not namespace and not pod:
            return ""
        named = [(name, labels[name]) for name in self._order if labels.get(name)]
        for label, value in named:
            if label in _EXPLICIT:
                return self._above_job(namespace, value) if label == "job_name" else value
        if found is not None and found.owner is not None:
            return self._owned_by(namespace, found.owner)
        if found is None and pod and (owner := owner_by_name(pod)):
            return owner
        for _, value in named:
            if self._exists(namespace, value):
                return value
        if pod:
            return pod
        return next((value for label, value in named if label not in ("container", "job")), "")

    def _exists(self, namespace: str, name: str) -> bool:
        key = f"{namespace}/{name}"
        return any(key in rows for rows in self._workloads)

    def _owned_by(self, namespace: str, owner: Owner) -> str:
        if owner.kind == "ReplicaSet":
            above = self._replicasets.get(f"{namespace}/{owner.name}")
            if above is not None and above.owner is not None:
                return str(above.owner.name)
            head, _, tail = owner.name.rpartition("-")
            return head if head and re.fullmatch(rf"{_SAFE}{{6,10}}", tail) else owner.name
        return self._above_job(namespace, owner.name) if owner.kind == "Job" else owner.name

    def _above_job(self, namespace: str, name: str) -> str:
        job = self._jobs.get(f"{namespace}/{name}")
        if job is not None:
            return job.owner.name if job.owner is not None else name
        return found[1] if (found := _OF_CRONJOB.fullmatch(name[:_LONGEST_NAME])) else name

    def _node(self, labels: Mapping[str, str]) -> str:
        for name in _NODE_LABELS:
            if labels.get(name):
                return labels[name]
        host = labels.get("instance", "").rsplit(":", 1)[0].strip("[]")
        if not host:
            return ""
        if self._addresses is None:
            self._addresses = _by_address(self._nodes.values())
        return host if host in self._nodes else self._addresses.get(host, "")


def _by_address(nodes: Iterable[Any]) -> dict[str, str]:
    """Return the names of nodes by their addresses; one that several have tells of none of them."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        found.setdefault(node.internal_ip, []).append(node.ref.name)
    return {address: names[0] for address, names in found.items() if address and len(names) == 1}


def owner_by_name(pod: str) -> str:
    """Return the workload whose pods bear such names, "" where the name tells nothing.

    Random parts are of Kubernetes' safe alphabet (apimachinery, util/rand): no vowels, no 0, 1 and 3.
    """
    name = pod[:_LONGEST_NAME]
    for pattern in (_OF_REPLICASET, _OF_STATEFULSET, _OF_DAEMONSET):
        found = pattern.fullmatch(name)
        if found is not None:
            return found[1]
    return ""


def home_of(cluster: str, hints: Collection[str], alerts: Iterable[Pairs]) -> Home:
    """Return the home whose names are `hints` (the context's name, what its Prometheus calls it).

    Where none of the alerts bears one of them, and all that bear a name bear the same, that name means the home too.
    """
    seen = set()
    for pairs in alerts:
        for name, value in pairs:
            if name in _CLUSTER_LABELS and value:
                seen.add(value)
    names = frozenset(hint for hint in hints if hint)
    return Home(cluster, names | seen if len(seen) == 1 else names)
