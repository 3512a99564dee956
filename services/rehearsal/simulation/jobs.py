"""Jobs and CronJobs: pods that end, retries with back-off, schedules and kept history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.estate.templates import suffix
from services.rehearsal.jsonic import Json, clone
from services.rehearsal.simulation import pods

if TYPE_CHECKING:
    from services.rehearsal.simulation.kubelet import Kubelet
    from services.rehearsal.simulation.world import World

_JOB_COMPONENT = "job-controller"
_CRON_COMPONENT = "cronjob-controller"
_FIRST_BACKOFF = 10.0


class JobController:
    """Runs a Job's pods until enough succeed or too many fail."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet
        self._next_try: dict[str, float] = {}

    def sync(self, namespace: str, name: str) -> None:
        """Take one Job a step on."""
        world = self._world
        job = world.store.get(resources.JOBS, namespace, name)
        if job is None or _finished(job):
            return
        owned = list(world.store.owned(resources.PODS, job["metadata"]["uid"]))
        active = [pod for pod in owned if pods.is_active(pod)]
        failed = sum(pod["status"]["phase"] == "Failed" for pod in owned)
        succeeded = sum(pod["status"]["phase"] == "Succeeded" for pod in owned)
        status = job["status"]
        status.setdefault("startTime", stamp(world.now))
        if succeeded >= job["spec"].get("completions", 1):
            self._complete(job)
        elif failed > job["spec"].get("backoffLimit", 6):
            self._fail(job)
        elif not active and not job["spec"].get("suspend"):
            self._start(job, active, failed)
        ready = sum(pods.is_ready(pod) for pod in active)
        for key, value in (("active", len(active)), ("failed", failed), ("succeeded", succeeded)):
            if value and not (key == "active" and _finished(job)):
                status[key] = value
            else:
                status.pop(key, None)
        status["ready"], status["terminating"] = ready, len(owned) - len(active) - failed - succeeded
        status.setdefault("uncountedTerminatedPods", {})
        world.store.update(resources.JOBS, job)

    def _start(self, job: Json, active: list[Json], failed: int) -> None:
        world, metadata = self._world, job["metadata"]
        if failed:
            due = self._next_try.setdefault(
                f"{metadata['uid']}/{failed}", world.now + _FIRST_BACKOFF * 2 ** (failed - 1)
            )
            if world.now < due:
                world.enqueue("Job", metadata["namespace"], metadata["name"], due - world.now)
                return
        pod = job_pod(job, world, world.now)
        world.store.create(resources.PODS, pod)
        active.append(pod)
        world.event(
            resources.JOBS, job, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}", component=_JOB_COMPONENT
        )

    def _complete(self, job: Json) -> None:
        moment = stamp(self._world.now)
        job["status"]["completionTime"] = moment
        message = "Reached expected number of succeeded pods"
        for kind in ("SuccessCriteriaMet", "Complete"):
            _add_condition(job, kind, "CompletionsReached", message, moment)
        self._world.event(resources.JOBS, job, "Completed", "Job completed", component=_JOB_COMPONENT)

    def _fail(self, job: Json) -> None:
        moment = stamp(self._world.now)
        message = "Job has reached the specified backoff limit"
        for kind in ("FailureTarget", "Failed"):
            _add_condition(job, kind, "BackoffLimitExceeded", message, moment)
        self._world.warn(resources.JOBS, job, "BackoffLimitExceeded", message, component=_JOB_COMPONENT)


