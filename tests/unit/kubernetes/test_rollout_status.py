"""The sentences of `kubectl rollout status`, case by case."""

from __future__ import annotations

import pytest
from msgspec import structs

from services.kubernetes.rollout_status import rollout_status
from services.model.workload import Workload
from tests.unit.kubernetes.estate_of import rolling, stalled, workload

D = 'Waiting for deployment "cart" rollout to finish: '
DS = 'Waiting for daemon set "cart" rollout to finish: '
ROLLING_ONLY = "rollout status is only available for RollingUpdate strategy type"


def sts(**changes: object) -> Workload:
    return workload("StatefulSet", current_revision="a", update_revision="a", partition=0, **changes)


CASES = [
    (workload(), 'deployment "cart" successfully rolled out', True, ""),
    (workload(observed_generation=1), "Waiting for deployment spec update to be observed...", False, ""),
    (
        workload(observed_generation=1, conditions=stalled()),
        "Waiting for deployment spec update to be observed...",
        False,
        "",
    ),
    (workload(conditions=stalled()), "", False, 'deployment "cart" exceeded its progress deadline'),
    (workload(updated=1), f"{D}1 out of 3 new replicas have been updated...", False, ""),
    (workload(updated=0, spec_replicas=None), f"{D}3 old replicas are pending termination...", False, ""),
    (workload(replicas=5), f"{D}2 old replicas are pending termination...", False, ""),
    (workload(available=1, conditions=rolling()), f"{D}1 of 3 updated replicas are available...", False, ""),
    (workload(paused=True), 'deployment "cart" successfully rolled out', True, ""),
    (workload(desired=0), 'deployment "cart" successfully rolled out', True, ""),
    (workload("DaemonSet"), 'daemon set "cart" successfully rolled out', True, ""),
    (workload("DaemonSet", strategy="OnDelete"), "", True, ROLLING_ONLY),
    (workload("DaemonSet", observed_generation=1), "Waiting for daemon set spec update to be observed...", False, ""),
    (workload("DaemonSet", updated=1), f"{DS}1 out of 3 new pods have been updated...", False, ""),
    (workload("DaemonSet", available=1), f"{DS}1 of 3 updated pods are available...", False, ""),
    (sts(), "partitioned roll out complete: 3 new pods have been updated...", True, ""),
    (sts(strategy="OnDelete"), "", True, ROLLING_ONLY),
    (sts(observed_generation=0), "Waiting for statefulset spec update to be observed...", False, ""),
    (sts(ready=1), "Waiting for 2 pods to be ready...", False, ""),
    (sts(updated=1), "Waiting for partitioned roll out to finish: 1 out of 3 new pods have been updated...", False, ""),
    (
        structs.replace(sts(updated=1), partition=2),
        "partitioned roll out complete: 1 new pods have been updated...",
        True,
        "",
    ),
    (
        structs.replace(sts(updated=0), partition=2),
        "Waiting for partitioned roll out to finish: 0 out of 1 new pods have been updated...",
        False,
        "",
    ),
    (
        structs.replace(sts(updated=2), partition=None, update_revision="b"),
        "waiting for statefulset rolling update to complete 2 pods at revision b...",
        False,
        "",
    ),
    (
        structs.replace(sts(current=3), partition=None),
        "statefulset rolling update complete 3 pods at revision a...",
        True,
        "",
    ),
]


@pytest.mark.parametrize(("subject", "text", "done", "error"), CASES)
def test_sentences(subject: Workload, text: str, done: bool, error: str) -> None:
    assert rollout_status(subject) == (text, done, error)


def test_a_pinned_revision_that_does_not_run_is_an_error() -> None:
    assert rollout_status(workload(), revision=2).done
    found = rollout_status(workload(), revision=1)
    assert found.error == "desired revision (1) is different from the running revision (2)"


def test_other_kinds_have_no_status() -> None:
    with pytest.raises(ValueError, match="Job"):
        rollout_status(workload("Job"))
