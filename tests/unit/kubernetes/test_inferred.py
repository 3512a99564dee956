"""What the cluster alone tells of an old revision's health, in the shapes its controllers leave behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.kubernetes.history import revisions

OWNER = [{"kind": "X", "name": "cart", "uid": "u1", "controller": True}]


def replicaset(number: int, ready: int = 0, was: str = "") -> dict[str, Any]:
    annotations = {"deployment.kubernetes.io/revision": str(number)}
    annotations |= {"deployment.kubernetes.io/revision-history": was} if was else {}
    meta = {"name": f"cart-{number}", "uid": f"r{number}", "ownerReferences": OWNER, "annotations": annotations}
    return {"metadata": meta, "spec": {"replicas": 3}, "status": {"readyReplicas": ready}}


def chosen(number: int) -> dict[str, Any]:
    return {"metadata": {"name": f"cart-{number}", "uid": f"r{number}", "ownerReferences": OWNER}, "revision": number}


def marks(kind: str, items: list[dict[str, Any]], **workload: Any) -> dict[int, str]:
    raw = {"metadata": {"uid": "u1", "annotations": {"deployment.kubernetes.io/revision": "3"}}, **workload}
    found = revisions(json.dumps(raw).encode(), json.dumps({"items": items}).encode(), kind)
    return {one.number: one.mark for one in found}


@pytest.mark.parametrize(
    ("older", "mark", "why"),
    [
        (replicaset(2), "", "it may have been as bad"),
        (replicaset(2, ready=2), "inferred", "it serves while the new one does not come up"),
        (replicaset(2, was="1"), "inferred", "somebody went back to it"),
    ],
)
def test_a_deployment(older: dict[str, Any], mark: str, why: str) -> None:
    assert marks("Deployment", [replicaset(3, ready=3), older]) == {3: "", 2: mark}, why


def test_a_statefulset_names_the_last_that_was_rolled_out_to_its_end() -> None:
    items = [chosen(3), chosen(2), chosen(1)]
    stuck = {"status": {"updateRevision": "cart-3", "currentRevision": "cart-1"}}
    assert marks("StatefulSet", items, **stuck) == {3: "", 2: "", 1: "inferred"}
    settled = {"status": {"updateRevision": "cart-3", "currentRevision": "cart-3"}}
    assert marks("StatefulSet", items, **settled) == {3: "", 2: "", 1: ""}


def test_a_daemonset_tells_nothing() -> None:
    assert marks("DaemonSet", [chosen(3), chosen(2)]) == {3: "", 2: ""}
