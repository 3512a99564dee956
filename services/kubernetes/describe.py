"""Describes any object for a person, in the order and words of `kubectl describe`: what matters first, events last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.kubernetes.describe_pods import pod_summary, template_lines
from services.kubernetes.describe_text import age, block, columns, field, pairs, title, when
from services.kubernetes.yamltext import LAST_APPLIED
from services.model.cluster import KubeEvent

Lines = list[str]
Document = Mapping[str, Any]

HIDDEN_ANNOTATIONS = frozenset({LAST_APPLIED})


def describe(document: Document, events: Sequence[KubeEvent], now: float, events_problem: str = "") -> Lines:
    """Return the lines for an object whose secrets are masked already. `now` is epoch seconds.

    `events_problem` says why events could not be had. Raises nothing for odd documents beyond what odd types do.
    """
    lines = _heading(document)
    kind = str(document.get("kind", ""))
    special = {
        "Pod": pod_summary,
        "Node": _node,
        "Deployment": _workload,
        "StatefulSet": _workload,
        "DaemonSet": _workload,
        "ReplicaSet": _workload,
        "Job": _job,
    }.get(kind)
    lines += special(document, now) if special is not None else _anything(document)
    lines += _conditions(document, now)
    lines += _events(events, now, events_problem)
    return lines


def _heading(document: Document) -> Lines:
    metadata = document.get("metadata") or {}
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key not in HIDDEN_ANNOTATIONS
    }
    lines = [field("Name", metadata.get("name"))]
    if metadata.get("namespace"):
        lines.append(field("Namespace", metadata["namespace"]))
    lines.append(field("Kind", f"{document.get('kind', '')} ({document.get('apiVersion', '')})"))
    lines += pairs("Labels", metadata.get("labels"), "=")
    lines += pairs("Annotations", annotations, ": ")
    owner = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
    if owner:
        lines.append(field("Controlled By", f"{owner.get('kind')}/{owner.get('name')}"))
    lines.append(field("Created", metadata.get("creationTimestamp")))
    if metadata.get("deletionTimestamp"):
        lines.append(field("Terminating Since", metadata["deletionTimestamp"]))
    if metadata.get("finalizers"):
        lines.append(field("Finalizers", ", ".join(map(str, metadata["finalizers"]))))
    return lines


def _anything(document: Document) -> Lines:
    """Every other field of any kind, keys as words, as kubectl describes what it has no describer for."""
    lines: Lines = []
    for key, value in document.items():
        if key in {"metadata", "kind", "apiVersion"}:
            continue
        shown = value
        if key == "status" and isinstance(value, Mapping):
            shown = {name: each for name, each in value.items() if name != "conditions"}
        if shown not in (None, {}, []):
            lines += block(title(key), shown)
    return lines


def _node(document: Document, _now: float) -> Lines:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    labels = (document.get("metadata") or {}).get("labels") or {}
    prefix = "node-role.kubernetes.io/"
    roles = ", ".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix)))
    taints = [_taint(each) for each in spec.get("taints") or ()]
    addresses = [f"{each.get('type')}: {each.get('address')}" for each in status.get("addresses") or ()]
    lines = [field("Roles", roles or "<none>"), field("Unschedulable", bool(spec.get("unschedulable")))]
    lines += block("Taints", taints or "<none>")
    lines += block("Addresses", addresses or "<none>")
    capacity, allocatable = status.get("capacity") or {}, status.get("allocatable") or {}
    rows = [(str(name), str(capacity[name]), str(allocatable.get(name, ""))) for name in capacity]
    lines += ["Resources:", *columns(("Resource", "Capacity", "Allocatable"), rows)]
    return lines + block("System Info", {title(key): value for key, value in (status.get("nodeInfo") or {}).items()})


def _taint(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def _workload(document: Document, _now: float) -> Lines:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    lines = [field("Selector", ",".join(f"{key}={value}" for key, value in labels.items()) or "<none>")]
    lines.append(field("Replicas", _replicas(document)))
    if spec.get("paused"):
        lines.append(field("Paused", True))
    if strategy:
        lines.append(field("Strategy", strategy.get("type", "")))
        rolling = strategy.get("rollingUpdate") or {}
        lines += [field(f"  {title(key)}", value) for key, value in rolling.items()]
    for key in ("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "serviceName"):
        if spec.get(key) is not None:
            lines.append(field(title(key), spec[key]))
    for key in ("currentRevision", "updateRevision"):
        if status.get(key):
            lines.append(field(title(key), status[key]))
    lines += template_lines(spec.get("template") or {})
    claims = [str((each.get("metadata") or {}).get("name")) for each in spec.get("volumeClaimTemplates") or ()]
    return lines + (block("Volume Claims", claims) if claims else [])


def _replicas(document: Document) -> str:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    if document.get("kind") == "DaemonSet":
        names = {
            "desired": "desiredNumberScheduled",
            "current": "currentNumberScheduled",
            "updated": "updatedNumberScheduled",
            "ready": "numberReady",
            "available": "numberAvailable",
            "misscheduled": "numberMisscheduled",
        }
    else:
        names = {
            "updated": "updatedReplicas",
            "total": "replicas",
            "ready": "readyReplicas",
            "available": "availableReplicas",
            "unavailable": "unavailableReplicas",
        }
    counts = [f"{status.get(name) or 0} {word}" for word, name in names.items()]
    desired = [] if document.get("kind") == "DaemonSet" else [f"{spec.get('replicas', 1)} desired"]
    return " | ".join([*desired, *counts])


def _job(document: Document, now: float) -> Lines:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    lines = [
        field("Parallelism", spec.get("parallelism", 1)),
        field("Completions", spec.get("completions", "<unset>")),
        field("Backoff Limit", spec.get("backoffLimit", 6)),
    ]
    if spec.get("suspend"):
        lines.append(field("Suspended", True))
    if status.get("startTime"):
        lines.append(field("Started", when(status["startTime"], now)))
    if status.get("completionTime"):
        lines.append(field("Completed", when(status["completionTime"], now)))
    counts = [f"{status.get(name) or 0} {name}" for name in ("active", "succeeded", "failed")]
    lines.append(field("Pods", " | ".join(counts)))
    return lines + template_lines(spec.get("template") or {})


def _conditions(document: Document, now: float) -> Lines:
    status = document.get("status")
    found = status.get("conditions") if isinstance(status, Mapping) else None
    if not isinstance(found, list) or not found:
        return []
    rows = [
        (
            str(each.get("type", "")),
            str(each.get("status", "")),
            str(each.get("reason") or ""),
            age(each.get("lastTransitionTime"), now),
            str(each.get("message") or ""),
        )
        for each in found
        if isinstance(each, Mapping)
    ]
    return ["Conditions:", *columns(("Type", "Status", "Reason", "Since", "Message"), rows)]


def _events(events: Sequence[KubeEvent], now: float, problem: str) -> Lines:
    if problem:
        return [field("Events", problem)]
    if not events:
        return [field("Events", "<none>")]
    rows = [
        (
            event.type,
            event.reason,
            age(event.at, now) + (f" (x{event.count} over {age(event.first_at, now)})" if event.count > 1 else ""),
            event.component,
            " ".join(event.message.split()),
        )
        for event in sorted(events, key=lambda event: event.at)
    ]
    return ["Events:", *columns(("Type", "Reason", "Age", "From", "Message"), rows)]
