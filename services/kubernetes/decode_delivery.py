"""Reads an Argo Rollout as a workload with its delivery: phase, steps, weight and parts as its own clients see them.

Sources: argo-rollouts v1.10 pkg/apis/rollouts/v1alpha1/types.go, utils/rollout/rolloututil.go (GetRolloutPhase,
CalculateRolloutPhase, CanaryStepString), utils/replicaset/canary.go (GetCurrentSetWeight).
"""

from __future__ import annotations

import re
from sys import intern
from typing import Any

from msgspec import Raw, Struct, field

from services.kubernetes.decode_workloads import TRACKING, WireSelector, selector_text
from services.kubernetes.wire import (
    WireCondition,
    WireMeta,
    WireTemplate,
    conditions_of,
    epoch,
    images_of,
    labels_of,
    ref_of,
    template_and_scale,
)
from services.model.delivery import (
    BLUE_GREEN,
    CANARY,
    DEGRADED,
    HEALTHY,
    PAUSED,
    PROGRESSING,
    Delivery,
    Judgement,
)
from services.model.ref import ARGO_ROLLOUTS
from services.model.workload import Workload

REVISION = "rollout.argoproj.io/revision"
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
HASH_LABEL = "rollouts-pod-template-hash"
FULL_WEIGHT = 100
PROGRESS_DEADLINE = 600
"""Seconds where `progressDeadlineSeconds` is unset (utils/defaults)."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Annotations(Struct, frozen=True, gc=False):
    revision: str | None = field(default=None, name=REVISION)
    cause: str | None = field(default=None, name="kubernetes.io/change-cause")
    generation: str | None = field(default=None, name=WORKLOAD_GENERATION)
    tracking: str | None = field(default=None, name=TRACKING)


class _Meta(WireMeta, frozen=True, gc=False):
    annotations: _Annotations | None = None
    managed_fields: Raw = Raw()


class _Pause(Struct, frozen=True, gc=False):
    duration: int | str | None = None


class _CanaryScale(Struct, frozen=True, gc=False, rename="camel"):
    weight: int | None = None
    replicas: int | None = None
    match_traffic_weight: bool | None = None


class _Named(Struct, frozen=True, gc=False):
    name: str = ""


class _Step(Struct, frozen=True, gc=False, rename="camel"):
    set_weight: int | None = None
    pause: _Pause | None = None
    experiment: Any = None
    analysis: Any = None
    set_canary_scale: _CanaryScale | None = None
    set_header_route: _Named | None = None
    set_mirror_route: _Named | None = None
    plugin: _Named | None = None


class _Routing(Struct, frozen=True, gc=False, rename="camel"):
    max_traffic_weight: int | None = None


class _Canary(Struct, frozen=True, gc=False, rename="camel"):
    steps: list[_Step] | None = None
    traffic_routing: _Routing | None = None


class _BlueGreen(Struct, frozen=True, gc=False, rename="camel"):
    active_service: str | None = None
    preview_service: str | None = None
    auto_promotion_enabled: bool | None = None
    post_promotion_analysis: Any = None


class _Strategy(Struct, frozen=True, gc=False, rename="camel"):
    canary: _Canary | None = None
    blue_green: _BlueGreen | None = None


class _WorkloadRef(Struct, frozen=True, gc=False):
    kind: str = ""
    name: str = ""


class _Spec(Struct, frozen=True, gc=False, rename="camel"):
    replicas: int | None = None
    paused: bool | None = None
    selector: WireSelector | None = None
    template: WireTemplate | None = None
    workload_ref: _WorkloadRef | None = None
    strategy: _Strategy | None = None
    progress_deadline_seconds: int | None = None
    restart_at: str | None = None


class _PauseCondition(Struct, frozen=True, gc=False, rename="camel"):
    reason: str = ""
    start_time: str | None = None


class _RunStatus(Struct, frozen=True, gc=False):
    name: str = ""
    status: str = ""
    message: str | None = None


class _Weight(Struct, frozen=True, gc=False):
    weight: int = 0


class _Weights(Struct, frozen=True, gc=False):
    canary: _Weight = _Weight()


class _CanaryStatus(Struct, frozen=True, gc=False, rename="camel"):
    weights: _Weights | None = None
    current_step_analysis_run_status: _RunStatus | None = None
    current_background_analysis_run_status: _RunStatus | None = None


class _BlueGreenStatus(Struct, frozen=True, gc=False, rename="camel"):
    active_selector: str | None = None
    preview_selector: str | None = None
    pre_promotion_analysis_run_status: _RunStatus | None = None
    post_promotion_analysis_run_status: _RunStatus | None = None


class _Status(Struct, frozen=True, gc=False, rename="camel"):
    observed_generation: str | int | None = None
    workload_observed_generation: str | None = None
    phase: str | None = None
    message: str | None = None
    replicas: int | None = None
    ready_replicas: int | None = None
    updated_replicas: int | None = None
    available_replicas: int | None = None
    current_step_index: int | None = None
    current_pod_hash: str | None = None
    stable_rs: str | None = field(default=None, name="stableRS")
    abort: bool | None = None
    aborted_at: str | None = None
    promote_full: bool | None = None
    controller_pause: bool | None = None
    pause_conditions: list[_PauseCondition] | None = None
    restarted_at: str | None = None
    selector: str | None = None
    canary: _CanaryStatus | None = None
    blue_green: _BlueGreenStatus | None = None
    conditions: list[WireCondition] | None = None


class WireRollout(Struct, frozen=True, gc=False):
    """A Rollout as the API server sends it."""

    metadata: _Meta
    spec: _Spec | None = None
    status: _Status | None = None


_NO_SPEC = _Spec()
_NO_STATUS = _Status()


def rollout_of(wire: WireRollout, cluster: str) -> Workload:
    """Return a Rollout as a workload; raises ValueError or msgspec's errors where the object makes no sense.

    `images` are () where its template is another workload's: its present ReplicaSet tells them.
    """
    meta, spec, status = wire.metadata, wire.spec or _NO_SPEC, wire.status or _NO_STATUS
    annotations = meta.annotations or _Annotations()
    (writer, written_at), scaler = template_and_scale(meta.managed_fields)
    delivery = _delivery(meta, spec, status)
    return Workload(
        ref_of(meta, ARGO_ROLLOUTS, cluster),
        meta.generation or 0,
        _observed(status, meta.generation or 0),
        spec.replicas,
        1 if spec.replicas is None else spec.replicas,
        status.replicas or 0,
        status.ready_replicas or 0,
        status.updated_replicas or 0,
        status.available_replicas or 0,
        epoch(meta.creation_timestamp),
        revision=annotations.revision or "",
        images=images_of(spec.template),
        paused=bool(spec.paused),
        strategy=delivery.strategy,
        progress_deadline=spec.progress_deadline_seconds or PROGRESS_DEADLINE,
        change_cause=annotations.cause or "",
        selector=selector_text(spec.selector) or _without_hash(status.selector or ""),
        conditions=conditions_of(status.conditions),
        labels=labels_of(meta.labels),
        resource_version=meta.resource_version or "",
        changed_by=writer,
        changed_at=written_at,
        scaled_by=scaler,
        delivery=delivery,
        tracking=annotations.tracking or "",
    )


def _observed(status: _Status, generation: int) -> int:
    """Return the observed generation: the field is text, and a hash in what versions before 0.10 wrote."""
    text = str(status.observed_generation or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else generation


def _without_hash(selector: str) -> str:
    """Return the selector that the status of a Rollout names, of all its versions: what it follows has it else."""
    return ",".join(part for part in selector.split(",") if not part.startswith(f"{HASH_LABEL}="))


def _delivery(meta: _Meta, spec: _Spec, status: _Status) -> Delivery:
    strategy = spec.strategy or _Strategy()
    canary, colours = strategy.canary, status.blue_green or _BlueGreenStatus()
    steps = (canary.steps or []) if canary is not None and strategy.blue_green is None else []
    full = (canary.traffic_routing.max_traffic_weight if canary and canary.traffic_routing else None) or FULL_WEIGHT
    step = min(max(status.current_step_index or 0, 0), len(steps)) if steps else None
    weights = status.canary.weights if status.canary is not None else None
    pauses = status.pause_conditions or []
    paused_at = epoch(pauses[0].start_time) if pauses else 0.0
    phase, message = _phase(meta, spec, status)
    follows = spec.workload_ref
    return Delivery(
        BLUE_GREEN if strategy.blue_green is not None else CANARY,
        intern(phase),
        message,
        steps=tuple(intern(_step_words(one)) for one in steps),
        step=step,
        weight=_weight(steps, step, full, aborted=bool(status.abort)),
        full_weight=full,
        routed=weights.canary.weight if weights is not None and canary and canary.traffic_routing else None,
        stable=status.stable_rs or "",
        current=status.current_pod_hash or "",
        active=colours.active_selector or "",
        preview=colours.preview_selector or "",
        aborted=bool(status.abort),
        aborted_at=epoch(status.aborted_at),
        full=bool(status.promote_full),
        pauses=tuple(intern(one.reason) for one in pauses),
        paused_at=paused_at,
        pause_ends_at=_pause_ends(steps, step, paused_at),
        held=bool(status.controller_pause),
        judgements=_judgements(status),
        restart_at=epoch(spec.restart_at),
        restarted_at=epoch(status.restarted_at),
        follows=f"{follows.kind.lower()}/{follows.name}" if follows is not None and follows.name else "",
    )


def _phase(meta: _Meta, spec: _Spec, status: _Status) -> tuple[str, str]:
    """Return phase and message by the rule of every Argo client: the controller's own unless they are out of date."""
    if _observed(status, meta.generation or 0) < (meta.generation or 0):
        return PROGRESSING, "waiting for rollout spec update to be observed"
    if status.controller_pause and not status.pause_conditions:
        return PROGRESSING, "waiting for rollout to unpause"
    annotations = meta.annotations or _Annotations()
    wanted, seen = annotations.generation or "", status.workload_observed_generation or ""
    if spec.workload_ref is not None and wanted.isdigit() and seen.isdigit() and int(wanted) != int(seen):
        return PROGRESSING, "waiting for rollout spec update to be observed for the reference workload"
    return (status.phase, status.message or "") if status.phase else _reckoned(spec, status)


