from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.rehearsal import resources
from services.rehearsal.clock import ManualClock, parse_stamp
from services.rehearsal.server import Options, Rehearsal
from services.rehearsal.simulation import operations, pods
from services.rehearsal.simulation.behaviour import Behaviour
from services.rehearsal.simulation.deployments import REVISION, REVISION_HISTORY
from services.rehearsal.simulation.strategy import limits

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change

Json = dict[str, Any]
SEEDS = (1, 7, 23, 4711)


def estate(scenario: str = "calm", seed: int = 7, past: float | None = 0, life: bool = False) -> Rehearsal:
    return Rehearsal(Options(scenario, seed, past=past, life=life), ManualClock())


def run(world: World, seconds: float) -> None:
    world.timeline.run_until(world.now + seconds)


def everything(world: World, resource: resources.Resource) -> list[Json]:
    return [entry.read() for entry in world.store.collection(resource).ordered()]


def of_app(world: World, app: App, resource: resources.Resource = resources.DEPLOYMENTS) -> Json:
    found = world.store.get(resource, app.namespace, app.name)
    assert found is not None
    return found


def pods_of(world: World, app: App) -> list[Json]:
    return [
        entry.look()
        for entry in world.store.collection(resources.PODS).ordered()
        if entry.namespace == app.namespace and entry.labels.get("app.kubernetes.io/name") == app.name
    ]


def deploy(world: World, app: App, tag: str) -> str:
    image = app.image_of(tag)
    operations.set_image(world, resources.DEPLOYMENTS, app.namespace, app.name, image, f"ci: {tag}", "ci")
    return image


def check(world: World) -> None:
    """Hold everything that must be true of an estate that has come to rest for a moment."""
    owned: dict[str, list[Json]] = {}
    for pod in everything(world, resources.PODS):
        for owner in pod["metadata"].get("ownerReferences", ()):
            owned.setdefault(owner["uid"], []).append(pod)
    for replica_set in everything(world, resources.REPLICA_SETS):
        active = [pod for pod in owned.get(replica_set["metadata"]["uid"], []) if pods.is_active(pod)]
        status = replica_set["status"]
        assert status["replicas"] == len(active), replica_set["metadata"]["name"]
        assert status.get("readyReplicas", 0) == sum(map(pods.is_ready, active))
        assert len(active) <= replica_set["spec"]["replicas"]
    sets: dict[str, list[Json]] = {}
    for replica_set in everything(world, resources.REPLICA_SETS):
        sets.setdefault(replica_set["metadata"]["ownerReferences"][0]["uid"], []).append(replica_set)
    for deployment in everything(world, resources.DEPLOYMENTS):
        family = sets[deployment["metadata"]["uid"]]
        status, spec = deployment["status"], deployment["spec"]
        assert status.get("replicas", 0) == sum(one["status"]["replicas"] for one in family)
        assert status.get("availableReplicas", 0) <= status.get("readyReplicas", 0) <= status.get("replicas", 0)
        assert status.get("replicas", 0) <= spec["replicas"] + limits(deployment)[0]
        revisions = [int(one["metadata"]["annotations"][REVISION]) for one in family]
        assert len(set(revisions)) == len(revisions)
        assert int(deployment["metadata"]["annotations"][REVISION]) == max(revisions)
        assert len(family) <= 11
    seats = Counter(
        pod["spec"].get("nodeName")
        for pod in everything(world, resources.PODS)
        if pod["status"]["phase"] not in {"Succeeded", "Failed"}
    )
    for name, room in world.capacity.rooms.items():
        assert room.pods_taken == seats[name], name
        assert 0 <= room.cpu_taken <= room.cpu
        assert 0 <= room.memory_taken <= room.memory


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", ["calm", "bad-deploy", "node-trouble"])
def test_counts_add_up(scenario: str, seed: int) -> None:
    world = estate(scenario, seed, past=None, life=True).engine.world
    for _ in range(4):
        run(world, 37)
        check(world)


@settings(max_examples=12, deadline=None)
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
    operations.set_image(world, resources.STATEFUL_SETS, app.namespace, app.name, image, "ci: x", "ci")
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
    operations.set_image(world, resources.DAEMON_SETS, app.namespace, app.name, app.image_of("v97.0.0"), "ci: x", "ci")
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
