"""Reads the steps of a canary: their words, what share and how many pods the present one asks for, when it goes on.

Sources: argo-rollouts v1.10 utils/replicaset/canary.go (GetCurrentSetWeight, UseSetCanaryScale), utils/rollout
(CanaryStepString).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Pause(Struct, frozen=True, gc=False):
    duration: int | str | None = None


class _CanaryScale(Struct, frozen=True, gc=False, rename="camel"):
    weight: int | None = None
    replicas: int | None = None
    match_traffic_weight: bool | None = None


class Named(Struct, frozen=True, gc=False):
    """What is named by a step."""

    name: str = ""


class WireStep(Struct, frozen=True, gc=False, rename="camel"):
    """One step, of which one field is set."""

    set_weight: int | None = None
    pause: _Pause | None = None
    experiment: Any = None
    analysis: Any = None
    set_canary_scale: _CanaryScale | None = None
    set_header_route: Named | None = None
    set_mirror_route: Named | None = None
    plugin: Named | None = None


def step_words(step: WireStep) -> str:
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


def weight(steps: Sequence[WireStep], step: int | None, full: int, *, aborted: bool) -> int:
    """Return the weight that the present step asks for, which is what traffic the canary is meant to have."""
    if aborted:
        return 0
    if step is None or step >= len(steps):
        return full
    return next((one.set_weight for one in reversed(steps[: step + 1]) if one.set_weight is not None), 0)


def canary_scale(steps: Sequence[WireStep], step: int | None) -> str:
    """Return the step that sizes the canary now, "" where its share does (GetCurrentSetCanaryScale)."""
    behind = steps[: step + 1] if step is not None and step < len(steps) else []
    found = next((one for one in reversed(behind) if one.set_canary_scale is not None), None)
    scale = found.set_canary_scale if found is not None else None
    return "" if found is None or scale is None or scale.match_traffic_weight else step_words(found)


def pause_ends(steps: Sequence[WireStep], step: int | None, paused_at: float) -> float:
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
