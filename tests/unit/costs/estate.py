"""A small cluster to be priced: nodes, pods, owners."""

from __future__ import annotations

from services.model.cluster import Node, Usage
from services.model.cost import CostPeriod, CostSummary, Spend
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.workload import Owner, Pod, ReplicaSetInfo

GIB = 1 << 30


def spend_of(summary: CostSummary, period: CostPeriod) -> Spend:
    """Return what a period has cost, which must have been computed."""
    return next(spend for spend in summary.spends if spend.period is period)


def ref(kind: str, namespace: str, name: str, group: str = "") -> Ref:
    return Ref("c1", group, kind, namespace, name, f"uid-{kind}-{namespace}-{name}")


def node(name: str, cpu: int = 4000, gib: int = 16, labels: tuple[str, ...] = (), created_at: float = 1.0) -> Node:
    return Node(
        ref("Node", "", name), "Ready", Severity.OK, created_at, cpu_allocatable=cpu, memory_allocatable=gib * GIB,
        labels=labels,
    )  # fmt: skip


def pod(
    name: str,
    namespace: str = "shop",
    cpu: int = 1000,
    gib: float = 1.0,
    *,
    on: str = "n1",
    labels: tuple[str, ...] = (),
    owner: Owner | None = None,
    phase: str = "Running",
    sized: bool = True,
) -> Pod:
    identity = ref("Pod", namespace, name)
    if not sized:
        identity = Ref("c1", "", "Pod", namespace, name)
    return Pod(
        identity, phase, Severity.OK, 1, 1, 0, 1.0, phase, on, owner=owner, labels=labels,
        cpu_request=cpu if sized else 0, memory_request=int(gib * GIB) if sized else 0,
    )  # fmt: skip


def usage(of: Pod, cpu: int, gib: float) -> Usage:
    return Usage(of.ref, cpu, int(gib * GIB), 1.0)


def replicaset(name: str, deployment: str, namespace: str = "shop") -> ReplicaSetInfo:
    owner = Owner("Deployment", deployment, f"uid-{deployment}")
    return ReplicaSetInfo(ref("ReplicaSet", namespace, name, "apps"), owner, 1, "", 1, 1, 1, (), 1.0)
