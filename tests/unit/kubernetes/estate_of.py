"""Makes workloads, ReplicaSets, pods and nodes for tables of cases; what a case does not name is healthy."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from services.model.cluster import Node
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.workload import Condition, ContainerState, Owner, Pod, ReplicaSetInfo, Workload

NOW = 1_800_000_000.0


def workload(kind: str = "Deployment", name: str = "cart", desired: int = 3, **changes: Any) -> Workload:
    ref = Ref("c", "apps", kind, "shop", name, f"uid-{name}")
    healthy = Workload(
        ref, 2, 2, desired, desired, desired, desired, desired, desired, NOW - 86400, revision="2",
        images=("shop/cart:v2",), strategy="RollingUpdate", progress_deadline=600,
        conditions=(
            Condition("Available", "True", changed_at=NOW - 86400),
            Condition("Progressing", "True", "NewReplicaSetAvailable", changed_at=NOW - 86400, updated_at=NOW - 3600),
        ),
    )  # fmt: skip
    return structs.replace(healthy, **changes)


def rolling(since: float = 30.0) -> tuple[Condition, ...]:
    return (Condition("Progressing", "True", "ReplicaSetUpdated", changed_at=NOW - since, updated_at=NOW - since),)


def stalled() -> tuple[Condition, ...]:
    return (Condition("Progressing", "False", "ProgressDeadlineExceeded", changed_at=NOW - 60),)


def replicaset(revision: int, owner: str = "cart", **changes: Any) -> ReplicaSetInfo:
    ref = Ref("c", "apps", "ReplicaSet", "shop", f"{owner}-{revision}", f"uid-{owner}-{revision}")
    info = ReplicaSetInfo(
        ref, Owner("Deployment", owner, f"uid-{owner}"), revision, "", 3, 3, 3, (f"shop/cart:v{revision}",), NOW - 600
    )
    return structs.replace(info, **changes)


def pod(name: str = "a", owner: str = "uid-cart-2", **changes: Any) -> Pod:
    ref = Ref("c", "", "Pod", "shop", f"cart-{name}", f"uid-pod-{name}")
    healthy = Pod(
        ref, "Running", Severity.OK, 1, 1, 0, NOW - 600, "Running", "node-1", owner=Owner("ReplicaSet", "x", owner)
    )
    return structs.replace(healthy, **changes)


def crashing(name: str = "a", restarts: int = 7, reason: str = "Error", code: int = 1, words: str = "") -> Pod:
    trouble = ContainerState("app", "CrashLoopBackOff", "back-off 5m0s", None, restarts, reason, code, words)
    return pod(
        name, status="CrashLoopBackOff", severity=Severity.CRIT, ready=0, restarts=restarts, trouble=trouble,
        last_restart_at=NOW - 20,
    )  # fmt: skip


def node(name: str = "node-1", status: str = "Ready", **changes: Any) -> Node:
    ref = Ref("c", "", "Node", "", name, f"uid-{name}")
    return structs.replace(Node(ref, status, Severity.OK, NOW - 86400), **changes)
