from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal_client import TABLE, Client

from services.rehearsal.columns.base import human_duration
from services.rehearsal.columns.pods import PODS

if TYPE_CHECKING:
    from rehearsal_client import Json

    from services.rehearsal.clock import ManualClock
    from services.rehearsal.server import Rehearsal

_WIDE = ["IP", "Node", "Nominated Node", "Readiness Gates"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 61, "3h1m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (731 * 86400, "2y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations_read_as_kubectl_writes_them(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_a_duration_is_short(seconds: float) -> None:
    assert 2 <= len(human_duration(seconds)) <= 6


def _pod(*states: Json, phase: str = "Running", **extra: object) -> Json:
    statuses = []
    for index, state in enumerate(states):
        ready = state.pop("ready", False)
        restarts, last = state.pop("restarts", 0), state.pop("last", {})
        statuses.append(
            {"name": f"c{index}", "ready": ready, "restartCount": restarts, "state": state, "lastState": last}
        )
    spec = {"containers": [{"name": one["name"]} for one in statuses] or [{"name": "c0"}]}
    metadata = {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z", **extra}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("pod", "ready", "status"),
    [
        (_pod({"running": {}, "ready": True}), "1/1", "Running"),
        (_pod({"running": {}}), "0/1", "Running"),
        (_pod({"waiting": {"reason": "CrashLoopBackOff"}}), "0/1", "CrashLoopBackOff"),
        (_pod({"running": {}, "ready": True}, {"waiting": {"reason": "ErrImagePull"}}), "1/2", "ErrImagePull"),
        (_pod({"terminated": {"exitCode": 2}}), "0/1", "ExitCode:2"),
        (_pod({"terminated": {"signal": 9, "exitCode": 137}}), "0/1", "Signal:9"),
        (_pod({"terminated": {"reason": "Completed", "exitCode": 0}}, phase="Succeeded"), "0/1", "Completed"),
        (_pod({"terminated": {"reason": "Completed"}}, {"running": {}, "ready": True}), "1/2", "NotReady"),
        (_pod(phase="Pending"), "0/1", "Pending"),
        (_pod({"running": {}, "ready": True}, deletionTimestamp="2026-01-01T00:00:10Z"), "1/1", "Terminating"),
        (_pod({"terminated": {"reason": "Error"}}, phase="Failed", deletionTimestamp="x"), "0/1", "Error"),
    ],
)
def test_a_pod_is_summed_up_in_one_word(pod: Json, ready: str, status: str) -> None:
    assert PODS.cells(pod)[1:3] == [ready, status]


async def test_the_pods_table(calm: Rehearsal, client: Client) -> None:
    table = await client.json("/api/v1/pods", TABLE, includeObject="None")
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Ready", "Status", "Restarts", "Age", *_WIDE]
    assert [one["priority"] for one in table["columnDefinitions"]] == [0] * 5 + [1] * 4
    assert {one["object"] for one in table["rows"]} == {None}
    assert len(table["rows"]) == len(calm.store.collections["pods"].entries)
    listed = await client.json("/api/v1/pods")
    assert [row["cells"][0] for row in table["rows"]] == [one["metadata"]["name"] for one in listed["items"]]
    assert [row["cells"][6] for row in table["rows"]] == [one["spec"]["nodeName"] for one in listed["items"]]
    done = [row for row in table["rows"] if row["cells"][2] == "Completed"]
    assert done
    assert {row["conditions"][0]["reason"] for row in done} == {"Succeeded"}


@pytest.mark.parametrize(("include", "kind"), [("Metadata", "PartialObjectMetadata"), ("Object", "Pod")])
async def test_rows_carry_what_was_asked_for(client: Client, include: str, kind: str) -> None:
    table = await client.json("/api/v1/pods", TABLE, includeObject=include, limit=3)
    assert [one["object"]["kind"] for one in table["rows"]] == [kind] * 3
    assert table["metadata"]["remainingItemCount"] > 0


async def test_ages_are_of_the_moment_of_the_request(client: Client, clock: ManualClock) -> None:
    query = {"fieldSelector": "status.phase=Succeeded", "limit": 1}
    before = (await client.json("/api/v1/pods", TABLE, **query))["rows"][0]["cells"]
    clock.advance(60)
    after = (await client.json("/api/v1/pods", TABLE, **query))["rows"][0]["cells"]
    assert before[0] == after[0]
    assert before[4] != after[4]


async def test_every_resource_prints_itself(calm: Rehearsal, client: Client) -> None:
    for key, collection in calm.store.collections.items():
        resource = collection.resource
        root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        table = await client.json(f"{root}/{resource.plural}", TABLE)
        width = len(table["columnDefinitions"])
        assert len(table["rows"]) == len(collection.entries) or key == "events.events.k8s.io"
        assert all(len(row["cells"]) == width for row in table["rows"]), key


async def test_a_custom_resource_brings_its_columns(calm: Rehearsal, client: Client) -> None:
    resource = next(one for one in calm.store.collections.values() if one.resource.custom).resource
    table = await client.json(f"/apis/{resource.group}/v1/{resource.plural}", TABLE)
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Engine", "Phase", "Size", "Age"]
    definition = await client.json(
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{resource.plural}.{resource.group}"
    )
    assert definition["spec"]["names"]["kind"] == resource.kind
