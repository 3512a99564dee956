"""What hands do beside releases: Jobs, deletions, locks, rights, and a whole evening from page to rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from rehearsal_client import Client
from rehearsal_world import check
from rehearsal_writes import (
    MERGE,
    OPS,
    SMP,
    condition,
    deployment,
    live,
    patch,
    path,
    pods,
    replica_sets,
    send,
    set_image,
)

from services.rehearsal.simulation.behaviour import Behaviour

if TYPE_CHECKING:
    from services.rehearsal.clock import ManualClock
    from services.rehearsal.server import Rehearsal


async def test_cron_jobs_are_suspended_and_started_by_hand(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    app = next(one for one in calm.plan.apps if one.kind == "CronJob")
    where = path(app, "cronjobs", "apis/batch")
    cron = await patch(client, where, {"spec": {"suspend": True}}, MERGE)
    jobs = f"/apis/batch/v1/namespaces/{app.namespace}/jobs"
    before = {one["metadata"]["name"] for one in (await client.json(jobs))["items"]}
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": app.name, "uid": cron["metadata"]["uid"]}
    job = {
        "metadata": {
            "name": "by-hand",
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": cron["spec"]["jobTemplate"]["spec"],
    }
    made = await send(client, "POST", jobs, job)
    assert made.status_code == 201, made.text
    assert (
        made.json()["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"]
        == (made.json()["metadata"]["uid"])
    )
    live(calm, clock, 1800)
    now = {one["metadata"]["name"]: one for one in (await client.json(jobs))["items"]}
    assert set(now) - before <= {"by-hand"}
    assert any(one["type"] == "Complete" for one in now["by-hand"]["status"]["conditions"])


async def test_what_is_owned_goes_with_its_owner(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    app = deployment(calm)
    gone = await send(client, "DELETE", path(app), {"propagationPolicy": "Foreground"})
    assert gone.json()["metadata"]["finalizers"] == ["foregroundDeletion"]
    live(calm, clock, 30)
    assert (await client.get(path(app))).status_code == 404
    assert not await pods(client, app)
    assert not await replica_sets(client, app)
    live(calm, clock, 300)
    other = next(one for one in calm.plan.deployments() if one.name != app.name)
    assert (await send(client, "DELETE", path(other), {"propagationPolicy": "Orphan"})).status_code == 200
    live(calm, clock, 30)
    assert len(await pods(client, other)) == other.replicas


async def test_of_two_who_take_a_lease_one_gets_it(client: Client) -> None:
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
    made = await send(client, "POST", leases, {"metadata": {"name": "lock"}, "spec": {"holderIdentity": "a"}})
    assert made.status_code == 201, made.text
    lease = made.json()
    wanted = [{**lease, "spec": {**lease["spec"], "holderIdentity": one}} for one in ("b", "c")]
    answers = await asyncio.gather(*(send(client, "PUT", f"{leases}/lock", one) for one in wanted))
    assert sorted(one.status_code for one in answers) == [200, 409]


async def test_who_may_only_read_is_told_so(calm: Rehearsal, client: Client) -> None:
    app = deployment(calm)
    viewer = Client(calm, "viewer")
    version = calm.store.version
    for method, where, body in (
        ("PATCH", path(app), {"spec": {"replicas": 1}}),
        ("PATCH", f"{path(app)}/scale", {"spec": {"replicas": 1}}),
        ("DELETE", path(app), None),
        ("POST", f"/api/v1/namespaces/{app.namespace}/pods/x/eviction", {"metadata": {"name": "x"}}),
    ):
        answer = await send(viewer, method, where, body, SMP)
        assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden"), answer.text
    assert calm.store.version == version
    await viewer.http.aclose()


async def test_who_releases_may_change_workloads_but_no_pods_and_no_nodes(calm: Rehearsal, client: Client) -> None:
    inside = calm.address.narrow_namespaces
    app = next(one for one in calm.plan.deployments() if one.namespace in inside)
    other = next(one for one in calm.plan.deployments() if one.namespace not in inside)
    releaser = Client(calm, "releaser")
    pod = (await pods(client, app))[0]["metadata"]["name"]
    change = {"metadata": {"labels": {"x": "y"}}}
    for method, where, expected in (
        ("PATCH", path(app), 200),
        ("PATCH", f"{path(app)}/scale", 200),
        ("PATCH", path(other), 403),
        ("DELETE", path(app), 403),
        ("DELETE", f"/api/v1/namespaces/{app.namespace}/pods/{pod}", 403),
        ("PATCH", "/api/v1/nodes/none", 403),
    ):
        answer = await send(releaser, method, where, change if method == "PATCH" else None, MERGE)
        assert answer.status_code == expected, answer.text
    await releaser.http.aclose()


async def test_a_page_ends_soon_after_the_rollback(troubled: Rehearsal, clock: ManualClock) -> None:
    """The story that a demonstration tells: a crashing release, its page, the rollback, and silence."""
    client = Client(troubled)

    async def paging() -> set[str]:
        await troubled.watchtower.station.prepare()
        active = troubled.watchtower.station.alerting.active()
        return {
            dict(one.labels).get("deployment", "") for one in active if one.firing and one.rule.name.endswith("Down")
        }

    (name,) = await paging()
    app = next(one for one in troubled.plan.apps if one.name == name)
    sets = (await client.json(f"/apis/apps/v1/namespaces/{app.namespace}/replicasets"))["items"]
    mine = [one for one in sets if one["metadata"]["ownerReferences"][0]["name"] == app.name]
    mine.sort(key=lambda one: int(one["metadata"]["annotations"]["deployment.kubernetes.io/revision"]))
    template = mine[-2]["spec"]["template"]
    del template["metadata"]["labels"]["pod-template-hash"]
    await patch(client, path(app), [{"op": "replace", "path": "/spec/template", "value": template}], OPS)
    live(troubled, clock, 60)
    assert await paging() == set()
    assert await condition(client, app) == "NewReplicaSetAvailable"
    check(troubled.engine.world)
    await client.http.aclose()


@pytest.mark.parametrize(
    ("tag", "conduct"),
    [
        ("v9-crash", "crashes"),
        ("v9-nopull", "missing"),
        ("v9", "missing"),
        ("v9-slow", "serves"),
        ("v9-fail", "completes"),
    ],
)
async def test_the_last_word_of_a_tag_decides(calm: Rehearsal, client: Client, tag: str, conduct: str) -> None:
    app = deployment(calm)
    await set_image(client, path(app), app.image_of(tag))
    assert calm.engine.world.behaviours.of(app.image_of(tag)).conduct == conduct
    await set_image(client, path(app), f"elsewhere.example/x:{tag}")
    assert calm.engine.world.behaviours.of("elsewhere.example/x:v9") == Behaviour()


async def test_watches_tell_of_writes(client: Client, calm: Rehearsal) -> None:
    watched = path(deployment(calm))
    found = await client.json(watched)
    collection, name = watched.rsplit("/", 1)
    query = {"fieldSelector": f"metadata.name={name}", "resourceVersion": found["metadata"]["resourceVersion"]}
    async with client.watch(collection, **query) as frames:
        await patch(client, watched, {"spec": {"replicas": 1}}, MERGE, dryRun="All")
        await patch(client, watched, {"metadata": {"labels": {"seen": "yes"}}}, MERGE)
        frame = await frames.next()
        assert (frame["type"], frame["object"]["metadata"]["labels"]["seen"]) == ("MODIFIED", "yes")
