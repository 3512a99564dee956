"""Says what happened to workloads, as timeline events whose ids any console gives that sees the same cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import structs

from services.kubernetes.decode_revisions import Chosen
from services.kubernetes.decode_workloads import revision_number
from services.kubernetes.rollout_status import condition
from services.kubernetes.trouble import LEAST, Trouble, right_again, worsened
from services.model.cluster import KubeEvent
from services.model.ref import ARGO_ROLLOUTS, Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind, event_id
from services.model.workload import ReplicaSetInfo, Rollout, Workload

SOURCE = "kubernetes"
BACKFILL = 86400.0
"""Seconds back for which revisions are put on the timeline when they are first seen."""

LATELY = 600.0
"""Seconds for which a time that the server wrote may be that of what was just seen."""

MADE = 60.0
"""Seconds after an object was made in which it is still being made."""

WRITTEN = 1.0
"""Seconds by which the time of an object's first data may be off the time it was made: both are whole ones."""

COMPLETE = "NewReplicaSetAvailable"
FOLLOWED = "ScalingReplicaSet"
_COUNTS = re.compile(r"Scaled (?:up|down) replica set \S+ (?:from (?P<before>\d+) )?to (?P<now>\d+)")
_CONTROLLER = "kube-controller-manager"


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
    owner = revision.owner
    group = ARGO_ROLLOUTS.group if owner.kind == ARGO_ROLLOUTS.kind else revision.ref.group
    about = structs.replace(revision.ref, group=group, kind=owner.kind or "Deployment", name=owner.name, uid=owner.uid)
    events = []
    for number, at in began.items():
        if not at or seen_at - at > BACKFILL:
            continue
        before = images.get(max((one for one in images if one < number), default=0), ())
        was = f" (was {max(older)})" if older and number == revision.revision else ""
        text = f"rev {number}{was}  {change_of(before, revision.images)}".strip()
        told = event_about(
            about, EventKind.ROLLOUT, text, transition="revision", onset=str(number), at=at, seen_at=seen_at
        )
        events.append(structs.replace(told, payload=_written_by(workload, at)))
    return events


def chosen_event(
    revision: Chosen, siblings: Iterable[Chosen], workload: Workload | None, seen_at: float
) -> Event | None:
    """Return that a StatefulSet or DaemonSet got a new template, as its ControllerRevision tells; None when long ago.

    The number names the roll-out, as it does a Deployment's.
    """
    owner = revision.owner
    if owner is None or not revision.number or not 0 <= seen_at - revision.at <= BACKFILL:
        return None
    older = [one for one in siblings if one.number < revision.number]
    before = max(older, key=lambda one: one.number).images if older else ()
    about = structs.replace(revision.ref, kind=owner.kind, name=owner.name, uid=owner.uid)
    text = f"rev {revision.number}  {change_of(before, revision.images)}".strip()
    told = event_about(
        about,
        EventKind.ROLLOUT,
        text,
        transition="revision",
        onset=str(revision.number),
        at=revision.at,
        seen_at=seen_at,
    )
    return structs.replace(told, payload=_written_by(workload, revision.at))


def _written_by(workload: Workload | None, at: float) -> dict[str, str]:
    """Return who wrote the template, where that was just before: who wrote it since made a later revision."""
    if workload is None or not workload.changed_by or not -WRITTEN <= at - workload.changed_at < MADE:
        return {}
    return {"actor": workload.changed_by}


def _numbers(revision: ReplicaSetInfo) -> list[int]:
    found = [revision_number(part.strip()) for part in revision.revision_history.split(",")]
    return [number for number in found if number]


def _chosen_again_at(revision: ReplicaSetInfo, workload: Workload | None, seen_at: float, live: bool) -> float:
    written = workload.changed_at if workload is not None and workload.changed_by != _CONTROLLER else 0.0
    if live:
        return written if 0 <= seen_at - written < 600 else seen_at
    current = workload is not None and revision_number(workload.revision) == revision.revision
    return written if current else 0.0


def template_events(before: Workload, now: Workload, seen_at: float, revisions_known: bool = False) -> list[Event]:
    """Return the scaling and, for kinds without ReplicaSets, the new template that two states of a workload show.

    Where `revisions_known`, the ControllerRevisions tell of new templates, and better.
    """
    events = []
    if before.desired != now.desired and now.ref.kind != "DaemonSet":
        events.append(_scaled(now, seen_at, seen_at, before.desired))
    if revisions_known:
        return events
    was, became, onset = "", "", ""
    if now.ref.kind == "StatefulSet":
        was, became, onset = before.update_revision, now.update_revision, f"{now.update_revision}-{now.generation}"
    elif now.ref.kind == "DaemonSet":
        was, became, onset = before.revision, now.revision, now.revision
    if became and was != became:
        at = now.changed_at if 0 <= seen_at - now.changed_at < LATELY else seen_at
        text = change_of(before.images, now.images)
        events.append(
            event_about(now.ref, EventKind.ROLLOUT, text, transition="revision", onset=onset, at=at, seen_at=seen_at)
        )
    return events


