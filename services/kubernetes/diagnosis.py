"""Explains a workload: how bad it is, what stalls it, since when, in the words an operator would use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.config_schema import RolloutSettings
from services.kubernetes.decode_workloads import revision_number
from services.kubernetes.findings import Finding, first_finding, since_when, under_way
from services.kubernetes.rollout_status import TIMED_OUT, condition, rollout_status
from services.model.cluster import KubeEvent
from services.model.severity import Severity
from services.model.workload import Pod, ReplicaSetInfo, Rollout, Workload

NO_DEADLINE = 2**31 - 1
"""`progressDeadlineSeconds` that means "none" (math.MaxInt32)."""

DEFAULTS = RolloutSettings()

SAID_LATELY = 900.0
"""Seconds a Warning event goes on explaining; the kubelet and the controllers repeat theirs more often."""


def diagnose(
    workload: Workload,
    replicasets: Sequence[ReplicaSetInfo],
    pods: Sequence[Pod],
    now: float,
    *,
    warnings: Iterable[KubeEvent] = (),
    settings: RolloutSettings = DEFAULTS,
) -> Rollout:
    """Return one row of the rollouts table. `replicasets` and `pods` are those the workload owns; either may be empty.

    `warnings` are Warning events about the workload or its pods; only `TELLING` ones of late are listened to.

    ======== ==============================================================================
    CRIT     nothing is ready though something should be, other than in a young rollout that
             is within its deadline and has no failing pod; the progress deadline has passed;
             or fewer are available than wanted less a quarter, and pods fail or are refused
    WARN     any other failing, refused or lost pod; a pod that has had no node for
             `pending_seconds`; fewer ready than wanted outside a rollout; a container that
             restarted `restarts` times and again lately
    NOTICE   a rollout on its way; paused
    OK       all else, also what is scaled to nothing
    ======== ==============================================================================

    The order of explanation: quota and admission, image pull, crash, configuration, volumes and network,
    unschedulable, lost node, readiness, deadline. A pod that has failed as a whole (evicted, its node shut down)
    explains nothing once others are ready in its place: it may lie there for days.
    """
    status = rollout_status(workload)
    said = sorted((one for one in warnings if now - one.at < SAID_LATELY), key=lambda one: one.at, reverse=True)
    replaced = workload.ready >= workload.desired
    suspects = [pod for pod in pods if _suspect(pod) and not (replaced and pod.phase == "Failed")]
    finding = first_finding(workload, replicasets, suspects, now, said=said, many_restarts=settings.restarts)
    stalled = _stalled(workload)
    counted = finding if finding is None or now >= finding.counts_from + settings.pending_seconds else None
    severity = _severity(workload, counted, status.done, stalled, _failing(suspects))
    previous = _previous(workload, replicasets)
    what, cause, since = _words(workload, finding, status.done, stalled, severity)
    return Rollout(
        workload,
        severity,
        status.text or status.error,
        status.done,
        what=what,
        cause=cause,
        last_words=finding.last_words if finding is not None else "",
        deadline_at=_deadline(workload, status.done),
        stalled=stalled,
        since=since,
        revision=revision_number(workload.revision),
        previous_revision=previous.revision if previous is not None else 0,
        previous_images=previous.images if previous is not None else (),
        restarts=sum(pod.restarts for pod in suspects),
    )


def _suspect(pod: Pod) -> bool:
    """Return whether a pod may explain anything: most may not, and are looked at once."""
    if pod.severity is not Severity.OK or pod.restarts or pod.ready < pod.containers:
        return True
    return bool(pod.unschedulable or pod.unready_since)


def _severity(workload: Workload, finding: Finding | None, done: bool, stalled: bool, failing: bool) -> Severity:
    wanted, available = workload.desired, workload.available
    if wanted == 0:
        return Severity.NOTICE if workload.paused else Severity.OK
    if stalled:
        return Severity.CRIT
    blocked = finding is not None and finding.blocks
    if workload.ready == 0:
        young = not done and not failing and not blocked and under_way(workload)
        return Severity.NOTICE if young else Severity.CRIT
    if blocked:
        return Severity.CRIT if available < wanted - wanted // 4 else Severity.WARN
    if finding is not None:
        return Severity.WARN
    if workload.ready < wanted and done:
        return Severity.WARN
    return Severity.OK if done and not workload.paused else Severity.NOTICE


def _words(
    workload: Workload, finding: Finding | None, done: bool, stalled: bool, severity: Severity
) -> tuple[str, str, float]:
    if workload.desired == 0:
        return "scaled to 0", "", 0.0
    if finding is not None:
        cause = finding.cause
        if stalled:
            cause = f"{cause}; the progress deadline has passed"
        return finding.what, cause, finding.since or since_when(workload)
    if stalled:
        return "stalled: deadline passed", "the progress deadline has passed; no pod says why", since_when(workload)
    if workload.paused:
        return "paused", "the rollout is paused", 0.0
    if not done:
        return _on_its_way(workload), "", since_when(workload)
    if workload.ready < workload.desired:
        return f"{workload.ready} of {workload.desired} ready", "", since_when(workload)
    return "", "", since_when(workload) if severity < Severity.OK else 0.0


def _on_its_way(workload: Workload) -> str:
    if workload.generation > workload.observed_generation:
        return "waiting to be observed"
    if workload.updated < workload.desired:
        return f"updating {workload.updated} of {workload.desired}"
    if workload.replicas > workload.updated:
        return f"{workload.replicas - workload.updated} old terminating"
    return f"{workload.available} of {workload.desired} available"


def _stalled(workload: Workload) -> bool:
    progressing = condition(workload, "Progressing")
    return progressing is not None and progressing.reason == TIMED_OUT


def _deadline(workload: Workload, done: bool) -> float:
    """Return when the progress deadline runs out: lastUpdateTime + progressDeadlineSeconds (progress.go)."""
    progressing = condition(workload, "Progressing")
    seconds = workload.progress_deadline
    if done or workload.paused or progressing is None or not 0 < seconds < NO_DEADLINE:
        return 0.0
    if progressing.reason in ("NewReplicaSetAvailable", TIMED_OUT):
        return 0.0
    return (progressing.updated_at or progressing.changed_at) + seconds


def _previous(workload: Workload, replicasets: Sequence[ReplicaSetInfo]) -> ReplicaSetInfo | None:
    current = revision_number(workload.revision)
    older = [one for one in replicasets if 0 < one.revision < current]
    return max(older, key=lambda one: one.revision, default=None)


def _failing(pods: Iterable[Pod]) -> bool:
    return any(pod.severity is Severity.CRIT for pod in pods)
