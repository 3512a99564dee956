"""Locks one object against other operators: a Lease in the cluster for all, a file for this machine's consoles."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from msgspec import structs

from cache.faults import DatabaseFault, fault_of, what_failed
from cache.folder import prepare, private_folder
from cache.locks import FileLock
from services.actions.following import Reads, locked_as
from services.actions.runner import Held
from services.actions.spec import Refused
from services.kubernetes.lease import AGAIN, DRAINS, Lease, Leases, LeaseTaken, Spot, Unleased, spot_of
from services.model.action import Plan
from services.model.ref import ALERTS, SILENCES
from services.sanitize import safe_text

FOLDER = "locks"
DRAIN = "drain"
"""The action of which there is one at a time in a cluster, whatever its object."""


class MachineLocks:
    """Implements `services.actions.runner.Locks` among the consoles of one user on one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.asynccontextmanager
    async def hold(self, plan: Plan) -> AsyncIterator[Held]:
        """Hold the object's file lock, for a drain that of all drains. Raises Refused where it cannot be had."""
        lock = FileLock(self._path(plan))
        try:
            free = await asyncio.to_thread(self._acquire, lock)
        except (OSError, DatabaseFault) as error:
            what = what_failed(fault_of(error), self._folder / FOLDER)
            raise Refused(safe_text(f"It cannot be locked against other consoles here: {what}; try again.")) from None
        if not free:
            doing = "draining a node of this cluster" if plan.action == DRAIN else f"acting on {plan.target.ref.key}"
            raise Refused(safe_text(f"Another console on this machine, or this one, is {doing}: wait for it."))
        try:
            yield Held()
        finally:
            lock.release()

    def _path(self, plan: Plan) -> Path:
        ref = plan.target.ref
        name = "" if plan.action == DRAIN else ref.name
        named = "/".join((ref.cluster, ref.group, ref.kind, ref.namespace, name))
        return self._folder / FOLDER / f"{hashlib.sha256(named.encode()).hexdigest()[:24]}.lock"

    def _acquire(self, lock: FileLock) -> bool:
        prepare(self._folder)
        private_folder(self._folder / FOLDER)
        return lock.acquire()


class ClusterLocks:
    """Implements `services.actions.runner.Locks` everywhere: a Lease beside the object, a file lock on this machine.

    Where `waiting` is set, a Lease that another has is waited for until they show a sign of life or it has run out: it
    is told whose that is. A command begins to watch a Lease anew each time, and would be refused for ever else.
    """

    def __init__(self, leases: Leases, machine: MachineLocks, hands: Reads) -> None:
        self._leases = leases
        self._machine = machine
        self._hands = hands
        self.waiting: Callable[[str], None] | None = None

    @contextlib.asynccontextmanager
    async def hold(self, plan: Plan) -> AsyncIterator[Held]:
        """Hold the object's Lease; says why there is none where this user may have none.

        Raises Refused or LeaseTaken where another operator acts on it, Problem where nobody knows.
        """
        if plan.target.resource in (ALERTS, SILENCES):
            async with self._machine.hold(plan):
                yield Held("an Alertmanager knows no locks: other machines may act too")
            return
        ref = await locked_as(plan.target.ref, self._hands)
        spot = DRAINS if plan.action == DRAIN else spot_of(ref)
        aimed = structs.replace(plan, target=structs.replace(plan.target, ref=ref))
        async with self._machine.hold(aimed), self._leased(spot, plan.title) as lease:
            if isinstance(lease, Unleased):
                yield Held(lease.sentence)
            else:
                yield Held("no other operator acts on it", lambda: lease.why_lost)

    @contextlib.asynccontextmanager
    async def _leased(self, spot: Spot, what: str) -> AsyncIterator[Lease | Unleased]:
        """Hold a Lease, waited for as `waiting` says. Raises LeaseTaken once its holder has shown a sign of life."""
        left = math.inf
        async with contextlib.AsyncExitStack() as held:
            while True:
                try:
                    lease = await held.enter_async_context(self._leases.hold(spot, what))
                    break
                except LeaseTaken as taken:
                    if self.waiting is None or taken.expires_in > left:
                        raise
                    if math.isinf(left):
                        who = taken.claim.who or "somebody"
                        until = f"{taken.expires_in:.0f} s at most"
                        self.waiting(f"{who} has the lock: waiting for a sign of life from them, {until}")
                    left = taken.expires_in
                await self._leases.clock.sleep(AGAIN)
            yield lease
