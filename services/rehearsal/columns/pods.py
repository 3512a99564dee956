"""Pods as the server prints them (kubernetes pkg/printers/internalversion, printPod)."""

from __future__ import annotations

from services.rehearsal.columns.base import (
    AGE,
    Cell,
    Column,
    Conditions,
    Printer,
    Row,
    Since,
    age,
    dig,
    moment,
    name,
    named,
)
from services.rehearsal.jsonic import Json

_COLUMNS = named(
    Column("Ready", description="Ready containers of all containers."),
    Column("Status", description="State of the pod and its containers in one word."),
    Column("Restarts", description="Restarts of all containers and when the last one was."),
    AGE,
    Column("IP", priority=1),
    Column("Node", priority=1),
    Column("Nominated Node", priority=1),
    Column("Readiness Gates", priority=1),
)
_FINAL = {"Succeeded", "Failed"}


def _terminated_text(state: Json) -> str:
    if state.get("reason"):
        return str(state["reason"])
    if state.get("signal"):
        return f"Signal:{state['signal']}"
    return f"ExitCode:{state.get('exitCode', 0)}"


def _last_restart(statuses: list[Json]) -> float | None:
    moments = [moment(dig(one, "lastState", "terminated", "finishedAt")) for one in statuses]
    return max((m for m in moments if m is not None), default=None)


def _init_reason(pod: Json) -> str:
    """Return the reason while init containers run, or nothing when all are done."""
    statuses = dig(pod, "status", "initContainerStatuses", default=[])
    for index, status in enumerate(statuses):
        terminated = dig(status, "state", "terminated")
        if terminated is not None:
            if terminated.get("exitCode", 0) == 0:
                continue
            return f"Init:{_terminated_text(terminated)}"
        waiting = dig(status, "state", "waiting", "reason", default="")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{index}/{len(pod['spec'].get('initContainers', ()))}"
    return ""


def _container_reason(statuses: list[Json], reason: str) -> tuple[str, int, bool]:
    ready, running = 0, False
    for status in reversed(statuses):
        state = status.get("state", {})
        if dig(state, "waiting", "reason", default=""):
            reason = state["waiting"]["reason"]
        elif "terminated" in state:
            reason = _terminated_text(state["terminated"])
        elif status.get("ready") and "running" in state:
            ready, running = ready + 1, True
    return reason, ready, running


def _condition(pod: Json, kind: str) -> Json:
    for condition in dig(pod, "status", "conditions", default=[]):
        if condition["type"] == kind:
            found: Json = condition
            return found
    return {}


def _status(pod: Json) -> tuple[str, int]:
    status = pod.get("status", {})
    phase = status.get("phase", "")
    reason = status.get("reason") or phase
    if _condition(pod, "PodScheduled").get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    ready = 0
    initialising = _init_reason(pod)
    if initialising:
        reason = initialising
    else:
        reason, ready, running = _container_reason(status.get("containerStatuses", []), reason)
        if reason == "Completed" and running:
            reason = "Running" if _condition(pod, "Ready").get("status") == "True" else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif phase not in _FINAL:
            reason = "Terminating"
    return reason, ready


def _cells(pod: Json) -> Row:
    reason, ready = _status(pod)
    status = pod.get("status", {})
    kept = "initContainerStatuses" if _init_reason(pod) else "containerStatuses"
    statuses = status.get(kept, [])
    restarts = sum(one.get("restartCount", 0) for one in statuses)
    last = _last_restart(statuses)
    restarts_cell: Cell = str(restarts)
    if restarts and last is not None:
        restarts_cell = Since(last, f"{restarts} (", " ago)")
    gates = dig(pod, "spec", "readinessGates", default=[])
    passed = sum(_condition(pod, gate["conditionType"]).get("status") == "True" for gate in gates)
    return [
        name(pod),
        f"{ready}/{len(dig(pod, 'spec', 'containers', default=[]))}",
        reason,
        restarts_cell,
        age(pod),
        status.get("podIP") or "<none>",
        dig(pod, "spec", "nodeName", default="<none>"),
        status.get("nominatedNodeName") or "<none>",
        f"{passed}/{len(gates)}" if gates else "<none>",
    ]


def _conditions(pod: Json) -> Conditions:
    phase = dig(pod, "status", "phase", default="")
    if phase not in _FINAL:
        return []
    message = "The pod has completed successfully." if phase == "Succeeded" else "The pod failed."
    return [{"type": "Completed", "status": "True", "reason": phase, "message": message}]


PODS = Printer(_COLUMNS, _cells, _conditions)
