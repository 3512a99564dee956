"""Locks one object against other operators: a Lease in the cluster for all, a file for this machine's consoles."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from cache.folder import prepare, private_folder
from cache.locks import FileLock
from services.actions.spec import Refused
from services.kubernetes.lease import DRAINS, Leases, Unleased, spot_of
from services.model.action import Plan
from services.sanitize import safe_text

FOLDER = "locks"


class MachineLocks:
    """Implements `services.actions.runner.Locks` among the consoles of one user on one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.asynccontextmanager
    async def hold(self, plan: Plan) -> AsyncIterator[str]:
        """Hold the object's file lock; yields "". Raises Refused where another console of this machine has it."""
        lock = FileLock(self._path(plan))
        if not await asyncio.to_thread(self._acquire, lock):
            raise Refused(
                safe_text(f"Another console on this machine is acting on {plan.target.ref.key}: wait for it.")
            )
        try:
            yield ""
        finally:
            lock.release()

    def _path(self, plan: Plan) -> Path:
        ref = plan.target.ref
        named = "/".join((ref.cluster, ref.group, ref.kind, ref.namespace, ref.name))
        return self._folder / FOLDER / f"{hashlib.sha256(named.encode()).hexdigest()[:24]}.lock"

    def _acquire(self, lock: FileLock) -> bool:
        try:
            prepare(self._folder)
            private_folder(self._folder / FOLDER)
            return lock.acquire()
        except OSError:
            return False


class ClusterLocks:
    """Implements `services.actions.runner.Locks` everywhere: a Lease beside the object, a file lock on this machine."""

    def __init__(self, leases: Leases, machine: MachineLocks) -> None:
        self._leases = leases
        self._machine = machine

    @contextlib.asynccontextmanager
    async def hold(self, plan: Plan) -> AsyncIterator[str]:
        """Hold the object's Lease; yields why there is none where this user may have none.

        Raises Refused or LeaseTaken where another operator acts on it, Problem where nobody knows.
        """
        spot = DRAINS if plan.action == "drain" else spot_of(plan.target.ref)
        async with self._machine.hold(plan), self._leases.hold(spot, plan.title) as lease:
            yield lease.sentence if isinstance(lease, Unleased) else "no other operator acts on it"
