"""The nights in which machines are the trouble: cause and effect, in objects, events, metrics and alerts."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from rehearsal_world import check, estate, everything, of_app, pods_of, run

from services.costs.allocation import Allocation
from services.costs.drift import LASTED, LEAST, Level
from services.costs.moves import NAMESPACE_PERCENT
from services.costs.prices import PriceBook
from services.rehearsal import resources
from services.rehearsal.monitoring.station import Station
from services.rehearsal.scenarios import noisy_neighbour
from services.rehearsal.scenarios.registry import NAMES
from services.rehearsal.server import Rehearsal
from services.rehearsal.simulation import operations, pods
from tests.unit.costs.estate import GIB, usage
from tests.unit.costs.estate import node as a_node
from tests.unit.costs.estate import pod as a_pod
from tui.cli import SCENARIOS

Json = dict[str, Any]
SEEDS = [7, 4711]


def night(scenario: str, seed: int) -> Rehearsal:
    return estate(scenario, seed, past=None)


def conditions(node: Json) -> dict[str, str]:
    return {one["type"]: one["status"] for one in node["status"]["conditions"]}


def station(rehearsal: Rehearsal) -> Station:
    built = rehearsal.watchtower.station
    asyncio.run(built.prepare())
    return built


def firing(rehearsal: Rehearsal) -> set[tuple[str, str]]:
    """Return what fires, as (alert, node or workload)."""
    found = set()
    for one in station(rehearsal).alerting.active():
        labels = dict(one.labels)
        if one.fired_at < float("inf"):
            about = (labels.get(name) for name in ("node", "deployment", "daemonset", "statefulset", "pod"))
            found.add((labels["alertname"], next((name for name in about if name), "")))
    return found


def warnings(rehearsal: Rehearsal) -> Counter[tuple[str, str]]:
    told = everything(rehearsal.engine.world, resources.EVENTS)
    return Counter((one["reason"], one["involvedObject"]["name"]) for one in told if one["type"] == "Warning")


def test_the_command_line_names_every_scenario() -> None:
    assert SCENARIOS == NAMES


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lost_node_takes_its_pods_along(seed: int) -> None:
    rehearsal = night("node-down", seed)
    world = rehearsal.engine.world
    lost = next(one for one in everything(world, resources.NODES) if conditions(one)["Ready"] == "Unknown")
    name = lost["metadata"]["name"]
    assert {one["effect"] for one in lost["spec"]["taints"]} == {"NoSchedule", "NoExecute"}
    seated = [
        one
        for one in everything(world, resources.PODS)
        if one["spec"].get("nodeName") == name and one["status"]["phase"] == "Running"
    ]
    assert seated
    for pod in seated:
        daemon = pod["metadata"]["ownerReferences"][0]["kind"] == "DaemonSet"
        assert not pods.is_ready(pod)
        assert ("deletionTimestamp" in pod["metadata"]) is not daemon, "daemons tolerate it, the others are evicted"
    assert any(one["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet" for one in seated)
    assert warnings(rehearsal)["TaskHung", name] == 1
    for one in everything(world, resources.DAEMON_SETS):
        assert one["status"]["numberReady"] == len(rehearsal.plan.nodes) - 1


@pytest.mark.parametrize("seed", SEEDS)
def test_one_pod_of_a_lost_node_fits_nowhere_and_the_others_move(seed: int) -> None:
    rehearsal = night("node-down", seed)
    world = rehearsal.engine.world
    waiting = [one for one in everything(world, resources.PODS) if one["status"]["phase"] == "Pending"]
    assert len(waiting) == 1
    message = next(one["message"] for one in waiting[0]["status"]["conditions"] if one["type"] == "PodScheduled")
    nodes = len(rehearsal.plan.nodes)
    assert f"0/{nodes} nodes are available: {nodes - 1} Insufficient memory" in message
    assert "1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }" in message
    tight = {waiting[0]["metadata"]["labels"]["app.kubernetes.io/name"]}
    short = {
        one["metadata"]["name"]
        for one in everything(world, resources.DEPLOYMENTS)
        if one["status"].get("readyReplicas", 0) < one["spec"]["replicas"]
    }
    assert short == tight


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lost_node_is_told_by_its_alerts_and_by_silence(seed: int) -> None:
    rehearsal = night("node-down", seed)
    name = next(
        one["metadata"]["name"]
        for one in everything(rehearsal.engine.world, resources.NODES)
        if conditions(one)["Ready"] == "Unknown"
    )
    alerts = firing(rehearsal)
    assert {("NodeNotReady", name), ("TargetDown", name)} <= alerts
    names = Counter(alert for alert, _ in alerts)
    assert names["KubePodNotScheduled"] == names["KubeDeploymentReplicasMismatch"] == 1
    assert names["KubeStatefulSetReplicasMismatch"] >= 1
    assert names["KubeDaemonSetPodsMissing"] == len(everything(rehearsal.engine.world, resources.DAEMON_SETS))
    metrics = station(rehearsal).estate
    (machine,) = (one for one in metrics.machines() if one.node.name == name)
    assert machine.node.at(rehearsal.clock.now()).status("Ready") == "unknown"  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_that_comes_back_ends_the_night(seed: int) -> None:
    rehearsal = night("node-down", seed)
    world = rehearsal.engine.world
    for one in everything(world, resources.NODES):
        if conditions(one)["Ready"] == "Unknown":
            rehearsal.engine.nodes.recover(one["metadata"]["name"])
    rehearsal.engine.scheduler.nodes_changed()
    run(world, 120)
    check(world)
    assert all(pods.is_ready(one) or not pods.is_active(one) for one in everything(world, resources.PODS))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_greedy_release_starves_its_neighbours(seed: int) -> None:
    rehearsal = night("noisy-neighbour", seed)
    world, app = rehearsal.engine.world, noisy_neighbour.greedy(rehearsal.plan)
    assert of_app(world, app)["status"]["readyReplicas"] == 2, "the greedy one itself is well"
    homes = {one["spec"]["nodeName"] for one in pods_of(world, app)}
    pressed = {
        one["metadata"]["name"]
        for one in everything(world, resources.NODES)
        if conditions(one)["MemoryPressure"] == "True"
    }
    assert pressed == homes
    evicted = [one for one in everything(world, resources.PODS) if one["status"].get("reason") == "Evicted"]
    assert len(evicted) == 3 * len(homes)
    for pod in evicted:
        assert pod["spec"]["nodeName"] in homes
        assert pod["status"]["phase"] == "Failed"
        assert pod["spec"]["priority"] == 0
        assert "low on resource: memory" in pod["status"]["message"]
        assert pod["metadata"]["namespace"] != "kube-system"
    told = warnings(rehearsal)
    assert sum(count for (reason, _), count in told.items() if reason in ("SystemOOM", "Unhealthy")) >= 2
    assert {name for reason, name in told if reason == "EvictionThresholdMet"} == homes


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_show_who_eats_and_who_starves(seed: int) -> None:
    rehearsal = night("noisy-neighbour", seed)
    app = noisy_neighbour.greedy(rehearsal.plan)
    homes = {one["spec"]["nodeName"] for one in pods_of(rehearsal.engine.world, app)}
    alerts = firing(rehearsal)
    for name in homes:
        assert {("NodeMemoryPressure", name), ("NodeMemoryLow", name), ("NodeCPUSaturated", name)} <= alerts
    assert {node for alert, node in alerts if alert.startswith("Node")} == homes
    slow = {about for alert, about in alerts if alert.endswith("LatencyHigh")}
    assert slow
    assert app.name not in slow
    now = rehearsal.clock.now()
    seen = station(rehearsal).estate
    most: Counter[str] = Counter()
    for pod in seen.pods():
        if pod.at(now) is not None:
            most[pod.workload] += int(sum(seen.use(pod, one).bytes(now) or 0 for one in pod.containers) / 2**20)
    (first, used), (_, second) = most.most_common(2)
    assert first == app.name
    assert used > 4 * second
    for machine in seen.machines():
        share = (machine.busy(now) - machine.busy(now - 60)) / 60 / machine.node.cpu
        assert share == pytest.approx(0.97, abs=0.01) if machine.node.name in homes else 0 < share < 0.75


@pytest.mark.parametrize("seed", SEEDS)
def test_more_of_the_greedy_ones_are_a_jump_of_what_they_cost(seed: int) -> None:
    rehearsal = night("noisy-neighbour", seed)
    namespace = noisy_neighbour.greedy(rehearsal.plan).namespace
    level = Level(NAMESPACE_PERCENT, 2 * LEAST)
    level.settle(rate_of(rehearsal, namespace), 0.0)
    run(rehearsal.engine.world, noisy_neighbour.SCALED + 120)
    assert level.look(rate_of(rehearsal, namespace), 1.0) is None
    jump = level.look(rate_of(rehearsal, namespace), 1.0 + LASTED)
    assert jump is not None, "the timeline tells of it"
    assert jump.after > jump.before


def rate_of(rehearsal: Rehearsal, namespace: str) -> int:
    """Return what a namespace costs, in micro-USD an hour, by the larger of requests and usage."""
    now = rehearsal.engine.world.now
    made = Allocation(PriceBook(), "team")
    made.set_nodes({one.name: a_node(one.name, one.cpu, one.memory // 1024) for one in rehearsal.plan.nodes})
    seen = station(rehearsal).estate
    for pod in seen.pods():
        if pod.namespace == namespace and pod.at(now) is not None and pod.node:
            uses = [seen.use(pod, one) for one in pod.containers]
            millicores = round(1000 * sum(one.cpu_request for one in pod.containers))
            size = sum(one.memory_request for one in pod.containers) / GIB
            row = a_pod(pod.name, namespace, millicores, size, on=pod.node)
            cores, memory = sum(one.cores(now) for one in uses), sum(one.bytes(now) or 0.0 for one in uses)
            made.put(pod.uid, row, usage(row, round(1000 * cores), memory / GIB))
    return sum(rate for share, rate in made.rates(usage=True).shares.items() if share.namespace == namespace)


def test_who_rolls_the_greedy_release_back_gives_the_nodes_back() -> None:
    rehearsal = night("noisy-neighbour", SEEDS[0])
    world, app = rehearsal.engine.world, noisy_neighbour.greedy(rehearsal.plan)
    where = (resources.DEPLOYMENTS, app.namespace, app.name)
    operations.set_image(
        world, *where, image=app.image_of(app.current.tag), cause="kubectl: back", actor="kubectl-rollout"
    )
    run(world, 400)
    check(world)
    assert not any(conditions(one)["MemoryPressure"] == "True" for one in everything(world, resources.NODES))
    assert not any(one["spec"].get("taints") for one in everything(world, resources.NODES))
    before = len(warnings(rehearsal))
    run(world, 600)
    assert len(warnings(rehearsal)) <= before, "nobody starves any more"
