"""A bad evening: one release crashes at start, one stalls on quota, one cannot be pulled, one is half-way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.estate import templates, vocabulary, words
from services.rehearsal.scenarios.life import next_tag
from services.rehearsal.scenarios.registry import Hush, Scenario
from services.rehearsal.simulation import operations
from services.rehearsal.simulation.behaviour import Behaviour
from services.rehearsal.simulation.jobs import complete_spec
from services.rehearsal.simulation.quota_objects import set_quota

if TYPE_CHECKING:
    import random

    from services.rehearsal.estate.blueprint import App, Blueprint
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.engine import Engine

CRASHED, STALLED, UNPULLABLE, HALF_WAY = 360.0, 430.0, 900.0, 100.0
"""Seconds ago at which each release was rolled out."""

CONFIGURED = 130.0
"""Seconds ago at which the settings of the last one were changed."""

MIGRATED = 40.0
"""Seconds before the first release at which its schema migration began."""

GREW = 290.0
"""Seconds ago at which an autoscaler answered to what the others' failures bring about."""


def _cast(plan: Blueprint) -> tuple[App, App, App, App]:
    """Choose the four workloads, in different namespaces where there are enough."""
    able = [one for one in plan.deployments() if not one.sidecar and not one.chatty]
    plan.rng("bad-deploy").shuffle(able)
    seen: set[str] = set()
    elsewhere: list[App] = []
    again: list[App] = []
    for app in able:
        (again if app.namespace in seen else elsewhere).append(app)
        seen.add(app.namespace)
    crashing, stalled, unpullable, half_way = [*elsewhere, *again][:4]
    return crashing, stalled, unpullable, half_way


def _prepare(plan: Blueprint) -> None:
    crashing, stalled, unpullable, half_way = _cast(plan)
    crashing.replicas, crashing.recreate, crashing.last_words_policy = 3, True, False
    stalled.replicas, stalled.max_surge, stalled.max_unavailable = 5, 1, "40%"
    unpullable.replicas, unpullable.max_surge, unpullable.max_unavailable = 4, "25%", "25%"
    half_way.replicas, half_way.max_surge, half_way.max_unavailable = 5, 1, 0


