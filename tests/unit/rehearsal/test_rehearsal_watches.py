from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rehearsal_client import TABLE, Client, Json, names

from services.rehearsal import resources
from services.rehearsal.simulation import operations
from services.rehearsal.store import HISTORY
from services.rehearsal.wire.watching import BOOKMARK_EVERY

if TYPE_CHECKING:
    from services.rehearsal.clock import ManualClock
    from services.rehearsal.server import Rehearsal

PODS = "/api/v1/pods"


def _apply(state: dict[tuple[str, str], str], frame: Json) -> None:
    metadata = frame["object"]["metadata"]
    key = (metadata["namespace"], metadata["name"])
    if frame["type"] == "DELETED":
        del state[key]
    elif frame["type"] == "ADDED":
        assert key not in state
        state[key] = metadata["resourceVersion"]
    else:
        assert int(metadata["resourceVersion"]) > int(state[key])
        state[key] = metadata["resourceVersion"]


def _state(listed: Json) -> dict[tuple[str, str], str]:
    found = {}
    for one in listed["items"]:
        found[one["metadata"]["namespace"], one["metadata"]["name"]] = one["metadata"]["resourceVersion"]
    return found


async def test_a_watch_from_a_list_has_no_gap_and_no_duplicate(
    calm: Rehearsal, client: Client, clock: ManualClock
) -> None:
    listed = await client.json(PODS)
    state = _state(listed)
    app = max(calm.plan.deployments(), key=lambda one: one.replicas)
    world = calm.engine.world
    operations.set_image(
        world,
        resources.DEPLOYMENTS,
        app.namespace,
        app.name,
        image=app.image_of("v77.0.0"),
        cause="cause",
        actor="somebody",
    )
    clock.advance(3)
    async with client.watch(PODS, resourceVersion=listed["metadata"]["resourceVersion"]) as frames:
        for _ in range(40):
            clock.advance(4)
        final = await client.json(PODS)
        last = 0
        while state != _state(final):
            frame = await frames.next()
            version = int(frame["object"]["metadata"]["resourceVersion"])
            assert version > last
            last = version
            _apply(state, frame)
    assert sum(app.image_of("v77.0.0") == c["image"] for one in final["items"] for c in one["spec"]["containers"]) == (
        app.replicas
    )


async def test_a_selecting_watch_sees_things_come_and_go(calm: Rehearsal, client: Client) -> None:
    entry = calm.store.collection(resources.PODS).ordered()[0]
    listed = await client.json(PODS, labelSelector="colour=red")
    assert listed["items"] == []
    world = calm.engine.world

    def paint(colour: str | None) -> None:
        patch = {"metadata": {"labels": {"colour": colour}}}
        operations.merge(world, resources.PODS, entry.namespace, entry.name, patch)

    version = listed["metadata"]["resourceVersion"]
    async with client.watch(PODS, labelSelector="colour=red", resourceVersion=version) as frames:
        paint("red")
        operations.merge(world, resources.PODS, entry.namespace, entry.name, {"metadata": {"labels": {"size": "big"}}})
        paint("blue")
        paint("red")
        calm.store.delete(resources.PODS, entry.namespace, entry.name)
        seen = await frames.take(5)
    assert [one["type"] for one in seen] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    assert seen[2]["object"]["metadata"]["labels"]["colour"] == "blue"


async def test_a_watch_by_name_in_one_namespace(calm: Rehearsal, client: Client) -> None:
    first, second = calm.store.collection(resources.DEPLOYMENTS).ordered()[:2]
    path = f"/apis/apps/v1/namespaces/{first.namespace}/deployments"
    async with client.watch(path, fieldSelector=f"metadata.name={first.name}") as frames:
        assert (await frames.next())["object"]["metadata"]["name"] == first.name
        world = calm.engine.world
        for one in (second, first):
            operations.pause(world, one.namespace, one.name, paused=True)
        frame = await frames.next()
    assert (frame["type"], frame["object"]["metadata"]["name"]) == ("MODIFIED", first.name)
    assert frame["object"]["kind"] == "Deployment"


@pytest.mark.parametrize("version", ["", "0"])
async def test_a_watch_without_a_version_begins_with_everything(client: Client, version: str) -> None:
    listed = await client.json("/api/v1/nodes")
    async with client.watch("/api/v1/nodes", resourceVersion=version) as frames:
        seen = await frames.take(len(listed["items"]))
    assert {one["type"] for one in seen} == {"ADDED"}
    assert [one["object"]["metadata"]["name"] for one in seen] == [name for _, name in names(listed)]


