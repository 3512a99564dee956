"""Reads an Argo Rollout as a workload with its delivery: phase, steps, weight and parts as its own clients see them.

Sources: argo-rollouts v1.10 pkg/apis/rollouts/v1alpha1/types.go, utils/rollout/rolloututil.go (GetRolloutPhase,
CalculateRolloutPhase).
"""

from __future__ import annotations

from sys import intern
from typing import Any

from msgspec import Struct, field

from services.kubernetes.decode_steps import WireStep, canary_scale, pause_ends, step_words, weight
from services.kubernetes.decode_workloads import Annotations, WireSelector, WorkloadMeta, common, selector_text
from services.kubernetes.wire import (
    WireCondition,
    WireConfiguredTemplate,
    config_maps_of,
    epoch,
    images_of,
    ref_of,
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

HASH_LABEL = "rollouts-pod-template-hash"
FULL_WEIGHT = 100
PROGRESS_DEADLINE = 600
"""Seconds where `progressDeadlineSeconds` is unset (utils/defaults)."""


class _Routing(Struct, frozen=True, gc=False, rename="camel"):
    max_traffic_weight: int | None = None
    alb: Any = None
    ambassador: Any = None
    apisix: Any = None
    app_mesh: Any = None
    istio: Any = None
    nginx: Any = None
    plugins: Any = None
    smi: Any = None
    traefik: Any = None

    @property
    def router(self) -> str:
        """What shapes the traffic: "nginx", "istio, alb", a plugin by its name; each is told the same share."""
        routers = {"istio": self.istio, "nginx": self.nginx, "alb": self.alb, "smi": self.smi}
        routers |= {"ambassador": self.ambassador, "appMesh": self.app_mesh, "traefik": self.traefik}
        routers |= {"apisix": self.apisix}
        plugins = sorted(str(name) for name in self.plugins) if isinstance(self.plugins, dict) else []
        return ", ".join([*(name for name, given in routers.items() if given is not None), *plugins])


class _Canary(Struct, frozen=True, gc=False, rename="camel"):
    steps: list[WireStep] | None = None
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
    template: WireConfiguredTemplate | None = None
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


class _Weight(Struct, frozen=True, gc=False, rename="camel"):
    weight: int = 0
    pod_template_hash: str | None = None


class _Weights(Struct, frozen=True, gc=False):
    canary: _Weight = _Weight()
    additional: list[_Weight] | None = None
    verified: bool | None = None

    def leaving(self, current: str) -> int:
        """Return the share of a version that is neither the present one nor stable: it is gone back on by and by."""
        return self.canary.weight if self.canary.pod_template_hash not in (None, "", current) else 0


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

    metadata: WorkloadMeta
    spec: _Spec | None = None
    status: _Status | None = None


_NO_SPEC = _Spec()
_NO_STATUS = _Status()


def rollout_of(wire: WireRollout, cluster: str) -> Workload:
    """Return a Rollout as a workload; raises ValueError or msgspec's errors where the object makes no sense.

    `images` are () where its template is another workload's: its present ReplicaSet tells them.
    """
    meta, spec, status = wire.metadata, wire.spec or _NO_SPEC, wire.status or _NO_STATUS
    annotations = meta.annotations or Annotations()
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
        revision=annotations.delivered or "",
        images=images_of(spec.template),
        config_maps=config_maps_of(spec.template),
        paused=bool(spec.paused),
        strategy=delivery.strategy,
        progress_deadline=spec.progress_deadline_seconds or PROGRESS_DEADLINE,
        delivery=delivery,
        **common(meta, selector_text(spec.selector) or _without_hash(status.selector or ""), status.conditions),
    )


def _observed(status: _Status, generation: int) -> int:
    """Return the observed generation: the field is text, and a hash in what versions before 0.10 wrote."""
    text = str(status.observed_generation or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else generation


def _without_hash(selector: str) -> str:
    """Return the selector that the status of a Rollout names, of all its versions: what it follows has it else."""
    return ",".join(part for part in selector.split(",") if not part.startswith(f"{HASH_LABEL}="))


def _delivery(meta: WorkloadMeta, spec: _Spec, status: _Status) -> Delivery:
    strategy = spec.strategy or _Strategy()
    canary, colours = strategy.canary, status.blue_green or _BlueGreenStatus()
    steps = (canary.steps or []) if canary is not None and strategy.blue_green is None else []
    routing = canary.traffic_routing if canary is not None and strategy.blue_green is None else None
    full = (routing.max_traffic_weight if routing is not None else None) or FULL_WEIGHT
    step = min(max(status.current_step_index or 0, 0), len(steps)) if steps else None
    weights = status.canary.weights if status.canary is not None and routing is not None else None
    promoted = (status.stable_rs or "") == (status.current_pod_hash or "")
    pauses = status.pause_conditions or []
    paused_at = epoch(pauses[0].start_time) if pauses else 0.0
    phase, message = _phase(meta, spec, status)
    follows = spec.workload_ref
    return Delivery(
        BLUE_GREEN if strategy.blue_green is not None else CANARY,
        intern(phase),
        message,
        steps=tuple(intern(step_words(one)) for one in steps),
        step=step,
        weight=weight(steps, step, full, aborted=bool(status.abort)),
        full_weight=full,
        routed=weights.canary.weight if weights is not None else None,
        besides=sum(one.weight for one in weights.additional or ()) if weights is not None else 0,
        leaving=weights.leaving(status.current_pod_hash or "") if weights is not None and promoted else 0,
        stable=status.stable_rs or "",
        current=status.current_pod_hash or "",
        active=colours.active_selector or "",
        preview=colours.preview_selector or "",
        aborted=bool(status.abort),
        aborted_at=epoch(status.aborted_at),
        full=bool(status.promote_full),
        pauses=tuple(intern(one.reason) for one in pauses),
        paused_at=paused_at,
        pause_ends_at=pause_ends(steps, step, paused_at),
        held=bool(status.controller_pause),
        judgements=_judgements(status),
        restart_at=epoch(spec.restart_at),
        restarted_at=epoch(status.restarted_at),
        follows=f"{follows.kind.lower()}/{follows.name}" if follows is not None and follows.name else "",
        router=intern(routing.router) if routing is not None else "",
        verified=weights.verified if weights is not None else None,
        canary_scale=intern(canary_scale(steps, step)) if routing is not None and not status.abort else "",
    )


def _phase(meta: WorkloadMeta, spec: _Spec, status: _Status) -> tuple[str, str]:
    """Return phase and message by the rule of every Argo client: the controller's own unless they are out of date."""
    if _observed(status, meta.generation or 0) < (meta.generation or 0):
        return PROGRESSING, "waiting for rollout spec update to be observed"
    if status.controller_pause and not status.pause_conditions:
        return PROGRESSING, "waiting for rollout to unpause"
    annotations = meta.annotations or Annotations()
    wanted, seen = annotations.followed_generation or "", status.workload_observed_generation or ""
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


def _judgements(status: _Status) -> tuple[Judgement, ...]:
    canary, colours = status.canary or _CanaryStatus(), status.blue_green or _BlueGreenStatus()
    named = (
        ("step", canary.current_step_analysis_run_status),
        ("background", canary.current_background_analysis_run_status),
        ("pre", colours.pre_promotion_analysis_run_status),
        ("post", colours.post_promotion_analysis_run_status),
    )
    return tuple(Judgement(role, run.name, run.status, run.message or "") for role, run in named if run and run.name)
