"""A lock on a real API server is broken for whoever typed its holder's name, and its holder stops."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.actions.locks import BreakLock
from services.actions.spec import Refused
from services.kubernetes.hands import KubernetesHands
from services.kubernetes.lease import LEASES, Lease, Leases, spot_of
from services.model.action import Outcome, Progress, Stage, Target
from services.model.ref import DEPLOYMENTS, Ref
from tests.contract.consoles import operator
from tests.contract.handed import handed, quiet
from tests.contract.watched import apply
from tests.controlplane import manifests
from tests.controlplane.clusters import Cluster


async def test_a_lock_is_broken_by_name(cluster: Cluster, namespace: str) -> None:
    target = Target(Ref("c", "apps", "Deployment", namespace, "web", "u-1"), DEPLOYMENTS)
    spot = spot_of(target.ref)
    async with handed(cluster) as mine, handed(cluster, host="bastion-2") as theirs, asyncio.timeout(300):
        with pytest.raises(Refused, match="Nobody holds a lock"):
            await BreakLock().plan(target, {}, mine)
        leases = Leases(theirs, "console-7")
        held = await leases.acquire(spot, "Roll back web")
        assert isinstance(held, Lease)
        plan = await BreakLock().plan(target, {}, mine)
        assert plan.typed == "admin@bastion-2"
        assert "Roll back web" in [fact.text for fact in plan.facts]
        held.document = await leases.renewed(held.document)
        again = await BreakLock().plan(target, {}, mine)
        assert again.digest == plan.digest, "a renewal makes no other plan"
        await BreakLock().execute(plan, mine, quiet)
        ended = await BreakLock().verify(plan, mine, quiet)
        assert (ended.outcome, ended.text) == (Outcome.OK, "nobody holds it any more")
        assert isinstance(await Leases(mine, "console-8").acquire(spot, "Restart web"), Lease)
        with pytest.raises(Exception, match="is at it"):
            await leases.renewed(held.document)


async def test_a_lock_that_went_to_another_meanwhile_is_left_to_them(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Who has typed one name has not typed the other: before the lock is broken, and in the very moment too."""
    template = manifests.pod_template("web", "registry.example/shop/web:1")
    await apply(cluster, manifests.workload("Deployment", namespace, "web", template, replicas=0))
    async with (
        operator(cluster, tmp_path) as alice,
        handed(cluster, host="b") as bob,
        handed(cluster, host="c") as carol,
    ):
        target = await alice.target(DEPLOYMENTS, namespace, "web")
        spot = spot_of(target.ref)

        async def taken(hands: KubernetesHands, console: str) -> Lease:
            held = await Leases(hands, console).acquire(spot, "Restart web")
            assert isinstance(held, Lease)
            return held

        theirs = await taken(bob, "console-b")
        plan = await alice.plan("break-lock", target)
        assert plan.typed == "admin@b"
        await theirs.release()
        theirs = await taken(carol, "console-c")
        ended = await alice.confirm(plan)
        assert ended.outcome is Outcome.CANCELLED, ended
        assert "look at it again" in ended.text

        async def swap(progress: Progress) -> None:
            if progress.stage is Stage.EXECUTE and progress.text:
                await theirs.release()
                await taken(bob, "console-b")

        alice.meanwhile = swap
        ended = await alice.confirm(await alice.plan("break-lock", target))
        assert ended.outcome is Outcome.FAILED, ended
        assert "nothing was changed" in ended.text
        document = await alice.hands.get(LEASES, namespace, spot.name)
        assert document["spec"]["holderIdentity"].startswith("admin@b/")
        alice.meanwhile = None
        await alice.does("break-lock", target)
        assert not (await alice.hands.get(LEASES, namespace, spot.name))["spec"].get("holderIdentity")
