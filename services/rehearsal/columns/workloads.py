"""Workloads as the server prints them (kubernetes pkg/printers/internalversion)."""

from __future__ import annotations

from services.rehearsal.columns.base import (
    AGE,
    Cell,
    Column,
    Printer,
    Row,
    Since,
    age,
    containers_cells,
    dig,
    human_duration,
    moment,
    name,
    named,
    pairs_text,
    selector_text,
    wide,
)
from services.rehearsal.jsonic import Json


def _template(obj: Json) -> list[Cell]:
    return containers_cells(dig(obj, "spec", "template", default={}))


def _selector(obj: Json) -> str:
    return selector_text(dig(obj, "spec", "selector"))


def _count(obj: Json, *path: str) -> int:
    return int(dig(obj, *path, default=0))


def _deployment(obj: Json) -> Row:
    return [
        name(obj),
        f"{_count(obj, 'status', 'readyReplicas')}/{_count(obj, 'spec', 'replicas')}",
        _count(obj, "status", "updatedReplicas"),
        _count(obj, "status", "availableReplicas"),
        age(obj),
        *_template(obj),
        _selector(obj),
    ]


def _replica_set(obj: Json) -> Row:
    return [
        name(obj),
        _count(obj, "spec", "replicas"),
        _count(obj, "status", "replicas"),
        _count(obj, "status", "readyReplicas"),
        age(obj),
        *_template(obj),
        _selector(obj),
    ]


def _stateful_set(obj: Json) -> Row:
    ready = f"{_count(obj, 'status', 'readyReplicas')}/{_count(obj, 'spec', 'replicas')}"
    return [name(obj), ready, age(obj), *_template(obj)]


def _daemon_set(obj: Json) -> Row:
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    return [
        name(obj),
        *(_count(obj, "status", one) for one in counts),
        _count(obj, "status", "numberAvailable"),
        pairs_text(dig(obj, "spec", "template", "spec", "nodeSelector")),
        age(obj),
        *_template(obj),
        _selector(obj),
    ]


def _controller_revision(obj: Json) -> Row:
    owner = next((one for one in dig(obj, "metadata", "ownerReferences", default=[]) if one.get("controller")), None)
    controller = f"{owner['kind'].lower()}.{owner['apiVersion'].split('/')[0]}/{owner['name']}" if owner else "<none>"
    return [name(obj), controller, obj.get("revision", 0), age(obj)]


def _job_status(obj: Json) -> str:
    found = {one["type"]: one for one in dig(obj, "status", "conditions", default=[]) if one["status"] == "True"}
    for kind, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if kind in found:
            return word
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind, word in (
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ):
        if kind in found:
            return word
    return "Running"


def _job(obj: Json) -> Row:
    succeeded = _count(obj, "status", "succeeded")
    completions = dig(obj, "spec", "completions")
    parallelism = _count(obj, "spec", "parallelism")
    if completions is not None:
        done = f"{succeeded}/{completions}"
    else:
        done = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    started = moment(dig(obj, "status", "startTime"))
    ended = moment(dig(obj, "status", "completionTime"))
    duration: Cell = ""
    if started is not None:
        duration = Since(started) if ended is None else human_duration(ended - started)
    return [name(obj), _job_status(obj), done, duration, age(obj), *_template(obj), _selector(obj)]


def _cron_job(obj: Json) -> Row:
    last = moment(dig(obj, "status", "lastScheduleTime"))
    template = dig(obj, "spec", "jobTemplate", "spec", "template", default={})
    return [
        name(obj),
        dig(obj, "spec", "schedule", default=""),
        dig(obj, "spec", "timeZone", default="<none>"),
        "True" if dig(obj, "spec", "suspend", default=False) else "False",
        len(dig(obj, "status", "active", default=[])),
        "<none>" if last is None else Since(last),
        age(obj),
        *containers_cells(template),
        selector_text(dig(obj, "spec", "jobTemplate", "spec", "selector")),
    ]


def _autoscaler(obj: Json) -> Row:
    target = dig(obj, "spec", "scaleTargetRef", default={})
    return [
        name(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _targets(obj),
        str(dig(obj, "spec", "minReplicas", default="<unset>")),
        _count(obj, "spec", "maxReplicas"),
        _count(obj, "status", "currentReplicas"),
        age(obj),
    ]


def _targets(obj: Json) -> str:
    current = dig(obj, "status", "currentMetrics", default=[])
    shown = []
    for index, metric in enumerate(dig(obj, "spec", "metrics", default=[])):
        resource = metric.get("resource", {})
        have = dig(current[index], "resource", "current", "averageUtilization") if index < len(current) else None
        value = "<unknown>" if have is None else f"{have}%"
        shown.append(f"{resource.get('name', '')}: {value}/{dig(resource, 'target', 'averageUtilization', default=0)}%")
    return ", ".join(shown) or "<none>"


_INTEGER = "integer"
_TEMPLATE_WIDE = wide("Containers", "Images")
_SELECTED_WIDE = wide("Containers", "Images", "Selector")

DEPLOYMENTS = Printer(
    named(Column("Ready"), Column("Up-to-date"), Column("Available"), AGE, *_SELECTED_WIDE),
    _deployment,
)
REPLICA_SETS = Printer(
    named(Column("Desired", _INTEGER), Column("Current", _INTEGER), Column("Ready", _INTEGER), AGE, *_SELECTED_WIDE),
    _replica_set,
)
STATEFUL_SETS = Printer(named(Column("Ready"), AGE, *_TEMPLATE_WIDE), _stateful_set)
DAEMON_SETS = Printer(
    named(
        *(Column(one, _INTEGER) for one in ("Desired", "Current", "Ready", "Up-to-date", "Available")),
        Column("Node Selector"),
        AGE,
        *_SELECTED_WIDE,
    ),
    _daemon_set,
)
CONTROLLER_REVISIONS = Printer(named(Column("Controller"), Column("Revision"), AGE), _controller_revision)
JOBS = Printer(
    named(Column("Status"), Column("Completions"), Column("Duration"), AGE, *_SELECTED_WIDE),
    _job,
)
CRON_JOBS = Printer(
    named(
        Column("Schedule"),
        Column("Timezone"),
        Column("Suspend", "boolean"),
        Column("Active", _INTEGER),
        Column("Last Schedule"),
        AGE,
        *_SELECTED_WIDE,
    ),
    _cron_job,
)
AUTOSCALERS = Printer(
    named(Column("Reference"), Column("Targets"), Column("MinPods"), Column("MaxPods"), Column("Replicas"), AGE),
    _autoscaler,
)
