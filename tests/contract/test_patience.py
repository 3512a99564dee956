"""A pod that finds no node is said at once, and counts as trouble only once it has waited as long as it may."""

from __future__ import annotations

import asyncio

from msgspec import structs

from services.config_schema import RolloutSettings
from services.model.severity import Severity
from services.model.workload import Rollout
from services.ports import Snapshot
from tests.contract.watched import Watched, apply, kubectl, watched
from tests.controlplane import manifests
from tests.controlplane.clusters import Cluster

PATIENCE = 6
NOWHERE = {"disk": "of-gold"}


async def let_time_pass(console: Watched) -> None:
    """Publish when time alone changes something, as the program's stay on a cluster does."""
    while True:
        await console.clock.sleep(0.2)
        due = console.derivation.next_due()
        if due and console.clock.now() >= due:
            console.live.nudge()


async def test_unschedulable_counts_after_a_while_and_no_sooner(cluster: Cluster, namespace: str) -> None:
    key = f"Deployment/{namespace}/web"
    template = manifests.pod_template("web", "registry.example/shop/web:1.0.0")
    template["spec"]["nodeSelector"] = NOWHERE

    def row(snapshot: Snapshot) -> Rollout | None:
        found: Rollout | None = snapshot.tables.get("rollouts", {}).get(key)
        return found

    def says(snapshot: Snapshot, severity: Severity) -> bool:
        found = row(snapshot)
        return found is not None and "unschedulable" in found.what and found.severity is severity

    async with watched(cluster.kubeconfig()) as console:
        console.derivation.use(structs.replace(RolloutSettings(), pending_seconds=PATIENCE))
        await console.until_live()
        beating = asyncio.create_task(let_time_pass(console))
        await apply(cluster, manifests.workload("Deployment", namespace, "web", template, replicas=2))
        await console.until(
            lambda seen: says(seen, Severity.NOTICE), "a pod that waits for a node, counted as no trouble"
        )
        snapshot = await console.until(lambda seen: says(seen, Severity.CRIT), "that nothing of it found a node")
        waited = [
            console.clock.now() - pod.created_at
            for pod in snapshot.tables["pods"].values()
            if pod.ref.namespace == namespace
        ]
        assert len(waited) == 2
        assert max(waited) >= PATIENCE
        console.derivation.use(structs.replace(RolloutSettings(), pending_seconds=3600))
        console.live.nudge()
        await console.until(lambda seen: says(seen, Severity.NOTICE), "no trouble where patience is longer")
        await kubectl(
            cluster, "-n", namespace, "patch", "deployment", "web", "--type=json",
            "-p", '[{"op": "remove", "path": "/spec/template/spec/nodeSelector"}]',
        )  # fmt: skip
        await console.until(
            lambda seen: (found := row(seen)) is not None and found.done and found.severity is Severity.OK, "it runs"
        )
        beating.cancel()
