"""The StatefulSet controller: ordinals up in order, updates from the highest ordinal down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.jsonic import Json
from services.rehearsal.simulation import pods, revisions
from services.rehearsal.simulation.capacity import requests

if TYPE_CHECKING:
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

_COMPONENT = "statefulset-controller"


class StatefulSetController:
    """Keeps ordinal pods; in order, a pod that never becomes ready holds everything up, even its own replacement."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet

    def sync(self, namespace: str, name: str) -> None:
        """Take one StatefulSet a step on."""
        world = self._world
        owner = world.store.get(resources.STATEFUL_SETS, namespace, name)
        if owner is None:
            return
        status = owner["status"]
        status["updateRevision"] = revisions.ensure(world, resources.STATEFUL_SETS, owner)
        status.setdefault("currentRevision", status["updateRevision"])
        owned = {ordinal(pod): pod for pod in world.store.owned(resources.PODS, owner["metadata"]["uid"])}
        self._step(owner, owned)
        self._report(owner, list(owned.values()))

    def _step(self, owner: Json, owned: dict[int, Json]) -> None:
        """Do the one next thing: create, wait, scale down or replace."""
        replicas = owner["spec"]["replicas"]
        ordered = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        for index in range(replicas):
            pod = owned.get(index)
            if pod is None:
                self._create(owner, owned, index)
            if ordered and (pod is None or "deletionTimestamp" in pod["metadata"] or not pods.is_ready(pod)):
                return
        extra = [index for index in owned if index >= replicas]
        if extra:
            self._delete(owner, owned[max(extra)])
            return
        self._update(owner, owned)

    def _update(self, owner: Json, owned: dict[int, Json]) -> None:
        rolling = owner["spec"]["updateStrategy"].get("rollingUpdate") or {}
        if owner["spec"]["updateStrategy"]["type"] != "RollingUpdate":
            return
        for index in sorted(owned, reverse=True):
            pod = owned[index]
            if index < rolling.get("partition", 0):
                return
            if pod["metadata"]["labels"][revisions.HASH_LABEL] != owner["status"]["updateRevision"]:
                self._delete(owner, pod)
                return
            if not pods.is_ready(pod):
                return

    def _create(self, owner: Json, owned: dict[int, Json], index: int) -> None:
        world, metadata = self._world, owner["metadata"]
        name = f"{metadata['name']}-{index}"
        partition = (owner["spec"]["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0)
        status = owner["status"]
        revision = status["updateRevision"] if index >= partition else status["currentRevision"]
        template = self._template(owner, revision)
        cpu, memory = requests(template["spec"])
        refusal = world.quotas.refusal(metadata["namespace"], cpu, memory)
        if refusal:
            why = f'pods "{name}" is forbidden: {refusal}'
            message = f"create Pod {name} in StatefulSet {metadata['name']} failed error: {why}"
            world.warn(resources.STATEFUL_SETS, owner, "FailedCreate", message, component=_COMPONENT)
            world.enqueue("StatefulSet", metadata["namespace"], metadata["name"], 30.0)
            return
        pod = stateful_pod(owner, template, index, revision=revision, world=world, now=world.now)
        world.store.create(resources.PODS, pod)
        world.quotas.charge(pod["metadata"]["uid"], metadata["namespace"], cpu, memory)
        owned[index] = pod
        message = f"create Pod {name} in StatefulSet {metadata['name']} successful"
        world.event(resources.STATEFUL_SETS, owner, "SuccessfulCreate", message, component=_COMPONENT)

    def _template(self, owner: Json, revision: str) -> Json:
        if revision != owner["status"]["updateRevision"]:
            kept = self._world.store.get(resources.CONTROLLER_REVISIONS, owner["metadata"]["namespace"], revision)
            if kept is not None:
                template: Json = kept["data"]["spec"]["template"]
                template.pop("$patch", None)
                return template
        current: Json = owner["spec"]["template"]
        return current

    def _delete(self, owner: Json, pod: Json) -> None:
        if "deletionTimestamp" in pod["metadata"]:
            return
        name = pod["metadata"]["name"]
        self._kubelet.stop(pod["metadata"]["namespace"], name)
        message = f"delete Pod {name} in StatefulSet {owner['metadata']['name']} successful"
        self._world.event(resources.STATEFUL_SETS, owner, "SuccessfulDelete", message, component=_COMPONENT)

    def _report(self, owner: Json, owned: list[Json]) -> None:
        status, update = owner["status"], owner["status"]["updateRevision"]
        living = [pod for pod in owned if "deletionTimestamp" not in pod["metadata"]]
        ready = [pod for pod in living if pods.is_ready(pod)]
        updated = [pod for pod in living if pod["metadata"]["labels"][revisions.HASH_LABEL] == update]
        replicas = owner["spec"]["replicas"]
        if len(updated) == replicas == len(ready) and status["currentRevision"] != update:
            status["currentRevision"] = update
        current = [
            pod for pod in living if pod["metadata"]["labels"][revisions.HASH_LABEL] == status["currentRevision"]
        ]
        status.update(
            replicas=len(living),
            readyReplicas=len(ready),
            availableReplicas=len(ready),
            currentReplicas=len(current),
            updatedReplicas=len(updated),
            observedGeneration=owner["metadata"]["generation"],
            collisionCount=0,
        )
        for key in ("readyReplicas", "currentReplicas", "updatedReplicas"):
            if not status[key]:
                del status[key]
        self._world.store.update(resources.STATEFUL_SETS, owner)


def ordinal(pod: Json) -> int:
    """Return the ordinal of a StatefulSet's pod."""
    return int(pod["metadata"]["name"].rsplit("-", 1)[1])


def stateful_pod(owner: Json, template: Json, index: int, *, revision: str, world: World, now: float) -> Json:
    """Return a new pod with this ordinal."""
    name = f"{owner['metadata']['name']}-{index}"
    labels = {
        "apps.kubernetes.io/pod-index": str(index),
        revisions.HASH_LABEL: revision,
        "statefulset.kubernetes.io/pod-name": name,
    }
    reference = pods.owner_reference("apps/v1", "StatefulSet", owner)
    pod = pods.build(
        template, owner["metadata"]["namespace"], name, owner=reference, extra_labels=labels, rng=world.rng, now=now
    )
    pod["spec"]["hostname"], pod["spec"]["subdomain"] = name, owner["spec"]["serviceName"]
    for claim in owner["spec"].get("volumeClaimTemplates", ()):
        claimed = {
            "name": claim["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": f"{claim['metadata']['name']}-{name}"},
        }
        pod["spec"]["volumes"].insert(0, claimed)
    return pod
