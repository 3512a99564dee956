"""Stops an action before its next request: hands that do nothing more once the lock is lost or a stop was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.actions.spec import Document, Hands
from services.clock import Clock
from services.errors import Halted
from services.model.action import Right, Write
from services.model.ref import Ref, Resource
from services.model.workload import Healthy
from services.ports import AccessAnswer, Snapshot
from services.sanitize import safe_text

Why = Callable[[], str]
"""Returns why nothing more may be sent, "" while it may."""


class HaltingHands:
    """Implements `services.actions.spec.Hands` over others: every request raises Halted as soon as `why` says so.

    `sent` counts the changes that have been asked for, whatever became of them; `halted` is why one was held back.
    """

    def __init__(self, hands: Hands, why: Why) -> None:
        self.sent = 0
        self.halted = ""
        self._hands = hands
        self._why = why

    @property
    def clock(self) -> Clock:
        """The clock of the hands."""
        return self._hands.clock

    @property
    def context(self) -> str:
        """The kubeconfig context."""
        return self._hands.context

    @property
    def who(self) -> str:
        """Who acts."""
        return self._hands.who

    def snapshot(self) -> Snapshot:
        """Live state as it is now."""
        return self._hands.snapshot()

    async def observed(self, ref: Ref) -> Mapping[int, Healthy]:
        """The revisions of a workload that were seen healthy."""
        return await self._hands.observed(ref)

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        """One object, unless halted."""
        self._check()
        return await self._hands.get(resource, namespace, name, subresource)

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        """The objects of a kind, unless halted."""
        self._check()
        return await self._hands.find(resource, namespace, **params)

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        """Send a change, unless halted."""
        self._check()
        self.sent += not dry_run
        return await self._hands.send(write, dry_run=dry_run)

    async def can(self, right: Right) -> AccessAnswer:
        """Whether this user may."""
        return await self._hands.can(right)

    def _check(self) -> None:
        if why := self._why():
            self.halted = why
            raise Halted(safe_text(why))
