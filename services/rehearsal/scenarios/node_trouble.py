"""The cluster itself is ill: a node is lost, one is short of memory, pods fit nowhere and a nightly Job fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.estate import words
from services.rehearsal.scenarios.registry import Scenario
from services.rehearsal.simulation import operations
from services.rehearsal.simulation.behaviour import Behaviour

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App, Blueprint
    from services.rehearsal.simulation.engine import Engine

LOST, PRESSED, GROWN, FAILING = 420.0, 700.0, 240.0, 2400.0
"""Seconds ago at which each trouble began."""


def _grown(plan: Blueprint) -> App:
    """Choose the Deployment that is scaled beyond what the nodes can hold."""
    return plan.rng("node-trouble:app").choice([one for one in plan.deployments() if not one.chatty])


def _script(engine: Engine, plan: Blueprint) -> None:
    rng = plan.rng("node-trouble")
    world = engine.world
    shown = world.now + SCENARIO.past
    lost, pressed = rng.sample([one.name for one in plan.nodes], 2)
    failing = rng.choice([one for one in plan.apps if one.kind == "CronJob"])
    lines = tuple(words.crash(failing.stack, rng))
    grown = _grown(plan)

    def fail_jobs() -> None:
        world.behaviours.habit(failing.image, Behaviour("completes", runs_for=6.0, exit_code=1, last_words=lines))

    def grow() -> None:
        patch = {"spec": {"template": {"spec": {"containers": [_hungry(engine, grown)]}}}}
        operations.merge(world, resources.DEPLOYMENTS, grown.namespace, grown.name, patch)
        operations.scale(world, resources.DEPLOYMENTS, grown.namespace, grown.name, len(plan.nodes) + 3)

    for ago, action in (
        (LOST, lambda: engine.nodes.lose(lost)),
        (PRESSED, lambda: engine.nodes.press(pressed, "MemoryPressure")),
        (GROWN, grow),
        (FAILING, fail_jobs),
    ):
        world.timeline.at(shown - ago, action)  # type: ignore[arg-type]  # what is returned does not matter


def _hungry(engine: Engine, app: App) -> dict[str, object]:
    """Return the app's container asking for most of a node."""
    deployment = engine.world.store.get(resources.DEPLOYMENTS, app.namespace, app.name)
    assert deployment is not None  # noqa: S101 (built with the estate)
    container: dict[str, object] = deployment["spec"]["template"]["spec"]["containers"][0]
    cpu = max(room.cpu for room in engine.world.capacity.rooms.values()) * 6 // 10
    requests = {
        "requests": {"cpu": f"{cpu}m", "memory": f"{app.memory}Mi"},
        "limits": {"memory": f"{app.memory * 2}Mi"},
    }
    return {**container, "resources": requests}


def claimed(plan: Blueprint) -> set[tuple[str, str]]:
    """Return the workloads that the quiet life leaves alone."""
    app = _grown(plan)
    return {(app.namespace, app.name)}


SCENARIO = Scenario(
    "node-trouble",
    "a lost node, a node short of memory, pods that fit nowhere and a failing Job",
    script=_script,
    claimed=claimed,
)
