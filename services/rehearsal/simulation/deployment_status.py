"""What a Deployment says of itself (kubernetes pkg/controller/deployment, sync.go and progress.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp, stamp
from services.rehearsal.simulation.strategy import limits

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.world import World

_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")
_DONE = "NewReplicaSetAvailable"


def report(world: World, deployment: Json, new: Json | None, every: list[Json], created: str) -> None:
    """Write counts and conditions; `created` names a ReplicaSet that was made in this step."""
    status = deployment["status"]
    before = {key: status.get(key, 0) for key in _COUNTS}
    counts = _counts(deployment, new, every)
    for key, value in counts.items():
        if value:
            status[key] = value
        else:
            status.pop(key, None)
    status["terminatingReplicas"] = sum(one["status"].get("terminatingReplicas", 0) for one in every)
    status["observedGeneration"] = deployment["metadata"]["generation"]
    conditions = status.setdefault("conditions", [])
    _availability(world, deployment, conditions, counts["availableReplicas"])
    if deployment["spec"].get("paused"):
        _set(world, conditions, "Progressing", "Unknown", reason="DeploymentPaused", message="Deployment is paused")
        _failure(world, conditions, every)
        conditions.sort(key=lambda one: str(one["type"]))
        world.store.update(resources.DEPLOYMENTS, deployment)
        return
    if find(conditions, "Progressing").get("reason") == "DeploymentPaused":
        _set(world, conditions, "Progressing", "Unknown", reason="DeploymentResumed", message="Deployment is resumed")
    if "progressDeadlineSeconds" in deployment["spec"]:
        _progress(world, deployment, new, before=before, counts=counts, created=created)
    _failure(world, conditions, every)
    conditions.sort(key=lambda one: str(one["type"]))
    world.store.update(resources.DEPLOYMENTS, deployment)


def _counts(deployment: Json, new: Json | None, every: list[Json]) -> dict[str, int]:
    def total(key: str) -> int:
        return sum(int(one["status"].get(key, 0)) for one in every)

    asked = sum(int(one["spec"]["replicas"]) for one in every)
    usable = total("availableReplicas")
    return {
        "replicas": total("replicas"),
        "updatedReplicas": int(new["status"].get("replicas", 0)) if new else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": usable,
        "unavailableReplicas": max(0, max(asked, int(deployment["spec"]["replicas"])) - usable) if every else 0,
    }


def _availability(world: World, deployment: Json, conditions: list[Json], usable: int) -> None:
    _, unavailable = limits(deployment)
    if usable >= deployment["spec"]["replicas"] - unavailable:
        _set(
            world,
            conditions,
            "Available",
            "True",
            reason="MinimumReplicasAvailable",
            message="Deployment has minimum availability.",
        )
    else:
        message = "Deployment does not have minimum availability."
        _set(world, conditions, "Available", "False", reason="MinimumReplicasUnavailable", message=message)


def _progress(
    world: World, deployment: Json, new: Json | None, *, before: dict[str, int], counts: dict[str, int], created: str
) -> None:
    status, metadata = deployment["status"], deployment["metadata"]
    conditions = status["conditions"]
    name = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{metadata["name"]}"'
    if created:
        _set(
            world,
            conditions,
            "Progressing",
            "True",
            reason="NewReplicaSetCreated",
            message=f'Created new replica set "{created}"',
            renew=True,
        )
    current = find(conditions, "Progressing")
    if current.get("reason") == _DONE and counts["replicas"] == counts["updatedReplicas"] and not created:
        return
    whole = int(deployment["spec"]["replicas"])
    if counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == whole and new:
        _set(
            world,
            conditions,
            "Progressing",
            "True",
            reason=_DONE,
            message=f"{name} has successfully progressed.",
            renew=True,
        )
        return
    if _advanced(before, counts):
        _set(
            world,
            conditions,
            "Progressing",
            "True",
            reason="ReplicaSetUpdated",
            message=f"{name} is progressing.",
            renew=True,
        )
    current = find(conditions, "Progressing")
    if not current or current.get("reason") == _DONE:
        return
    deadline = parse_stamp(current["lastUpdateTime"]) + deployment["spec"]["progressDeadlineSeconds"]
    if world.now >= deadline:
        if current["reason"] != "ProgressDeadlineExceeded":
            message = f"{name} has timed out progressing."
            _set(
                world,
                conditions,
                "Progressing",
                "False",
                reason="ProgressDeadlineExceeded",
                message=message,
                renew=True,
            )
    else:
        world.enqueue("Deployment", metadata["namespace"], metadata["name"], deadline - world.now + 1)


def _advanced(before: dict[str, int], counts: dict[str, int]) -> bool:
    old_before = before["replicas"] - before["updatedReplicas"]
    old_now = counts["replicas"] - counts["updatedReplicas"]
    return (
        counts["updatedReplicas"] > before["updatedReplicas"]
        or old_now < old_before
        or counts["readyReplicas"] > before["readyReplicas"]
        or counts["availableReplicas"] > before["availableReplicas"]
    )


def _failure(world: World, conditions: list[Json], every: list[Json]) -> None:
    for one in every:
        for condition in one["status"].get("conditions", ()):
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                _set(
                    world,
                    conditions,
                    "ReplicaFailure",
                    "True",
                    reason=condition["reason"],
                    message=condition["message"],
                )
                return
    conditions[:] = [one for one in conditions if one["type"] != "ReplicaFailure"]


def find(conditions: list[Json], kind: str) -> Json:
    """Return a condition, or an empty object."""
    return next((one for one in conditions if one["type"] == kind), {})


def _set(
    world: World, conditions: list[Json], kind: str, status: str, *, reason: str, message: str, renew: bool = False
) -> None:
    """Set a condition; `renew` moves its update time even when nothing else differs."""
    condition = find(conditions, kind)
    if not condition:
        condition = {
            "type": kind,
            "status": "",
            "lastUpdateTime": "",
            "lastTransitionTime": "",
            "reason": "",
            "message": "",
        }
        conditions.append(condition)
    moment = stamp(world.now)
    changed = (condition["status"], condition["reason"]) != (status, reason)
    if changed or renew:
        condition["lastUpdateTime"] = moment
    if condition["status"] != status:
        condition["lastTransitionTime"] = moment
    condition.update(status=status, reason=reason, message=message)
