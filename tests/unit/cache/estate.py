"""Rows and events for the tests of the cache."""

from __future__ import annotations

from pathlib import Path

from cache.state.records import identity_key
from cache.state.store import StateStore
from cache.state.writer import Pace
from services.clock import ManualClock
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.text import SafeText
from services.model.timeline import Event, EventKind, event_id
from services.model.workload import Pod, Rollout, Workload

CLUSTER = "0b5c1d2e-cluster"
ALICE = identity_key("https://one.example:6443", "ca", "alice")
BOB = identity_key("https://one.example:6443", "ca", "bob")
NOW = ManualClock().now()
QUICK = Pace(tick=0.0, election=0.01)


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


def opened(folder: Path) -> StateStore:
    store = StateStore(folder, ManualClock(), QUICK)
    store.start()
    store.attend(ALICE)
    assert store.flush()
    return store


def filled(folder: Path) -> Path:
    store = opened(folder)
    store.record(ALICE, [happening(number, NOW - number) for number in range(400)])
    store.save(ALICE, "rollouts", {f"shop/cart-{number}": rollout(f"cart-{number}") for number in range(50)}, NOW)
    store.save(ALICE, "pods", {f"shop/cart-{number}": pod(f"cart-{number}") for number in range(3000)}, NOW)
    assert store.flush()
    assert store.close()
    return folder / "state.db"
