"""Says of a pod what kubectl's READY, STATUS and RESTARTS say, how bad that is, and which container explains it.

Source of the columns: kubernetes v1.36 pkg/printers/internalversion/printers.go, printPod.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from services.kubernetes.wire import epoch
from services.kubernetes.wire_pod import NO_STATE, ContainerStatus, PodSpec, PodStatus, Terminated, conditions_in
from services.model.severity import Severity
from services.model.workload import ContainerState

IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
CONFIG_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError"}
)
_STARTING = frozenset(
    {
        "Pending",
        "ContainerCreating",
        "PodInitializing",
        "Terminating",
        "SchedulingGated",
        "Waiting",
        "ContainersNotReady",
    }
)
_SETTLED = frozenset({"Completed", "Succeeded"})
_LEFTOVER = frozenset({"Evicted", "Preempting", "Preempted", "NotReady", "NodeShutdown", "Shutdown", "NodeAffinity"})
_INIT_PROGRESS = re.compile(r"Init:\d+/\d+", re.ASCII)
_NODE_UNREACHABLE = "NodeLost"


class PodState(NamedTuple):
    """The columns of one pod; `last_restart_at` in epoch seconds, 0 when no container ended before."""

    status: str
    ready: int
    containers: int
    restarts: int
    last_restart_at: float


def pod_state(spec: PodSpec, status: PodStatus, deleting: bool) -> PodState:
    """Return what kubectl prints for this pod; `deleting` when it has a deletion time."""
    phase = status.phase or ""
    if phase == "Running" and not deleting and (healthy := _healthy_state(spec, status)):
        return healthy
    reason = status.reason or phase
    if b"SchedulingGated" in bytes(status.conditions) and any(
        each.reason == "SchedulingGated" and each.type == "PodScheduled" for each in conditions_in(status)
    ):
        reason = "SchedulingGated"
    sidecars = frozenset(each.name for each in spec.init_containers or () if each.restart_policy == "Always")
    init = _init_state(spec, status, sidecars)
    total = len(spec.containers or ()) + len(sidecars)
    state = PodState(init.reason or reason, init.ready, total, init.restarts, init.last_restart_at)
    if not init.reason or _initialized(status):
        state = _running_state(state, status, init)
    if deleting and status.reason == _NODE_UNREACHABLE:
        return state._replace(status="Unknown")
    if deleting and phase not in ("Succeeded", "Failed"):
        return state._replace(status="Terminating")
    return state


def _healthy_state(spec: PodSpec, status: PodStatus) -> PodState | None:
    """Return at once the state of the pod most pods are: no init containers, all running, ready and never restarted."""
    if status.reason or status.init_container_statuses or spec.init_containers or not status.container_statuses:
        return None
    for each in status.container_statuses:
        if not each.ready or each.restart_count or each.state is None or each.state.running is None:
            return None
    return PodState("Running", len(status.container_statuses), len(spec.containers or ()), 0, 0.0)


class _InitState(NamedTuple):
    reason: str
    ready: int
    restarts: int
    last_restart_at: float
    sidecar_restarts: int
    sidecar_restart_at: float


_NO_INIT = _InitState("", 0, 0, 0.0, 0, 0.0)


def _init_state(spec: PodSpec, status: PodStatus, sidecars: frozenset[str]) -> _InitState:
    """Walk the init containers up to the first that is not done; `reason` is "" when all are."""
    if not status.init_container_statuses:
        return _NO_INIT
    ready = restarts = sidecar_restarts = 0
    last = sidecar_last = 0.0
    reason = ""
    for index, container in enumerate(status.init_container_statuses):
        ended = _last_end(container)
        restarts += container.restart_count or 0
        last = max(last, ended)
        sidecar = container.name in sidecars
        if sidecar:
            sidecar_restarts += container.restart_count or 0
            sidecar_last = max(sidecar_last, ended)
        state = container.state or NO_STATE
        if state.terminated is not None and state.terminated.exit_code == 0:
            continue
        if sidecar and container.started:
            ready += bool(container.ready)
            continue
        if state.terminated is not None:
            reason = f"Init:{_end_reason(state.terminated)}"
        elif state.waiting is not None and state.waiting.reason and state.waiting.reason != "PodInitializing":
            reason = f"Init:{state.waiting.reason}"
        else:
            reason = f"Init:{index}/{len(spec.init_containers or ())}"
        break
    return _InitState(reason, ready, restarts, last, sidecar_restarts, sidecar_last)


def _running_state(state: PodState, status: PodStatus, init: _InitState) -> PodState:
    """Continue with the main containers, the first of which has the last word."""
    reason, error = state.status, ""
    ready, restarts, last = state.ready, init.sidecar_restarts, init.sidecar_restart_at
    running = False
    for container in reversed(status.container_statuses or ()):
        restarts += container.restart_count or 0
        if container.last_state is not None:
            last = max(last, _last_end(container))
        current = container.state or NO_STATE
        if current.waiting is not None and current.waiting.reason:
            reason = current.waiting.reason
        elif current.terminated is not None:
            reason = _end_reason(current.terminated)
            if current.terminated.exit_code != 0:
                error = reason
        elif container.ready and current.running is not None:
            running = True
            ready += 1
    if reason == "Completed":
        reason = _beyond_completed(status, running, error)
    return PodState(reason, ready, state.containers, restarts, last)


def _beyond_completed(status: PodStatus, running: bool, error: str) -> str:
    """Return what a pod is whose first container is done: other containers may run on, or have failed."""
    if running and _condition_true(status, "Ready"):
        return "Running"
    return error or ("NotReady" if running else "Completed")


def _last_end(container: ContainerStatus) -> float:
    before = container.last_state
    return epoch(before.terminated.finished_at) if before is not None and before.terminated is not None else 0.0


def _end_reason(end: Terminated) -> str:
    if end.reason:
        return end.reason
    return f"Signal:{end.signal}" if end.signal else f"ExitCode:{end.exit_code}"


def _condition_true(status: PodStatus, kind: str) -> bool:
    return any(each.type == kind and each.status == "True" for each in conditions_in(status))


def _initialized(status: PodStatus) -> bool:
    return next((each.status == "True" for each in conditions_in(status) if each.type == "Initialized"), False)


def status_severity(status: str, ready: int, containers: int) -> Severity:
    """Return how bad a STATUS text is: CRIT fails, WARN runs badly or is left over, NOTICE is on its way, OK."""
    if status == "Running":
        return Severity.OK if ready >= containers else Severity.WARN
    if status in _SETTLED:
        return Severity.OK
    if status in _STARTING or _INIT_PROGRESS.fullmatch(status):
        return Severity.NOTICE
    if status in _LEFTOVER:
        return Severity.WARN
    return Severity.CRIT if status else Severity.UNKNOWN


def explain(status: PodStatus) -> ContainerState | None:
    """Return the container that explains a pod's trouble, the worst one, init containers first; None when none does.

    A container that runs again after a bad end counts too, last of all.
    """
    best: tuple[int, ContainerStatus] | None = None
    for container in (*(status.init_container_statuses or ()), *(status.container_statuses or ())):
        rank = _rank(container)
        if rank and (best is None or rank > best[0]):
            best = (rank, container)
    return _explained(best[1]) if best else None


def _rank(container: ContainerStatus) -> int:
    """Rank how much a container explains: image pull, crash loop, configuration, other wait, bad end, older bad end."""
    state = container.state or NO_STATE
    if state.waiting is not None and (rank := _waiting_rank(state.waiting.reason or "")):
        return rank
    if state.terminated is not None and state.terminated.exit_code != 0:
        return 2
    before = (container.last_state or NO_STATE).terminated
    return 1 if before is not None and before.exit_code != 0 else 0


def _waiting_rank(reason: str) -> int:
    if reason in IMAGE_REASONS:
        return 6
    if reason == "CrashLoopBackOff":
        return 5
    if reason in CONFIG_REASONS:
        return 4
    return 0 if reason in ("", "PodInitializing", "ContainerCreating") else 3


def _explained(container: ContainerStatus) -> ContainerState:
    state, before = container.state or NO_STATE, (container.last_state or NO_STATE).terminated
    reason, message, code = "", "", None
    if state.waiting is not None:
        reason, message = state.waiting.reason or "", state.waiting.message or ""
    elif state.terminated is not None:
        end = state.terminated
        reason, message, code = _end_reason(end), end.message or "", end.exit_code
        before = before or end
    return ContainerState(
        container.name,
        reason,
        message,
        code,
        container.restart_count or 0,
        _end_reason(before) if before else "",
        before.exit_code if before else None,
        (before.message or "") if before else "",
    )


_LADDER: tuple[tuple[int, int, str, int, str], ...] = (
    # below this many seconds: the greater unit, its letter, the lesser unit (0: none), its letter
    (120, 1, "s", 0, ""),
    (600, 60, "m", 1, "s"),
    (3 * 3600, 60, "m", 0, ""),
    (8 * 3600, 3600, "h", 60, "m"),
    (48 * 3600, 3600, "h", 0, ""),
    (8 * 86400, 86400, "d", 3600, "h"),
    (2 * 365 * 86400, 86400, "d", 0, ""),
    (8 * 365 * 86400, 365 * 86400, "y", 86400, "d"),
)


def human_duration(seconds: float) -> str:
    """Return a duration as kubectl writes an age: "119s", "5m3s", "2d4h" (apimachinery pkg/util/duration)."""
    if seconds <= -2:
        return "<invalid>"
    whole = max(0, int(seconds))
    for limit, unit, letter, lesser, lesser_letter in _LADDER:
        if whole < limit:
            rest = whole % unit // lesser if lesser else 0
            return f"{whole // unit}{letter}" + (f"{rest}{lesser_letter}" if rest else "")
    return f"{whole // (365 * 86400)}y"


_SPAN = re.compile(r"(\d{1,9})([smhdy])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}


def parse_duration(text: str) -> float | None:
    """Return the seconds of an age as kubectl writes it ("5d2h"), to its coarse precision; None where it is none."""
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return float(sum(int(number) * _SECONDS[unit] for number, unit in parts))
