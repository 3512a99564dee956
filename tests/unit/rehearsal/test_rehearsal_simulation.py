from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rehearsal_world import Json, check, deploy, estate, everything, of_app, pods_of, run

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp
from services.rehearsal.simulation import operations, pods
from services.rehearsal.simulation.behaviour import Behaviour
from services.rehearsal.simulation.deployments import REVISION, REVISION_HISTORY
from services.rehearsal.simulation.strategy import limits

if TYPE_CHECKING:
    from services.rehearsal.store import Change


@pytest.mark.parametrize("seed", [7, 4711])
@pytest.mark.parametrize("scenario", ["calm", "bad-deploy", "node-trouble", "node-down", "noisy-neighbour"])
def test_counts_add_up(scenario: str, seed: int) -> None:
    world = estate(scenario, seed, past=None, life=True).engine.world
    for _ in range(4):
        run(world, 37)
        check(world)


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 10_000),
    st.lists(
        st.tuples(st.sampled_from(["deploy", "back", "scale", "restart", "kill", "wait"]), st.integers(0, 40)),
        max_size=8,
    ),
)
def test_counts_add_up_whatever_is_done(seed: int, steps: list[tuple[str, int]]) -> None:
    rehearsal = estate(seed=seed)
    world = rehearsal.engine.world
    app = rehearsal.plan.deployments()[seed % len(rehearsal.plan.deployments())]
    where = (app.namespace, app.name)
    for number, (step, seconds) in enumerate(steps):
        if step == "deploy":
            deploy(world, app, f"v90.0.{number}")
        elif step == "back":
            deploy(world, app, app.releases[0].tag)
        elif step == "scale":
            operations.scale(world, resources.DEPLOYMENTS, *where, seconds % 9)
        elif step == "restart":
            operations.restart(world, resources.DEPLOYMENTS, *where)
        elif step == "kill" and pods_of(world, app):
            rehearsal.engine.kubelet.stop(app.namespace, pods_of(world, app)[0]["metadata"]["name"])
        run(world, seconds)
    run(world, 400)
    check(world)
    deployment = of_app(world, app)
    wanted = deployment["spec"]["replicas"]
    assert deployment["status"].get("availableReplicas", 0) == wanted
    assert deployment["status"].get("updatedReplicas", 0) == wanted
    assert deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]


