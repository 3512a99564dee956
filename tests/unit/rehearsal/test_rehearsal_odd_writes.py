"""Whatever is written, an estate lives on: odd objects, odd patches, and bytes that are nothing at all."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal_client import Client, Json
from rehearsal_writes import MERGE, OPS, SMP, live, path, send

from services.rehearsal.wire.protobuf import MAGIC
from services.rehearsal.wire.schema import structs
from services.rehearsal.wire.unpacking import CONTENT_TYPE, unpack

if TYPE_CHECKING:
    from services.rehearsal.clock import ManualClock
    from services.rehearsal.server import Rehearsal

IMAGE = "elsewhere.example/thing:1"
POD: Json = {"containers": [{"name": "c", "image": IMAGE}]}
LABELS = {"matchLabels": {"app": "odd"}}
TEMPLATE: Json = {"metadata": {"labels": {"app": "odd"}}, "spec": POD}
ENDING: Json = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
NEW: tuple[tuple[str, Json], ...] = (
    ("api/v1/pods", {"spec": POD}),
    ("api/v1/configmaps", {}),
    ("api/v1/secrets", {"type": "Opaque", "data": {"a": base64.b64encode(b"x").decode()}}),
    ("api/v1/services", {"spec": {"ports": [{"port": 80}]}}),
    ("api/v1/serviceaccounts", {}),
    ("apis/apps/v1/deployments", {"spec": {"selector": LABELS, "template": TEMPLATE}}),
    ("apis/apps/v1/replicasets", {"spec": {"selector": LABELS, "template": TEMPLATE, "replicas": 2}}),
    (
        "apis/apps/v1/statefulsets",
        {"spec": {"selector": LABELS, "template": TEMPLATE, "podManagementPolicy": "Parallel"}},
    ),
    ("apis/apps/v1/daemonsets", {"spec": {"selector": LABELS, "template": TEMPLATE}}),
    ("apis/batch/v1/jobs", {"spec": {**ENDING, "parallelism": 2}}),
    ("apis/batch/v1/cronjobs", {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": ENDING}}}),
    ("apis/policy/v1/poddisruptionbudgets", {"spec": {"minAvailable": "50%", "selector": LABELS}}),
    ("apis/policy/v1/poddisruptionbudgets", {"metadata": {"name": "bare"}, "spec": {}}),
    ("apis/coordination.k8s.io/v1/leases", {}),
    (
        "apis/autoscaling/v2/horizontalpodautoscalers",
        {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "odd"}, "maxReplicas": 3, "minReplicas": 2}},
    ),
)


async def test_new_objects_of_every_kind_live_and_are_printed(
    calm: Rehearsal, client: Client, clock: ManualClock
) -> None:
    namespace = calm.plan.namespaces[0]
    for where, body in NEW:
        head, plural = where.rsplit("/", 1)
        answer = await send(
            client, "POST", f"/{head}/namespaces/{namespace}/{plural}", {"metadata": {"name": "odd"}, **body}
        )
        assert answer.status_code == 201, (where, answer.text)
    live(calm, clock, 120)
    for where, _ in NEW:
        table = await client.json(f"/{where}", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert "odd" in {row["cells"][0] for row in table["rows"]}
    pod = await client.json(f"/api/v1/namespaces/{namespace}/pods/odd")
    assert pod["status"]["phase"] == "Running"
    deployment = await client.json(f"/apis/apps/v1/namespaces/{namespace}/deployments/odd")
    assert deployment["status"]["availableReplicas"] == 2, "the autoscaler wants two"
    assert (await client.json(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/odd"))["status"]["readyReplicas"] == 1
    await calm.watchtower.station.prepare()
    gone = await send(client, "DELETE", f"/api/v1/namespaces/{namespace}")
    assert gone.json()["status"]["phase"] == "Terminating"
    refused = await send(client, "POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "late"}})
    assert refused.json()["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    live(calm, clock, 300)
    assert (await client.get(f"/api/v1/namespaces/{namespace}")).status_code == 404
    await calm.watchtower.station.prepare()


ODD = (
    {"spec": {"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}},
    {"spec": {"strategy": {"rollingUpdate": {"maxSurge": "x"}}}},
    {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
    {"spec": {"strategy": None, "revisionHistoryLimit": 0, "progressDeadlineSeconds": None}},
    {"spec": {"minReadySeconds": 5, "template": {"spec": {"terminationGracePeriodSeconds": 0}}}},
    {"spec": {"template": None}},
    {"spec": None},
    {"spec": []},
    {"metadata": None},
    {"metadata": {"labels": None, "annotations": None}},
    {"metadata": {"ownerReferences": [{}]}},
    {"metadata": {"finalizers": ["keep.example/it"]}},
    {"status": {"replicas": "many"}},
    {},
    [],
    None,
    7,
)


@pytest.mark.parametrize("kind", [MERGE, SMP, OPS])
async def test_odd_patches_are_answered_and_the_estate_lives_on(
    calm: Rehearsal, client: Client, clock: ManualClock, kind: str
) -> None:
    app = next(one for one in calm.plan.deployments() if not one.recreate)
    for body in ODD:
        answer = await send(client, "PATCH", path(app), body, kind)
        keyless = answer.status_code == 500 and "does not contain declared merge key" in answer.text
        assert keyless or answer.status_code in {200, 400, 422}, (body, answer.text)
        live(calm, clock, 30)
    for amount in ("1.5", "512M", "1e3", "2Gi", "100000000"):
        container = {"name": "new", "image": IMAGE, "resources": {"requests": {"memory": amount, "cpu": "1m"}}}
        answer = await send(
            client, "PATCH", path(app), {"spec": {"template": {"spec": {"containers": [container]}}}}, SMP
        )
        assert answer.status_code == 200, answer.text
        live(calm, clock, 20)
    assert (await client.json(path(app)))["status"]["observedGeneration"] > 1


@given(st.binary(max_size=60))
def test_bytes_that_are_no_protobuf_are_refused(body: bytes) -> None:
    for name in ("batch.Job", "policy.Eviction", "meta.DeleteOptions"):
        try:
            found = unpack(MAGIC + body, structs()[name])
        except ValueError:
            continue
        json.dumps(found)


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def _envelope(kind: str, version: str, raw: bytes) -> bytes:
    return MAGIC + _field(1, _field(1, version.encode()) + _field(2, kind.encode())) + _field(2, raw)


@pytest.mark.parametrize(
    ("struct", "raw", "expected"),
    [
        ("policy.Eviction", _field(1, _field(1, b"web")), {"metadata": {"name": "web"}}),
        (
            "policy.Eviction",
            _field(2, _field(1, 30) + _field(2, _field(1, b"uid")) + _field(5, b"All")),
            {"deleteOptions": {"gracePeriodSeconds": 30, "preconditions": {"uid": "uid"}, "dryRun": ["All"]}},
        ),
        ("batch.Job", _field(2, _field(1, 2) + _field(10, 0)), {"spec": {"parallelism": 2, "suspend": False}}),
        (
            "core.ConfigMap",
            _field(2, _field(1, b"a") + _field(2, b"b")) + _field(3, _field(1, b"c") + _field(2, b"\xff")),
            {"data": {"a": "b"}, "binaryData": {"c": "/w=="}},
        ),
        (
            "core.PodSpec",
            _field(1, _field(1, b"v") + _field(2, _field(2, b""))),
            {"volumes": [{"name": "v", "emptyDir": {}}]},
        ),
    ],
)
def test_protobuf_becomes_json(struct: str, raw: bytes, expected: Json) -> None:
    found = unpack(_envelope("Kind", "group/v1", raw), structs()[struct])
    assert found == {"kind": "Kind", "apiVersion": "group/v1", **expected}


async def test_an_eviction_in_protobuf_is_understood(calm: Rehearsal, client: Client) -> None:
    listed = (await client.json("/api/v1/pods", fieldSelector="status.phase=Running"))["items"]
    pod: Any = listed[0]["metadata"]
    body = _envelope("Eviction", "policy/v1", _field(1, _field(1, pod["name"].encode())))
    where = f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}/eviction"
    answer = await client.http.post(
        where, content=body, headers={"Content-Type": CONTENT_TYPE}, params={"dryRun": "All"}
    )
    assert (answer.status_code, answer.json()["status"]) == (201, "Success"), answer.text
