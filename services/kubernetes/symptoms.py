"""Counts what is wrong with the cluster itself: nodes, failed jobs, pods without a place, bursts of warnings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.config_schema import RolloutSettings
from services.kubernetes.podstatus import IMAGE_REASONS
from services.model.cluster import Job, KubeEvent, Node, Symptom
from services.model.ref import EVENTS, JOBS, NODES, PODS
from services.model.severity import Severity
from services.model.workload import Pod
from services.ports import Key

BURST_WINDOW = 300.0
"""Seconds within which as many Warning events as the settings say are a burst."""

JOB_WINDOW = 86400.0
"""Seconds a failed job is counted."""

DEFAULTS = RolloutSettings()
NAMED = 3


class Symptoms:
    """Derives the table "symptoms" from the watched tables; `due` is when time alone will change it (0: never)."""

    def __init__(self, settings: RolloutSettings = DEFAULTS) -> None:
        self.due = 0.0
        self.settings = settings

    def derive(self, tables: Mapping[str, Mapping[Key, Any]], now: float) -> dict[Key, Symptom]:
        """Return the symptoms there are, by key."""
        waits: list[float] = []
        found = {
            symptom.key: symptom
            for symptom in (
                *_nodes(tables.get(NODES.table, {}).values()),
                *_jobs(tables.get(JOBS.table, {}).values(), now, waits),
                *_pods(tables.get(PODS.table, {}).values(), now, waits, self.settings.pending_seconds),
                *_burst(tables.get(EVENTS.table, {}).values(), now, waits, self.settings.warning_burst),
            )
        }
        self.due = min((wait for wait in waits if wait > now), default=0.0)
        return found


def _names(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more


def _namespaces(found: Iterable[Job | Pod | KubeEvent]) -> tuple[str, ...]:
    return tuple(sorted({one.ref.namespace for one in found}))


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _nodes(nodes: Iterable[Node]) -> list[Symptom]:
    down: list[Node] = []
    pressed: list[Node] = []
    for node in nodes:
        if node.status.split(",")[0] != "Ready":
            down.append(node)
        elif node.pressure:
            pressed.append(node)
    found = []
    for key, bad, words, severity in (
        ("nodes-not-ready", down, "not ready", Severity.CRIT),
        ("nodes-pressed", pressed, "under pressure", Severity.WARN),
    ):
        if bad:
            since = min((at for node in bad if (at := _changed(node))), default=0.0)
            text = f"{_several(len(bad), 'node')} {words}: {_names(node.ref.name for node in bad)}"
            found.append(Symptom(key, severity, text, len(bad), since, "nodes"))
    return found


def _changed(node: Node) -> float:
    marks = [one.changed_at for one in node.conditions if (one.status == "True") == (one.type != "Ready")]
    return max(marks, default=0.0)


def _jobs(jobs: Iterable[Job], now: float, waits: list[float]) -> list[Symptom]:
    bad = [job for job in jobs if job.status == "Failed" and now - (job.finished_at or job.created_at) < JOB_WINDOW]
    if not bad:
        return []
    waits.append(min(job.finished_at or job.created_at for job in bad) + JOB_WINDOW)
    since = min(job.finished_at or job.created_at for job in bad)
    text = f"{_several(len(bad), 'job')} failed: {_names(job.ref.key for job in bad)}"
    return [Symptom("jobs-failed", Severity.WARN, text, len(bad), since, "jobs", _namespaces(bad))]


def _pods(pods: Iterable[Pod], now: float, waits: list[float], patience: int) -> list[Symptom]:
    unplaced: list[Pod] = []
    unpulled: list[Pod] = []
    for pod in pods:
        if pod.severity is Severity.CRIT and pod.status.removeprefix("Init:") in IMAGE_REASONS:
            unpulled.append(pod)
        if pod.unschedulable:
            if now - pod.created_at >= patience:
                unplaced.append(pod)
            else:
                waits.append(pod.created_at + patience)
    return [
        Symptom(
            key,
            Severity.WARN,
            f"{_several(len(bad), 'pod')} {words}: {_names(pod.ref.key for pod in bad)}",
            len(bad),
            min(pod.created_at for pod in bad),
            "pods",
            _namespaces(bad),
        )
        for key, bad, words in (
            ("pods-unschedulable", unplaced, "without a node"),
            ("pods-image-pull", unpulled, "without an image"),
        )
        if bad
    ]


def _burst(events: Iterable[KubeEvent], now: float, waits: list[float], burst: int) -> list[Symptom]:
    lately = [one for one in events if one.type == "Warning" and now - one.at < BURST_WINDOW]
    if len(lately) < burst:
        return []
    ages = sorted(one.at for one in lately)
    waits.append(ages[len(ages) - burst] + BURST_WINDOW)
    reasons: dict[str, int] = {}
    for one in lately:
        reasons[one.reason] = reasons.get(one.reason, 0) + 1
    most = max(reasons, key=lambda reason: reasons[reason])
    text = f"{len(lately)} warnings in 5 minutes, most of them {most}"
    return [Symptom("warnings", Severity.NOTICE, text, len(lately), ages[0], "events", _namespaces(lately))]