def known_events(workload: Workload, seen_at: float) -> list[Event]:
    """Return what a workload that was not known before still tells of the last day: the end of a roll-out.

    It is the same event as of a console that saw it happen. Of its scaling `scaled_event` tells.
    """
    events = []
    if workload.ref.kind == "Deployment":
        progressing = condition(workload, "Progressing")
        if progressing is not None and progressing.reason == COMPLETE:
            ended = _completed(workload, revision_number(workload.revision), progressing.updated_at, seen_at)
            events += [ended] if 0 <= seen_at - progressing.updated_at <= BACKFILL else []
    return events


def scaled_event(workload: Workload, told: Iterable[KubeEvent], seen_at: float) -> Event | None:
    """Return the last scaling of a Deployment that was not known before, as its Events tell; None where they do not.

    The object keeps no time of it. What the controller did after the last roll-out was complete was to follow a
    scaling, and where that made the number that is wanted now, it was the one of the present generation.
    """
    ended = condition(workload, "Progressing")
    if ended is None or ended.reason != COMPLETE or workload.observed_generation != workload.generation:
        return None
    steps = [one for one in told if one.reason == FOLLOWED and one.at > ended.updated_at]
    at = max((one.at for one in steps), default=0.0)
    counts = [_COUNTS.search(one.message) for one in steps if one.at == at]
    last = next((each for each in counts if each is not None and int(each["now"]) == workload.desired), None)
    if last is None or seen_at - at > BACKFILL:
        return None
    before = last["before"]
    return _scaled(workload, at, seen_at, int(before) if before else None)


def _scaled(now: Workload, at: float, seen_at: float, before: int | None) -> Event:
    """Return that a workload was scaled, named by the generation that this made."""
    onset = str(now.generation)
    event = event_about(
        now.ref, EventKind.SCALE, f"scaled to {now.desired}", transition="scale", onset=onset, at=at, seen_at=seen_at
    )
    payload = {"actor": now.scaled_by} if now.scaled_by else {}
    return structs.replace(event, payload=payload | ({"before": str(before)} if before is not None else {}))


def _completed(workload: Workload, revision: int, at: float, seen_at: float) -> Event:
    number = f"rev {revision} " if revision else ""
    onset = str(revision) if workload.ref.kind == "Deployment" else f"{workload.generation}"
    text = f"{number}complete"
    return event_about(
        workload.ref,
        EventKind.ROLLOUT,
        text,
        transition="complete",
        onset=onset,
        at=at or seen_at,
        seen_at=seen_at,
        severity=Severity.OK,
    )


def health_events(before: Rollout, row: Rollout, trouble: Trouble | None, seen_at: float) -> list[Event]:
    """Return trouble that began or grew, its end, and a roll-out that came to its end.

    `trouble` is what was wrong before: it has ended when that is right again, not when something is done about it.
    """
    if worsened(trouble, row):
        onset = row.since or row.workload.resource_version
        mark = f"unhealthy-{row.severity.name}"
        at = min(row.since, seen_at) or seen_at
        words = row.what or row.status
        return [
            event_about(
                row.ref,
                EventKind.UNHEALTHY,
                words,
                transition=mark,
                onset=str(onset),
                at=at,
                seen_at=seen_at,
                severity=row.severity,
            )
        ]
    events = []
    if trouble is not None and right_again(row):
        onset = f"{trouble.since}-{row.workload.resource_version}"
        events.append(
            event_about(
                row.ref,
                EventKind.RECOVERED,
                "recovered",
                transition="recovered",
                onset=onset,
                at=seen_at,
                seen_at=seen_at,
            )
        )
    if _ended_well(before, row):
        progressing = condition(row.workload, "Progressing")
        at = progressing.updated_at if progressing is not None else 0.0
        if not at or seen_at - at <= BACKFILL:
            events.append(_completed(row.workload, row.revision, at, seen_at))
    return [structs.replace(event, severity=Severity.OK) for event in events]


def _ended_well(before: Rollout, row: Rollout) -> bool:
    """Return whether a roll-out has ended between the two, or what was still wrong at its end is over.

    A Deployment goes on saying that its roll-out ended: that is told once, since the revision names it.
    """
    if not row.done or row.severity <= LEAST:
        return False
    healed = row.ref.kind == "Deployment" and before.severity <= LEAST
    return finished(before.workload, row.workload) or (healed and is_complete(row.workload))


def is_complete(workload: Workload) -> bool:
    """Return whether a Deployment says that its roll-out is complete."""
    progressing = condition(workload, "Progressing")
    return progressing is not None and progressing.reason == COMPLETE


def finished(before: Workload, now: Workload) -> bool:
    """Return whether a roll-out ended between the two: other than mere scaling, which a Deployment does not mark."""
    if now.ref.kind == "Deployment":
        return is_complete(now) and not is_complete(before)
    if now.ref.kind == "StatefulSet":
        return before.update_revision != before.current_revision and now.update_revision == now.current_revision
    return before.updated < before.desired and now.updated >= now.desired == before.desired


def event_about(
    about: Ref,
    kind: EventKind,
    text: str,
    *,
    transition: str,
    onset: str,
    at: float,
    seen_at: float,
    severity: Severity = Severity.NOTICE,
) -> Event:
    """Return what happened to an object; its id is that of the transition and of what its begin is known by."""
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