class CronJobController:
    """Starts a Job each time its schedule comes round."""

    def __init__(self, world: World) -> None:
        self._world = world

    def sync(self, namespace: str, name: str) -> None:
        """Start what is due and plan the next look."""
        world = self._world
        cron = world.store.get(resources.CRON_JOBS, namespace, name)
        if cron is None:
            return
        period = period_of(cron["spec"]["schedule"])
        slot = int(world.now // period * period)
        last = cron["status"].get("lastScheduleTime", "")
        if last < stamp(slot) and not cron["spec"].get("suspend"):
            job = job_of(cron, slot)
            if world.store.get(resources.JOBS, namespace, job["metadata"]["name"]) is None:
                job["metadata"]["uid"] = world.new_uid()
                complete_spec(job)
                world.store.create(resources.JOBS, job)
                world.event(
                    resources.CRON_JOBS,
                    cron,
                    "SuccessfulCreate",
                    f"Created job {job['metadata']['name']}",
                    component=_CRON_COMPONENT,
                )
            cron["status"]["lastScheduleTime"] = stamp(slot)
        self._tidy(cron)
        world.store.update(resources.CRON_JOBS, cron)
        world.enqueue("CronJob", namespace, name, slot + period - world.now + 0.2)

    def _tidy(self, cron: Json) -> None:
        """Update what is active and delete the oldest finished Jobs beyond the limits."""
        store = self._world.store
        owned = sorted(store.owned(resources.JOBS, cron["metadata"]["uid"]), key=_age_order)
        active = [job for job in owned if not _finished(job)]
        references = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": job["metadata"]["name"],
                "namespace": job["metadata"]["namespace"],
                "uid": job["metadata"]["uid"],
                "resourceVersion": job["metadata"]["resourceVersion"],
            }
            for job in active
        ]
        if references:
            cron["status"]["active"] = references
        else:
            cron["status"].pop("active", None)
        for word, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
            done = [job for job in owned if _finished(job) == word]
            if done and word == "Complete":
                cron["status"]["lastSuccessfulTime"] = done[-1]["status"]["completionTime"]
            for job in done[: max(0, len(done) - cron["spec"][limit])]:
                self._remove(job)

    def _remove(self, job: Json) -> None:
        store, metadata = self._world.store, job["metadata"]
        for pod in list(store.owned(resources.PODS, metadata["uid"])):
            store.delete(resources.PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
        store.delete(resources.JOBS, metadata["namespace"], metadata["name"])


def period_of(schedule: str) -> int:
    """Return the seconds between two runs: of a `*/N * * * *` schedule exactly, an hour or a day for others."""
    minute, hour, *_ = [*schedule.split(), "", ""]
    if minute.startswith("*/") and minute[2:].isdecimal() and int(minute[2:]):
        return int(minute[2:]) * 60
    if minute == "*":
        return 60
    return 86_400 if hour.isdecimal() or schedule in {"@daily", "@midnight"} else 3600


def job_of(cron: Json, slot: int) -> Json:
    """Return the Job of one scheduled time."""
    metadata = cron["metadata"]
    template = clone(cron["spec"]["jobTemplate"])
    job: Json = {
        "metadata": {
            "name": f"{metadata['name']}-{slot // 60}",
            "namespace": metadata["namespace"],
            "generation": 1,
            "labels": template["metadata"].get("labels", {}),
            "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": stamp(slot)},
            "ownerReferences": [pods.owner_reference("batch/v1", "CronJob", cron)],
        },
        "spec": template["spec"],
        "status": {},
    }
    return job


def complete_spec(job: Json) -> None:
    """Fill in what the server adds to a Job's spec: selector and labels by its uid."""
    labels = {
        "batch.kubernetes.io/controller-uid": job["metadata"]["uid"],
        "batch.kubernetes.io/job-name": job["metadata"]["name"],
    }
    for key, value in (("parallelism", 1), ("completions", 1), ("backoffLimit", 6)):
        job["spec"].setdefault(key, value)
    job["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}}
    job["spec"]["template"]["metadata"].setdefault("labels", {}).update(labels)


def job_pod(job: Json, world: World, now: float) -> Json:
    """Return a new pod of a Job."""
    metadata = job["metadata"]
    labels = {"batch.kubernetes.io/controller-uid": metadata["uid"], "batch.kubernetes.io/job-name": metadata["name"]}
    name = f"{metadata['name']}-{suffix(world.rng)}"
    owner = pods.owner_reference("batch/v1", "Job", job)
    return pods.build(
        job["spec"]["template"], metadata["namespace"], name, owner=owner, extra_labels=labels, rng=world.rng, now=now
    )


def _add_condition(job: Json, kind: str, reason: str, message: str, moment: str) -> None:
    job["status"].setdefault("conditions", []).append(
        {
            "type": kind,
            "status": "True",
            "lastProbeTime": moment,
            "lastTransitionTime": moment,
            "reason": reason,
            "message": message,
        }
    )


def _finished(job: Json) -> str:
    for one in job["status"].get("conditions", ()):
        if one["type"] in {"Complete", "Failed"} and one["status"] == "True":
            return str(one["type"])
    return ""


def _age_order(job: Json) -> tuple[str, str]:
    return job["metadata"]["creationTimestamp"], job["metadata"]["name"]
