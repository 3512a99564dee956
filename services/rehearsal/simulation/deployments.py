"""The Deployment controller: rolling updates within surge and unavailability, revisions, conditions and the deadline.

Follows kubernetes pkg/controller/deployment (rolling.go, recreate.go, sync.go, progress.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.estate.templates import template_hash
from services.rehearsal.jsonic import Json, clone
from services.rehearsal.simulation import managed, pods
from services.rehearsal.simulation.deployment_status import report
from services.rehearsal.simulation.sameness import same_template
from services.rehearsal.simulation.strategy import limits

if TYPE_CHECKING:
    from services.rehearsal.simulation.world import World

_COMPONENT = "deployment-controller"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
}
HASH_LABEL = "pod-template-hash"


@dataclass(slots=True)
class Family:
    """A Deployment with its ReplicaSets, which are only looked at; `new` carries the present template."""

    deployment: Json
    new: Json | None
    old: list[Json]

    @property
    def all(self) -> list[Json]:
        """Return every ReplicaSet."""
        return [*self.old, self.new] if self.new else list(self.old)

    def replace(self, changed: Json) -> None:
        """Put a changed ReplicaSet in the place of the one that was looked at."""
        name = changed["metadata"]["name"]
        if self.new is not None and self.new["metadata"]["name"] == name:
            self.new = changed
        self.old = [changed if one["metadata"]["name"] == name else one for one in self.old]

    @property
    def replicas(self) -> int:
        """Return the replicas that the Deployment wants."""
        return int(self.deployment["spec"]["replicas"])


class DeploymentController:
    """Moves Deployments from one ReplicaSet to the next."""

    def __init__(self, world: World) -> None:
        self._world = world

    def sync(self, namespace: str, name: str) -> None:
        """Take one Deployment a step on."""
        deployment = self._world.store.get(resources.DEPLOYMENTS, namespace, name)
        if deployment is None:
            return
        family = self._family(deployment)
        paused = deployment["spec"].get("paused", False)
        created = ""
        if not paused:
            if deployment["spec"]["strategy"]["type"] == "Recreate":
                created = self._recreate(family)
            else:
                created = self._roll(family)
            self._clean_up(family)
        else:
            self._resize(family)
        report(self._world, family.deployment, family.new, family.all, created)

    def _family(self, deployment: Json) -> Family:
        owned = list(self._world.store.owned(resources.REPLICA_SETS, deployment["metadata"]["uid"]))
        owned.sort(key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))
        template = deployment["spec"]["template"]
        wanted = template_hash(template)
        new = next((one for one in owned if one["metadata"]["labels"].get(HASH_LABEL) == wanted), None)
        if new is None:
            new = next((one for one in owned if same_template(one["spec"]["template"], template, HASH_LABEL)), None)
        return Family(deployment, new, [one for one in owned if one is not new])

    def _ensure_new(self, family: Family) -> str:
        """Make the new ReplicaSet or give the old one of this template the next revision; return the name if made."""
        world, deployment = self._world, family.deployment
        newest = max((revision(one) for one in family.old), default=0)
        made = ""
        if family.new is None:
            new = world.store.create(resources.REPLICA_SETS, replica_set(deployment, world.now))
            made = new["metadata"]["name"]
        else:
            new = clone(family.new)
        annotations = new["metadata"]["annotations"]
        if made:
            annotations[REVISION] = str(newest + 1)
        elif revision(new) <= newest:
            past = annotations.get(REVISION_HISTORY, "")
            before = annotations.get(REVISION, "")
            annotations[REVISION_HISTORY] = f"{past},{before}" if past else before
            annotations[REVISION] = str(newest + 1)
        copied = {k: v for k, v in deployment["metadata"].get("annotations", {}).items() if k not in NOT_COPIED}
        annotations.update(copied)
        world.store.update(resources.REPLICA_SETS, new)
        family.new = new
        deployment["metadata"].setdefault("annotations", {})[REVISION] = annotations[REVISION]
        return made

    def _recreate(self, family: Family) -> str:
        for old in family.old:
            self._scale(family, old, 0)
        living = [
            pod
            for old in family.old
            for pod in self._world.store.owned_entries(resources.PODS, old["metadata"]["uid"])
            if pod.fields["status.phase"] not in {"Succeeded", "Failed"}
        ]
        if living:
            metadata = family.deployment["metadata"]
            self._world.enqueue("Deployment", metadata["namespace"], metadata["name"], 0.5)
            return ""
        created = self._ensure_new(family)
        if family.new is not None:
            self._scale(family, family.new, family.replicas)
        return created

    def _roll(self, family: Family) -> str:
        created = self._ensure_new(family)
        if family.new is None:
            return created
        surge, unavailable = limits(family.deployment)
        room = family.replicas + surge - sum(wanted(one) for one in family.all)
        lacking = family.replicas - wanted(family.new)
        if lacking > 0 and room > 0:
            self._scale(family, family.new, wanted(family.new) + min(lacking, room))
        elif lacking < 0:
            self._scale(family, family.new, family.replicas)
        else:
            self._shrink_old(family, family.replicas - unavailable)
        return created

    def _resize(self, family: Family) -> None:
        """Scale without rolling: the only ReplicaSet in use, or all in use by their share (sync.go, scale)."""
        used = [one for one in family.all if wanted(one)]
        if len(used) < 2:
            only = used[0] if used else family.new or max(family.old, key=revision, default=None)
            if only is not None:
                self._scale(family, only, family.replicas)
            return
        surge, _ = limits(family.deployment)
        total = sum(wanted(one) for one in used)
        asked = {one["metadata"]["annotations"].get(DESIRED) for one in used}
        if asked == {str(family.replicas)}:
            return
        left = (family.replicas + surge if family.replicas else 0) - total
        for one in sorted(used, key=wanted, reverse=True):
            share = max(-wanted(one), round(wanted(one) * left / total))
            left, total = left - share, total - wanted(one)
            self._scale(family, one, wanted(one) + share)

    def _shrink_old(self, family: Family, fewest: int) -> None:
        """Scale old ReplicaSets down while `fewest` pods stay available, broken pods first."""
        if family.new is None or not any(wanted(one) for one in family.old):
            return
        total = sum(wanted(one) for one in family.all)
        spare = total - fewest - (wanted(family.new) - available(family.new))
        if spare <= 0:
            return
        for old in family.old:
            broken = min(spare, wanted(old) - available(old))
            if broken > 0:
                self._scale(family, old, wanted(old) - broken)
                spare -= broken
        spare = min(spare, sum(available(one) for one in family.all) - fewest)
        for old in family.old:
            fewer = min(spare, wanted(old))
            if fewer > 0:
                self._scale(family, old, wanted(old) - fewer)
                spare -= fewer

    def _scale(self, family: Family, target: Json, replicas: int) -> None:
        before = wanted(target)
        surge, _ = limits(family.deployment)
        sizes = {DESIRED: str(family.replicas), MAXIMUM: str(family.replicas + surge)}
        if before == replicas and sizes.items() <= target["metadata"]["annotations"].items():
            return
        target = clone(target)
        target["metadata"]["annotations"].update(sizes)
        if before != replicas:
            target["spec"]["replicas"] = replicas
            target["metadata"]["generation"] += 1
        self._world.store.update(resources.REPLICA_SETS, target)
        family.replace(target)
        if before != replicas:
            way = "up" if replicas > before else "down"
            message = f"Scaled {way} replica set {target['metadata']['name']} from {before} to {replicas}"
            self._world.event(
                resources.DEPLOYMENTS, family.deployment, "ScalingReplicaSet", message, component=_COMPONENT
            )

    def _clean_up(self, family: Family) -> None:
        """Delete the oldest idle ReplicaSets beyond the history limit."""
        limit = family.deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [one for one in family.old if not wanted(one) and not one["status"].get("replicas")]
        for one in sorted(idle, key=revision)[: max(0, len(family.old) - limit)]:
            self._world.store.delete(resources.REPLICA_SETS, one["metadata"]["namespace"], one["metadata"]["name"])
            family.old.remove(one)


def replica_set(deployment: Json, now: float) -> Json:
    """Return the new ReplicaSet of a Deployment's present template, with no replicas yet."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    hashed = template_hash(spec["template"])
    template = clone(spec["template"])
    template["metadata"]["labels"][HASH_LABEL] = hashed
    return {
        "metadata": {
            "name": f"{metadata['name']}-{hashed}",
            "namespace": metadata["namespace"],
            "generation": 1,
            "creationTimestamp": stamp(now),
            "labels": dict(template["metadata"]["labels"]),
            "annotations": {},
            "ownerReferences": [pods.owner_reference("apps/v1", "Deployment", deployment)],
            "managedFields": [
                managed.entry(
                    "kube-controller-manager",
                    stamp(now),
                    {"f:spec": {"f:template": managed.template_fields(spec["template"])}},
                    "apps/v1",
                )
            ],
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {**spec["selector"]["matchLabels"], HASH_LABEL: hashed}},
            "template": template,
            **({"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}),
        },
        "status": {"replicas": 0},
    }


def revision(replica_set: Json) -> int:
    """Return the revision of a ReplicaSet, 0 when it has none."""
    return int(replica_set["metadata"].get("annotations", {}).get(REVISION, 0))


def wanted(replica_set: Json) -> int:
    """Return spec.replicas."""
    return int(replica_set["spec"]["replicas"])


def available(replica_set: Json) -> int:
    """Return status.availableReplicas."""
    return int(replica_set["status"].get("availableReplicas", 0))
