"""Hands where there is no cluster: what Alertmanagers hold can be acted upon all the same, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.actions.spec import Document
from services.clock import Clock
from services.errors import Problem
from services.kubernetes.faults import WriteFault, WriteProblem
from services.model.action import Right, Write
from services.model.ref import Ref, Resource
from services.model.workload import Healthy
from services.ports import AccessAnswer, Snapshot
from services.sanitize import safe_text

NOWHERE = "no cluster is connected, only the monitoring is watched"


class NoCluster:
    """Implements `services.actions.spec.Hands` without a cluster; `AlertingHands` over it reach Alertmanagers.

    `who` is who acts: "alice@bastion-2".
    """

    def __init__(self, clock: Clock, snapshot: Callable[[], Snapshot], context: str, who: str) -> None:
        self._clock = clock
        self._snapshot = snapshot
        self._context = context
        self._who = who

    @property
    def clock(self) -> Clock:
        """The clock that waits and times are taken from."""
        return self._clock

    @property
    def context(self) -> str:
        """The kubeconfig context, "" where there is no kubeconfig."""
        return self._context

    @property
    def who(self) -> str:
        """Who acts, as it is written into silences."""
        return self._who

    def snapshot(self) -> Snapshot:
        """Live state as it is now."""
        return self._snapshot()

    async def observed(self, _ref: Ref) -> Mapping[int, Healthy]:
        """Nothing was ever seen."""
        return {}

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        """Raise Problem: there is nothing to read from."""
        del namespace, subresource
        raise Problem(safe_text(f"Could not read {resource.kind} {name}: {NOWHERE}."))

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        """Raise Problem: there is nothing to list from."""
        del namespace, params
        raise Problem(safe_text(f"Could not list {resource.plural}: {NOWHERE}."))

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        """Raise WriteProblem: nothing was sent."""
        del dry_run
        raise WriteProblem(safe_text(f"Could not {write.what}: {NOWHERE}."), WriteFault.UNSENT)

    async def can(self, _right: Right) -> AccessAnswer:
        """Nothing that needs a cluster is possible."""
        return AccessAnswer(False, NOWHERE)
