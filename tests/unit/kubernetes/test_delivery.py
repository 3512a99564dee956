"""A Rollout as its controller's own clients see it: phase, weight, steps; and in which words its row says it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kubernetes.analysis import analysis_of
from services.kubernetes.decode_steps import duration
from services.kubernetes.delivery import because, progress_words
from services.kubernetes.diagnosis import diagnose
from services.kubernetes.rollout_status import rollout_status
from services.model.severity import Severity
from services.ports import Snapshot
from tests.unit.kubernetes.a_rollout import (
    ABORTED,
    IMAGE,
    MISSED,
    NOW,
    PAUSE,
    PAUSED,
    STEPS,
    delivery,
    row,
    workload,
)
from tui.presenters.delivery import present_delivery
from tui.presenters.detail import present_detail
from tui.presenters.lens import Lens

PHASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the controller's own": ({"phase": "Paused", "message": "CanaryPauseStep"}, {}, "Paused - CanaryPauseStep"),
    "healthy": ({"phase": "Healthy"}, {}, "Healthy"),
    "not observed": (
        {"phase": "Healthy", "observedGeneration": "3"},
        {},
        "Progressing - waiting for rollout spec update to be observed",
    ),
    "a hash, before 0.10": ({"phase": "Healthy", "observedGeneration": "6dd5fcb8b4"}, {}, "Healthy"),
    "unpausing": (
        {"phase": "Paused", "message": "x", "controllerPause": True},
        {},
        "Progressing - waiting for rollout to unpause",
    ),
    "paused by a step": (
        {"phase": "Paused", "message": "CanaryPauseStep", "controllerPause": True, "pauseConditions": [PAUSE]},
        {},
        "Paused - CanaryPauseStep",
    ),
    "none written": ({}, {}, "Progressing - more replicas need to be updated"),
    "none written, by hand": ({}, {"paused": True}, "Paused - manually paused"),
    "none written, a pause": ({"pauseConditions": [PAUSE]}, {}, "Paused - CanaryPauseStep"),
    "none written, aborted": (
        {"conditions": [{"type": "Progressing", "status": "False", "reason": "RolloutAborted", "message": "gave up"}]},
        {},
        "Degraded - RolloutAborted: gave up",
    ),
    "none written, coming up": (
        {"updatedReplicas": 5, "availableReplicas": 3},
        {},
        "Progressing - updated replicas are still becoming available",
    ),
    "none written, at a step": (
        {"updatedReplicas": 5, "availableReplicas": 5},
        {},
        "Progressing - waiting for all steps to complete",
    ),
    "none written, done": ({"updatedReplicas": 5, "availableReplicas": 5, "stableRS": "new"}, {}, "Healthy"),
}


@pytest.mark.parametrize("name", PHASES)
def test_the_phase_is_that_of_every_client(name: str) -> None:
    status, spec, wanted = PHASES[name]
    found = rollout_status(workload(status, **spec))
    assert (found.text, found.done) == (wanted, wanted == "Healthy")


@pytest.mark.parametrize(
    ("index", "aborted", "wanted"),
    [(None, False, 20), (0, False, 20), (1, False, 20), (2, False, 60), (4, False, 100), (9, False, 100), (3, True, 0)],
)
def test_the_weight_is_that_of_the_last_step_that_sets_one(index: int | None, aborted: bool, wanted: int) -> None:
    found = delivery({"currentStepIndex": index, "abort": aborted})
    assert (found.weight, found.step) == (wanted, min(index or 0, 4))


def test_steps_are_named_as_the_plugin_names_them() -> None:
    steps: list[dict[str, Any]] = [
        *STEPS,
        {"experiment": {"templates": []}},
        {"analysis": {"templates": []}},
        {"setCanaryScale": {"replicas": 3}},
        {"setCanaryScale": {"weight": 25}},
        {"setCanaryScale": {"matchTrafficWeight": True}},
        {"setHeaderRoute": {"name": "beta"}},
        {"setMirrorRoute": {"name": "copy"}},
        {"plugin": {"name": "argoproj-labs/step"}},
        {},
    ]
    assert delivery({}, {"canary": {"steps": steps}}).steps == (
        *("setWeight: 20", "pause", "setWeight: 60", "pause: 10s", "experiment", "analysis"),
        *("setCanaryScale{replicas: 3}", "setCanaryScale{weight: 25}", "setCanaryScale{matchTrafficWeight: true}"),
        *("setHeaderRoute: beta", "setMirrorRoute: copy", "plugin: argoproj-labs/step", "invalid"),
    )
    timed = delivery({"currentStepIndex": 3, "pauseConditions": [PAUSE]})
    assert timed.pause_ends_at - timed.paused_at == 10


@given(st.text(max_size=20) | st.integers())
def test_any_duration_is_a_number_of_seconds(text: str | int) -> None:
    assert duration(text) >= 0


@pytest.mark.parametrize(
    ("text", "seconds"), [(30, 30), ("30", 30), ("1h30m", 5400), ("1.5s", 1.5), ("", 0), ("soon", 0), ("5m!", 0)]
)
def test_durations_are_go_s(text: str | int, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("status", "severity", "what", "cause"),
    [
        ({"phase": "Healthy", "stableRS": "new"}, Severity.OK, "", ""),
        (PAUSED, Severity.NOTICE, "Paused step 1/4, 20 %: CanaryPauseStep", ""),
        (
            ABORTED,
            Severity.WARN,
            "aborted: spec still names front:2",
            f"RolloutAborted: gave up; aborted: the spec still names {IMAGE}:2; undo to revision 1",
        ),
        (
            {"phase": "Degraded", "message": "InvalidSpec: no selector"},
            Severity.WARN,
            "Degraded step 0/4, 20 %: InvalidSpec: no selector",
            "InvalidSpec: no selector",
        ),
        (
            {**PAUSED, "pauseConditions": [{**PAUSE, "reason": "InconclusiveAnalysisRun"}], "canary": MISSED},
            Severity.WARN,
            "Paused step 1/4, 20 %: CanaryPauseStep",
            "its analysis could not tell good from bad (too few): promote or abort",
        ),
    ],
)
def test_a_row_says_it_in_the_controller_s_words(status: Any, severity: Severity, what: str, cause: str) -> None:
    found = row(status)
    assert (found.severity, found.what, found.cause) == (severity, what, cause)
    assert because(found) == (cause if "could not tell" in cause else "")


def test_the_image_of_a_template_elsewhere_is_that_of_its_replicaset() -> None:
    found = row(PAUSED, template=None, workloadRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "front"})
    assert (found.workload.images, found.previous_images, found.previous_revision) == (
        (f"{IMAGE}:2",),
        (f"{IMAGE}:1",),
        1,
    )
    assert found.workload.delivery is not None
    assert found.workload.delivery.follows == "deployment/front"


def test_a_run_tells_the_measurement_that_failed_first() -> None:
    good = {"name": "fast", "phase": "Successful", "count": 2, "measurements": [{"phase": "Successful", "value": "1"}]}
    bad = {
        "name": "answers",
        "phase": "Failed",
        "count": 3,
        "failed": 1,
        "measurements": [{"phase": "Failed", "value": "[0.42]"}, {"phase": "Successful", "value": "[0.99]"}],
    }
    run = {"metadata": {"name": "run-2"}, "status": {"phase": "Failed", "message": "no", "metricResults": [good, bad]}}
    found = analysis_of(json.dumps(run).encode())
    assert [(one.name, one.value, one.failed) for one in found.metrics] == [("answers", "[0.42]", 1), ("fast", "1", 0)]


SIZED = [
    {"setCanaryScale": {"replicas": 2}},
    {"setWeight": 20},
    {"pause": {}},
    {"setCanaryScale": {"matchTrafficWeight": True}},
]


@pytest.mark.parametrize(
    ("step", "aborted", "scale"),
    [
        (0, False, "setCanaryScale{replicas: 2}"),
        (2, False, "setCanaryScale{replicas: 2}"),
        (2, True, ""),
        (3, False, ""),
        (4, False, ""),
    ],
)
def test_how_many_pods_a_canary_has_apart_from_its_share(step: int, aborted: bool, scale: str) -> None:
    routing = {"nginx": {"stableIngress": "front"}}
    found = delivery(
        {"currentStepIndex": step, "abort": aborted}, {"canary": {"steps": SIZED, "trafficRouting": routing}}
    )
    assert (found.router, found.canary_scale) == ("nginx", scale)
    # without a router the controller passes over that step
    assert delivery({"currentStepIndex": step}, {"canary": {"steps": SIZED}}).canary_scale == ""


EXPERIMENTS = [{"weight": 5, "serviceName": "one"}, {"weight": 5, "serviceName": "two"}]


@pytest.mark.parametrize(
    ("status", "routing", "progress", "said"),
    [
        ({"currentStepIndex": 1}, {}, "step 1/4, 20 %", ""),
        (
            {"currentStepIndex": 2},
            {"istio": {}},
            "step 2/4, 60 %",
            "istio has not been told of a share yet; the step asks for 60 %",
        ),
        (
            {"currentStepIndex": 2, "canary": {"weights": {"canary": {"weight": 20}, "stable": {"weight": 80}}}},
            {"nginx": {}},
            "step 2/4, 20 of 60 %",
            "nginx gives the canary 20 %, the stable version 80 %   the step asks for 60 %",
        ),
        (
            {"currentStepIndex": 1, "canary": {"weights": {"canary": {"weight": 200}, "verified": False}}},
            {"plugins": {"gateway-api": {}}, "maxTrafficWeight": 1000},
            "step 1/4, 20 of 2 %",
            "gateway-api gives the canary 20 %, the stable version 80 %   the step asks for 2 %   not verified yet",
        ),
        (
            {"currentStepIndex": 1, "canary": {"weights": {"canary": {"weight": 20}, "additional": EXPERIMENTS}}},
            {"istio": {}, "alb": {}, "plugins": {"argoproj-labs/gatewayAPI": {}}},
            "step 1/4, 20 %",
            "istio, alb, argoproj-labs/gatewayAPI gives the canary 20 %, the stable version 70 %, experiments 10 %",
        ),
        ({"currentPodHash": "old", "canary": {"weights": {"canary": {"weight": 0}}}}, {"nginx": {}}, "", ""),
        (
            {"currentPodHash": "old", "canary": {"weights": {"canary": {"weight": 40, "podTemplateHash": "new"}}}},
            {"istio": {}},
            "",
            "istio still gives the version before 40 %",
        ),
        (
            {"currentPodHash": "old", "canary": {"weights": {"canary": {"weight": 100, "podTemplateHash": "old"}}}},
            {"istio": {}},
            "",
            "",
        ),
    ],
)
def test_the_share_that_a_router_gives_stands_beside_what_the_step_asks_for(
    status: dict[str, Any], routing: dict[str, Any], progress: str, said: str
) -> None:
    found = workload(status, {"canary": {"steps": STEPS, **({"trafficRouting": routing} if routing else {})}})
    assert found.delivery is not None
    assert progress_words(found.delivery) == progress
    lines = present_delivery(diagnose(found, (), (), NOW), (), {}, Lens(NOW))
    text = ["".join(span.text for span in line) for line in lines]
    assert [one.partition("TRAFFIC")[2].strip() for one in text if "TRAFFIC" in one] == ([said] if said else [])


def test_the_control_room_says_where_a_delivery_is() -> None:
    found = workload(
        {"currentStepIndex": 1, "phase": "Paused", "message": "CanaryPauseStep", "pauseConditions": [PAUSE]}
    )
    shown = present_detail(diagnose(found, (), (), NOW), Snapshot(0, {}, {}), Lens(NOW))
    text = "\n".join("".join(span.text for span in line) for line in shown.lines)
    assert "Paused: CanaryPauseStep   step 1/4, 20 %" in text
    assert "→ pause" in text