async def test_initial_events_end_with_a_marked_bookmark(client: Client) -> None:
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    count = len((await client.json("/api/v1/nodes"))["items"])
    async with client.watch("/api/v1/nodes", **query) as frames:
        seen = await frames.take(count + 1)
    assert [one["type"] for one in seen] == ["ADDED"] * count + ["BOOKMARK"]
    assert seen[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_initial_events_may_be_refused(calm: Rehearsal, client: Client) -> None:
    calm.faults.refuse_initial_events = True
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    answer = await client.get("/api/v1/nodes", watch=1, **query)
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")


async def test_bookmarks_come_in_silence_and_at_the_end(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    version = calm.store.version
    query = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": 100}
    async with client.watch("/api/v1/namespaces", **query) as frames:
        clock.advance(BOOKMARK_EVERY + 0.5)
        first = await frames.next()
        assert first["type"] == "BOOKMARK"
        assert int(first["object"]["metadata"]["resourceVersion"]) >= version
        assert set(first["object"]["metadata"]) == {"resourceVersion"}
        clock.advance(60)
        rest = await frames.rest()
    assert {one["type"] for one in rest} == {"BOOKMARK"}


async def test_a_watch_resumes_from_a_bookmark(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    query = {"resourceVersion": calm.store.version, "allowWatchBookmarks": "true"}
    async with client.watch("/apis/apps/v1/deployments", **query) as frames:
        clock.advance(BOOKMARK_EVERY + 1)
        bookmark = await frames.next()
        while bookmark["type"] != "BOOKMARK":
            bookmark = await frames.next()
    entry = calm.store.collection(resources.DEPLOYMENTS).ordered()[3]
    operations.pause(calm.engine.world, entry.namespace, entry.name, paused=True)
    version = bookmark["object"]["metadata"]["resourceVersion"]
    async with client.watch("/apis/apps/v1/deployments", resourceVersion=version) as frames:
        frame = await frames.next()
    assert frame["object"]["metadata"]["name"] == entry.name


async def test_an_old_version_is_gone_after_compaction(calm: Rehearsal, client: Client) -> None:
    version = calm.store.version
    calm.store.delete(resources.PODS, *calm.store.collection(resources.PODS).ordered()[0].key)
    calm.compact()
    async with client.watch(PODS, resourceVersion=version) as frames:
        assert frames.answer.status_code == 200
        (frame,) = await frames.rest()
    assert frame["type"] == "ERROR"
    assert (frame["object"]["code"], frame["object"]["reason"]) == (410, "Expired")
    calm.faults.gone_as_status = True
    answer = await client.get(PODS, watch=1, resourceVersion=version)
    assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")


async def test_history_is_bounded(calm: Rehearsal, client: Client) -> None:
    version = calm.store.version
    lease = calm.store.collection(resources.LEASES).ordered()[0]
    for count in range(2 * HISTORY + 2):
        patch = {"metadata": {"labels": {"beat": str(count)}}}
        operations.merge(calm.engine.world, resources.LEASES, lease.namespace, lease.name, patch)
    assert len(calm.store.collection(resources.LEASES).changes) <= 2 * HISTORY
    async with client.watch("/apis/coordination.k8s.io/v1/leases", resourceVersion=version) as frames:
        assert (await frames.next())["object"]["code"] == 410
    quiet = calm.store.collection(resources.INGRESSES)
    assert quiet.floor == 0


async def test_watches_end_when_closed_or_when_time_is_up(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    async with client.watch("/api/v1/namespaces", resourceVersion=calm.store.version) as frames:
        calm.faults.close_watches()
        assert await frames.rest() == []
    async with client.watch("/api/v1/namespaces", resourceVersion=calm.store.version, timeoutSeconds=5) as frames:
        clock.advance(6)
        assert await frames.rest() == []
    assert not calm.faults.watches


async def test_a_dropped_watch_leaves_nothing_behind(calm: Rehearsal, client: Client) -> None:
    collection = calm.store.collection(resources.NODES)
    async with client.watch("/api/v1/nodes") as frames:
        await frames.next()
        assert len(collection.wakers) == 1
    await client.http.aclose()
    while collection.wakers:
        await client_settles()
    assert not calm.faults.watches


async def client_settles() -> None:
    import asyncio

    await asyncio.sleep(0.001)


async def test_table_watches_carry_columns_once(calm: Rehearsal, client: Client) -> None:
    entry = calm.store.collection(resources.DEPLOYMENTS).ordered()[0]
    path = f"/apis/apps/v1/namespaces/{entry.namespace}/deployments"
    query = {"fieldSelector": f"metadata.name={entry.name}"}
    async with client.watch(path, TABLE, **query) as frames:
        first = await frames.next()
        operations.scale(calm.engine.world, resources.DEPLOYMENTS, entry.namespace, entry.name, 9)
        second = await frames.next()
    assert [one["name"] for one in first["object"]["columnDefinitions"]][:4] == [
        "Name",
        "Ready",
        "Up-to-date",
        "Available",
    ]
    assert second["object"]["columnDefinitions"] is None
    assert second["object"]["rows"][0]["cells"][1].endswith("/9")
    assert second["object"]["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_foreign_objects_reach_lists_and_watches(calm: Rehearsal, client: Client) -> None:
    async with client.watch(PODS, resourceVersion=calm.store.version) as frames:
        calm.faults.inject("pods", b'{"metadata":{"name":7,"labels":[]},"spec":"none"}')
        frame = await frames.next()
    assert frame == {"type": "MODIFIED", "object": {"metadata": {"name": 7, "labels": []}, "spec": "none"}}
    assert (await client.json(PODS))["items"][-1]["spec"] == "none"
