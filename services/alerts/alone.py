"""Hands where there is no cluster: what Alertmanagers hold can be acted upon all the same, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.actions.spec import Document
from services.clock import Clock
from services.errors import Problem
from services.kubernetes.faults import WriteFault, WriteProblem
from services.kubernetes.standing import Standing
from services.model.action import Right, Write
from services.model.ref import Ref, Resource
from services.model.workload import Healthy
from services.ports import AccessAnswer, Snapshot
from services.sanitize import safe_text

NOWHERE = "no cluster is connected, only the monitoring is watched"


class NoCluster(Standing):
    """Implements `services.actions.spec.Hands` without a cluster; `AlertingHands` over it reach Alertmanagers.

    `who` is who acts: "alice@bastion-2".
    """

    def __init__(self, clock: Clock, snapshot: Callable[[], Snapshot], context: str, who: str) -> None:
        super().__init__(clock, snapshot, context)
        self._who = who

    @property
    def who(self) -> str:
        """Who acts, as it is written into silences."""
        return self._who

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
