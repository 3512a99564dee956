"""A lock on a real API server is broken for whoever typed its holder's name, and its holder stops."""

from __future__ import annotations

import asyncio

import pytest

from services.actions.locks import BreakLock
from services.actions.spec import Refused
from services.kubernetes.lease import Lease, Leases, spot_of
from services.model.action import Outcome, Target
from services.model.ref import DEPLOYMENTS, Ref
from tests.contract.handed import handed, quiet
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