def _reckoned(spec: _Spec, status: _Status) -> tuple[str, str]:
    """Return phase and message where no controller has written them yet, or one before 1.0 never does."""
    for one in status.conditions or ():
        if one.type == "InvalidSpec":
            return DEGRADED, f"InvalidSpec: {one.message or ''}"
        if one.reason in ("RolloutAborted", "ProgressDeadlineExceeded"):
            return DEGRADED, f"{one.reason}: {one.message or ''}"
    if spec.paused:
        return PAUSED, "manually paused"
    if status.pause_conditions:
        return PAUSED, status.pause_conditions[0].reason
    if spec.restart_at and epoch(spec.restart_at) != epoch(status.restarted_at):
        return PROGRESSING, "rollout is restarting"
    updated = status.updated_replicas or 0
    if updated < (1 if spec.replicas is None else spec.replicas):
        return PROGRESSING, "more replicas need to be updated"
    if (status.available_replicas or 0) < updated:
        return PROGRESSING, "updated replicas are still becoming available"
    if not status.stable_rs or status.stable_rs != status.current_pod_hash:
        return PROGRESSING, "waiting for all steps to complete"
    return HEALTHY, ""


def _step_words(step: _Step) -> str:
    """Return a step as `kubectl argo rollouts` prints it."""
    scale = step.set_canary_scale
    if step.set_weight is not None:
        return f"setWeight: {step.set_weight}"
    if step.pause is not None:
        return "pause" if step.pause.duration is None else f"pause: {step.pause.duration}"
    if step.experiment is not None:
        return "experiment"
    if step.analysis is not None:
        return "analysis"
    if scale is not None:
        if scale.weight is not None:
            return f"setCanaryScale{{weight: {scale.weight}}}"
        if scale.match_traffic_weight:
            return "setCanaryScale{matchTrafficWeight: true}"
        return f"setCanaryScale{{replicas: {scale.replicas or 0}}}"
    routes = (("setHeaderRoute", step.set_header_route), ("setMirrorRoute", step.set_mirror_route))
    named = (("plugin", step.plugin), *routes)
    return next((f"{word}: {one.name}" for word, one in named if one is not None), "invalid")


