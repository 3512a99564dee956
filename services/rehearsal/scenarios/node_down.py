"""A machine is lost: its kubelet falls silent, its pods are given up after five minutes, one finds no other place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.scenarios.registry import Scenario

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App, Blueprint
    from services.rehearsal.simulation.engine import Engine

LOST = 640.0
"""Seconds ago at which the node's kubelet fell silent."""

HINT = 150.0
"""Seconds before that in which its kernel complained."""

_SHARE = 0.6
"""Part of a node's memory that a replica of the tight workload asks for: one fits on a node, two do not."""


def _tight(plan: Blueprint) -> App:
    """Choose the Deployment that has a replica on every node, so that one fewer node is one too few."""
    return plan.rng("node-down").choice([one for one in plan.deployments() if not one.chatty and not one.sidecar])


def _prepare(plan: Blueprint) -> None:
    tight = _tight(plan)
    tight.replicas = len(plan.nodes)
    tight.memory = int(plan.nodes[0].memory * _SHARE)


def lost_node(engine: Engine, plan: Blueprint) -> str:
    """Return the node that goes: one with as many pods of StatefulSets as any, which cannot move while it is silent."""
    stateful = dict.fromkeys((one.name for one in plan.nodes), 0)
    for entry in engine.world.store.collection(resources.PODS).ordered():
        if entry.owner is not None and entry.owner[0] == "StatefulSet" and entry.fields["spec.nodeName"] in stateful:
            stateful[entry.fields["spec.nodeName"]] += 1
    most = max(stateful.values())
    return plan.rng("node-down:node").choice([name for name, count in stateful.items() if count == most])


def _script(engine: Engine, plan: Blueprint) -> None:
    world, rng = engine.world, plan.rng("node-down:script")
    shown = world.now + SCENARIO.past
    lost = lost_node(engine, plan)
    task = f"kworker/u{rng.choice((16, 32, 64))}:{rng.randint(0, 9)}:{rng.randint(300, 9000)}"

    def complain() -> None:
        node = world.store.get(resources.NODES, "", lost)
        if node is not None:
            message = f"INFO: task {task} blocked for more than 120 seconds."
            world.warn(resources.NODES, node, "TaskHung", message, component="kernel-monitor", host=lost)

    def lose() -> None:
        engine.nodes.lose(lost)

    world.timeline.at(shown - LOST - HINT, complain)
    world.timeline.at(shown - LOST - HINT / 3, complain)
    world.timeline.at(shown - LOST, lose)


def claimed(plan: Blueprint) -> set[tuple[str, str]]:
    """Return the workloads that the quiet life leaves alone."""
    tight = _tight(plan)
    return {(tight.namespace, tight.name)}


SCENARIO = Scenario(
    "node-down",
    "a node falls silent: its pods are evicted, one of them fits nowhere else",
    prepare=_prepare,
    script=_script,
    claimed=claimed,
)
