"""A simple Argo Rollouts controller: canary steps, pauses, promotion, aborts, and blue-green (argo-rollouts v1.10)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp, stamp
from services.rehearsal.estate.templates import template_hash
from services.rehearsal.jsonic import Json, clone
from services.rehearsal.simulation import following, pods
from services.rehearsal.simulation.sameness import same_template
from services.rehearsal.simulation.shares import routed, share

if TYPE_CHECKING:
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

HASH_LABEL = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"
_COMPONENT = "rollouts-controller"
_SCALE_DOWN = "scale-down-deadline"
_DURATION = re.compile(r"(\d+)([smh]?)$")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(slots=True)
class Scene:
    """One Rollout with its ReplicaSets: that of the present template, the stable one, and the others."""

    rollout: Json
    new: Json
    stable: Json | None
    others: list[Json]

    @property
    def status(self) -> Json:
        """Return the Rollout's status."""
        found: Json = self.rollout["status"]
        return found

    @property
    def replicas(self) -> int:
        """Return how many pods are wanted."""
        return int(self.rollout["spec"].get("replicas", 1))

    @property
    def steps(self) -> list[Json]:
        """Return the canary's steps."""
        found: list[Json] = self.rollout["spec"]["strategy"].get("canary", {}).get("steps") or []
        return found

    @property
    def settled(self) -> bool:
        """Tell whether the present template is the stable one."""
        return self.stable is None or self.stable["metadata"]["name"] == self.new["metadata"]["name"]


