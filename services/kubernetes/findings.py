"""Finds what explains a workload's state: in its conditions, its pods, and the words of its events."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from services.kubernetes.podstatus import CONFIG_REASONS, IMAGE_REASONS
from services.kubernetes.rollout_status import TIMED_OUT, condition, rollout_status
from services.model.cluster import KubeEvent
from services.model.workload import ContainerState, Pod, ReplicaSetInfo, Workload

RESTARTED_LATELY = 600.0
"""A running container that restarted as often as the settings say, the last time so many seconds ago, is in trouble
though it is ready; in an unfinished rollout, which has proven nothing yet, one restart is enough."""

TELLING = frozenset({"FailedCreate", "Unhealthy", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"})
"""Reasons of Warning events that explain what no status says: refused pods of controllers without conditions, probes,
volumes, networks."""

_LOST = frozenset({"Unknown", "NodeLost"})


class Finding(Struct, frozen=True):
    """One explanation: `what` for a row, `cause` as a sentence; `blocks` when the pods concerned cannot serve.

    `counts_from` is since when (epoch seconds) pods have waited for a node, who may wait a while; 0 for all else.
    """

    what: str
    cause: str
    since: float = 0.0
    last_words: str = ""
    blocks: bool = True
    counts_from: float = 0.0


def first_finding(
    workload: Workload,
    replicasets: Sequence[ReplicaSetInfo],
    pods: Sequence[Pod],
    now: float,
    *,
    said: Sequence[KubeEvent],
    many_restarts: int,
) -> Finding | None:
    """Return what explains a workload's state best, None when nothing does; the first that applies in a fixed order.

    `pods` are those that may explain anything, `said` Warning events of late, the newest first.
    """
    explanations = (
        _refused(workload, replicasets, said),
        _pull(pods),
        _crash(pods),
        _config(pods),
        _waiting(pods, said),
        _unschedulable(pods),
        _lost(pods),
        _unready(workload, pods, said),
        _restarting(pods, now, least=many_restarts if rollout_status(workload).done else 1),
    )
    return next((one for one in explanations if one is not None), None)


def _refused(workload: Workload, replicasets: Sequence[ReplicaSetInfo], said: Sequence[KubeEvent]) -> Finding | None:
    """Quota, limits, admission: the controller is not allowed to create pods."""
    if workload.ref.kind not in ("Deployment", "Rollout"):
        # These controllers set no condition; only their events tell.
        told = next((one for one in said if one.reason == "FailedCreate" and one.about.uid == workload.ref.uid), None)
        missing = told is not None and workload.replicas < workload.desired
        return _refusal(told.message, told.first_at, told.reason) if told is not None and missing else None
    found = condition(workload, "ReplicaFailure")
    if found is None or found.status != "True":
        for replicaset in replicasets:
            found = next((one for one in replicaset.conditions if one.type == "ReplicaFailure"), None)
            if found is not None and found.status == "True" and replicaset.replicas < replicaset.desired:
                break
        else:
            return None
    return _refusal(found.message, found.changed_at, found.reason)


def _refusal(words: str, since: float, reason: str) -> Finding:
    exceeded = re.search(r"exceeded quota: (?P<name>[^,]+).*?requested: (?P<what>[\w./-]+)=", words)
    if exceeded is not None:
        what = f"quota: {exceeded['what'].removeprefix('requests.').removeprefix('limits.')} exceeded"
    elif "forbidden" in words:
        what = "pods forbidden"
    else:
        what = reason or "pods refused"
    return Finding(what, words or what, since)


def _pull(pods: Sequence[Pod]) -> Finding | None:
    bad = [pod for pod in pods if pod.status.removeprefix("Init:") in IMAGE_REASONS]
    if not bad:
        return None
    words = next((pod.trouble.message for pod in bad if pod.trouble is not None and pod.trouble.message), "")
    why = "not found" if re.search(r"not found|manifest unknown|does not exist", words) else ""
    why = why or ("denied" if re.search(r"denied|unauthorized|forbidden", words, re.IGNORECASE) else "")
    what = f"ImagePull: {why}" if why else "ImagePull fails"
    return Finding(what, f"{_count(bad)} cannot pull the image: {words or bad[0].status}", _first(bad))


def _crash(pods: Sequence[Pod]) -> Finding | None:
    bad = [pod for pod in pods if crashes(pod)]
    if not bad:
        return None
    worst = max(bad, key=lambda pod: pod.restarts)
    trouble = worst.trouble or ContainerState("")
    reason = trouble.last_reason or trouble.reason
    code = trouble.last_exit_code if trouble.last_exit_code is not None else trouble.exit_code
    times = f", x{worst.restarts}" if worst.restarts else ""
    if "OOMKilled" in (reason, worst.status, trouble.reason):
        what, ended = f"OOMKilled{times}", "killed for memory (OOMKilled)"
    elif code is not None:
        what = f"CrashLoop exit {code}{times}" if worst.restarts else f"exit {code}"
        ended = f"exit {code}" + (f" ({reason})" if reason and reason != "Error" else "")
    else:
        what, ended = f"{worst.status.removeprefix('Init:')}{times}", worst.status
    container = f" in container {trouble.name}" if trouble.name else ""
    restarts = f", {worst.restarts} restarts" if worst.restarts else ""
    words = (trouble.last_message or (trouble.message if "back-off" not in trouble.message else "")).strip()
    last = words.splitlines()[-1] if words else ""
    verb = "crash" if len(bad) > 1 else "crashes"
    return Finding(what, f"{_count(bad)} {verb}{container}: {ended}{restarts}", _first(bad), last)


def crashes(pod: Pod) -> bool:
    """Return whether a container of the pod ends when it should run."""
    status = pod.status.removeprefix("Init:")
    if status in ("CrashLoopBackOff", "Error", "OOMKilled", "ContainerCannotRun", "StartError"):
        return True
    return status.startswith(("ExitCode:", "Signal:"))


def _config(pods: Sequence[Pod]) -> Finding | None:
    bad = [pod for pod in pods if pod.status.removeprefix("Init:") in CONFIG_REASONS]
    if not bad:
        return None
    words = next((pod.trouble.message for pod in bad if pod.trouble is not None and pod.trouble.message), "")
    return Finding(
        f"config: {words or bad[0].status}", f"{_count(bad)} cannot start: {words or bad[0].status}", _first(bad)
    )


def _waiting(pods: Sequence[Pod], said: Sequence[KubeEvent]) -> Finding | None:
    """Containers that wait for a volume or a network: the status says ContainerCreating, the events say why."""
    bad = {pod.ref.uid: pod for pod in pods if pod.status.startswith(("ContainerCreating", "Init:0/", "PodInit"))}
    told = [one for one in said if one.reason in ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")]
    told = [one for one in told if one.about.uid in bad]
    if not told:
        return None
    missing = re.search(r'(?:secret|configmap|persistentvolumeclaim) "[^"]+" not found', told[0].message)
    what = "network" if told[0].reason == "FailedCreatePodSandBox" else "volume"
    concerned = [bad[uid] for uid in {one.about.uid for one in told}]
    short = missing[0] if missing else told[0].reason
    return Finding(f"{what}: {short}", f"{_count(concerned)} cannot start: {told[0].message}", _first(concerned))


def _unschedulable(pods: Sequence[Pod]) -> Finding | None:
    bad = [pod for pod in pods if pod.unschedulable]
    if not bad:
        return None
    words = bad[0].unschedulable
    nodes = re.match(r"(\d+/\d+ nodes)", words)
    short = re.search(r"Insufficient ([\w./-]+)", words)
    what = f"unschedulable: {nodes[1]}" if nodes else "unschedulable"
    if short:
        what += f", {short[1].rstrip('.')}"
    cause = f"{_count(bad)} cannot be scheduled: {words}"
    return Finding(what, cause, _first(bad), counts_from=min(pod.created_at for pod in bad))


def _lost(pods: Sequence[Pod]) -> Finding | None:
    bad = [pod for pod in pods if pod.status in _LOST]
    if not bad:
        return None
    nodes = ", ".join(sorted({pod.node for pod in bad if pod.node})[:3])
    return Finding(f"node lost: {nodes}", f"{_count(bad)} on a node that does not answer: {nodes}", _first(bad))


def _unready(workload: Workload, pods: Sequence[Pod], said: Sequence[KubeEvent]) -> Finding | None:
    """Running, but not ready, and no rollout that would explain it."""
    if workload.ready >= workload.desired or under_way(workload) or (not rollout_status(workload).done and not pods):
        return None
    bad = [pod for pod in pods if pod.status in ("Running", "NotReady") and pod.ready < pod.containers]
    if not bad:
        return None
    uids = {pod.ref.uid for pod in bad}
    told = next((one.message for one in said if one.reason == "Unhealthy" and one.about.uid in uids), "")
    kind, failed, why = told.partition(" probe failed: ")
    what = f"{workload.ready} of {workload.desired} ready"
    if failed:
        what = f"{kind.lower()} probe fails: {why.splitlines()[0][:48]}" if why else f"{kind.lower()} probe fails"
    cause = f"{_count(bad)} running but not ready: {told or 'the readiness probe fails'}"
    return Finding(
        what, cause, _first(bad) if any(pod.unready_since for pod in bad) else since_when(workload), blocks=False
    )


def _restarting(pods: Sequence[Pod], now: float, least: int) -> Finding | None:
    bad = [
        pod
        for pod in pods
        if pod.restarts >= least and pod.last_restart_at and now - pod.last_restart_at < RESTARTED_LATELY
    ]
    if not bad:
        return None
    worst = max(bad, key=lambda pod: pod.restarts)
    trouble = worst.trouble
    why = ""
    if trouble is not None and trouble.last_exit_code is not None:
        why = f", last exit {trouble.last_exit_code} {trouble.last_reason}".rstrip()
    words = (trouble.last_message if trouble is not None else "").strip().splitlines()
    last = words[-1] if words else ""
    cause = f"{_count(bad)} restarted lately, up to {worst.restarts} times{why}"
    return Finding(f"restarting, x{worst.restarts}", cause, worst.last_restart_at, last, blocks=False)


def _count(pods: Sequence[Pod]) -> str:
    return "1 pod" if len(pods) == 1 else f"{len(pods)} pods"


def _first(pods: Sequence[Pod]) -> float:
    """Return when the first of them ceased to be ready, or came without ever being it."""
    return min((pod.unready_since or pod.created_at for pod in pods if pod.created_at), default=0.0)


def since_when(workload: Workload) -> float:
    """Return when the present state began, as far as the server's own marks tell."""
    marks = []
    available = condition(workload, "Available")
    if available is not None and available.status == "False":
        marks.append(available.changed_at)
    progressing = condition(workload, "Progressing")
    if progressing is not None and progressing.status == "False":
        marks.append(progressing.changed_at)
    marks = [mark for mark in marks if mark] or [mark for mark in (workload.changed_at,) if mark]
    return min(marks, default=0.0)


def under_way(workload: Workload) -> bool:
    """Return whether a roll-out is under way that has not yet come to an end: the first one, or a new template's."""
    progressing = condition(workload, "Progressing")
    if progressing is None:
        return workload.ref.kind != "Deployment" and workload.updated < workload.desired
    return progressing.reason not in ("NewReplicaSetAvailable", TIMED_OUT)
