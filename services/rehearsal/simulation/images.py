"""What becomes of an image that no script has named: it is found, missing, or broken by its tag's last word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.simulation.behaviour import Behaviour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.rehearsal.jsonic import Json
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.world import World

_KEPT = (resources.REPLICA_SETS, resources.CONTROLLER_REVISIONS, resources.CRON_JOBS, resources.JOBS)
_LAST_WORDS = ("panic: the configuration could not be read", "exit status 1")


def admit(world: World, resource: Resource, obj: Json, before: Json | None) -> None:
    """Decide how the images behave that an object names for the first time.

    Tags that end in `crash`, `oom`, `slow`, `nopull` or `fail` do so. In a registry that the estate has, any other
    image that was never rolled out is missing; images of other registries work, and end well in a Job.
    """
    if resource.key not in _SPECS:
        return
    ends = resource in {resources.JOBS, resources.CRON_JOBS}
    old = set(_images(resource, before)) if before else set[str]()
    for image in dict.fromkeys(_images(resource, obj)):
        if image not in old and not world.behaviours.knows(image) and image not in _rolled_out(world):
            world.behaviours.expect(image, _invent(world, image, ends=ends))


def _invent(world: World, image: str, *, ends: bool) -> Behaviour:
    repository, _, tag = image.rpartition(":") if ":" in image.rsplit("/", 1)[-1] else (image, "", "latest")
    habit = world.behaviours.habit_of(repository)
    usual = habit or (Behaviour("completes", runs_for=3.0) if ends else Behaviour())
    if tag.endswith("nopull"):
        return Behaviour("missing")
    if tag.endswith("crash"):
        return replace(usual, conduct="crashes", runs_for=2.0, exit_code=1, last_words=_LAST_WORDS)
    if tag.endswith("oom"):
        return replace(usual, conduct="crashes", runs_for=2.0, exit_code=137, reason="OOMKilled")
    if tag.endswith("fail"):
        return replace(usual, conduct="completes", runs_for=2.0, exit_code=3, last_words=_LAST_WORDS)
    if tag.endswith("slow"):
        return replace(usual, ready_after=20.0)
    known = habit is not None or world.behaviours.in_a_known_registry(repository)
    return Behaviour("missing") if known else usual


def _rolled_out(world: World) -> set[str]:
    """Return the images that history still names."""
    found: set[str] = set()
    for resource in _KEPT:
        for entry in world.store.collection(resource).ordered():
            found.update(_images(resource, entry.look()))
    return found


_SPECS = {
    **{
        one.key: ("spec", "template", "spec")
        for one in (
            *(resources.DEPLOYMENTS, resources.REPLICA_SETS, resources.STATEFUL_SETS),
            *(resources.DAEMON_SETS, resources.JOBS, resources.ROLLOUTS),
        )
    },
    resources.CONTROLLER_REVISIONS.key: ("data", "spec", "template", "spec"),
    resources.CRON_JOBS.key: ("spec", "jobTemplate", "spec", "template", "spec"),
    resources.PODS.key: ("spec",),
}


def _images(resource: Resource, obj: Json) -> Iterator[str]:
    for step in _SPECS[resource.key]:
        obj = obj.get(step) or {}
    for container in (*obj.get("containers", ()), *obj.get("initContainers", ())):
        yield str(container.get("image", ""))
