from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rehearsal_world import Json, check, estate, everything, of_app, pods_of, run

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp
from services.rehearsal.simulation import operations, pods
from services.rehearsal.simulation.behaviour import Behaviour

if TYPE_CHECKING:
    from services.rehearsal.store import Change


def test_stateful_sets_update_from_the_top_down_to_the_partition() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = next(one for one in rehearsal.plan.apps if one.kind == "StatefulSet")
    patch = {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}
    operations.merge(world, resources.STATEFUL_SETS, app.namespace, app.name, patch)
    deleted: list[str] = []

    def look(resource: resources.Resource, change: Change) -> None:
        if resource is resources.PODS and change.type == "DELETED" and change.entry.namespace == app.namespace:
            deleted.append(change.entry.name)

    world.store.listeners.append(look)
    image = app.image_of("v96.0.0")
    operations.set_image(
        world, resources.STATEFUL_SETS, app.namespace, app.name, image=image, cause="ci: x", actor="ci"
    )
    run(world, 200)
    assert [one for one in deleted if one.startswith(f"{app.name}-")] == [f"{app.name}-2", f"{app.name}-1"]
    status = of_app(world, app, resources.STATEFUL_SETS)["status"]
    assert (status["updatedReplicas"], status["readyReplicas"], status["currentReplicas"]) == (2, 3, 1)
    assert status["currentRevision"] != status["updateRevision"]
    operations.merge(
        world,
        resources.STATEFUL_SETS,
        app.namespace,
        app.name,
        {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}},
    )
    run(world, 120)
    status = of_app(world, app, resources.STATEFUL_SETS)["status"]
    assert (status["updatedReplicas"], status["currentRevision"]) == (3, status["updateRevision"])


def test_daemon_sets_are_replaced_node_by_node() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = next(one for one in rehearsal.plan.apps if one.kind == "DaemonSet")
    operations.set_image(
        world, resources.DAEMON_SETS, app.namespace, app.name, image=app.image_of("v97.0.0"), cause="ci: x", actor="ci"
    )
    lowest = len(rehearsal.plan.nodes)
    for _ in range(400):
        run(world, 1)
        lowest = min(lowest, of_app(world, app, resources.DAEMON_SETS)["status"].get("numberAvailable", 0))
    status = of_app(world, app, resources.DAEMON_SETS)["status"]
    assert lowest >= len(rehearsal.plan.nodes) - 1
    assert status["updatedNumberScheduled"] == status["numberAvailable"] == len(rehearsal.plan.nodes)
    assert Counter(one["spec"]["nodeName"] for one in pods_of(world, app)) == Counter(
        node.name for node in rehearsal.plan.nodes
    )


def test_jobs_succeed_fail_and_are_tidied() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = next(one for one in rehearsal.plan.apps if one.kind == "CronJob")
    world.behaviours.habit(app.image, Behaviour("completes", runs_for=5, exit_code=2, last_words=("no",)))
    run(world, 3600)
    mine = [one for one in everything(world, resources.JOBS) if one["metadata"]["name"].startswith(app.name)]
    failed = [one for one in mine if any(c["type"] == "Failed" for c in one["status"].get("conditions", ()))]
    assert len(failed) == 1
    assert failed[0]["status"]["failed"] == 3
    assert failed[0]["status"]["conditions"][-1]["reason"] == "BackoffLimitExceeded"
    other = next(one for one in rehearsal.plan.apps if one.kind == "CronJob" and one is not app)
    done = [one for one in everything(world, resources.JOBS) if one["metadata"]["name"].startswith(other.name)]
    assert sum("completionTime" in one["status"] for one in done) == 2
    uids = {one["metadata"]["uid"] for one in everything(world, resources.JOBS)}
    orphans = [
        one["metadata"]["name"]
        for one in everything(world, resources.PODS)
        if one["metadata"]["ownerReferences"][0]["kind"] == "Job"
        and one["metadata"]["ownerReferences"][0]["uid"] not in uids
    ]
    assert orphans == []


def test_events_are_counted_and_forgotten() -> None:
    rehearsal = estate("bad-deploy", past=None)
    world = rehearsal.engine.world
    run(world, 4000)
    events = everything(world, resources.EVENTS)
    assert max(one["count"] for one in events) > 3
    assert all(parse_stamp(one["lastTimestamp"]) >= world.now - 3700 for one in events)
    assert all(one["firstTimestamp"] <= one["lastTimestamp"] for one in events)


def test_a_lost_node_loses_its_pods_and_gets_them_back() -> None:
    rehearsal = estate()
    world, nodes = rehearsal.engine.world, rehearsal.engine.nodes
    name = rehearsal.plan.nodes[3].name

    def seated() -> list[Json]:
        return [one for one in everything(world, resources.PODS) if one["spec"].get("nodeName") == name]

    def ready() -> str:
        node = world.store.get(resources.NODES, "", name)
        assert node is not None
        return str(next(one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"))

    before = len(seated())
    assert nodes.lose(name)
    run(world, 30)
    assert ready() == "Unknown"
    assert not any(map(pods.is_ready, (one for one in seated() if one["status"]["phase"] == "Running")))
    run(world, 400)
    stuck = [one for one in seated() if "deletionTimestamp" in one["metadata"]]
    assert len(stuck) > before // 2
    for deployment in everything(world, resources.DEPLOYMENTS):
        assert deployment["status"]["readyReplicas"] == deployment["spec"]["replicas"]
    assert nodes.recover(name)
    run(world, 60)
    assert ready() == "True"
    assert not any("deletionTimestamp" in one["metadata"] for one in seated())
    check(world)
    assert not nodes.lose("nowhere")


def test_a_node_under_pressure_takes_no_more_pods() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    name = rehearsal.plan.nodes[0].name
    assert rehearsal.engine.nodes.press(name, "DiskPressure")
    before = {entry.uid for entry in world.store.collection(resources.PODS).entries.values()}
    app = rehearsal.plan.deployments()[0]
    operations.scale(world, resources.DEPLOYMENTS, app.namespace, app.name, 30)
    run(world, 60)
    fresh = [one for one in pods_of(world, app) if one["metadata"]["uid"] not in before]
    assert len(fresh) == 30 - app.replicas
    assert name not in {one["spec"]["nodeName"] for one in fresh}
