"""READY, STATUS and RESTARTS as kubectl prints them, how bad that is, and which container explains it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kubernetes.decode import decode_list
from services.kubernetes.podstatus import human_duration, parse_duration
from services.model.severity import Severity
from services.model.workload import Pod

ENDED = "2026-01-01T00:00:00Z"


def running(ready: bool = True, restarts: int = 0, **rest: Any) -> dict[str, Any]:
    return {"state": {"running": {}}, "ready": ready, "restartCount": restarts, **rest}


def waiting(reason: str, **rest: Any) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}, "ready": False, "restartCount": 0, **rest}


def ended(code: int, reason: str = "", **rest: Any) -> dict[str, Any]:
    return {"state": {"terminated": {"exitCode": code, "reason": reason, **rest}}, "ready": False, "restartCount": 0}


def last(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"lastState": {"terminated": {"exitCode": code, "reason": reason, "finishedAt": ENDED, "message": "boom"}}}


def read(
    *containers: dict[str, Any],
    phase: str = "Running",
    init: Any = (),
    sidecars: Any = (),
    deleting: bool = False,
    **status: Any,
) -> Pod:
    names = [f"c{index}" for index in range(len(containers))]
    inits = [f"i{index}" for index in range(len(init))]
    body = {
        "metadata": {
            "name": "a",
            "namespace": "shop",
            **({"deletionTimestamp": ENDED} if deleting else {}),
        },
        "spec": {
            "containers": [{"name": name} for name in names],
            "initContainers": [
                {"name": name, **({"restartPolicy": "Always"} if index in sidecars else {})}
                for index, name in enumerate(inits)
            ],
        },
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": name, **one} for name, one in zip(names, containers, strict=True)],
            "initContainerStatuses": [{"name": name, **one} for name, one in zip(inits, init, strict=True)],
            **status,
        },
    }
    page = decode_list("pods", json.dumps({"metadata": {}, "items": [body]}).encode(), "c")
    assert not page.quarantined
    return page.rows["shop/a"]


READY = {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]}
GATED = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}
NOWHERE = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]}
CRIT, WARN, NOTICE, OK = Severity.CRIT, Severity.WARN, Severity.NOTICE, Severity.OK

CASES = [
    ("healthy", read(running(), running()), "Running", "2/2", 0, OK),
    ("one not ready", read(running(), running(ready=False)), "Running", "1/2", 0, WARN),
    (
        "crash loop",
        read(waiting("CrashLoopBackOff", restarts=7) | {"restartCount": 7}),
        "CrashLoopBackOff",
        "0/1",
        7,
        CRIT,
    ),
    ("the first container has the last word", read(waiting("A"), waiting("B")), "A", "0/2", 0, CRIT),
    ("done", read(ended(0, "Completed"), phase="Succeeded"), "Completed", "0/1", 0, OK),
    ("one done, one runs and is ready", read(ended(0, "Completed"), running(), **READY), "Running", "1/2", 0, WARN),
    ("one done, one runs", read(ended(0, "Completed"), running()), "NotReady", "1/2", 0, WARN),
    ("one done, one failed", read(ended(0, "Completed"), ended(2, "Error")), "Error", "0/2", 0, CRIT),
    ("exit code", read(ended(3)), "ExitCode:3", "0/1", 0, CRIT),
    ("signal", read(ended(0, signal=9)), "Signal:9", "0/1", 0, CRIT),
    ("evicted", read(phase="Failed", reason="Evicted"), "Evicted", "0/0", 0, WARN),
    ("pending", read(phase="Pending"), "Pending", "0/0", 0, NOTICE),
    ("gated", read(phase="Pending", **GATED), "SchedulingGated", "0/0", 0, NOTICE),
    ("unschedulable", read(phase="Pending", **NOWHERE), "Pending", "0/0", 0, WARN),
    ("terminating", read(running(), deleting=True), "Terminating", "1/1", 0, NOTICE),
    ("gone node", read(running(), deleting=True, reason="NodeLost"), "Unknown", "1/1", 0, CRIT),
    ("done, then deleted", read(ended(0, "Completed"), phase="Succeeded", deleting=True), "Completed", "0/1", 0, OK),
    ("init waits", read(waiting(""), phase="Pending", init=[running()]), "Init:0/1", "0/1", 0, NOTICE),
    (
        "second init",
        read(waiting(""), phase="Pending", init=[ended(0), waiting("PodInitializing")]),
        "Init:1/2",
        "0/1",
        0,
        NOTICE,
    ),
    (
        "init crash",
        read(waiting("PodInitializing"), phase="Pending", init=[waiting("CrashLoopBackOff") | {"restartCount": 4}]),
        "Init:CrashLoopBackOff",
        "0/1",
        4,
        CRIT,
    ),
    ("init exit", read(waiting(""), phase="Pending", init=[ended(1)]), "Init:ExitCode:1", "0/1", 0, CRIT),
    ("init signal", read(waiting(""), phase="Pending", init=[ended(1, signal=9)]), "Init:Signal:9", "0/1", 0, CRIT),
    (
        "init done",
        read(waiting("PodInitializing"), phase="Pending", init=[ended(0)]),
        "PodInitializing",
        "0/1",
        0,
        NOTICE,
    ),
    (
        "restarts of a done init count no more",
        read(running(), init=[ended(0) | {"restartCount": 3}]),
        "Running",
        "1/1",
        0,
        OK,
    ),
    (
        "a sidecar counts",
        read(running(), init=[running(restarts=2, started=True)], sidecars=[0]),
        "Running",
        "2/2",
        2,
        OK,
    ),
    (
        "a sidecar that starts",
        read(waiting(""), phase="Pending", init=[running(ready=False, started=False)], sidecars=[0]),
        "Init:0/1",
        "0/2",
        0,
        NOTICE,
    ),
]


@pytest.mark.parametrize(
    ("pod", "status", "ready", "restarts", "severity"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_columns(pod: Pod, status: str, ready: str, restarts: int, severity: Severity) -> None:
    assert (pod.status, pod.restarts, pod.severity) == (status, restarts, severity)
    assert f"{pod.ready}/{pod.containers}" == ready


def test_the_worst_container_explains() -> None:
    pod = read(running(ready=False) | last(1), waiting("ImagePullBackOff"), waiting("CreateContainerConfigError"))
    assert pod.trouble is not None
    assert (pod.trouble.name, pod.trouble.reason) == ("c1", "ImagePullBackOff")


def test_a_crash_loop_keeps_its_last_end() -> None:
    trouble = read(waiting("CrashLoopBackOff") | {"restartCount": 7} | last(137, "OOMKilled")).trouble
    assert trouble is not None
    assert (trouble.restarts, trouble.last_exit_code, trouble.last_reason) == (7, 137, "OOMKilled")
    assert trouble.last_message == "boom"


def test_a_healthy_pod_needs_no_explanation() -> None:
    assert read(running()).trouble is None
    again = read(running(restarts=2) | last(1))
    assert (again.severity, again.trouble and again.trouble.last_exit_code) == (OK, 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (303, "5m3s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_000, "3h20m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (187_200, "2d4h"),
        (691_200, "8d"),
        (63_071_999, "729d"),
        (63_072_000, "2y"),
        (63_158_400, "2y1d"),
        (252_288_000, "8y"),
    ],
)
def test_ages_are_written_as_kubectl_writes_them(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@given(st.integers(0, 10**9))
def test_an_age_reads_back_within_its_precision(seconds: int) -> None:
    back = parse_duration(human_duration(seconds))
    assert back is not None
    assert 0 <= seconds - back <= max(1, seconds * 0.35)
    assert human_duration(back) == human_duration(seconds)


@pytest.mark.parametrize("text", ["", "<unknown>", "5", "5x", "-5s", "5d 2h"])
def test_no_age(text: str) -> None:
    assert parse_duration(text) is None
