"""Reads an AnalysisRun of Argo Rollouts: which metric was measured as what, and why the run failed.

Source: argo-rollouts v1.10 pkg/apis/rollouts/v1alpha1/analysis_types.go.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from services.errors import Problem
from services.kubernetes.decode import FAILURES
from services.sanitize import safe_text

BAD = ("Failed", "Error", "Inconclusive")


class Metric(Struct, frozen=True, gc=False):
    """One metric of a run, raw: its `value` is that of the last bad measurement, else of the last one."""

    name: str
    phase: str
    value: str = ""
    message: str = ""
    measured: int = 0
    failed: int = 0


class Analysis(Struct, frozen=True, gc=False):
    """One run; metrics that went wrong come first."""

    name: str
    phase: str
    message: str = ""
    metrics: tuple[Metric, ...] = ()


class _Measurement(Struct):
    phase: str = ""
    value: str = ""
    message: str = ""


class _Result(Struct, rename="camel"):
    name: str = ""
    phase: str = ""
    message: str = ""
    measurements: list[_Measurement] = []
    count: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0


class _Status(Struct, rename="camel"):
    phase: str = ""
    message: str = ""
    metric_results: list[_Result] = []


class _Meta(Struct):
    name: str = ""


class _Run(Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    status: _Status = msgspec.field(default_factory=_Status)


def analysis_of(body: bytes) -> Analysis:
    """Return the run that an AnalysisRun's JSON holds. Raises Problem where it cannot be read."""
    try:
        run = msgspec.json.decode(body, type=_Run)
    except FAILURES as error:
        raise Problem(safe_text(f"Could not read the analysis: {error}")) from None
    metrics = sorted((_metric(one) for one in run.status.metric_results), key=lambda one: one.phase not in BAD)
    return Analysis(run.metadata.name, run.status.phase, run.status.message, tuple(metrics))


def _metric(result: _Result) -> Metric:
    last = result.measurements[-1] if result.measurements else _Measurement()
    shown = next((one for one in reversed(result.measurements) if one.phase in BAD), last)
    message = shown.message or result.message
    counted = result.count or len(result.measurements)
    return Metric(result.name, result.phase, shown.value, message, counted, result.failed + result.error)
