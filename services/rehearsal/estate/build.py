"""Fills a world with an estate at rest: everything runs, with weeks of history behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.columns.registry import print_row
from services.rehearsal.estate import objects, templates
from services.rehearsal.estate.furniture import Furnisher
from services.rehearsal.jsonic import Json
from services.rehearsal.simulation import daemonsets, deployments, jobs, pods, revisions, statefulsets
from services.rehearsal.simulation.behaviour import Behaviour, Conduct
from services.rehearsal.simulation.capacity import Room
from services.rehearsal.simulation.strategy import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.estate.blueprint import App, Blueprint, Release
    from services.rehearsal.hostile import Hostility
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

_DAY = 86400.0
_SYSTEM = ("default", "kube-node-lease", "kube-public", "kube-system", "monitoring")
_OLDEST_POD = 21 * _DAY


class Builder:
    """Builds one estate; the world's present is the moment at which it is at rest."""

    def __init__(self, world: World, kubelet: Kubelet, plan: Blueprint, hostility: Hostility) -> None:
        self._world = world
        self._kubelet = kubelet
        self._plan = plan
        self._rng = plan.rng("build")
        self._start = world.now
        self._born = world.now - 210 * _DAY
        self._turn = 0
        self._hostility = hostility
        self._nodes = [one.name for one in plan.nodes]

    def build(self) -> None:
        """Create everything."""
        for name in (*_SYSTEM, *self._plan.namespaces):
            team = self._plan.teams.get(name, "")
            self._world.store.create(resources.NAMESPACES, objects.namespace(name, self._born, team))
        for one in self._plan.nodes:
            self._node(one.name)
        makers: dict[str, Callable[[App], None]] = {
            "DaemonSet": self._daemon_set,
            "StatefulSet": self._stateful_set,
            "Deployment": self._deployment,
            "CronJob": self._cron_job,
        }
        for app in self._plan.apps:
            self._behave(app)
            makers[app.kind](app)
        furnisher = Furnisher(self._world, self._plan)
        furnisher.furnish()
        self.custom = furnisher.custom

    def _node(self, name: str) -> None:
        plan = next(one for one in self._plan.nodes if one.name == name)
        created = self._born + self._rng.uniform(0, 150 * _DAY)
        self._world.capacity.rooms[name] = Room(plan.cpu - 100, plan.memory - 1024, plan.pods, plan.address)
        node = self._world.store.create(resources.NODES, objects.node(plan, created, self._start))
        lease = objects.lease(name, created, self._start, node["metadata"]["uid"])
        self._world.store.create(resources.LEASES, lease)

    def _behave(self, app: App) -> None:
        conduct: Conduct = "completes" if app.kind in {"CronJob", "Job"} else "serves"
        runs_for = self._rng.uniform(5, 25)
        self._world.behaviours.habit(app.image, Behaviour(conduct, ready_after=app.ready_after, runs_for=runs_for))
        if app.sidecar:
            self._world.behaviours.habit(app.sidecar.rsplit(":", 1)[0], Behaviour(ready_after=2.0))

    def _seat(self, uid: str, owner: str, app: App) -> str:
        """Give a pod at rest a node, in turn."""
        cpu = app.cpu + (20 if app.sidecar else 0)
        memory = app.memory + (32 if app.sidecar else 0)
        for _ in self._nodes:
            self._turn = (self._turn + 1) % len(self._nodes)
            name = self._nodes[self._turn]
            if not self._world.capacity.rooms[name].lacks(cpu, memory):
                self._world.capacity.take(uid, owner, name, cpu, memory)
                return name
        raise RuntimeError(f"the estate's nodes have no room for {app.namespace}/{app.name}")

    def _run(self, pod: Json, app: App, created: float, node: str) -> None:
        """Give a new pod the status of one that has run since `created` and store it."""
        now = created + 1.5
        pod["spec"]["nodeName"] = node
        conditions = pod["status"].setdefault("conditions", [])
        pods.set_condition(conditions, "PodScheduled", "True", created)
        self._kubelet.settle(pod, node, now)
        pods.start_containers(pod, self._rng, now)
        for status in pod["status"]["containerStatuses"]:
            status["ready"] = True
            self._kubelet.images.preload(node, status["image"])
        if self._rng.random() < 0.04:
            self._past_restarts(pod["status"]["containerStatuses"][0], created)
        pods.refresh(pod, now + app.ready_after)
        self._hostility.annotate(pod, len(self._world.store.collection(resources.PODS).entries))
        self._world.store.create(resources.PODS, pod)
        self._world.store.print_ahead(resources.PODS, pod, print_row(resources.PODS, pod))

    def _past_restarts(self, status: Json, created: float) -> None:
        latest = self._rng.uniform(created, self._start - 3600)
        status["state"] = {"running": {"startedAt": stamp(max(created, latest - self._rng.uniform(600, 3600)))}}
        code, reason = self._rng.choice(((137, "OOMKilled"), (1, "Error"), (143, "Error")))
        status["lastState"] = {"terminated": pods.terminate(status, code, reason, max(created + 60, latest))}
        status["restartCount"] = self._rng.randint(1, 3)
        pods.run_container(status, self._rng, max(created + 61, latest + 1))
        status["ready"] = True

    def _pod_age(self, release: Release) -> float:
        since = min(release.age, _OLDEST_POD)
        moved = self._rng.random() < 0.4
        return max(600.0, since * (self._rng.uniform(0.05, 1.0) if moved else self._rng.uniform(0.99, 1.0)))

    def _deployment(self, app: App) -> None:
        store = self._world.store
        made = objects.deployment(app, app.current, self._start)
        self._hostility.annotate(made, len(self._world.store.collection(resources.DEPLOYMENTS).entries))
        deployment = store.create(resources.DEPLOYMENTS, made)
        newest: Json = {}
        for release in app.releases:
            template = templates.template(app, app.image_of(release.tag))
            past = {**deployment, "spec": {**deployment["spec"], "template": template}}
            newest = deployments.replica_set(past, self._start - release.age)
            surge = limits(deployment)[0]
            newest["metadata"]["annotations"] = {
                deployments.REVISION: str(release.revision),
                deployments.DESIRED: str(app.replicas),
                deployments.MAXIMUM: str(app.replicas + surge),
                objects.CAUSE: release.cause,
            }
            newest["metadata"]["generation"] = 3
            newest["status"] = {"replicas": 0, "observedGeneration": 3, "terminatingReplicas": 0}
            if release is app.current:
                newest["metadata"]["generation"] = 1
                newest["spec"]["replicas"] = app.replicas
                counts = dict.fromkeys(
                    ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"), app.replicas
                )
                newest["status"] = {**counts, "observedGeneration": 1, "terminatingReplicas": 0}
            newest = store.create(resources.REPLICA_SETS, newest)
        self._replicas(app, newest)
        deployment["metadata"]["annotations"][deployments.REVISION] = str(app.current.revision)
        deployment["status"] = _resting_status(app, deployment, newest, self._start)
        store.update(resources.DEPLOYMENTS, deployment)

    def _replicas(self, app: App, replica_set: Json) -> None:
        owner = pods.owner_reference("apps/v1", "ReplicaSet", replica_set)
        template = replica_set["spec"]["template"]
        rng = self._rng
        for _ in range(app.replicas):
            created = self._start - self._pod_age(app.current)
            name = f"{replica_set['metadata']['name']}-{templates.suffix(rng)}"
            pod = pods.build(template, app.namespace, name, owner=owner, extra_labels={}, rng=rng, now=created)
            pod["metadata"]["uid"] = self._world.new_uid()
            self._run(pod, app, created, self._seat(pod["metadata"]["uid"], owner["uid"], app))

    def _history(self, app: App, resource: resources.Resource, owner: Json) -> str:
        """Create the ControllerRevisions of all releases; return the name of the last."""
        name = ""
        for release in app.releases:
            template = templates.template(app, app.image_of(release.tag))
            metadata = {**owner["metadata"], "annotations": {objects.CAUSE: release.cause}}
            past = {"metadata": metadata, "spec": {"template": template}}
            made = revisions.build(resource, past, release.revision, self._start - release.age)
            name = self._world.store.create(resources.CONTROLLER_REVISIONS, made)["metadata"]["name"]
        return name

    def _stateful_set(self, app: App) -> None:
        store = self._world.store
        owner = store.create(resources.STATEFUL_SETS, objects.stateful_set(app, app.current, self._start))
        revision = self._history(app, resources.STATEFUL_SETS, owner)
        template = owner["spec"]["template"]
        for index in range(app.replicas):
            created = self._start - self._pod_age(app.current) + index * 30
            pod = statefulsets.stateful_pod(owner, template, index, revision=revision, world=self._world, now=created)
            pod["metadata"]["uid"] = self._world.new_uid()
            self._run(pod, app, created, self._seat(pod["metadata"]["uid"], owner["metadata"]["uid"], app))
        counts = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas")
        owner["status"] = {
            **dict.fromkeys(counts, app.replicas),
            "currentRevision": revision,
            "updateRevision": revision,
            "collisionCount": 0,
            "observedGeneration": owner["metadata"]["generation"],
        }
        store.update(resources.STATEFUL_SETS, owner)

    def _daemon_set(self, app: App) -> None:
        store = self._world.store
        owner = store.create(resources.DAEMON_SETS, objects.daemon_set(app, app.current, self._start))
        revision = self._history(app, resources.DAEMON_SETS, owner).rsplit("-", 1)[1]
        for node in self._nodes:
            created = self._start - self._pod_age(app.current)
            pod = daemonsets.daemon_pod(owner, node, revision, self._world, created)
            pod["metadata"]["uid"] = self._world.new_uid()
            self._world.capacity.take(pod["metadata"]["uid"], owner["metadata"]["uid"], node, app.cpu, app.memory)
            self._run(pod, app, created, node)
        count = len(self._nodes)
        counts = (
            "currentNumberScheduled",
            "desiredNumberScheduled",
            "numberReady",
            "numberAvailable",
            "updatedNumberScheduled",
        )
        observed = owner["metadata"]["generation"]
        owner["status"] = {**dict.fromkeys(counts, count), "numberMisscheduled": 0, "observedGeneration": observed}
        store.update(resources.DAEMON_SETS, owner)

    def _cron_job(self, app: App) -> None:
        cron = self._world.store.create(resources.CRON_JOBS, objects.cron_job(app, app.current, self._start))
        period = jobs.period_of(app.schedule)
        slot = int(self._start // period * period)
        for past in range(cron["spec"]["successfulJobsHistoryLimit"], 0, -1):
            self._past_job(cron, slot - (past - 1) * period)
        cron["status"] = {"lastScheduleTime": stamp(slot), "lastSuccessfulTime": stamp(slot + 20)}
        self._world.store.update(resources.CRON_JOBS, cron)

    def _past_job(self, cron: Json, slot: int) -> None:
        job = jobs.job_of(cron, slot)
        created, ended = float(slot), min(slot + 20.0, self._start)
        job["metadata"]["uid"] = self._world.new_uid()
        job["metadata"]["creationTimestamp"] = stamp(created)
        jobs.complete_spec(job)
        conditions = [
            {
                "type": kind,
                "status": "True",
                "lastProbeTime": stamp(ended),
                "lastTransitionTime": stamp(ended),
                "reason": "CompletionsReached",
                "message": "Reached expected number of succeeded pods",
            }
            for kind in ("SuccessCriteriaMet", "Complete")
        ]
        job["status"] = {
            "startTime": stamp(created),
            "completionTime": stamp(ended),
            "conditions": conditions,
            "succeeded": 1,
            "ready": 0,
            "terminating": 0,
            "uncountedTerminatedPods": {},
        }
        job = self._world.store.create(resources.JOBS, job)
        pod = jobs.job_pod(job, self._world, created)
        pod["metadata"]["uid"] = self._world.new_uid()
        node = self._rng.choice(self._nodes)
        pod["spec"]["nodeName"] = node
        pods.set_condition(pod["status"].setdefault("conditions", []), "PodScheduled", "True", created)
        self._kubelet.settle(pod, node, created + 1)
        pods.start_containers(pod, self._rng, created + 1)
        for status in pod["status"]["containerStatuses"]:
            pods.terminate(status, 0, "Completed", ended)
        pods.refresh(pod, ended)
        self._world.store.create(resources.PODS, pod)


def _resting_status(app: App, deployment: Json, newest: Json, start: float) -> Json:
    done = start - app.current.age + 30 + app.ready_after * app.replicas
    first = start - app.releases[0].age
    message = f'ReplicaSet "{newest["metadata"]["name"]}" has successfully progressed.'
    rows = (
        ("Available", "MinimumReplicasAvailable", "Deployment has minimum availability.", first + 40, first + 40),
        ("Progressing", "NewReplicaSetAvailable", message, done, first),
    )
    conditions = [
        {
            "type": kind,
            "status": "True",
            "lastUpdateTime": stamp(min(updated, start)),
            "lastTransitionTime": stamp(changed),
            "reason": reason,
            "message": text,
        }
        for kind, reason, text, updated, changed in rows
    ]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), app.replicas)
    observed = deployment["metadata"]["generation"]
    return {**counts, "terminatingReplicas": 0, "observedGeneration": observed, "conditions": conditions}
