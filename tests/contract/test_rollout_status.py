"""What the rollouts pane says of a workload is what `kubectl rollout status` says, letter by letter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contract.watched import Watched, apply, kubectl, watched
from tests.controlplane import manifests
from tests.controlplane.clusters import Cluster
from tests.controlplane.plane import ControlPlane

IMAGE = "registry.example/shop/web:1.0.0"
ATTEMPTS = 150
KINDS = {"Deployment": "deployment", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}


@pytest.fixture
async def console(cluster: Cluster) -> AsyncIterator[Watched]:
    tables = ("deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "pods")
    async with watched(cluster.kubeconfig(), *tables) as made:
        await made.until_live()
        yield made


async def says(cluster: Cluster, namespace: str, kind: str) -> tuple[str, bool]:
    """Return kubectl's sentence and whether it would end with an error."""
    command = ("-n", namespace, "rollout", "status", f"{KINDS[kind]}/web", "--watch=false")
    done = await asyncio.to_thread(cluster.kubectl, *command, check=False)
    return (done.stdout or done.stderr.removeprefix("error: ")).strip(), done.returncode != 0


async def agreed(console: Watched, cluster: Cluster, namespace: str, kind: str, wanted: str) -> None:
    """Wait until kubectl says what is wanted, and hold that the program says the very same."""
    for _ in range(ATTEMPTS):
        sentence, failed = await says(cluster, namespace, kind)
        if wanted in sentence:
            break
        await asyncio.sleep(0.2)  # kubectl can only be asked again
    assert wanted in sentence
    key = f"{kind}/{namespace}/web"
    snapshot = await console.until(
        lambda seen: key in seen.tables["rollouts"] and seen.tables["rollouts"][key].status == sentence, sentence, 15
    )
    row = snapshot.tables["rollouts"][key]
    assert row.done == ("successfully" in sentence or "complete:" in sentence or "update complete" in sentence)
    assert row.stalled == failed


def web(kind: str, namespace: str, image: str = IMAGE, **spec: object) -> manifests.Manifest:
    """Build the workload."""
    return manifests.workload(kind, namespace, "web", manifests.pod_template("web", image), **spec)


async def image(cluster: Cluster, namespace: str, kind: str, tag: str) -> None:
    """Begin a roll-out."""
    await kubectl(cluster, "-n", namespace, "set", "image", f"{KINDS[kind]}/web", f"web={IMAGE}{tag}")


async def test_a_deployment_that_rolls_and_finishes(console: Watched, cluster: Cluster, namespace: str) -> None:
    await apply(cluster, web("Deployment", namespace, replicas=4))
    await agreed(console, cluster, namespace, "Deployment", "successfully rolled out")
    await image(cluster, namespace, "Deployment", "-slow")
    await agreed(console, cluster, namespace, "Deployment", "2 out of 4 new replicas have been updated")
    await image(cluster, namespace, "Deployment", "-good")
    await agreed(console, cluster, namespace, "Deployment", "successfully rolled out")


async def test_a_deployment_whose_new_pods_never_become_ready(
    console: Watched, plane: ControlPlane, namespace: str
) -> None:
    await apply(plane, web("Deployment", namespace, replicas=2, progressDeadlineSeconds=4))
    await agreed(console, plane, namespace, "Deployment", "successfully rolled out")
    await image(plane, namespace, "Deployment", "-nopull")
    await agreed(console, plane, namespace, "Deployment", "1 out of 2 new replicas have been updated")
    await agreed(console, plane, namespace, "Deployment", "exceeded its progress deadline")
    row = console.live.snapshot().tables["rollouts"][f"Deployment/{namespace}/web"]
    assert "ImagePull" in row.what
    assert "cannot pull the image" in row.cause
    await image(plane, namespace, "Deployment", "")
    await agreed(console, plane, namespace, "Deployment", "successfully rolled out")


