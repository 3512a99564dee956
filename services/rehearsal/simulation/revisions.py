"""ControllerRevisions: the history that StatefulSets and DaemonSets keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.estate.templates import template_hash
from services.rehearsal.jsonic import Json, clone
from services.rehearsal.simulation import pods
from services.rehearsal.simulation.sameness import same_template

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.world import World

HASH_LABEL = "controller-revision-hash"
CAUSE = "kubernetes.io/change-cause"


def name_of(owner: Json) -> str:
    """Return the name of the revision of an owner's present template."""
    return f"{owner['metadata']['name']}-{template_hash(owner['spec']['template'])}"


def hash_value(resource: Resource, name: str) -> str:
    """Return what pods carry in the hash label: the whole name for StatefulSets, the hash for DaemonSets."""
    return name if resource is resources.STATEFUL_SETS else name.rsplit("-", 1)[1]


def ensure(world: World, resource: Resource, owner: Json) -> str:
    """Make sure that the present template has a revision, the newest; return its name."""
    name = name_of(owner)
    history = list(world.store.owned(resources.CONTROLLER_REVISIONS, owner["metadata"]["uid"]))
    newest = max((one["revision"] for one in history), default=0)
    found = next((one for one in history if one["metadata"]["name"] == name), None) or _equal(history, owner)
    if found is None:
        made = build(resource, owner, newest + 1, world.now)
        if world.store.get(resources.CONTROLLER_REVISIONS, owner["metadata"]["namespace"], name) is not None:
            name = f"{owner['metadata']['name']}-{template_hash({'of': resource.kind, **owner['spec']['template']})}"
            made["metadata"]["name"] = name
            made["metadata"]["labels"][HASH_LABEL] = hash_value(resource, name)
        world.store.create(resources.CONTROLLER_REVISIONS, made)
    elif found["revision"] < newest:
        again = {**found, "revision": newest + 1, "metadata": {**found["metadata"]}}
        world.store.update(resources.CONTROLLER_REVISIONS, again)
    return name if found is None else str(found["metadata"]["name"])


def _equal(history: list[Json], owner: Json) -> Json | None:
    """Return the revision whose template means the same as the present one, however it is written."""
    template = owner["spec"]["template"]
    return next((one for one in history if same_template(one["data"]["spec"]["template"], template)), None)


def build(resource: Resource, owner: Json, revision: int, now: float) -> Json:
    """Return the revision object of an owner's present template."""
    name = name_of(owner)
    data = {"spec": {"template": {**clone(owner["spec"]["template"]), "$patch": "replace"}}}
    cause = owner["metadata"].get("annotations", {}).get(CAUSE)
    return {
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "creationTimestamp": stamp(now),
            "labels": {**owner["spec"]["template"]["metadata"]["labels"], HASH_LABEL: hash_value(resource, name)},
            "annotations": {CAUSE: cause} if cause else {},
            "ownerReferences": [pods.owner_reference("apps/v1", resource.kind, owner)],
        },
        "data": data,
        "revision": revision,
    }
