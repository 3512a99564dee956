"""What ten thousand pods cost to decode and to keep."""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from typing import Any

import pytest

from services.kubernetes.decode import decode_list

PODS, PAGE, OWNERS = 10_000, 500, 500
AT = "2026-01-01T00:00:00Z"


def container(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"registry.example.com/{name}:v1.2.3",
        "env": [{"name": f"VAR_{index}", "value": "x" * 30} for index in range(30)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    }


def pod(index: int) -> dict[str, Any]:
    owner = index % OWNERS
    statuses = [
        {"name": n, "state": {"running": {"startedAt": AT}}, "ready": True, "restartCount": 0} for n in ("a", "b")
    ]
    ready = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "metadata": {
            "name": f"svc-{owner}-7d9f8c6b5-{index:05d}",
            "namespace": f"team-{owner % 10}",
            "uid": f"{index:08x}-0000-4000-8000-000000000000",
            "resourceVersion": str(index),
            "creationTimestamp": f"2026-01-01T{index % 24:02d}:{index % 60:02d}:{index % 59:02d}Z",
            "labels": {"app": f"svc-{owner}", "pod-template-hash": "7d9f8c6b5"},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": f"svc-{owner}", "uid": f"rs-{owner}", "controller": True}
            ],
            "managedFields": [{"manager": "m", "fieldsV1": {f"f:field-{number}": {".": {}} for number in range(150)}}],
        },
        "spec": {"containers": [container("a"), container("b")], "nodeName": f"node-{index % 60}"},
        "status": {
            "phase": "Running",
            "podIP": f"10.1.{index % 250}.{index // 250}",
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": AT} for kind in ready],
            "containerStatuses": statuses,
        },
    }


@pytest.mark.bench
def test_ten_thousand_pods(capsys: pytest.CaptureFixture[str]) -> None:
    pages = [
        json.dumps({"metadata": {}, "items": [pod(first + index) for index in range(PAGE)]}).encode()
        for first in range(0, PODS, PAGE)
    ]
    times = []
    for _ in range(5):
        start = time.process_time()
        for page in pages:
            decode_list("pods", page, "c")
        times.append(time.process_time() - start)
    start = time.process_time()
    for page in pages:
        json.loads(page)
    plain = time.process_time() - start
    gc.collect()
    tracemalloc.start()
    rows: dict[str, Any] = {}
    for page in pages:
        rows.update(decode_list("pods", page, "c").rows)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    size = sum(map(len, pages)) / 1e6
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(rows)} pods, {size:.0f} MB of JSON: {min(times) * 1000:.0f} ms decoded and joined to rows "
            f"({plain / min(times):.1f} times as fast as json.loads), {kept:.1f} MB kept\n"
        )
    assert len(rows) == PODS
    assert kept < 12
