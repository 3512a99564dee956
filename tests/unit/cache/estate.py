"""Rows and events for the tests of the cache."""

from __future__ import annotations

from services.model.ref import Ref
from services.model.severity import Severity
from services.model.text import SafeText
from services.model.timeline import Event, EventKind, event_id
from services.model.workload import Pod, Rollout, Workload

CLUSTER = "0b5c1d2e-cluster"


def pod(name: str = "cart-1", namespace: str = "shop", restarts: int = 0, cluster: str = CLUSTER) -> Pod:
    return Pod(
        ref=Ref(cluster, "", "Pod", namespace, name, f"uid-{name}"),
        status="Running",
        severity=Severity.OK,
        ready=1,
        containers=1,
        restarts=restarts,
        created_at=1_799_000_000.0,
        phase="Running",
        node="node-7",
        ip="10.0.0.9",
        container_names=("cart",),
        labels=("app=cart", "tier=front"),
    )


def rollout(name: str = "cart", namespace: str = "shop", cause: str = "") -> Rollout:
    ref = Ref(CLUSTER, "apps", "Deployment", namespace, name, f"uid-{name}")
    workload = Workload(
        ref, 3, 3, 4, 4, 4, 4, 4, 4, 1_799_000_000.0, revision="3", images=("registry.example/cart:1.9.2",)
    )
    status = f'deployment "{name}" successfully rolled out'
    return Rollout(workload, Severity.CRIT if cause else Severity.OK, status, done=not cause, cause=cause, revision=3)


def happening(number: int, at: float = 1_800_000_000.0, text: str = "rolled out", cluster: str = CLUSTER) -> Event:
    ref = Ref(cluster, "apps", "Deployment", "shop", f"cart-{number}", f"uid-{number}")
    return Event(
        id=event_id(cluster, "kubernetes", ref.uid, "rollout", str(at)),
        at=at,
        seen_at=at + 1,
        kind=EventKind.ROLLOUT,
        ref=ref,
        text=SafeText(text),
        severity=Severity.NOTICE,
        payload={"to": "1.9.2"},
    )
