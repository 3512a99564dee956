"""The seam of actions: what one module under `services/actions/` offers, and the hands it is lent to do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from services.clock import Clock
from services.errors import Problem
from services.model.action import Ended, Plan, Progress, Right, Target, Write
from services.model.ref import Ref, Resource
from services.model.workload import Healthy
from services.ports import AccessAnswer, Snapshot

Document = dict[str, Any]
"""One object as the server sent it, decoded and unmasked: never for a screen."""

Note = Callable[[Progress], Awaitable[None]]
"""Told how far it is; what it is told goes to the screen, and as a step into the audit trail where the stage is new."""


class Refused(Problem):
    """It is not done, and nothing was sent: the sentence says why and what to do instead."""


class Hands(Protocol):
    """What an action may do to one pinned cluster, on the service thread's loop.

    Every method raises `services.errors.Problem` and nothing else; a change is never repeated by itself once it may
    have reached the server.
    """

    @property
    def clock(self) -> Clock:
        """The clock that waits and times are taken from."""
        ...

    @property
    def context(self) -> str:
        """The kubeconfig context, for commands that are shown."""
        ...

    @property
    def who(self) -> str:
        """Who acts, as it is written into the cluster: "alice@bastion-2"."""
        ...

    def snapshot(self) -> Snapshot:
        """Live state as it is now: alerts, pods, rollouts."""
        ...

    async def observed(self, ref: Ref) -> Mapping[int, Healthy]:
        """The revisions of a workload that consoles of this machine saw healthy, by their numbers then."""
        ...

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        """One object, read from the server now."""
        ...

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        """The objects of a kind; `params` are labelSelector, fieldSelector. A kind the server lacks has none."""
        ...

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        """Send a change with its preconditions, and return the server's answer.

        Raises `services.kubernetes.writing.WriteProblem`, whose `kind` says what an answer or its absence means.
        """
        ...

    async def can(self, right: Right) -> AccessAnswer:
        """Whether this user may (SelfSubjectAccessReview, cached 60 s)."""
        ...


class Action(Protocol):
    """One thing an operator can have done: one module here, one line in `services.actions.registry`."""

    id: str

    def available(self, row: object, snapshot: Snapshot, /) -> str:
        """Return "" where it makes sense for the row that is shown, else why not: a grey key's reason."""
        ...

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Read what is there now and return what would be done, the server's dry run included. Raises Problem.

        Refused where it must not be done: the target is another object than was shown, or kubectl would refuse too.
        """
        ...

    async def execute(self, plan: Plan, hands: Hands, note: Note, /) -> None:
        """Send the plan's changes. Raises Problem."""
        ...

    async def verify(self, plan: Plan, hands: Hands, note: Note, /) -> Ended:
        """Watch the effect until it holds or has failed; OK, FAILED, or UNKNOWN with the reason.

        Also asked when a former console ended in between, so it looks at the cluster alone: the plan may never have
        been executed.
        """
        ...