class RolloutController:
    """Moves Rollouts on, a step at a time."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet

    def sync(self, namespace: str, name: str) -> None:
        """Take one Rollout a step on."""
        rollout = self._world.store.get(resources.ROLLOUTS, namespace, name)
        if rollout is None:
            return
        rollout.setdefault("status", {})
        if not following.lend(self._world, rollout):
            return
        scene = _scene(self._world, rollout)
        self._begin(scene)
        if scene.settled:
            self._settle(scene)
        elif scene.status.get("abort"):
            self._abort(scene)
        elif rollout["spec"].get("paused"):
            _phase(scene, "Paused", "manually paused")
        elif "blueGreen" in rollout["spec"]["strategy"]:
            self._switch(scene)
        else:
            self._advance(scene)
        self._restart(scene)
        self._report(scene)

    def _restart(self, scene: Scene) -> None:
        """Replace the pods that are older than `spec.restartAt`, one after the other."""
        asked, status = scene.rollout["spec"].get("restartAt", ""), scene.status
        if not asked or status.get("restartedAt") == asked or parse_stamp(asked) > self._world.now:
            return
        every = [one for owner in (*scene.others, scene.new) for one in self._pods(owner)]
        old = [one for one in every if parse_stamp(one["metadata"]["creationTimestamp"]) < parse_stamp(asked)]
        if not old:
            status["restartedAt"] = asked
        elif all(map(pods.is_ready, every)):
            self._kubelet.stop(old[0]["metadata"]["namespace"], old[0]["metadata"]["name"])
        self._again(scene, 2.0)

    def _pods(self, owner: Json) -> list[Json]:
        return list(self._world.store.owned(resources.PODS, owner["metadata"]["uid"]))

    def _begin(self, scene: Scene) -> None:
        """Notice another template: its steps begin from the first."""
        status, present = scene.status, _hash(scene.new)
        if status.get("currentPodHash") == present:
            return
        for key in ("abort", "abortedAt", "promoteFull", "pauseConditions", "controllerPause"):
            status.pop(key, None)
        status["currentPodHash"] = present
        status["currentStepIndex"] = 0
        revision = scene.new["metadata"]["annotations"][REVISION]
        message = f"Rollout updated to revision {revision}"
        self._world.event(resources.ROLLOUTS, scene.rollout, "RolloutUpdated", message, component=_COMPONENT)

    def _settle(self, scene: Scene) -> None:
        """Run the stable template alone."""
        status = scene.status
        for key in ("abort", "abortedAt", "promoteFull", "pauseConditions", "controllerPause"):
            status.pop(key, None)
        status["currentStepIndex"] = len(scene.steps)
        self._scale(scene.new, scene.replicas)
        if routed(scene.rollout):
            share(self._world, scene.rollout, 0, canary=_hash(scene.new), stable=_hash(scene.new))
        delayed = [one for one in scene.others if self._kept(one)]
        for one in scene.others:
            if one not in delayed:
                self._scale(one, 0)
        if _available(scene.new) < scene.replicas:
            _phase(scene, "Progressing", "updated replicas are still becoming available")
            return
        if scene.stable is None:
            self._promote(scene)
        _phase(scene, "Healthy", "")

    def _kept(self, old: Json) -> bool:
        """Tell whether an old ReplicaSet of a blue-green Rollout is still to be kept for an instant undo."""
        deadline = old["metadata"].get("annotations", {}).get(_SCALE_DOWN)
        if not deadline or not old["spec"]["replicas"]:
            return False
        left = parse_stamp(deadline) - self._world.now
        if left > 0:
            owner = old["metadata"]["ownerReferences"][0]["name"]
            self._world.enqueue("Rollout", old["metadata"]["namespace"], owner, left + 0.5)
        return left > 0

    def _promote(self, scene: Scene) -> None:
        status = scene.status
        status["stableRS"] = _hash(scene.new)
        status.pop("promoteFull", None)
        status["currentStepIndex"] = len(scene.steps)
        revision = scene.new["metadata"]["annotations"][REVISION]
        message = f"Rollout completed update to revision {revision} ({status['stableRS']})"
        self._world.event(resources.ROLLOUTS, scene.rollout, "RolloutCompleted", message, component=_COMPONENT)

    def _abort(self, scene: Scene) -> None:
        """Go back to the stable ReplicaSet while the spec still names the other."""
        status = scene.status
        if "abortedAt" not in status:
            status["abortedAt"] = stamp(self._world.now)
            revision = scene.new["metadata"]["annotations"][REVISION]
            message = f"Rollout aborted update to revision {revision}"
            self._world.warn(resources.ROLLOUTS, scene.rollout, "RolloutAborted", message, component=_COMPONENT)
        for key in ("pauseConditions", "controllerPause", "promoteFull"):
            status.pop(key, None)
        status["currentStepIndex"] = 0
        self._weigh(scene, 0)
        revision = scene.new["metadata"]["annotations"][REVISION]
        _phase(scene, "Degraded", f"RolloutAborted: Rollout aborted update to revision {revision}")

    def _weigh(self, scene: Scene, weight: int) -> bool:
        """Give the canary its share of the pods, or of the traffic; return whether it has it."""
        if routed(scene.rollout):
            return self._route(scene, weight)
        canary = math.ceil(scene.replicas * weight / 100)
        self._scale(scene.new, canary)
        ready = _available(scene.new) >= canary
        if scene.stable is not None and (ready or weight == 0):
            self._scale(scene.stable, scene.replicas - canary)
        for one in scene.others:
            if scene.stable is None or one["metadata"]["uid"] != scene.stable["metadata"]["uid"]:
                self._scale(one, 0)
        return ready and (scene.stable is None or _running(scene.stable) <= scene.replicas - canary)

    def _route(self, scene: Scene, weight: int) -> bool:
        """Let a router send the canary its share once its pods are there; the stable version keeps all of its own."""
        canary = math.ceil(scene.replicas * weight / 100)
        stable = scene.stable or scene.new
        ready = _available(scene.new) >= canary
        if ready or not weight:
            share(self._world, scene.rollout, weight, canary=_hash(scene.new), stable=_hash(stable))
        self._scale(scene.new, canary)
        for one in scene.others:
            self._scale(one, scene.replicas if one["metadata"]["uid"] == stable["metadata"]["uid"] else 0)
        return ready

    def _advance(self, scene: Scene) -> None:
        """Do the present step of a canary, or all that is left."""
        status, steps = scene.status, scene.steps
        status.pop("abortedAt", None)
        index = len(steps) if status.get("promoteFull") else min(int(status.get("currentStepIndex") or 0), len(steps))
        status["currentStepIndex"] = index
        if index == len(steps):
            if self._weigh(scene, 100):
                self._promote(scene)
                _phase(scene, "Healthy", "")
            else:
                _phase(scene, "Progressing", "more replicas need to be updated")
            return
        there = self._weigh(scene, _weight(steps, index))
        _phase(scene, "Progressing", "more replicas need to be updated")
        if not there:
            return
        if "pause" not in steps[index] or self._paused_enough(scene, steps[index]["pause"] or {}):
            for key in ("pauseConditions", "controllerPause"):
                status.pop(key, None)
            status["currentStepIndex"] = index + 1
            self._again(scene, 0.5)

    def _paused_enough(self, scene: Scene, pause: Json) -> bool:
        if self._waits(scene, "CanaryPauseStep"):
            return True
        if "duration" not in pause:
            return False
        since = parse_stamp(scene.status["pauseConditions"][0]["startTime"])
        left = since + _duration(pause["duration"]) - self._world.now
        if left > 0:
            self._again(scene, left + 0.1)
        return left <= 0

    def _waits(self, scene: Scene, reason: str) -> bool:
        """Begin or keep up a pause; return whether somebody has ended it."""
        status = scene.status
        if not status.get("pauseConditions"):
            if status.get("controllerPause"):
                return True
            status["pauseConditions"] = [{"reason": reason, "startTime": stamp(self._world.now)}]
            status["controllerPause"] = True
            message = f"Rollout is paused ({reason})"
            self._world.event(resources.ROLLOUTS, scene.rollout, "RolloutPaused", message, component=_COMPONENT)
        _phase(scene, "Paused", reason)
        return False

    def _switch(self, scene: Scene) -> None:
        """Bring the new ReplicaSet up beside the old one, then point the service at it."""
        status, strategy = scene.status, scene.rollout["spec"]["strategy"]["blueGreen"]
        self._scale(scene.new, scene.replicas)
        status.setdefault("blueGreen", {})["previewSelector"] = _hash(scene.new)
        if _available(scene.new) < scene.replicas:
            _phase(scene, "Progressing", "updated replicas are still becoming available")
            return
        by_hand = strategy.get("autoPromotionEnabled", True) is False and not status.get("promoteFull")
        if by_hand and not self._waits(scene, "BlueGreenPause"):
            return
        for key in ("pauseConditions", "controllerPause"):
            status.pop(key, None)
        if scene.stable is not None:
            old = clone(scene.stable)
            delay = strategy.get("scaleDownDelaySeconds", 30)
            old["metadata"].setdefault("annotations", {})[_SCALE_DOWN] = stamp(self._world.now + delay)
            self._world.store.update(resources.REPLICA_SETS, old)
            self._again(scene, delay + 1.0)
        self._promote(scene)
        _phase(scene, "Healthy", "")

    def _again(self, scene: Scene, delay: float) -> None:
        metadata = scene.rollout["metadata"]
        self._world.after(delay, lambda: self._world.enqueue("Rollout", metadata["namespace"], metadata["name"]))

    def _scale(self, replica_set: Json, replicas: int) -> None:
        present = self._world.store.get(
            resources.REPLICA_SETS, replica_set["metadata"]["namespace"], replica_set["metadata"]["name"]
        )
        if present is not None and present["spec"]["replicas"] != replicas:
            present["spec"]["replicas"] = replicas
            present["metadata"]["generation"] += 1
            self._world.store.update(resources.REPLICA_SETS, present)

    def _report(self, scene: Scene) -> None:
        status, rollout = scene.status, scene.rollout
        every = [*scene.others, scene.new]
        status.update(
            observedGeneration=str(rollout["metadata"]["generation"]),
            replicas=sum(_running(one) for one in every),
            updatedReplicas=_running(scene.new),
            readyReplicas=sum(int(one["status"].get("readyReplicas", 0)) for one in every),
            availableReplicas=sum(_available(one) for one in every),
            HPAReplicas=sum(_running(one) for one in every),
            selector=",".join(f"{key}={value}" for key, value in rollout["spec"]["selector"]["matchLabels"].items()),
        )
        if "blueGreen" in rollout["spec"]["strategy"]:
            status.pop("currentStepIndex", None)
            status.setdefault("blueGreen", {})["activeSelector"] = status.get("stableRS", "")
        following.give_back(rollout)
        self._world.store.update(resources.ROLLOUTS, rollout)


def _scene(world: World, rollout: Json) -> Scene:
    """Find the ReplicaSets of a Rollout, and make that of its template where there is none."""
    template = rollout["spec"]["template"]
    owned = list(world.store.owned(resources.REPLICA_SETS, rollout["metadata"]["uid"]))
    newest = max((_revision(one) for one in owned), default=0)
    new = next((one for one in owned if same_template(one["spec"]["template"], template, HASH_LABEL)), None)
    if new is None:
        new = world.store.create(resources.REPLICA_SETS, _replica_set(rollout, newest + 1, world.now))
    elif _revision(new) < newest:
        new = clone(new)
        new["metadata"]["annotations"][REVISION] = str(newest + 1)
        world.store.update(resources.REPLICA_SETS, new)
    rollout["metadata"].setdefault("annotations", {})[REVISION] = new["metadata"]["annotations"][REVISION]
    wanted = rollout["status"].get("stableRS", "")
    stable = next((one for one in [new, *owned] if _hash(one) == wanted), None)
    others = [one for one in owned if one["metadata"]["uid"] != new["metadata"]["uid"]]
    return Scene(rollout, new, stable, others)


def _phase(scene: Scene, phase: str, message: str) -> None:
    scene.status["phase"] = phase
    if message:
        scene.status["message"] = message
    else:
        scene.status.pop("message", None)


def _weight(steps: list[Json], index: int) -> int:
    """Return the weight at a step: that of the last `setWeight` at or before it."""
    return next((int(one["setWeight"]) for one in reversed(steps[: index + 1]) if "setWeight" in one), 0)


def _duration(text: str | int) -> float:
    """Return the seconds of `30`, `30s`, `5m` or `1h`; 0 for anything else."""
    found = _DURATION.match(str(text))
    return float(found[1]) * _SECONDS[found[2]] if found else 0.0


def _hash(replica_set: Json) -> str:
    return str(replica_set["metadata"]["labels"][HASH_LABEL])


def _revision(replica_set: Json) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(REVISION, 0))


def _running(replica_set: Json) -> int:
    return int(replica_set["status"].get("replicas", 0))


def _available(replica_set: Json) -> int:
    return int(replica_set["status"].get("availableReplicas", 0))


def _replica_set(rollout: Json, revision: int, now: float) -> Json:
    metadata, template = rollout["metadata"], clone(rollout["spec"]["template"])
    hashed = template_hash(rollout["spec"]["template"])
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = hashed
    return {
        "metadata": {
            "name": f"{metadata['name']}-{hashed}",
            "namespace": metadata["namespace"],
            "generation": 1,
            "creationTimestamp": stamp(now),
            "labels": dict(template["metadata"]["labels"]),
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [pods.owner_reference("argoproj.io/v1alpha1", "Rollout", rollout)],
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {**rollout["spec"]["selector"]["matchLabels"], HASH_LABEL: hashed}},
            "template": template,
        },
        "status": {"replicas": 0},
    }
