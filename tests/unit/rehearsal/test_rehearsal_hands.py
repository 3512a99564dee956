"""What an operator's hands do to an estate, over the wire: cause, effect, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal_client import Client, Json
from rehearsal_world import check
from rehearsal_writes import (
    MERGE,
    OPS,
    condition,
    deployment,
    first_container,
    live,
    patch,
    path,
    pods,
    replica_sets,
    send,
    set_image,
)

from services.rehearsal import resources

if TYPE_CHECKING:
    from services.rehearsal.clock import ManualClock
    from services.rehearsal.server import Rehearsal

RESTARTED = "kubectl.kubernetes.io/restartedAt"


async def test_a_restart_replaces_every_pod(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    app = deployment(calm)
    before = {one["metadata"]["uid"] for one in await pods(client, app)}
    change = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: "2026-01-01T00:00:00Z"}}}}}
    after = await patch(client, path(app), change, fieldManager="kubectl-rollout")
    entry = next(one for one in after["metadata"]["managedFields"] if one["manager"] == "kubectl-rollout")
    assert entry["operation"] == "Update"
    assert entry["fieldsV1"] == {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {f"f:{RESTARTED}": {}}}}}}
    live(calm, clock, 120)
    now = await pods(client, app)
    assert len(now) == app.replicas
    assert not before & {one["metadata"]["uid"] for one in now}
    assert await condition(client, app) == "NewReplicaSetAvailable"
    check(calm.engine.world)


async def test_a_bad_image_stalls_and_its_rollback_reuses_the_old_replica_set(
    calm: Rehearsal, client: Client, clock: ManualClock
) -> None:
    app = deployment(calm)
    good = await client.json(path(app))
    sets = await replica_sets(client, app)
    running = next(name for name, (replicas, _) in sets.items() if replicas)
    newest = int(sets[running][1])
    await set_image(client, path(app), app.image_of("v0.0.0"))
    live(calm, clock, 30)
    reasons = {
        one["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason")
        for one in await pods(client, app)
    }
    assert reasons & {"ErrImagePull", "ImagePullBackOff"}
    template = good["spec"]["template"]
    rewritten = {key: template[key] for key in sorted(template, reverse=True)}
    operations = [
        {"op": "test", "path": "/metadata/uid", "value": good["metadata"]["uid"]},
        {"op": "replace", "path": "/spec/template", "value": rewritten},
    ]
    await patch(client, path(app), operations, OPS)
    live(calm, clock, 90)
    after = await replica_sets(client, app)
    assert after[running] == (app.replicas, str(newest + 2))
    assert sum(replicas for replicas, _ in after.values()) == app.replicas
    found = await client.json(f"/apis/apps/v1/namespaces/{app.namespace}/replicasets/{running}")
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"].split(",")[-1] == str(newest)
    assert await condition(client, app) == "NewReplicaSetAvailable"
    check(calm.engine.world)


async def test_a_dry_run_shows_and_keeps_nothing(calm: Rehearsal, client: Client) -> None:
    app = deployment(calm)
    version = calm.store.version
    where = path(app)
    shown = await patch(client, where, {"spec": {"replicas": 9}}, MERGE, dryRun="All")
    assert shown["spec"]["replicas"] == 9
    assert shown["metadata"]["generation"] == (await client.json(where))["metadata"]["generation"] + 1
    pod = (await pods(client, app))[0]["metadata"]
    at = f"/api/v1/namespaces/{app.namespace}/pods/{pod['name']}"
    for method, target, body in (
        ("DELETE", at, None),
        ("DELETE", where, None),
        ("POST", f"{at}/eviction", {"metadata": {"name": pod["name"]}}),
        ("PUT", f"{where}/scale", {"metadata": {"name": app.name}, "spec": {"replicas": 7}}),
        ("POST", f"/api/v1/namespaces/{app.namespace}/configmaps", {"metadata": {"name": "new"}}),
    ):
        answer = await send(client, method, target, body, dryRun="All")
        assert answer.status_code < 300, answer.text
    assert calm.store.version == version


async def test_generation_counts_changes_of_the_spec(calm: Rehearsal, client: Client) -> None:
    stateful = next(one for one in calm.plan.apps if one.kind == "StatefulSet")
    for app, plural, by_annotation in ((deployment(calm), "deployments", 1), (stateful, "statefulsets", 0)):
        where = path(app, plural)
        before = await client.json(where)
        noted = await patch(client, where, {"metadata": {"annotations": {"note": "x"}}}, MERGE)
        assert noted["metadata"]["generation"] == before["metadata"]["generation"] + by_annotation
        again = await patch(client, where, {"metadata": {"annotations": {"note": "x"}}}, MERGE)
        assert again["metadata"] == noted["metadata"]
        scaled = await patch(client, where, {"spec": {"replicas": before["spec"]["replicas"] + 1}}, MERGE)
        assert scaled["metadata"]["generation"] == noted["metadata"]["generation"] + 1


async def test_paused_releases_wait_until_they_are_resumed(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    app = deployment(calm)
    await patch(client, path(app), {"spec": {"paused": True}})
    image = first_container(await client.json(path(app)))["image"] + "-slow"
    before = set(await replica_sets(client, app))
    await set_image(client, path(app), image)
    live(calm, clock, 1200)
    assert set(await replica_sets(client, app)) == before
    assert await condition(client, app) == "DeploymentPaused"
    await patch(client, path(app), {"spec": {"paused": None}})
    live(calm, clock, 4)
    assert len(await replica_sets(client, app)) == len(before) + 1
    live(calm, clock, 200)
    assert await condition(client, app) == "NewReplicaSetAvailable"


async def test_what_is_paused_half_way_is_scaled_by_shares(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    app = deployment(calm)
    await patch(client, path(app), {"spec": {"replicas": 6, "strategy": {"rollingUpdate": {"maxSurge": 1}}}}, MERGE)
    live(calm, clock, 60)
    await set_image(client, path(app), app.image_of("v9-crash"))
    live(calm, clock, 20)
    half_way = {name: replicas for name, (replicas, _) in (await replica_sets(client, app)).items() if replicas}
    assert len(half_way) == 2
    await patch(client, path(app), {"spec": {"paused": True}})
    live(calm, clock, 20)
    await patch(client, f"{path(app)}/scale", {"spec": {"replicas": 12}}, MERGE)
    live(calm, clock, 20)
    scaled = {name: replicas for name, (replicas, _) in (await replica_sets(client, app)).items() if replicas}
    assert set(scaled) == set(half_way)
    assert sum(scaled.values()) == 13
    assert max(scaled, key=scaled.__getitem__) == max(half_way, key=half_way.__getitem__)


async def test_scale_keeps_its_preconditions(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    app = deployment(calm)
    where = f"{path(app)}/scale"
    scale = await client.json(where)
    scale["spec"]["replicas"] = app.replicas + 2
    assert (await send(client, "PUT", where, scale)).status_code == 200
    live(calm, clock, 60)
    assert len(await pods(client, app)) == app.replicas + 2
    scale["spec"]["replicas"] = 1
    stale = await send(client, "PUT", where, scale)
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
    test = [{"op": "test", "path": "/spec/replicas", "value": app.replicas}]
    assert (await send(client, "PATCH", where, test, OPS)).status_code == 422


async def test_an_autoscaler_takes_a_manual_scale_back(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    held = next(iter(calm.store.collection(resources.AUTOSCALERS).ordered()))
    where = f"/apis/apps/v1/namespaces/{held.namespace}/deployments/{held.name}/scale"
    before = (await client.json(where))["spec"]["replicas"]
    await patch(client, where, {"spec": {"replicas": before + 1}}, MERGE)
    live(calm, clock, 40)
    assert (await client.json(where))["spec"]["replicas"] == before
    await patch(client, where, {"spec": {"replicas": 0}}, MERGE)
    live(calm, clock, 60)
    assert "replicas" not in (await client.json(where))["spec"]


async def test_a_deleted_pod_is_made_again_and_another_of_its_name_is_not_meant(
    calm: Rehearsal, client: Client, clock: ManualClock
) -> None:
    app = deployment(calm)
    pod = (await pods(client, app))[0]["metadata"]
    where = f"/api/v1/namespaces/{app.namespace}/pods/{pod['name']}"
    other = await send(client, "DELETE", where, {"preconditions": {"uid": "another"}})
    assert (other.status_code, other.json()["reason"]) == (409, "Conflict")
    gone = await send(client, "DELETE", where, {"preconditions": {"uid": pod["uid"]}, "gracePeriodSeconds": 3})
    assert gone.json()["metadata"]["deletionGracePeriodSeconds"] == 3
    live(calm, clock, 40)
    assert (await client.get(where)).status_code == 404
    assert len(await pods(client, app)) == app.replicas
    check(calm.engine.world)


async def test_a_cordoned_node_gets_no_pods_and_a_drained_one_keeps_only_its_daemons(
    calm: Rehearsal, client: Client, clock: ManualClock
) -> None:
    node = calm.store.collection(resources.NODES).ordered()[0].name
    await patch(client, f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
    for _ in range(60):
        there = (await client.json("/api/v1/pods", fieldSelector=f"spec.nodeName={node}"))["items"]
        left = [one for one in there if _owner(one) not in {"DaemonSet", ""}]
        if not left:
            break
        for pod in left:
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            answer = await send(
                client, "POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", {"metadata": {"name": name}}
            )
            assert answer.status_code in {201, 404, 429}, answer.text
        live(calm, clock, 20)
    assert not left
    await patch(client, f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})
    assert calm.engine.world.capacity.rooms[node].open
    check(calm.engine.world)


def _owner(pod: Json) -> str:
    owners = pod["metadata"].get("ownerReferences") or [{"kind": ""}]
    return str(owners[0]["kind"])


async def test_a_budget_holds_the_second_eviction_back(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    app = deployment(calm)
    live(calm, clock, 4)
    budgets = f"/apis/policy/v1/namespaces/{app.namespace}/poddisruptionbudgets"
    first, second = (await pods(client, app))[:2]
    at = f"/api/v1/namespaces/{app.namespace}/pods/"

    async def evict(pod: Json, **query: str) -> tuple[int, Json]:
        name = pod["metadata"]["name"]
        answer = await send(client, "POST", f"{at}{name}/eviction", {"metadata": {"name": name}}, **query)
        return answer.status_code, answer.json()

    for pod in (first, second):
        assert (await evict(pod, dryRun="All"))[0] == 201
    assert (await evict(first))[0] == 201
    code, refused = await evict(second)
    assert (code, refused["reason"], refused["details"]["causes"][0]["reason"]) == (
        429,
        "TooManyRequests",
        "DisruptionBudget",
    )
    assert f"The disruption budget {app.name} " in refused["details"]["causes"][0]["message"]
    live(calm, clock, 60)
    budget = await client.json(f"{budgets}/{app.name}")
    assert budget["status"]["disruptionsAllowed"] == 1
    assert "disruptedPods" not in budget["status"]
    made = {"metadata": {"name": "second"}, "spec": {"minAvailable": 1, "selector": budget["spec"]["selector"]}}
    assert (await send(client, "POST", budgets, made)).status_code == 201
    code, refused = await evict((await pods(client, app))[0])
    assert (code, refused["message"].partition(",")[0]) == (500, "This pod has more than one PodDisruptionBudget")


async def test_broken_pods_go_where_the_budget_always_allows_it(
    calm: Rehearsal, client: Client, clock: ManualClock
) -> None:
    app = deployment(calm)
    budget = f"/apis/policy/v1/namespaces/{app.namespace}/poddisruptionbudgets/{app.name}"
    image = first_container(await client.json(path(app)))["image"] + "-crash"
    await patch(client, path(app), {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})
    await set_image(client, path(app), image)
    live(calm, clock, 90)
    name = next(one["metadata"]["name"] for one in await pods(client, app) if one["status"]["phase"] == "Running")
    eviction = f"/api/v1/namespaces/{app.namespace}/pods/{name}/eviction"
    assert (await send(client, "POST", eviction, {"metadata": {"name": name}})).status_code == 429
    await patch(client, budget, {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}, MERGE)
    assert (await send(client, "POST", eviction, {"metadata": {"name": name}})).status_code == 201


async def test_a_stateful_set_is_held_by_the_pod_that_never_gets_ready(
    calm: Rehearsal, client: Client, clock: ManualClock
) -> None:
    app = next(one for one in calm.plan.apps if one.kind == "StatefulSet" and one.replicas > 1)
    where = path(app, "statefulsets")
    good = first_container(await client.json(where))["image"]
    await set_image(client, where, f"{good}-crash")
    live(calm, clock, 60)
    last = f"/api/v1/namespaces/{app.namespace}/pods/{app.name}-{app.replicas - 1}"
    broken = await client.json(last)
    assert broken["spec"]["containers"][0]["image"] == f"{good}-crash"
    await set_image(client, where, good)
    live(calm, clock, 120)
    assert (await client.json(last))["metadata"]["uid"] == broken["metadata"]["uid"]
    gone = await send(client, "DELETE", last, {"preconditions": {"uid": broken["metadata"]["uid"]}})
    assert gone.status_code == 200
    live(calm, clock, 120)
    status = (await client.json(where))["status"]
    assert status["readyReplicas"] == status["updatedReplicas"] == app.replicas
    assert status["currentRevision"] == status["updateRevision"]