def _script(engine: Engine, plan: Blueprint) -> None:
    crashing, stalled, unpullable, half_way = _cast(plan)
    rng = plan.rng("bad-deploy:script")
    world = engine.world
    shown = world.now + SCENARIO.past
    deployer = plan.deployers[0]

    def crash() -> None:
        tag = _deploy(engine, crashing, deployer, rng)
        lines = words.crash(crashing.stack, rng)
        behaviour = Behaviour("crashes", runs_for=2.5, exit_code=1, last_words=tuple(lines))
        world.behaviours.expect(crashing.image_of(tag), behaviour)

    def stall() -> None:
        set_quota(world, stalled.namespace, spare=stalled.cpu // 4)
        _deploy(engine, stalled, plan.deployers[-1], rng, cpu=f"{stalled.cpu * 2}m")

    def fail_pull() -> None:
        tag = next_tag(unpullable.current.tag)
        world.behaviours.expect(unpullable.image_of(tag), Behaviour("missing"))
        _deploy(engine, unpullable, deployer, rng)

    def creep() -> None:
        tag = next_tag(half_way.current.tag)
        world.behaviours.expect(half_way.image_of(tag), Behaviour("serves", ready_after=38.0))
        _deploy(engine, half_way, plan.deployers[-1], rng)

    def reconfigure() -> None:
        flag = f"{rng.choice(vocabulary.NOUNS)}: {rng.randint(2, 30)}\n"
        name = f"{half_way.name}-settings"
        operations.configure(world, half_way.namespace, name, {"limits.yaml": flag}, plan.deployers[-1])

    def grow() -> None:
        """Let an autoscaler follow the traffic of the others' retries as far as it may."""
        for namespace, name in _elsewhere(engine, plan):
            scaler = world.store.get(resources.AUTOSCALERS, namespace, name)
            if scaler is not None:
                scaler["status"]["desiredReplicas"] = scaler["spec"]["maxReplicas"]
                world.store.update(resources.AUTOSCALERS, scaler)
                return

    world.timeline.at(shown - GREW, grow)
    world.timeline.at(shown - CONFIGURED, reconfigure)
    world.timeline.at(shown - CRASHED - MIGRATED, partial(_migrate, engine, crashing))
    for ago, action in ((CRASHED, crash), (STALLED, stall), (UNPULLABLE, fail_pull), (HALF_WAY, creep)):
        world.timeline.at(shown - ago, action)


def _elsewhere(engine: Engine, plan: Blueprint) -> list[tuple[str, str]]:
    """Return the autoscalers of workloads that the scenario does not touch, those that may grow most first."""
    taken = claimed(plan)
    found = []
    for entry in engine.world.store.collection(resources.AUTOSCALERS).ordered():
        app = plan.app(entry.namespace, entry.name)
        if app is not None and (entry.namespace, entry.name) not in taken:
            found.append((-app.cpu * app.replicas, entry.namespace, entry.name))
    return [(namespace, name) for _, namespace, name in sorted(found)]


def _migrate(engine: Engine, app: App) -> None:
    """Run the schema migration that an app's next release brings along."""
    world, job = engine.world, _migration(app, next_tag(app.current.tag))
    image = job["spec"]["template"]["spec"]["containers"][0]["image"]
    world.behaviours.expect(image, Behaviour("completes", runs_for=9.0))
    job["metadata"]["uid"] = world.new_uid()
    complete_spec(job)
    world.store.create(resources.JOBS, job)


def _migration(app: App, tag: str) -> Json:
    """Return the Job that changes the schema for a release, as its chart would make it before the roll-out."""
    labels = {"app.kubernetes.io/instance": app.name, "app.kubernetes.io/component": "migration", "team": app.team}
    template = templates.template(app, f"{app.image}-migrations:{tag}")
    container = {**template["spec"]["containers"][0], "name": "migrate", "args": ["flyway", "migrate"]}
    for probe in ("ports", "readinessProbe", "livenessProbe", "volumeMounts"):
        container.pop(probe, None)
    spec = {**template["spec"], "containers": [container], "restartPolicy": "Never"}
    return {
        "metadata": {
            "name": f"{app.name}-migrate-{tag.replace('.', '-')}",
            "namespace": app.namespace,
            "generation": 1,
            "labels": labels,
        },
        "spec": {"backoffLimit": 1, "template": {"metadata": {"labels": {"team": app.team}}, "spec": spec}},
        "status": {},
    }


def _deploy(engine: Engine, app: App, actor: str, rng: random.Random, cpu: str = "") -> str:
    tag = next_tag(app.current.tag)
    text = rng.choice(vocabulary.CHANGES[:4]).format(
        tag=tag, build=rng.randint(1000, 9999), noun=rng.choice(vocabulary.NOUNS), number=rng.randint(2, 30)
    )
    cause = f"{actor}: {text}"
    image = app.image_of(tag)
    operations.set_image(
        engine.world, resources.DEPLOYMENTS, app.namespace, app.name, image=image, cause=cause, actor=actor, cpu=cpu
    )
    return tag


def claimed(plan: Blueprint) -> set[tuple[str, str]]:
    """Return the workloads that the quiet life leaves alone."""
    stalled = _cast(plan)[1]
    neighbours = {(one.namespace, one.name) for one in plan.apps if one.namespace == stalled.namespace}
    return neighbours | {(one.namespace, one.name) for one in _cast(plan)}


def hushes(plan: Blueprint, shown: float) -> list[Hush]:
    """Return the silence of somebody who knows why an image is missing."""
    unpullable = _cast(plan)[2]
    matchers = (("alertname", "=", "KubeContainerWaiting"), ("namespace", "=", unpullable.namespace))
    author = plan.rng("bad-deploy:hush").choice(plan.people)
    comment = f"{unpullable.name}: the registry is being moved, the image comes back tonight"
    return [Hush(matchers, shown - 420.0, 4 * 3600.0, author, comment)]


SCENARIO = Scenario(
    "bad-deploy",
    "a crash loop, a quota stall, an image that is not there and a rollout half-way",
    prepare=_prepare,
    script=_script,
    claimed=claimed,
    hushes=hushes,
)
