"""Says what happened beside the workloads: to nodes, ConfigMaps and Jobs, and what only an Event tells."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from msgspec import structs

from services.kubernetes.happenings import BACKFILL, MADE, SOURCE, WRITTEN, event_about
from services.model.cluster import ConfigDigest, Job, KubeEvent, Node
from services.model.severity import Severity
from services.model.timeline import Event, EventKind, event_id
from services.model.workload import Condition

PRESSURES = frozenset({"MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"})
READINESS = {"True": "Ready", "False": "NotReady", "Unknown": "NotReady: its kubelet is silent"}
TOLD: Mapping[str, EventKind] = {
    "Rebooted": EventKind.NODE,
    "SystemOOM": EventKind.NODE,
    "OOMKilling": EventKind.NODE,
    "EvictionThresholdMet": EventKind.NODE,
    "SuccessfulRescale": EventKind.SCALE,
    "FailedRescale": EventKind.WARNING,
    "Preempted": EventKind.WARNING,
}
"""The reasons of Events that belong on the timeline, since no object keeps what they say."""

NAMED_KEYS = 3
MOST_HASHES = 20
MOST_WORDS = 160


def node_events(before: Node | None, now: Node, seen_at: float) -> list[Event]:
    """Return what became of a node: ready or not, cordoned or not, under pressure or not.

    Of a node that was not known before, what its conditions tell of the last day: the same events as of a console that
    saw them change. The conditions that a node was made with are no news.
    """
    old = {one.type: one for one in before.conditions} if before is not None else {}
    told = [_condition_event(now, old.get(one.type), one, seen_at) for one in now.conditions]
    if before is None:
        if now.unschedulable and 0 <= seen_at - now.cordoned_at <= BACKFILL:
            told.append(_cordoned(now, seen_at))
    elif before.unschedulable != now.unschedulable:
        told.append(_cordoned(now, seen_at))
    return [event for event in told if event is not None]


def _condition_event(node: Node, was: Condition | None, now: Condition, seen_at: float) -> Event | None:
    at = now.changed_at
    if was is not None and was.status == now.status:
        return None
    if was is None and not 0 <= seen_at - at <= BACKFILL:
        return None
    ready = now.type == "Ready"
    was_well = was is not None and was.status == ("True" if ready else "False")
    if at and at - node.created_at <= MADE and not was_well and not (ready and now.status == "True"):
        return None
    if ready:
        words = READINESS.get(now.status, READINESS["Unknown"])
        severity = Severity.OK if now.status == "True" else Severity.CRIT
    elif now.type in PRESSURES and now.status == "True":
        words, severity = now.type, Severity.WARN
    elif now.type in PRESSURES and now.status == "False" and was is not None and was.status == "True":
        words, severity = f"{now.type} over", Severity.OK
    else:
        return None
    onset = f"{at:.0f}" if at else f"@{seen_at // 60:.0f}"
    transition = f"node-{now.type}-{now.status}"
    return event_about(
        node.ref,
        EventKind.NODE,
        words,
        transition=transition,
        onset=onset,
        at=at or seen_at,
        seen_at=seen_at,
        severity=severity,
    )


def _cordoned(node: Node, seen_at: float) -> Event:
    words = "cordoned" if node.unschedulable else "uncordoned"
    known = node.unschedulable and 0 <= seen_at - node.cordoned_at <= BACKFILL
    at = node.cordoned_at if known else seen_at
    onset = f"{at:.0f}" if known else f"@{seen_at // 60:.0f}"
    event = event_about(
        node.ref, EventKind.NODE, words, transition=f"node-{words}", onset=onset, at=at, seen_at=seen_at
    )
    return structs.replace(event, payload={"actor": node.cordoned_by}) if known and node.cordoned_by else event


def config_event(before: ConfigDigest | None, now: ConfigDigest, seen_at: float) -> Event | None:
    """Return that the data of a ConfigMap changed: which keys, with hashes before and after, never the values.

    Of one that was not known before only that it was written within the last day, since when it was made. The content
    and the time of the last write name the change, so that it has one id for those who saw it and those who did not.
    """
    if before is None:
        if not 0 <= seen_at - now.changed_at <= BACKFILL or now.changed_at - now.created_at <= WRITTEN:
            return None
        text, payload = "changed", dict[str, str]()
    else:
        text, payload = _keys_changed(dict(before.keys), dict(now.keys))
        if not payload:
            return None
    content = hashlib.sha256("\x00".join(part for pair in now.keys for part in pair).encode("utf-8", "replace"))
    at = now.changed_at if 0 <= seen_at - now.changed_at < BACKFILL else 0.0
    onset = f"{at:.0f}-{content.hexdigest()[:16]}"
    event = event_about(
        now.ref, EventKind.CONFIG, text, transition="config", onset=onset, at=at or seen_at, seen_at=seen_at
    )
    return structs.replace(event, payload=payload | ({"actor": now.changed_by} if now.changed_by else {}))


def _keys_changed(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    names = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    marks = {name: "+" if name not in before else "-" if name not in now else "" for name in names}
    listed = [f"{marks[name]}{name or 'others'}" for name in names[:NAMED_KEYS]]
    more = f" and {len(names) - NAMED_KEYS} more" if len(names) > NAMED_KEYS else ""
    payload = {f"key {name}": f"{before.get(name, '')}→{now.get(name, '')}" for name in names[:MOST_HASHES]}
    return f"changed: {', '.join(listed)}{more}", payload


def core_event(event: KubeEvent, seen_at: float) -> Event | None:
    """Return what an Event of the cluster tells that no object does: a reboot, memory that ran out, an autoscaler."""
    kind = TOLD.get(event.reason)
    at = event.first_at or event.at
    if kind is None or not 0 <= seen_at - at <= BACKFILL:
        return None
    severity = Severity.WARN if event.type == "Warning" else Severity.NOTICE
    text = f"{event.reason}: {event.message.partition(chr(10))[0]}"[:MOST_WORDS]
    identity = event_id(event.about.cluster, SOURCE, event.ref.uid, f"event-{event.reason}", f"{at:.0f}")
    return Event(identity, at, seen_at, kind, event.about, text, severity)


def job_event(before: Job | None, now: Job, seen_at: float) -> Event | None:
    """Return that a Job failed; None where it did not, or had before."""
    if now.status != "Failed" or (before is not None and before.status == "Failed"):
        return None
    if before is None and not 0 <= seen_at - now.finished_at <= BACKFILL:
        return None
    text = f"job failed: {now.reason}" if now.reason else "job failed"
    at = now.finished_at
    return event_about(
        now.ref,
        EventKind.JOB,
        text,
        transition="job-failed",
        onset=f"{at:.0f}",
        at=at or seen_at,
        seen_at=seen_at,
        severity=Severity.WARN,
    )
