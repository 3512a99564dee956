"""Finds in the cluster what an alert speaks of, so that its logs, pods and YAML are one key away."""

from __future__ import annotations

from collections.abc import Mapping

from services.model.alert import Alert
from services.model.ref import NODES, PODS, WORKLOAD_KINDS, Ref, Resource
from services.model.workload import Pod, Rollout
from services.ports import Snapshot


def workload_of(alert: Alert, snapshot: Snapshot) -> Rollout | None:
    """Return the workload an alert is about, None where its labels name none that is known."""
    return workload_named(alert.entity.namespace, alert.entity.workload, snapshot)


def workload_named(namespace: str, name: str, snapshot: Snapshot) -> Rollout | None:
    """Return the workload of that name; of several kinds the one in the worst state."""
    rows: Mapping[str, Rollout] = snapshot.tables.get("rollouts", {})
    if not name:
        return None
    found = [row for kind in WORKLOAD_KINDS if (row := rows.get(f"{kind.kind}/{namespace}/{name}")) is not None]
    return min(found, key=lambda row: row.severity, default=None)


def target_of(alert: Alert, snapshot: Snapshot) -> tuple[Ref, Resource] | None:
    """Return the object an alert is about: its workload, else its pod, else its node; None where none is known."""
    row = workload_of(alert, snapshot)
    if row is not None:
        kind = next(kind for kind in WORKLOAD_KINDS if kind.kind == row.ref.kind)
        return row.ref, kind
    entity = alert.entity
    pod: Pod | None = snapshot.tables.get(PODS.table, {}).get(f"{entity.namespace}/{entity.pod}")
    if pod is not None:
        return pod.ref, PODS
    node = snapshot.tables.get(NODES.table, {}).get(entity.node)
    return (node.ref, NODES) if node is not None else None
