"""Says what happened, as timeline events whose ids any console gives that sees the same cluster."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from services.kubernetes.decode_workloads import revision_number
from services.kubernetes.rollout_status import condition
from services.model.cluster import Job, Node
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind, event_id
from services.model.workload import ReplicaSetInfo, Rollout, Workload

SOURCE = "kubernetes"
BACKFILL = 86400.0
"""Seconds back for which revisions are put on the timeline when they are first seen."""

COMPLETE = "NewReplicaSetAvailable"
_CONTROLLER = "kube-controller-manager"
_TROUBLE = Severity.WARN


def revision_events(
    revision: ReplicaSetInfo, siblings: Iterable[ReplicaSetInfo], workload: Workload | None, seen_at: float, live: bool
) -> list[Event]:
    """Return what a ReplicaSet tells of its Deployment's rollouts: when its number began, and that of its old numbers.

    The number names the rollout, so that a watch and a backfill give one id. A set that was rolled back to keeps its
    first creation time; its new number began when the template was written, which is known only for the current
    revision or when it is seen to happen (`live`). What is older than `BACKFILL` is left out.
    """
    if revision.owner is None or not revision.revision:
        return []
    older = _numbers(revision)
    began = {min(older): revision.created_at} if older else {revision.revision: revision.created_at}
    if older:
        began[revision.revision] = _chosen_again_at(revision, workload, seen_at, live)
    images = {number: one.images for one in siblings for number in (one.revision, *_numbers(one)) if number}
    about = structs.replace(revision.ref, kind="Deployment", name=revision.owner.name, uid=revision.owner.uid)
    events = []
    for number, at in began.items():
        if not at or seen_at - at > BACKFILL:
            continue
        before = images.get(max((one for one in images if one < number), default=0), ())
        was = f" (was {max(older)})" if older and number == revision.revision else ""
        text = f"rev {number}{was}  {change_of(before, revision.images)}".strip()
        events.append(_event(about, EventKind.ROLLOUT, text, "revision", str(number), at, seen_at))
    return events


def _numbers(revision: ReplicaSetInfo) -> list[int]:
    found = [revision_number(part.strip()) for part in revision.revision_history.split(",")]
    return [number for number in found if number]


def _chosen_again_at(revision: ReplicaSetInfo, workload: Workload | None, seen_at: float, live: bool) -> float:
    written = workload.changed_at if workload is not None and workload.changed_by != _CONTROLLER else 0.0
    if live:
        return written if 0 <= seen_at - written < 600 else seen_at
    current = workload is not None and revision_number(workload.revision) == revision.revision
    return written if current else 0.0


def template_events(before: Workload, now: Workload, seen_at: float) -> list[Event]:
    """Return the scaling and, for kinds without ReplicaSets, the new template that two states of a workload show."""
    events = []
    if before.desired != now.desired and now.ref.kind != "DaemonSet":
        text = f"scaled {before.desired}→{now.desired}"
        events.append(_event(now.ref, EventKind.SCALE, text, "scale", str(now.generation), seen_at, seen_at))
    was, became, onset = "", "", ""
    if now.ref.kind == "StatefulSet":
        was, became, onset = before.update_revision, now.update_revision, f"{now.update_revision}-{now.generation}"
    elif now.ref.kind == "DaemonSet":
        was, became, onset = before.revision, now.revision, now.revision
    if became and was != became:
        at = now.changed_at if 0 <= seen_at - now.changed_at < 600 else seen_at
        text = change_of(before.images, now.images)
        events.append(_event(now.ref, EventKind.ROLLOUT, text, "revision", onset, at, seen_at))
    return events


def health_events(before: Rollout, row: Rollout, seen_at: float) -> list[Event]:
    """Return trouble that began or grew, its end, and a roll-out that came to its end."""
    was, troubled = before.severity <= _TROUBLE, row.severity <= _TROUBLE
    if troubled and (not was or row.severity < before.severity):
        onset = row.since or row.workload.resource_version
        mark = f"unhealthy-{row.severity.name}"
        at = min(row.since, seen_at) or seen_at
        words = row.what or row.status
        return [_event(row.ref, EventKind.UNHEALTHY, words, mark, str(onset), at, seen_at, row.severity)]
    events = []
    if was and not troubled:
        onset = f"{before.since}-{row.workload.resource_version}"
        events.append(_event(row.ref, EventKind.RECOVERED, "recovered", "recovered", onset, seen_at, seen_at))
    if finished(before.workload, row.workload) and row.done and not troubled:
        progressing = condition(row.workload, "Progressing")
        at = (progressing.updated_at if progressing is not None else 0.0) or seen_at
        number = f"rev {row.revision} " if row.revision else ""
        onset = str(row.revision) if row.ref.kind == "Deployment" else f"{row.workload.generation}"
        text = f"{number}complete"
        events.append(_event(row.ref, EventKind.ROLLOUT, text, "complete", onset, at, seen_at, Severity.OK))
    return [structs.replace(event, severity=Severity.OK) for event in events]


def finished(before: Workload, now: Workload) -> bool:
    """Return whether a roll-out ended between the two: other than mere scaling, which a Deployment does not mark."""
    if now.ref.kind == "Deployment":
        ended = condition(now, "Progressing")
        ending = condition(before, "Progressing")
        return ended is not None and ended.reason == COMPLETE and (ending is None or ending.reason != COMPLETE)
    if now.ref.kind == "StatefulSet":
        return before.update_revision != before.current_revision and now.update_revision == now.current_revision
    return before.updated < before.desired and now.updated >= now.desired == before.desired


def node_event(before: Node, now: Node, seen_at: float) -> Event | None:
    """Return that a node came, went or was cordoned; None where its status stays."""
    if before.status == now.status:
        return None
    at = max((one.changed_at for one in now.conditions if one.type == "Ready"), default=0.0)
    if before.status.split(",")[0] == now.status.split(",")[0]:
        at = 0.0
    onset = f"{at:.0f}" if at else f"{before.status}>{now.status}@{seen_at // 60:.0f}"
    return _event(
        now.ref, EventKind.NODE, now.status, f"node-{now.status}", onset, at or seen_at, seen_at, now.severity
    )


def job_event(before: Job | None, now: Job, seen_at: float) -> Event | None:
    """Return that a Job failed; None where it did not, or had before."""
    if now.status != "Failed" or (before is not None and before.status == "Failed"):
        return None
    text = f"job failed: {now.reason}" if now.reason else "job failed"
    at = now.finished_at
    return _event(now.ref, EventKind.JOB, text, "job-failed", f"{at:.0f}", at or seen_at, seen_at, Severity.WARN)


def _event(
    about: Ref,
    kind: EventKind,
    text: str,
    transition: str,
    onset: str,
    at: float,
    seen_at: float,
    severity: Severity = Severity.NOTICE,
) -> Event:
    identity = event_id(about.cluster, SOURCE, about.uid, transition, onset)
    return Event(identity, at, seen_at, kind, about, text, severity)


def _tag(image: str) -> str:
    name, _, digest = image.rsplit("/", 1)[-1].partition("@")
    if ":" in name:
        return name.rpartition(":")[2]
    return digest.removeprefix("sha256:")[:12] if digest else name


def change_of(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    """Return "v1.8.2→v1.8.3": the tags of the first image that differs, else the tag as it is."""
    for old, new in zip(before, now, strict=False):
        if old != new:
            return f"{_tag(old)}→{_tag(new)}"
    return _tag(now[0]) if now else ""