def _weight(steps: list[_Step], step: int | None, full: int, *, aborted: bool) -> int:
    """Return the weight that the present step asks for, which is what traffic the canary is meant to have."""
    if aborted:
        return 0
    if step is None or step >= len(steps):
        return full
    return next((one.set_weight for one in reversed(steps[: step + 1]) if one.set_weight is not None), 0)


def _pause_ends(steps: list[_Step], step: int | None, paused_at: float) -> float:
    """Return when a timed pause is over, 0 where a person has to end it."""
    if step is None or step >= len(steps) or not paused_at:
        return 0.0
    pause = steps[step].pause
    seconds = duration(pause.duration) if pause is not None and pause.duration is not None else 0.0
    return paused_at + seconds if seconds else 0.0


def duration(value: int | str) -> float:
    """Return the seconds of a Go duration ("1h30m") or of a bare number; 0 for what is neither."""
    text = str(value)
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(text) > 40:
        return 0.0
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _judgements(status: _Status) -> tuple[Judgement, ...]:
    canary, colours = status.canary or _CanaryStatus(), status.blue_green or _BlueGreenStatus()
    named = (
        ("step", canary.current_step_analysis_run_status),
        ("background", canary.current_background_analysis_run_status),
        ("pre", colours.pre_promotion_analysis_run_status),
        ("post", colours.post_promotion_analysis_run_status),
    )
    return tuple(Judgement(role, run.name, run.status, run.message or "") for role, run in named if run and run.name)
