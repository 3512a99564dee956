"""One Argo Rollout, half-way through a canary, as its controller and its ReplicaSets tell of it."""

from __future__ import annotations

import json
from typing import Any

from services.kubernetes.decode import decode_list
from services.kubernetes.delivery import delivered
from services.kubernetes.diagnosis import diagnose
from services.model.delivery import Delivery
from services.model.ref import ARGO_ROLLOUTS, REPLICASETS
from services.model.workload import Rollout, Workload

IMAGE = "registry.example/front"
STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "10s"}}]
PAUSE = {"reason": "CanaryPauseStep", "startTime": "2026-08-01T03:00:00Z"}
NOW = 1785553200.0

PAUSED = {"phase": "Paused", "message": "CanaryPauseStep", "currentStepIndex": 1, "pauseConditions": [PAUSE]}
ABORTED = {"phase": "Degraded", "message": "RolloutAborted: gave up", "abort": True, "currentStepIndex": 0}
MISSED = {"currentStepAnalysisRunStatus": {"name": "run-2", "status": "Inconclusive", "message": "too few"}}


def document(status: dict[str, Any], strategy: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "front", "image": f"{IMAGE}:2"}]}}
    return {
        "kind": "Rollout",
        "metadata": {
            "name": "front",
            "namespace": "shop",
            "uid": "u-1",
            "generation": 4,
            "annotations": {"rollout.argoproj.io/revision": "2"},
        },
        "spec": {"replicas": 5, "template": template, "strategy": strategy or {"canary": {"steps": STEPS}}, **spec},
        "status": {"observedGeneration": "4", "stableRS": "old", "currentPodHash": "new", **status},
    }


def workload(status: dict[str, Any], strategy: dict[str, Any] | None = None, **spec: Any) -> Workload:
    body = json.dumps({"metadata": {}, "items": [document(status, strategy, **spec)]}).encode()
    page = decode_list(ARGO_ROLLOUTS.table, body, "c")
    assert page.quarantined == []
    found = page.rows["shop/front"]
    assert isinstance(found, Workload)
    return found


def delivery(status: dict[str, Any], strategy: dict[str, Any] | None = None, **spec: Any) -> Delivery:
    found = workload(status, strategy, **spec).delivery
    assert found is not None
    return found


def replicaset(number: int, template_hash: str, ready: int, image: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"front-{template_hash}",
            "namespace": "shop",
            "uid": f"rs-{number}",
            "labels": {"rollouts-pod-template-hash": template_hash},
            "annotations": {"rollout.argoproj.io/revision": str(number)},
            "ownerReferences": [{"kind": "Rollout", "name": "front", "uid": "u-1", "controller": True}],
        },
        "spec": {
            "replicas": ready,
            "template": {
                "metadata": {"labels": {"app": "front", "rollouts-pod-template-hash": template_hash}},
                "spec": {"containers": [{"name": "front", "image": image}]},
            },
        },
        "status": {"replicas": ready, "readyReplicas": ready},
    }


def row(status: dict[str, Any], **spec: Any) -> Rollout:
    items = [replicaset(1, "old", 4, f"{IMAGE}:1"), replicaset(2, "new", 1, f"{IMAGE}:2")]
    sets = decode_list(REPLICASETS.table, json.dumps({"metadata": {}, "items": items}).encode(), "c").rows.values()
    counts = {"replicas": 5, "readyReplicas": 5, "availableReplicas": 5, "updatedReplicas": 1}
    found = workload({**counts, **status}, **spec)
    assert found.delivery is not None
    return delivered(diagnose(found, list(sets), (), NOW), found.delivery, list(sets))
