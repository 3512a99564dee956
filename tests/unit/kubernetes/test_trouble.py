"""Trouble is over when what was wrong is right again: not when something is begun about it, nor in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs

from services.kubernetes.trouble import right_again
from services.model.severity import Severity
from services.model.timeline import EventKind
from services.model.workload import Pod, Rollout, Workload
from tests.unit.kubernetes.estate_of import NOW, crashing, pod, replicaset, rolling, workload
from tests.unit.kubernetes.test_derivation import ALL, Joined

STARTING: dict[str, Any] = {"status": "ContainerCreating", "ready": 0, "phase": "Pending", "created_at": NOW}


def ill() -> Joined:
    """Return a shop whose cart crashes, told once."""
    joined = Joined()
    pods = {one.ref.key: one for one in (pod("a"), pod("b"))}
    joined.list_all(
        deployments={"shop/cart": workload()}, replicasets={"shop/cart-2": replicaset(2, created_at=0.0)}, pods=pods
    )
    joined.live.publish()
    step(joined, down(), [crashing("a"), crashing("b")])
    assert told(joined) == ["CrashLoop exit 1, x7"]
    return joined


def down(**changes: Any) -> Workload:
    return workload(**{"ready": 0, "available": 0, "conditions": rolling(), **changes})


def step(joined: Joined, one: Workload, pods: list[Pod]) -> Rollout:
    asyncio.run(joined.clock.advance(5))
    joined.put(ALL[0], one)
    joined.put("pods", *pods)
    return joined.cart


def told(joined: Joined) -> list[str]:
    kinds = (EventKind.UNHEALTHY, EventKind.RECOVERED)
    return [event.text for event in reversed(joined.live.publish().events) if event.kind in kinds]


def test_a_rollback_that_was_only_sent_has_mended_nothing() -> None:
    joined = ill()
    restarting = [
        pod(name, restarts=6, ready=0, status="Running", last_restart_at=NOW - 20, unready_since=NOW - 300)
        for name in "ab"
    ]
    sent = structs.replace(down(), generation=3, revision="3", resource_version="20", updated=0)
    almost = structs.replace(sent, observed_generation=3, updated=3, ready=2, available=2)
    moments = [
        (sent, [pod("a", **STARTING), pod("b", **STARTING)]),
        (structs.replace(sent, observed_generation=3, updated=2, resource_version="21"), restarting),
        (almost, [pod("a"), pod("b", **STARTING)]),
    ]
    for one, pods in moments:
        row = step(joined, one, pods)
        assert row.recovered_at == 0
        assert told(joined) == ["CrashLoop exit 1, x7"]
    assert step(joined, workload(resource_version="30"), [pod("a"), pod("b")]).recovered_at > NOW
    assert told(joined) == ["CrashLoop exit 1, x7", "recovered"]
    assert len(joined.cart.changes) == 2


def test_what_the_next_release_breaks_is_told_anew() -> None:
    joined = ill()
    step(joined, down(generation=3, resource_version="20"), [pod("a", **STARTING), pod("b", **STARTING)])
    later = structs.replace(crashing("a", code=2), created_at=joined.clock.now() + 2)
    step(joined, down(generation=3, observed_generation=3, resource_version="21"), [later, pod("b", **STARTING)])
    assert told(joined) == ["CrashLoop exit 1, x7", "CrashLoop exit 2, x7"]


def test_what_is_gone_takes_its_trouble_with_it() -> None:
    joined = ill()
    joined.drop("pods", "shop/cart-a", "shop/cart-b")
    joined.drop(ALL[0], "shop/cart")
    joined.live.publish()
    anew = workload(resource_version="40")
    step(joined, structs.replace(anew, ref=structs.replace(anew.ref, uid="another")), [])
    assert joined.cart.recovered_at == 0
    assert told(joined) == ["CrashLoop exit 1, x7"]


@pytest.mark.parametrize(
    ("severity", "done", "changes", "right"),
    [
        (Severity.OK, True, {}, True),
        (Severity.NOTICE, False, {"updated": 1}, False),
        (Severity.NOTICE, False, {"ready": 0}, False),
        (Severity.WARN, True, {}, False),
        (Severity.OK, True, {"desired": 0, "ready": 0}, False),
        (Severity.NOTICE, False, {"paused": True}, True),
        (Severity.NOTICE, False, {"paused": True, "replicas": 4}, False),
        (Severity.NOTICE, True, {"paused": True, "ready": 2}, False),
    ],
)
def test_right_again(severity: Severity, done: bool, changes: dict[str, Any], right: bool) -> None:
    assert right_again(Rollout(workload(**changes), severity, "", done)) is right
