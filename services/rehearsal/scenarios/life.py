"""The quiet life in the background of every scenario: releases that succeed, a restart now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.estate import vocabulary
from services.rehearsal.simulation import operations

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App, Blueprint
    from services.rehearsal.simulation.engine import Engine

PAST_PAUSE = 700.0
LIVE_PAUSE = 150.0
"""Mean seconds between two small events, in the simulated past and while somebody watches."""


class Life:
    """Lets small things happen to workloads that no scenario has claimed."""

    def __init__(self, engine: Engine, plan: Blueprint, live_from: float, claimed: set[tuple[str, str]]) -> None:
        self._engine = engine
        self._plan = plan
        self._rng = plan.rng("life")
        self._live_from = live_from
        self._claimed = claimed

    def begin(self) -> None:
        """Plan the first event."""
        world = self._engine.world
        pause = LIVE_PAUSE if world.now >= self._live_from else PAST_PAUSE
        world.after(self._rng.expovariate(1 / pause), self._happen)

    def _happen(self) -> None:
        candidates = [
            one
            for one in self._plan.apps
            if one.namespace in self._plan.teams
            and one.kind == "Deployment"
            and (one.namespace, one.name) not in self._claimed
        ]
        if candidates:
            app = self._rng.choice(candidates)
            lot = self._rng.random()
            if lot < 0.6:
                release(self._engine, self._plan, app)
            elif lot < 0.68:
                self._configure(app)
            else:
                self._restart(app)
        self.begin()

    def _configure(self, app: App) -> None:
        seconds = self._rng.randint(1, 90)
        actor = self._rng.choice(self._plan.people)
        name = f"{app.name}-settings"
        operations.configure(self._engine.world, app.namespace, name, {"timeout": f"{seconds}s"}, actor)

    def _restart(self, app: App) -> None:
        store = self._engine.world.store
        names = [
            entry.name
            for entry in store.collection(resources.PODS).ordered()
            if entry.namespace == app.namespace and entry.labels.get("app.kubernetes.io/name") == app.name
        ]
        if names:
            out_of_memory = self._rng.random() < 0.4
            reason, probe = ("OOMKilled", False) if out_of_memory else ("Error", True)
            self._engine.kubelet.restart(app.namespace, self._rng.choice(names), reason=reason, probe=probe)


def release(engine: Engine, plan: Blueprint, app: App) -> None:
    """Roll a Deployment out to the next patch version."""
    rng = plan.rng(f"release:{app.namespace}/{app.name}:{engine.world.now:.0f}")
    deployment = engine.world.store.get(resources.DEPLOYMENTS, app.namespace, app.name)
    if deployment is None:
        return
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    tag = next_tag(image.rsplit(":", 1)[-1])
    actor = rng.choice(plan.deployers)
    text = rng.choice(vocabulary.CHANGES).format(
        tag=tag, build=rng.randint(1000, 9999), noun=rng.choice(vocabulary.NOUNS), number=rng.randint(2, 30)
    )
    operations.set_image(
        engine.world,
        resources.DEPLOYMENTS,
        app.namespace,
        app.name,
        image=app.image_of(tag),
        cause=f"{actor}: {text}",
        actor=actor,
    )


def next_tag(tag: str) -> str:
    """Return the next patch version of a `vX.Y.Z` tag."""
    head, _, patch = tag.rpartition(".")
    return f"{head}.{int(patch) + 1}" if head and patch.isdigit() else f"{tag}-1"
