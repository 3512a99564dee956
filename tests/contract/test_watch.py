"""Every kind is listed and watched from a real API server, and no row, time or happening is wrong afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.kubernetes import listwatch
from services.model.ref import Resource
from services.model.source import SourceState
from services.ports import Snapshot
from tests.contract.watched import TABLES, apply, kubectl, private_copy, same_as_kubectl, told_twice, watched
from tests.controlplane import manifests
from tests.controlplane.clusters import Cluster
from tests.controlplane.plane import ControlPlane

IMAGE = "registry.example/shop/web:1.0.0"
SERVICES = Resource("", "v1", "services", "Service")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")


def everything(namespace: str) -> list[manifests.Manifest]:
    """One of each kind that is shown."""
    template = manifests.pod_template("web", IMAGE)
    job = manifests.job_template("migrate", "registry.example/shop/migrate:1", "1s")
    return [
        manifests.workload("Deployment", namespace, "web", template, replicas=2),
        manifests.workload("StatefulSet", namespace, "db", manifests.pod_template("db", IMAGE), replicas=1),
        manifests.workload("DaemonSet", namespace, "agent", manifests.pod_template("agent", IMAGE)),
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "migrate", "namespace": namespace},
            "spec": job["spec"],
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "nightly", "namespace": namespace},
            "spec": {"schedule": "0 3 * * *", "jobTemplate": job},
        },
        manifests.service(namespace, "web"),
    ]


async def ready(cluster: Cluster, namespace: str) -> None:
    """Wait until the workloads of `everything` have settled."""
    for name in ("deployment/web", "statefulset/db", "daemonset/agent"):
        await kubectl(cluster, "-n", namespace, "rollout", "status", name, "--timeout=60s")
    await kubectl(cluster, "-n", namespace, "wait", "job/migrate", "--for=condition=Complete", "--timeout=60s")


async def test_every_kind_is_listed_and_then_watched(cluster: Cluster, namespace: str) -> None:
    await apply(cluster, *everything(namespace))
    await ready(cluster, namespace)
    async with watched(cluster.kubeconfig(), generic=(SERVICES,)) as console:
        await console.until_live()
        before = await same_as_kubectl(console, cluster)
        assert all(any(key.startswith(namespace) for key in before[name]) for name in TABLES if name != "nodes")
        assert before["nodes"]
        assert f"{namespace}/web" in console.live.snapshot().tables[SERVICES.printed]
        assert f"Deployment/{namespace}/web" in console.live.snapshot().tables["rollouts"]

        await kubectl(cluster, "-n", namespace, "set", "image", "deployment/web", f"web={IMAGE}1")
        await kubectl(cluster, "-n", namespace, "scale", "statefulset/db", "--replicas=2")
        await kubectl(cluster, "-n", namespace, "delete", "job/migrate", "service/web")
        await kubectl(cluster, "-n", namespace, "patch", "cronjob/nightly", "-p", '{"spec": {"suspend": true}}')
        await kubectl(cluster, "-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
        await kubectl(cluster, "-n", namespace, "rollout", "status", "statefulset/db", "--timeout=60s")
        after = await same_as_kubectl(console, cluster)
        assert f"{namespace}/migrate" not in after["jobs.batch"]
        assert f"{namespace}/web" not in console.live.snapshot().tables[SERVICES.printed]
        assert after["cronjobs.batch"][f"{namespace}/nightly"][2] is True
        snapshot = console.live.snapshot()
        texts = {event.text for event in snapshot.events if event.ref.namespace == namespace}
        assert "scaled to 2" in texts
        assert "rev 2  1.0.0→1.0.01" in texts
        assert told_twice(snapshot) == []


async def test_a_namespace_alone_is_watched_when_asked_for(cluster: Cluster, namespace: str) -> None:
    await apply(cluster, *everything(namespace))
    async with watched(cluster.kubeconfig(), "pods", "deployments.apps", "nodes", namespaces=(namespace,)) as console:
        await console.until_live()
        snapshot = await console.until(lambda seen: len(seen.tables["pods"]) >= 4, "the pods of the namespace")
        assert {row.ref.namespace for row in snapshot.tables["pods"].values()} == {namespace}
        assert console.status("kubernetes/pods").scope == namespace
        assert console.status("kubernetes/nodes").scope == ""


async def test_a_user_of_one_namespace_falls_back_to_it_and_is_told(plane: ControlPlane) -> None:
    await kubectl(plane, "-n", "shop", "run", "mine", f"--image={IMAGE}")
    try:
        async with watched(plane.kubeconfig("shop-only"), "pods", "nodes", fallback=("shop",)) as console:
            snapshot = await console.until(lambda seen: "shop/mine" in seen.tables.get("pods", {}), "the pod")
            assert {row.ref.namespace for row in snapshot.tables["pods"].values()} == {"shop"}
            assert console.status("kubernetes/pods").scope == "shop"
            await console.until(
                lambda _: console.status("kubernetes/nodes").state is SourceState.FORBIDDEN, "nodes refused"
            )
            assert "forbidden" in console.status("kubernetes/nodes").error
            assert console.status().state is SourceState.LIVE
    finally:
        await kubectl(plane, "-n", "shop", "delete", "pod", "mine", "--wait=false")


async def test_several_namespaces_of_which_one_is_refused(plane: ControlPlane) -> None:
    async with watched(plane.kubeconfig("shop-only"), "pods", namespaces=("shop", "default")) as console:
        await console.until(lambda _: console.status("kubernetes/pods").error, "the refusal")
        await console.until(lambda _: console.status("kubernetes/pods").state is SourceState.LIVE, "the other")
        assert console.status("kubernetes/pods").scope == "1 of 2 namespaces"


async def test_a_watch_goes_on_after_compaction(plane: ControlPlane, namespace: str) -> None:
    await apply(plane, *everything(namespace))
    async with watched(plane.kubeconfig()) as console:
        await console.until_live()
        await ready(plane, namespace)
        console.listen()
        for index in range(3):
            await kubectl(plane, "-n", namespace, "create", "configmap", f"filler-{index}")
        await asyncio.to_thread(plane.kill, "kube-apiserver")
        await console.until(lambda _: console.status().state is SourceState.FAILED, "the loss", 15)
        await asyncio.to_thread(plane.compact)
        await asyncio.to_thread(plane.restart, "kube-apiserver")
        await console.until_live()
        await kubectl(plane, "-n", namespace, "delete", "pod", "db-0")
        await same_as_kubectl(console, plane)
        assert {"/api/v1/pods", "/api/v1/events"} <= set(console.listed)  # what was watched is gone: listed again
        assert told_twice(console.live.snapshot()) == []


async def test_bookmarks_carry_a_quiet_watch_forward(
    plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listwatch, "WATCH_SECONDS", (6, 7))
    async with watched(plane.kubeconfig(), "cronjobs.batch") as console:
        await console.until_live()
        console.listen()
        listed = await version(plane)
        for index in range(5):
            await kubectl(plane, "-n", namespace, "create", "configmap", f"filler-{index}")

        def reopened(_: Snapshot) -> bool:
            versions = [int(query["resourceVersion"]) for path, query in console.asked if path.endswith("/cronjobs")]
            return bool(versions) and max(versions) > listed

        await console.until(reopened, "a watch from a bookmark", 30)
        assert console.listed == []
        assert ("kubernetes/cronjobs.batch", SourceState.FAILED) not in console.states


async def version(plane: ControlPlane) -> int:
    """Return the version a list of CronJobs has now."""
    answer = await asyncio.to_thread(plane.api().get, "/apis/batch/v1/cronjobs")
    return int(answer.json()["metadata"]["resourceVersion"])


async def test_a_revoked_token_is_said_and_a_new_one_is_taken_up(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    old, new = await account(plane, namespace, "old"), await account(plane, namespace, "new")
    kubeconfig = private_copy(plane.kubeconfig(), tmp_path, old)
    async with watched(kubeconfig, "pods", "deployments.apps") as console:
        await console.until_live()
        await kubectl(plane, "-n", namespace, "delete", "serviceaccount", "old")
        await console.until(lambda _: console.status().state is SourceState.FAILED, "the refusal", 40)
        assert "log in again" in console.status().error
        await asyncio.to_thread(private_copy, plane.kubeconfig(), tmp_path, new)
        console.engine.logged_in()
        await console.until(lambda _: console.status().state is SourceState.LIVE, "the new token", 30)
        await kubectl(plane, "-n", namespace, "run", "late", f"--image={IMAGE}")
        await console.until(lambda seen: f"{namespace}/late" in seen.tables["pods"], "rows again", 30)


async def account(plane: ControlPlane, namespace: str, name: str) -> str:
    """Make a service account that may read everything, and return a token of it."""
    await kubectl(plane, "-n", namespace, "create", "serviceaccount", name)
    binding = f"{namespace}-{name}"
    await kubectl(
        plane, "create", "clusterrolebinding", binding, "--clusterrole=view", f"--serviceaccount={namespace}:{name}"
    )
    return (await kubectl(plane, "-n", namespace, "create", "token", name)).strip()


async def test_closing_takes_no_time_even_when_the_server_hangs(plane: ControlPlane) -> None:
    async with watched(plane.kubeconfig()) as console:
        await console.until_live()
        await asyncio.to_thread(plane.pause, "kube-apiserver")
        began = console.clock.monotonic()
        await console.engine.close()
        assert console.clock.monotonic() - began < 15.0
