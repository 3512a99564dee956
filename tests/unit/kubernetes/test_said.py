"""What only events tell reaches the row: refused pods of a StatefulSet, probes, volumes, networks."""

from __future__ import annotations

import pytest

from services.kubernetes.diagnosis import diagnose
from services.model.cluster import KubeEvent
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.workload import Pod, Workload
from tests.unit.kubernetes.estate_of import NOW, pod, replicaset, workload
from tests.unit.kubernetes.test_derivation import Joined
from tests.unit.kubernetes.test_diagnosis import QUOTA


def warning(about: Ref, reason: str, message: str, age: float = 10.0) -> KubeEvent:
    ref = Ref("c", "", "Event", "shop", f"{about.name}.{reason}", f"uid-{reason}-{age}")
    return KubeEvent(ref, about, "Warning", reason, message, NOW - age, NOW - age - 60)


DB = workload("StatefulSet", "db", ready=1, available=1, replicas=1)
CREATING = pod(status="ContainerCreating", severity=Severity.NOTICE, ready=0)
UNREADY = pod(ready=0, severity=Severity.WARN, unready_since=NOW - 90)
PROBE = "Readiness probe failed: HTTP probe failed with statuscode: 503\nmore"
MOUNT = 'MountVolume.SetUp failed for volume "conf" : configmap "cart-settings" not found'


@pytest.mark.parametrize(
    ("subject", "pods", "event", "what", "since"),
    [
        (DB, [], warning(DB.ref, "FailedCreate", f"create Pod db-1 failed error: {QUOTA}"), "quota: cpu exceeded", 70),
        (
            workload(ready=2),
            [UNREADY],
            warning(UNREADY.ref, "Unhealthy", PROBE),
            "readiness probe fails: HTTP probe failed with statuscode: 503",
            90,
        ),
        (
            workload(ready=2, available=2),
            [CREATING],
            warning(CREATING.ref, "FailedMount", MOUNT),
            'volume: configmap "cart-settings" not found',
            600,
        ),
        (
            workload(ready=2, available=2),
            [CREATING],
            warning(CREATING.ref, "FailedCreatePodSandBox", "no address left"),
            "network: FailedCreatePodSandBox",
            600,
        ),
    ],
)
def test_an_event_explains(subject: Workload, pods: list[Pod], event: KubeEvent, what: str, since: float) -> None:
    row = diagnose(subject, [], pods, NOW, warnings=[event])
    assert row.what == what
    assert event.message in row.cause
    assert NOW - row.since == since
    assert row.severity <= Severity.WARN


@pytest.mark.parametrize(
    ("subject", "pods", "event"),
    [
        (DB, [], warning(DB.ref, "FailedCreate", QUOTA, age=3600)),
        (workload("StatefulSet", "db"), [], warning(DB.ref, "FailedCreate", QUOTA)),
        (workload(), [pod()], warning(pod().ref, "Unhealthy", PROBE)),
        (workload(), [pod()], warning(pod().ref, "FailedMount", MOUNT)),
    ],
)
def test_an_old_event_or_one_of_a_healthy_pod_explains_nothing(
    subject: Workload, pods: list[Pod], event: KubeEvent
) -> None:
    what = diagnose(subject, [], pods, NOW, warnings=[event]).what
    assert "quota" not in what
    assert "probe" not in what
    assert "volume" not in what


def test_an_event_reaches_its_workload_and_goes_with_it() -> None:
    joined = Joined()
    joined.list_all(
        deployments={"shop/cart": workload(ready=2)},
        replicasets={"shop/cart-2": replicaset(2)},
        pods={UNREADY.ref.key: UNREADY},
    )
    assert joined.cart.what == "2 of 3 ready"
    said = warning(UNREADY.ref, "Unhealthy", PROBE)
    joined.put("events", said)
    assert joined.cart.what.startswith("readiness probe fails")
    joined.drop("events", said.ref.key)
    joined.put("pods", pod(ready=0, severity=Severity.WARN, unready_since=NOW - 91))
    assert joined.cart.what == "2 of 3 ready"


def test_pods_without_an_image_are_a_symptom() -> None:
    joined = Joined()
    bad = pod(status="ImagePullBackOff", severity=Severity.CRIT)
    joined.list_all(pods={bad.ref.key: bad})
    assert joined.symptoms == {"pods-image-pull": "1 pod without an image: shop/cart-a"}
