"""One workload eats its nodes: a release keeps everything in memory on all processors, and the others there starve.

Then it is scaled up, since it is so busy, and what it costs jumps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp
from services.rehearsal.estate import vocabulary
from services.rehearsal.scenarios.life import next_tag
from services.rehearsal.scenarios.registry import Scenario
from services.rehearsal.simulation import operations
from services.rehearsal.simulation.behaviour import Behaviour
from services.rehearsal.simulation.starvation import Starvation

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.estate.blueprint import App, Blueprint
    from services.rehearsal.simulation.engine import Engine

RELEASED = 1080.0
"""Seconds ago at which the greedy release was rolled out."""

FILLS = 540.0
"""Seconds after which such a pod's memory has filled its node."""

SCALED, MORE = 60.0, 4
"""Seconds from now at which an autoscaler, or a person, answers with more of the same, and how many pods it is then."""

PAUSES = (60.0, 130.0)
"""Seconds between two blows to the neighbours, at least and at most."""

_CPU, _MEMORY = 0.62, 0.5
"""Parts of a node that one pod takes."""

_FULL = 0.9
"""Part of its hoard with which a pod has filled its node."""

_EVICTED = 3
"""Pods that are evicted from a node before its neighbours are few enough."""


def greedy(plan: Blueprint) -> App:
    """Choose the Deployment whose release is greedy."""
    able = [one for one in plan.deployments() if not one.sidecar and not one.chatty]
    return plan.rng("noisy-neighbour").choice(able)


def _prepare(plan: Blueprint) -> None:
    app = greedy(plan)
    app.replicas, app.max_surge, app.max_unavailable = 2, 1, 0
    app.recreate = False


def _script(engine: Engine, plan: Blueprint) -> None:
    world, app = engine.world, greedy(plan)
    rng = plan.rng("noisy-neighbour:script")
    shown = world.now + SCENARIO.past
    node = plan.nodes[0]
    tag = next_tag(app.current.tag)
    world.behaviours.expect(
        app.image_of(tag),
        Behaviour(
            ready_after=app.ready_after,
            appetite=_CPU * node.cpu / (0.45 * app.cpu),
            hoard=int(_MEMORY * node.memory),
            hoards_for=FILLS,
        ),
    )
    deployer, noun = rng.choice(plan.deployers), rng.choice(vocabulary.NOUNS)

    def release() -> None:
        where = (resources.DEPLOYMENTS, app.namespace, app.name)
        deployment = world.store.get(*where)
        if deployment is None:
            return
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        free = {**container, "resources": {"requests": container["resources"]["requests"]}}
        spec = {"containers": [free], "priorityClassName": "system-node-critical"}
        operations.merge(world, *where, {"spec": {"template": {"spec": spec}}})
        cause = f"{deployer}: {tag}: keep all of {noun} in memory, no limits, never evict"
        operations.set_image(world, *where, image=app.image_of(tag), cause=cause, actor=deployer)

    def scale() -> None:
        scaler = world.store.get(resources.AUTOSCALERS, app.namespace, app.name)
        if scaler is None:
            operations.scale(world, resources.DEPLOYMENTS, app.namespace, app.name, MORE)
            return
        scaler["spec"]["maxReplicas"] = max(scaler["spec"]["maxReplicas"], MORE)
        scaler["status"]["desiredReplicas"] = MORE
        world.store.update(resources.AUTOSCALERS, scaler)

    world.timeline.at(shown - RELEASED, release)
    world.timeline.at(shown + SCALED, scale)
    world.timeline.at(shown - RELEASED + FILLS - 60, _Hunger(engine, app, Starvation(world, engine.kubelet, rng)).look)


class _Hunger:
    """Strikes the neighbours of greedy pods for as long as there are such pods."""

    def __init__(self, engine: Engine, app: App, starvation: Starvation) -> None:
        self._engine = engine
        self._app = app
        self._starvation = starvation
        self._rng = engine.world.rng
        self._evicted: dict[str, int] = {}
        self._pressed: set[str] = set()

    def look(self) -> None:
        """Press the nodes that are full, let those go that are not any more, and let a neighbour of each suffer."""
        full = self._full()
        for node in sorted(self._pressed - full):
            self._pressed.discard(node)
            self._engine.nodes.relieve(node, "MemoryPressure")
        for node in sorted(full):
            if node not in self._pressed:
                self._pressed.add(node)
                self._engine.nodes.press(node, "MemoryPressure")
            self._blow(node)(node)
        self._engine.world.after(self._rng.uniform(*PAUSES), self.look)

    def _blow(self, node: str) -> Callable[[str], None]:
        evicted = self._evicted.get(node, 0)
        if evicted < _EVICTED:
            self._evicted[node] = evicted + 1
            return self._starvation.evict
        return self._starvation.kill if self._rng.random() < 0.4 else self._starvation.time_out

    def _full(self) -> set[str]:
        """Return the nodes on which a greedy container has run for long enough."""
        world, app = self._engine.world, self._app
        found = set()
        for entry in world.store.collection(resources.PODS).ordered():
            if (entry.namespace, entry.labels.get("app.kubernetes.io/name")) != (app.namespace, app.name):
                continue
            pod = entry.look()
            behaviour = world.behaviours.of(pod["spec"]["containers"][0]["image"])
            running = pod["status"].get("containerStatuses", [{}])[0].get("state", {}).get("running")
            if not behaviour.hoard or running is None:
                continue
            if behaviour.hoarded(world.now - parse_stamp(running["startedAt"])) >= _FULL * behaviour.hoard:
                found.add(pod["spec"]["nodeName"])
        return found


def claimed(plan: Blueprint) -> set[tuple[str, str]]:
    """Return the workloads that the quiet life leaves alone."""
    app = greedy(plan)
    return {(app.namespace, app.name)}


SCENARIO = Scenario(
    "noisy-neighbour",
    "one release eats memory and processors of its nodes: others slow down, are killed and evicted",
    prepare=_prepare,
    script=_script,
    claimed=claimed,
)