@pytest.mark.parametrize(("surge", "unavailable"), [("25%", "25%"), (1, 0), (0, 1), ("100%", 0), (2, "50%")])
def test_a_rollout_keeps_its_promise(surge: int | str, unavailable: int | str) -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = max(rehearsal.plan.deployments(), key=lambda one: one.replicas)
    strategy = {"spec": {"strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}}
    operations.merge(world, resources.DEPLOYMENTS, app.namespace, app.name, strategy)
    most, least = limits(of_app(world, app))
    seen: list[tuple[int, int]] = []

    def count(resource: resources.Resource, change: Change) -> None:
        if resource is resources.PODS and change.entry.namespace == app.namespace:
            mine = [one for one in pods_of(world, app) if pods.is_active(one)]
            seen.append((len(mine), sum(map(pods.is_ready, mine))))

    world.store.listeners.append(count)
    image = deploy(world, app, "v91.0.0")
    run(world, 300)
    assert max(total for total, _ in seen) <= app.replicas + most
    assert min(ready for _, ready in seen) >= app.replicas - least
    assert {one["spec"]["containers"][0]["image"] for one in pods_of(world, app)} == {image}
    progressing = next(one for one in of_app(world, app)["status"]["conditions"] if one["type"] == "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"


def test_going_back_takes_the_old_replica_set_with_a_new_number() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = next(one for one in rehearsal.plan.deployments() if len(one.releases) >= 3)
    past, last = app.releases[-2], app.current.revision
    before = len(everything(world, resources.REPLICA_SETS))
    deploy(world, app, past.tag)
    run(world, 200)
    mine = [
        one
        for one in everything(world, resources.REPLICA_SETS)
        if one["metadata"]["ownerReferences"][0]["uid"] == of_app(world, app)["metadata"]["uid"]
    ]
    assert len(everything(world, resources.REPLICA_SETS)) == before
    current = next(one for one in mine if one["spec"]["replicas"])
    assert current["metadata"]["annotations"][REVISION] == str(last + 1)
    assert current["metadata"]["annotations"][REVISION_HISTORY] == str(past.revision)
    assert current["metadata"]["annotations"]["kubernetes.io/change-cause"] == f"ci: {past.tag}"


def test_revisions_only_grow() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = rehearsal.plan.deployments()[0]
    seen = [int(of_app(world, app)["metadata"]["annotations"][REVISION])]
    for number in range(14):
        deploy(world, app, f"v92.0.{number}")
        run(world, 90)
        seen.append(int(of_app(world, app)["metadata"]["annotations"][REVISION]))
    assert seen == list(range(seen[0], seen[0] + 15))
    check(world)


def test_recreate_never_mixes_old_and_new() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = next(one for one in rehearsal.plan.deployments() if one.replicas > 2)
    patch = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}
    operations.merge(world, resources.DEPLOYMENTS, app.namespace, app.name, patch)
    mixed: list[set[str]] = []

    def look(resource: resources.Resource, _: Change) -> None:
        if resource is resources.PODS:
            mixed.append({one["spec"]["containers"][0]["image"] for one in pods_of(world, app)})

    world.store.listeners.append(look)
    image = deploy(world, app, "v93.0.0")
    run(world, 120)
    assert max(map(len, mixed)) == 1
    assert mixed[-1] == {image}


def test_a_crash_loop_backs_off_twice_as_long_each_time() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = next(one for one in rehearsal.plan.deployments() if not one.sidecar)
    words = ("one", "the reason")
    world.behaviours.expect(app.image_of("v94.0.0"), Behaviour("crashes", runs_for=2, exit_code=3, last_words=words))
    deploy(world, app, "v94.0.0")
    starts: list[float] = []
    watched = [""]

    def look(resource: resources.Resource, change: Change) -> None:
        if resource is resources.PODS and change.entry.name == watched[-1]:
            state = change.entry.read()["status"].get("containerStatuses", [{"state": {}}])[0]["state"]
            if "running" in state:
                starts.append(parse_stamp(state["running"]["startedAt"]))

    run(world, 1)
    watched += [one["metadata"]["name"] for one in pods_of(world, app) if one["status"]["phase"] == "Pending"]
    world.store.listeners.append(look)
    run(world, 500)
    crashing = [one for one in pods_of(world, app) if one["spec"]["containers"][0]["image"].endswith("v94.0.0")]
    crashing = [one for one in crashing if one["metadata"]["name"] == watched[-1]]
    status = crashing[0]["status"]["containerStatuses"][0]
    assert status["restartCount"] >= 6
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert not status["ready"]
    warnings = [
        one
        for one in everything(world, resources.EVENTS)
        if one["involvedObject"]["name"] == crashing[0]["metadata"]["name"] and one["reason"] == "BackOff"
    ]
    assert len(warnings) == 1
    assert warnings[0]["count"] == status["restartCount"] - ("running" in status["state"])
    ordered = sorted(set(starts))
    gaps = [later - earlier for earlier, later in itertools.pairwise(ordered)][1:]
    assert gaps == sorted(gaps)
    assert [round(gap / 10) for gap in gaps[:4]] == [1, 2, 4, 8]


def test_a_stalled_rollout_says_so_at_its_deadline_and_recovers() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = rehearsal.plan.deployments()[2]
    image = app.image_of("v95.0.0")
    world.behaviours.expect(image, Behaviour("never-ready"))
    deploy(world, app, "v95.0.0")

    def progressing() -> Json:
        found: Json = next(one for one in of_app(world, app)["status"]["conditions"] if one["type"] == "Progressing")
        return found

    run(world, 500)
    assert progressing()["reason"] == "ReplicaSetUpdated"
    run(world, 250)
    assert (progressing()["status"], progressing()["reason"]) == ("False", "ProgressDeadlineExceeded")
    deploy(world, app, "v95.0.1")
    run(world, 200)
    assert progressing()["reason"] == "NewReplicaSetAvailable"


def test_pods_that_fit_nowhere_wait_and_come_when_there_is_room() -> None:
    rehearsal = estate()
    world = rehearsal.engine.world
    app = next(one for one in rehearsal.plan.deployments() if one.max_unavailable == 0 or one.replicas < 4)
    for node in rehearsal.plan.nodes:
        operations.cordon(world, node.name, closed=True)
    operations.scale(world, resources.DEPLOYMENTS, app.namespace, app.name, app.replicas + 2)
    run(world, 20)
    waiting = [one for one in pods_of(world, app) if not one["spec"].get("nodeName")]
    assert len(waiting) == 2
    message = next(one for one in waiting[0]["status"]["conditions"] if one["type"] == "PodScheduled")["message"]
    count = len(rehearsal.plan.nodes)
    assert message.startswith(f"0/{count} nodes are available: {count} node(s) were unschedulable. preemption:")
    for node in rehearsal.plan.nodes:
        operations.cordon(world, node.name, closed=False)
    run(world, 90)
    assert of_app(world, app)["status"]["readyReplicas"] == app.replicas + 2