async def test_a_deployment_whose_pods_are_all_new_but_not_ready(
    console: Watched, plane: ControlPlane, namespace: str
) -> None:
    await apply(plane, web("Deployment", namespace, f"{IMAGE}-nopull", replicas=3))
    await agreed(console, plane, namespace, "Deployment", "0 of 3 updated replicas are available")


async def test_a_paused_deployment(console: Watched, cluster: Cluster, namespace: str) -> None:
    await apply(cluster, web("Deployment", namespace, replicas=2))
    await agreed(console, cluster, namespace, "Deployment", "successfully rolled out")
    await kubectl(cluster, "-n", namespace, "rollout", "pause", "deployment/web")
    await agreed(console, cluster, namespace, "Deployment", "successfully rolled out")
    await image(cluster, namespace, "Deployment", "-2")
    await agreed(console, cluster, namespace, "Deployment", "0 out of 2 new replicas have been updated")
    await kubectl(cluster, "-n", namespace, "rollout", "resume", "deployment/web")
    await agreed(console, cluster, namespace, "Deployment", "successfully rolled out")


async def test_a_deployment_that_is_scaled_down(console: Watched, cluster: Cluster, namespace: str) -> None:
    await apply(cluster, web("Deployment", namespace, replicas=3))
    await agreed(console, cluster, namespace, "Deployment", "successfully rolled out")
    await kubectl(cluster, "-n", namespace, "scale", "deployment/web", "--replicas=1")
    await agreed(console, cluster, namespace, "Deployment", "successfully rolled out")
    await kubectl(cluster, "-n", namespace, "scale", "deployment/web", "--replicas=0")
    await agreed(console, cluster, namespace, "Deployment", "successfully rolled out")


async def test_a_stateful_set_that_stops_at_its_partition(console: Watched, cluster: Cluster, namespace: str) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    await apply(cluster, web("StatefulSet", namespace, replicas=3, updateStrategy=strategy))
    await agreed(console, cluster, namespace, "StatefulSet", "partitioned roll out complete: 3 new pods")
    await image(cluster, namespace, "StatefulSet", "-2")
    await agreed(console, cluster, namespace, "StatefulSet", "partitioned roll out complete: 1 new pods")
    patch = '{"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}'
    await kubectl(cluster, "-n", namespace, "patch", "statefulset/web", "-p", patch)
    await agreed(console, cluster, namespace, "StatefulSet", "partitioned roll out complete: 3 new pods")


async def test_a_stateful_set_whose_pods_never_become_ready(
    console: Watched, plane: ControlPlane, namespace: str
) -> None:
    await apply(plane, web("StatefulSet", namespace, f"{IMAGE}-nopull", replicas=2))
    await agreed(console, plane, namespace, "StatefulSet", "Waiting for 2 pods to be ready")


async def test_a_stateful_set_updated_by_hand(console: Watched, cluster: Cluster, namespace: str) -> None:
    await apply(cluster, web("StatefulSet", namespace, replicas=1, updateStrategy={"type": "OnDelete"}))
    row = f"StatefulSet/{namespace}/web"
    snapshot = await console.until(lambda seen: row in seen.tables["rollouts"], "the row", 15)
    sentence, failed = await says(cluster, namespace, "StatefulSet")
    assert failed
    assert snapshot.tables["rollouts"][row].status == sentence


async def test_a_daemon_set_that_rolls_and_gets_stuck(console: Watched, plane: ControlPlane, namespace: str) -> None:
    await apply(plane, web("DaemonSet", namespace))
    await agreed(console, plane, namespace, "DaemonSet", "successfully rolled out")
    await image(plane, namespace, "DaemonSet", "-nopull")
    await agreed(console, plane, namespace, "DaemonSet", "1 out of 4 new pods have been updated")
    await image(plane, namespace, "DaemonSet", "-2")
    await agreed(console, plane, namespace, "DaemonSet", "successfully rolled out")
