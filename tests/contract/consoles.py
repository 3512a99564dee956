"""An operator at a real cluster, with all that a console has but its screen: registry, guard, runner, locks, trail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from services.actions.guard import Allow, Consent
from services.actions.registry import BY_ID
from services.actions.runner import Orders
from services.config_policy import Policy
from services.kubernetes.hands import KubernetesHands
from services.kubernetes.lease import Leases
from services.model.action import Ended, Outcome, Plan, Progress, Target
from services.model.actor import Actor
from services.model.ref import Ref, Resource
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.ports import Snapshot
from tests.contract.handed import handed
from tests.controlplane.access import User
from tests.controlplane.audit import until_asked
from tests.controlplane.clusters import Cluster
from tests.controlplane.plane import ControlPlane
from tui.acting import Acting
from tui.locking import ClusterLocks, MachineLocks
from tui.trail import LedgerTrail


class Operator:
    """One person with a console: plans and runs actions by their id. `meanwhile` happens at each step of a run.

    `stopped` is what a run is stopped with.
    """

    def __init__(self, hands: KubernetesHands, folder: Path, name: str) -> None:
        self.hands = hands
        self.seen: list[Progress] = []
        self.stopped = ""
        self.meanwhile: Callable[[Progress], Awaitable[None]] | None = None
        trail = LedgerTrail(folder, hands.clock, Actor(name, "bastion", f"console-{name}"))
        locks = ClusterLocks(Leases(hands, f"console-{name}"), MachineLocks(folder), hands)
        self.acting = Acting(hands, trail, locks, Policy(), watched=self._connected)

    def _connected(self) -> Snapshot:
        now = self.hands.clock.now()
        return Snapshot(0, {}, {CONNECTION: SourceStatus(CONNECTION, SourceState.LIVE, now, now, now)})

    async def target(self, resource: Resource, namespace: str, name: str) -> Target:
        """Freeze an object as it is shown now."""
        found = (await self.hands.get(resource, namespace, name))["metadata"]
        ref = Ref("c", resource.group, resource.kind, namespace, name, found["uid"])
        return Target(ref, resource, found.get("generation", 0), found["resourceVersion"], self.hands.clock.now())

    async def plan(self, action: str, target: Target, **given: str) -> Plan:
        """Plan what is allowed; raises Problem where it is refused."""
        planned = await self.acting.plan(action, target, given)
        assert isinstance(planned.verdict, Allow), planned.verdict
        return planned.plan

    async def confirm(self, plan: Plan) -> Ended:
        """Confirm a plan with everything that is asked for, and run it to its end."""
        assert plan.action in BY_ID
        return await self.acting.run(Orders(plan, Consent("INC-42", plan.typed)), self._note, lambda: self.stopped)

    async def does(self, action: str, target: Target, **given: str) -> Ended:
        """Plan, confirm, and expect it to be verified."""
        ended = await self.confirm(await self.plan(action, target, **given))
        assert ended.outcome is Outcome.OK, ended
        return ended

    async def undoes(self, ended: Ended) -> Ended:
        """Do the inverse that an end offers, on the same object, and expect it to be verified."""
        inverse = ended.undo
        assert inverse is not None
        target = await self.target(inverse.resource, inverse.ref.namespace, inverse.ref.name)
        assert target.ref.uid == inverse.ref.uid
        return await self.does(inverse.action, target, **inverse.parameters)

    async def _note(self, progress: Progress) -> None:
        self.seen.append(progress)
        if self.meanwhile is not None:
            await self.meanwhile(progress)


@asynccontextmanager
async def operator(
    cluster: Cluster, folder: Path, user: User = "admin", name: str = "alice"
) -> AsyncIterator[Operator]:
    """Lend an operator who sits at a machine of their own: `folder` is its state."""
    async with handed(cluster, user, host=f"bastion-{name}") as hands:
        made = Operator(hands, folder / name, name)
        try:
            yield made
        finally:
            made.acting.close()


def changed(plane: ControlPlane, within: str, count: int) -> list[tuple[str, str, int]]:
    """Return the real changes that our program asked the server for, by the server's own audit log.

    Each as (verb, resource, code); it waits a while for `count` of them.
    """
    found = until_asked(plane.data, within, count)
    return [(one.verb, one.resource, one.code) for one in found if not one.dry_run]


async def merge(plane: ControlPlane, path: str, body: object) -> None:
    """Change an object as somebody else, by a merge patch."""
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = await asyncio.to_thread(plane.api().patch, path, content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text
