"""How bad a workload is and why, case by case."""

from __future__ import annotations

import pytest

from services.kubernetes.diagnosis import diagnose
from services.model.severity import Severity
from services.model.workload import Condition, ContainerState, Pod, ReplicaSetInfo, Workload
from tests.unit.kubernetes.estate_of import NOW, crashing, pod, replicaset, rolling, stalled, workload

QUOTA = (
    'pods "cart-x" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, '
    "used: requests.cpu=6, limited: requests.cpu=6"
)
REFUSED = (Condition("ReplicaFailure", "True", "FailedCreate", QUOTA, NOW - 300), *rolling(300))
PULL = ContainerState("app", "ImagePullBackOff", 'Back-off pulling image "x": manifest unknown: not found')
CONFIG = ContainerState("app", "CreateContainerConfigError", 'secret "db" not found')
NOWHERE = "0/12 nodes are available: 12 Insufficient cpu. preemption: 0/12 nodes are available."

CASES = [
    ("healthy", workload(), [], [pod("a"), pod("b"), pod("c")], Severity.OK, ""),
    ("scaled to nothing", workload(desired=0), [], [], Severity.OK, "scaled to 0"),
    ("paused", workload(paused=True), [], [], Severity.NOTICE, "paused"),
    ("on its way", workload(updated=1, replicas=4, conditions=rolling()), [], [], Severity.NOTICE, "updating 1 of 3"),
    ("old ones end", workload(replicas=4, conditions=rolling()), [], [], Severity.NOTICE, "1 old terminating"),
    (
        "first seconds",
        workload(ready=0, available=0, updated=3, conditions=rolling(5)),
        [],
        [],
        Severity.NOTICE,
        "0 of 3 available",
    ),
    ("nothing ready", workload(ready=0, available=0), [], [], Severity.CRIT, "0 of 3 available"),
    ("one short", workload(ready=2), [], [], Severity.WARN, "2 of 3 ready"),
    (
        "crashing whole",
        workload(ready=0, available=0, conditions=rolling()),
        [],
        [crashing(n) for n in "abc"],
        Severity.CRIT,
        "CrashLoop exit 1, x7",
    ),
    (
        "crashing one of eight",
        workload(desired=8, ready=7, available=7, conditions=rolling()),
        [],
        [crashing()],
        Severity.WARN,
        "CrashLoop exit 1, x7",
    ),
    (
        "killed for memory",
        workload(ready=0, available=0),
        [],
        [crashing(reason="OOMKilled", code=137, restarts=3)],
        Severity.CRIT,
        "OOMKilled, x3",
    ),
    (
        "quota",
        workload(ready=2, available=2, updated=2, conditions=REFUSED),
        [],
        [],
        Severity.CRIT,
        "quota: cpu exceeded",
    ),
    (
        "image",
        workload(ready=2, available=2, updated=1, conditions=rolling()),
        [],
        [pod(status="ImagePullBackOff", severity=Severity.CRIT, ready=0, trouble=PULL)],
        Severity.CRIT,
        "ImagePull: not found",
    ),
    (
        "a signature that is not trusted",
        workload(ready=2, available=2, updated=1, conditions=rolling()),
        [],
        [pod(status="SignatureValidationFailed", severity=Severity.CRIT, ready=0, trouble=None)],
        Severity.CRIT,
        "ImagePull fails",
    ),
    (
        "configuration",
        workload(ready=0, available=0, conditions=rolling()),
        [],
        [pod(status="CreateContainerConfigError", severity=Severity.CRIT, ready=0, trouble=CONFIG)],
        Severity.CRIT,
        'config: secret "db" not found',
    ),
    (
        "no place",
        workload(ready=2, available=2, conditions=rolling()),
        [],
        [pod(status="Pending", severity=Severity.NOTICE, ready=0, unschedulable=NOWHERE)],
        Severity.CRIT,
        "unschedulable: 0/12 nodes, cpu",
    ),
    (
        "node lost",
        workload(ready=2, available=2),
        [],
        [pod(status="Unknown", severity=Severity.CRIT, ready=0)],
        Severity.CRIT,
        "node lost: node-1",
    ),
    ("not ready", workload(ready=2), [], [pod(ready=0)], Severity.WARN, "2 of 3 ready"),
    (
        "restarts though ready",
        workload(),
        [],
        [pod(restarts=4, last_restart_at=NOW - 60)],
        Severity.WARN,
        "restarting, x4",
    ),
    (
        "evicted and replaced",
        workload(),
        [],
        [pod("a"), pod("b"), pod("c"), pod(status="Error", severity=Severity.CRIT, ready=0, phase="Failed")],
        Severity.OK,
        "",
    ),
    (
        "evicted and not yet replaced",
        workload(ready=2),
        [],
        [pod("a"), pod("b"), pod(status="Error", severity=Severity.CRIT, ready=0, phase="Failed")],
        Severity.WARN,
        "Error",
    ),
    ("restarted long ago", workload(), [], [pod(restarts=40, last_restart_at=NOW - 86400)], Severity.OK, ""),
    (
        "deadline passed",
        workload(ready=2, updated=1, conditions=stalled()),
        [],
        [],
        Severity.CRIT,
        "stalled: deadline passed",
    ),
]


@pytest.mark.parametrize(("what", "row", "sets", "pods", "severity", "words"), CASES, ids=[case[0] for case in CASES])
def test_case(
    what: str, row: Workload, sets: list[ReplicaSetInfo], pods: list[Pod], severity: Severity, words: str
) -> None:
    found = diagnose(row, sets, pods, NOW)
    assert (found.severity, found.what) == (severity, words)


def test_the_cause_is_the_servers_own_sentence() -> None:
    assert diagnose(workload(ready=2, updated=2, conditions=REFUSED), [], [], NOW).cause == QUOTA


def test_the_last_words_are_the_last_line_of_the_termination_message() -> None:
    words = "starting\nTraceback\nsqlite3.OperationalError: no such column: vat"
    found = diagnose(workload(ready=0, available=0), [], [crashing(words=words)], NOW)
    assert found.last_words == "sqlite3.OperationalError: no such column: vat"


def test_what_was_current_before() -> None:
    found = diagnose(workload(), [replicaset(1), replicaset(2)], [], NOW)
    assert (found.revision, found.previous_revision, found.previous_images) == (2, 1, ("shop/cart:v1",))


@pytest.mark.parametrize(
    ("row", "deadline"),
    [
        (workload(updated=1, conditions=rolling(30)), NOW + 570),
        (workload(updated=1, conditions=rolling(30), progress_deadline=2**31 - 1), 0.0),
        (workload(updated=1, conditions=rolling(30), paused=True), 0.0),
        (workload(conditions=rolling(30)), 0.0),
        (workload(updated=1, conditions=stalled()), 0.0),
    ],
)
def test_the_deadline_runs_from_the_last_progress(row: Workload, deadline: float) -> None:
    assert diagnose(row, [], [], NOW).deadline_at == deadline
