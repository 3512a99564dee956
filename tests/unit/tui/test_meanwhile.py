"""What became of an object under an open dialog is said from what to what, with whose doing it was."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from services.model.action import Target
from services.model.cluster import CronJob, Job, Node
from services.model.delivery import PAUSED, Delivery
from services.model.ref import ARGO_ROLLOUTS, CRONJOBS, DEPLOYMENTS, JOBS, NODES, PODS, Ref, Resource
from services.model.severity import Severity
from services.model.workload import Pod, Workload
from services.ports import Snapshot
from tui.aiming import moved

LEAVE = " since this was planned: leave, and look at it again"
NOW = 1_795_229_647.0


def ref(resource: Resource, name: str = "cart") -> Ref:
    namespace = "shop" if resource.namespaced else ""
    return Ref("c", resource.group, resource.kind, namespace, name, f"u-{resource.kind}")


def workload(resource: Resource = DEPLOYMENTS, **fields: Any) -> Workload:
    made = Workload(ref(resource), 7, 7, 3, 3, 3, 3, 3, 3, NOW, images=("registry.example/shop/cart:1",))
    return structs.replace(made, changed_by="helm", changed_at=NOW, scaled_by="helm", **fields)


def seen(*rows: tuple[Resource, Any]) -> Snapshot:
    return Snapshot(1, {resource.table: {row.ref.key: row} for resource, row in rows}, {})


def said(resource: Resource, before: Any, now: Any) -> str:
    generation = getattr(before, "generation", 0)
    return moved(Target(before.ref, resource, generation), seen((resource, now)), str, seen((resource, before)))


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({}, ""),
        ({"ready": 1, "resource_version": "9"}, ""),
        (
            {"generation": 8, "images": ("r/cart:2",), "changed_by": "kubectl-set", "changed_at": NOW + 1},
            "its image went from cart:1 to cart:2 by kubectl-set",
        ),
        (
            {"generation": 8, "images": ("mirror.example/shop/cart:1",), "changed_by": "bob", "changed_at": NOW + 1},
            "its image went from registry.example/shop/cart:1 to mirror.example/shop/cart:1 by bob",
        ),
        (
            {"generation": 8, "changed_by": "kubectl-edit", "changed_at": NOW + 1},
            "its pod template was changed by kubectl-edit, not the image",
        ),
        ({"generation": 8, "spec_replicas": 0, "scaled_by": "bob"}, "its replicas went from 3 to 0 by bob"),
        ({"generation": 8, "spec_replicas": 5, "paused": True}, "its replicas went from 3 to 5 by helm; it was paused"),
        ({"generation": 8, "strategy": "Recreate"}, "its update strategy was changed"),
        ({"generation": 8}, "its spec was changed by helm"),
    ],
)
def test_a_workload_under_a_dialog(now: dict[str, Any], words: str) -> None:
    before = workload()
    assert said(DEPLOYMENTS, before, structs.replace(before, **now)) == (words + LEAVE if words else "")


def test_what_was_not_seen_before_is_told_in_general() -> None:
    now = workload(generation=9)
    target = Target(now.ref, DEPLOYMENTS, 7)
    for before in (None, seen((DEPLOYMENTS, workload(generation=8)))):
        assert moved(target, seen((DEPLOYMENTS, now)), str, before) == f"its spec was changed by helm{LEAVE}"


@pytest.mark.parametrize(
    ("resource", "before", "changes", "words"),
    [
        (NODES, Node(ref(NODES), "Ready", Severity.OK, 0), {"status": "NotReady"}, ""),
        (
            NODES,
            Node(ref(NODES), "Ready", Severity.OK, 0),
            {"unschedulable": True, "cordoned_by": "bob"},
            "it was cordoned by bob",
        ),
        (NODES, Node(ref(NODES), "Ready", Severity.OK, 0, unschedulable=True), {"unschedulable": False}, "uncordoned"),
        (CRONJOBS, CronJob(ref(CRONJOBS), "0 3 * * *", False, 0), {"active": 1}, ""),
        (CRONJOBS, CronJob(ref(CRONJOBS), "0 3 * * *", False, 0), {"suspended": True}, "it was suspended"),
        (JOBS, Job(ref(JOBS), "Failed", Severity.CRIT, 0), {"status": "Running"}, "it went from Failed to Running"),
        (PODS, Pod(ref(PODS), "Running", Severity.OK, 1, 1, 0, 0), {"status": "CrashLoopBackOff"}, ""),
        (PODS, Pod(ref(PODS), "Running", Severity.OK, 1, 1, 0, 0), {"deleted_at": NOW}, "it is being deleted"),
    ],
)
def test_what_is_no_workload(resource: Resource, before: Any, changes: dict[str, Any], words: str) -> None:
    found = said(resource, before, structs.replace(before, **changes))
    assert words in found
    assert bool(found) is bool(words)


def test_a_rollout_that_follows_a_deployment_is_changed_there() -> None:
    followed = workload(DEPLOYMENTS)
    delivery = Delivery(phase=PAUSED, strategy="canary", follows="deployment/cart")
    rollout = workload(ARGO_ROLLOUTS, delivery=delivery)
    before = seen((DEPLOYMENTS, followed), (ARGO_ROLLOUTS, rollout))
    target = Target(rollout.ref, ARGO_ROLLOUTS, rollout.generation)
    scaled = structs.replace(followed, generation=8, images=("r/cart:2",))
    assert moved(target, before, str, before) == ""
    words = "deployment/cart, whose template it follows, is otherwise: its image went from cart:1 to cart:2 by helm"
    assert moved(target, seen((DEPLOYMENTS, scaled), (ARGO_ROLLOUTS, rollout)), str, before) == words + LEAVE
    aborted = structs.replace(rollout, delivery=structs.replace(delivery, aborted=True))
    assert "it was aborted" in moved(target, seen((DEPLOYMENTS, followed), (ARGO_ROLLOUTS, aborted)), str, before)
