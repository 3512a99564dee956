"""A Rollout as its controller's own clients see it: phase, weight, steps; and in which words its row says it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.actions.abort import why_no_abort, why_no_retry
from services.actions.deliveries import Scene
from services.actions.promote import next_orders, why_no_full_promotion, why_no_promotion
from services.kubernetes.analysis import analysis_of
from services.kubernetes.decode import decode_list
from services.kubernetes.decode_steps import duration
from services.kubernetes.delivery import because, delivered, progress_words
from services.kubernetes.diagnosis import diagnose
from services.kubernetes.history import revisions
from services.kubernetes.rollout_status import rollout_status
from services.kubernetes.undo import CannotUndo, rollback
from services.kubernetes.writing import digest_for
from services.model.delivery import Delivery
from services.model.ref import ARGO_ROLLOUTS, REPLICASETS
from services.model.severity import Severity
from services.model.workload import Rollout, Workload
from services.ports import Snapshot
from tui.presenters.delivery import present_delivery
from tui.presenters.detail import present_detail
from tui.presenters.lens import Lens

IMAGE = "registry.example/front"
STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "10s"}}]
PAUSE = {"reason": "CanaryPauseStep", "startTime": "2026-08-01T03:00:00Z"}
NOW = 1785553200.0


def document(status: dict[str, Any], strategy: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "front", "image": f"{IMAGE}:2"}]}}
    return {
        "kind": "Rollout",
        "metadata": {
            "name": "front",
            "namespace": "shop",
            "uid": "u-1",
            "generation": 4,
            "annotations": {"rollout.argoproj.io/revision": "2"},
        },
        "spec": {"replicas": 5, "template": template, "strategy": strategy or {"canary": {"steps": STEPS}}, **spec},
        "status": {"observedGeneration": "4", "stableRS": "old", "currentPodHash": "new", **status},
    }


def workload(status: dict[str, Any], strategy: dict[str, Any] | None = None, **spec: Any) -> Workload:
    body = json.dumps({"metadata": {}, "items": [document(status, strategy, **spec)]}).encode()
    page = decode_list(ARGO_ROLLOUTS.table, body, "c")
    assert page.quarantined == []
    found = page.rows["shop/front"]
    assert isinstance(found, Workload)
    return found


def delivery(status: dict[str, Any], strategy: dict[str, Any] | None = None, **spec: Any) -> Delivery:
    found = workload(status, strategy, **spec).delivery
    assert found is not None
    return found


def replicaset(number: int, template_hash: str, ready: int, image: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"front-{template_hash}",
            "namespace": "shop",
            "uid": f"rs-{number}",
            "labels": {"rollouts-pod-template-hash": template_hash},
            "annotations": {"rollout.argoproj.io/revision": str(number)},
            "ownerReferences": [{"kind": "Rollout", "name": "front", "uid": "u-1", "controller": True}],
        },
        "spec": {
            "replicas": ready,
            "template": {
                "metadata": {"labels": {"app": "front", "rollouts-pod-template-hash": template_hash}},
                "spec": {"containers": [{"name": "front", "image": image}]},
            },
        },
        "status": {"replicas": ready, "readyReplicas": ready},
    }


def row(status: dict[str, Any], **spec: Any) -> Rollout:
    items = [replicaset(1, "old", 4, f"{IMAGE}:1"), replicaset(2, "new", 1, f"{IMAGE}:2")]
    sets = decode_list(REPLICASETS.table, json.dumps({"metadata": {}, "items": items}).encode(), "c").rows.values()
    counts = {"replicas": 5, "readyReplicas": 5, "availableReplicas": 5, "updatedReplicas": 1}
    found = workload({**counts, **status}, **spec)
    assert found.delivery is not None
    return delivered(diagnose(found, list(sets), (), NOW), found.delivery, list(sets))


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


PAUSED = {"phase": "Paused", "message": "CanaryPauseStep", "currentStepIndex": 1, "pauseConditions": [PAUSE]}
ABORTED = {"phase": "Degraded", "message": "RolloutAborted: gave up", "abort": True, "currentStepIndex": 0}
MISSED = {"currentStepAnalysisRunStatus": {"name": "run-2", "status": "Inconclusive", "message": "too few"}}


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


BLUE_GREEN = {"blueGreen": {"activeService": "a", "autoPromotionEnabled": False}}
WAITS = {"pauseConditions": [{**PAUSE, "reason": "BlueGreenPause"}]}
ENABLED: list[tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any], str]] = [
    ({"stableRS": "new"}, None, {}, ""),
    ({"stableRS": "new"}, None, {"paused": True}, "promote"),
    ({"stableRS": ""}, None, {}, "promote"),
    (PAUSED, None, {}, "promote full abort"),
    (PAUSED, None, {"paused": True}, "promote full abort"),
    ({"currentStepIndex": 0}, None, {}, "promote full abort"),
    ({"currentStepIndex": 4}, None, {}, "full abort"),
    ({"currentStepIndex": 1, "promoteFull": True}, None, {}, "promote abort"),
    (ABORTED, None, {}, "full retry"),
    ({}, {"canary": {}}, {}, "full abort"),
    (WAITS, BLUE_GREEN, {}, "promote full abort"),
    ({}, BLUE_GREEN, {}, "full abort"),
    ({"abort": True}, BLUE_GREEN, {}, "full retry"),
]


@pytest.mark.parametrize(("status", "strategy", "spec", "wanted"), ENABLED)
def test_actions_are_on_exactly_when_they_make_sense(status: Any, strategy: Any, spec: Any, wanted: str) -> None:
    found, parts = workload(status, strategy, **spec), delivery(status, strategy, **spec)
    rules = {"promote": why_no_promotion, "full": why_no_full_promotion, "abort": why_no_abort, "retry": why_no_retry}
    reasons = {name: rule(found, parts) for name, rule in rules.items()}
    assert " ".join(name for name, reason in reasons.items() if not reason) == wanted


INCONCLUSIVE = {**PAUSED, "controllerPause": True, "canary": MISSED}


@pytest.mark.parametrize(
    ("status", "strategy", "wanted"),
    [
        (PAUSED, None, {"pauseConditions": None}),
        ({"currentStepIndex": 0}, None, {"pauseConditions": None, "currentStepIndex": 1}),
        ({"currentStepIndex": 3}, None, {"pauseConditions": None, "currentStepIndex": 4}),
        (INCONCLUSIVE, None, {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}),
        (WAITS, BLUE_GREEN, {"pauseConditions": None}),
        ({}, BLUE_GREEN, {}),
        ({"stableRS": "new"}, None, {}),
    ],
)
def test_a_promotion_orders_what_the_plugin_orders(status: Any, strategy: Any, wanted: dict[str, object]) -> None:
    scene = Scene({}, workload(status, strategy), delivery(status, strategy), 1)
    assert next_orders(scene) == wanted


def test_orders_are_about_what_they_change_and_for_which_version() -> None:
    path, abort, promote = "/x/status", b'{"status":{"abort":true}}', b'{"status":{"pauseConditions":null}}'
    before = document(PAUSED)
    elsewhere = document({**PAUSED, "pauseConditions": [{**PAUSE, "startTime": "2026-08-01T03:05:00Z"}]})
    another = document({**PAUSED, "currentPodHash": "newer"})
    assert digest_for(path, abort, before) == digest_for(path, abort, elsewhere)
    assert digest_for(path, promote, before) != digest_for(path, promote, elsewhere)
    assert digest_for(path, abort, before) != digest_for(path, abort, another)
    assert digest_for("/x", promote, before) == digest_for("/x", promote, another)


def test_the_way_back_is_to_the_stable_revision_though_what_was_given_up_still_has_pods() -> None:
    held = [
        replicaset(1, "old", 4, f"{IMAGE}:1"),
        replicaset(2, "given-up", 1, f"{IMAGE}:1.5"),
        replicaset(3, "new", 1, f"{IMAGE}:2"),
    ]
    whole = document(PAUSED)
    whole["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "3"
    found = rollback(whole, held)
    assert (found.revision.number, found.words) == (1, "inferred: it is the stable one")
    (patch,) = json.loads(found.body)
    assert patch["value"]["metadata"]["labels"] == {"app": "front"}
    known = revisions(json.dumps(whole).encode(), json.dumps({"items": held}).encode(), "Rollout")
    assert [(one.number, one.current, one.mark) for one in known] == [
        (3, True, ""),
        (2, False, ""),
        (1, False, "inferred"),
    ]


def test_defaults_of_the_server_are_no_difference_and_never_make_the_present_one_the_way_back() -> None:
    held = [replicaset(1, "old", 2, f"{IMAGE}:1"), replicaset(2, "new", 2, f"{IMAGE}:2")]
    for one in held:
        one["spec"]["template"]["spec"] |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always"}
    found = rollback(document({"stableRS": "new"}), held)
    assert found.revision.number == 1
    assert [one.path for one in found.differences] == ["spec.containers[front].image"]
    with pytest.raises(CannotUndo, match="already matches revision 2"):
        rollback(document({"stableRS": "new"}), held, to=2)


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
        ({"currentPodHash": "old", "canary": {"weights": {"canary": {"weight": 0}}}}, {"nginx": {}}, "", ""),
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
