"""Evicts the pods of a cordoned node, each at its budget's pace, and never another pod of the same name.

Source: kubectl pkg/drain/drain.go (evictPods, waitForDelete). On purpose unlike kubectl: uid and node are looked at
before each attempt and the uid is a precondition, attempts are spread by jitter, and nothing falls back to deletion.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec
from msgspec import Struct, structs

from services.clock import Clock
from services.errors import Halted, Problem
from services.kubernetes.drain import PodVerdict
from services.kubernetes.faults import MANY_BUDGETS, TERMINATING_CAUSE, WriteFault, WriteProblem
from services.model.action import Write
from services.model.ref import PODS, Resource
from services.model.text import SafeText
from services.sanitize import safe_text

AT_ONCE = 8
AGAIN = 5.0
JITTER = 0.2
POLL = 1.0
TIMEOUT = 600.0
NOTHING = SafeText("")

Document = dict[str, Any]


class Phase(StrEnum):
    """How far a pod is."""

    WAITING = "waiting"
    REFUSED = "refused"
    LEAVING = "shutting down"
    GONE = "gone"
    FAILED = "failed"
    LATE = "not done in time"
    STOPPED = "not asked any more"


OVER = frozenset({Phase.GONE, Phase.FAILED, Phase.LATE, Phase.STOPPED})


class Going(Struct, frozen=True):
    """One pod of a drain that runs: `text` is the server's reason, `again_at` (monotonic) when it is asked again."""

    pod: PodVerdict
    phase: Phase = Phase.WAITING
    text: SafeText = NOTHING
    again_at: float = 0.0
    attempts: int = 0


class Requests(Protocol):
    """What a drain needs of the hands (`services.actions.spec.Hands`)."""

    @property
    def clock(self) -> Clock:
        """The clock that is waited by."""
        ...

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        """One object, as it is now."""
        ...

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        """The objects of a kind."""
        ...

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        """Send a change."""
        ...


Report = Callable[[Sequence[Going]], Awaitable[None]]


async def drain(
    node: str,
    pods: Sequence[PodVerdict],
    requests: Requests,
    report: Report,
    *,
    within: float = TIMEOUT,
    grace: int = -1,
    chance: Callable[[], float] = random.random,
) -> tuple[Going, ...]:
    """Evict these pods of a node and wait until they are gone; returns how each ended, in the order given.

    The node has to be cordoned already, and stays so whatever happens. `report` is told of every change. `within` is
    in seconds for all of them, `grace` -1 leaves each its own. Cancelled, or once a request is Halted, it stops asking;
    what was asked goes on, and another drain takes up the rest. Raises nothing of its own: a pod that cannot go is
    FAILED, with the reason.
    """
    run = _Drain(node, pods, requests, report, until=requests.clock.monotonic() + within, grace=grace, chance=chance)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run.watch()), *(tasks.create_task(run.evict(one)) for one in range(len(pods)))]
        await run.over.wait()
        for task in running:
            task.cancel()
    return tuple(run.rows)


def eviction(pod: PodVerdict, grace: int = -1) -> Write:
    """Return the request that evicts this very pod (policy/v1)."""
    body: dict[str, Any] = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
    }
    if grace >= 0:
        body["deleteOptions"] = {"gracePeriodSeconds": grace}
    path = PODS.path(pod.namespace, pod.name, "eviction")
    return Write("POST", path, f"evict pod {pod.key}", msgspec.json.encode(body), uid=pod.uid)


class _Drain:
    """One run; everything happens on one loop."""

    def __init__(
        self,
        node: str,
        pods: Sequence[PodVerdict],
        requests: Requests,
        report: Report,
        *,
        until: float,
        grace: int,
        chance: Callable[[], float],
    ) -> None:
        self.rows = [Going(pod) for pod in pods]
        self.over = asyncio.Event()
        self._node = node
        self._requests = requests
        self._report = report
        self._until = until
        self._grace = grace
        self._chance = chance
        self._slots = asyncio.Semaphore(AT_ONCE)
        if not self.rows:
            self.over.set()

    async def evict(self, number: int) -> None:
        """Ask for one pod's eviction until it is granted, or never will be."""
        clock = self._requests.clock
        while self.rows[number].phase not in OVER | {Phase.LEAVING}:
            left = self._until - clock.monotonic()
            if left <= 0:
                await self._set(number, Phase.LATE, self.rows[number].text)
                return
            async with self._slots:
                wait = await self._attempt(number)
            if wait > 0:
                await clock.sleep(min(wait, left))

    async def watch(self) -> None:
        """See pods go (no longer on the node, or with another uid), and tell each second how long the others wait."""
        clock = self._requests.clock
        while True:
            await clock.sleep(POLL)
            leaving = [number for number, row in enumerate(self.rows) if row.phase not in OVER]
            await self._see(leaving)
            if any(row.phase is Phase.REFUSED for row in self.rows):
                await self._report(tuple(self.rows))
            if clock.monotonic() >= self._until:
                for number in leaving:
                    if self.rows[number].phase is Phase.LEAVING:
                        await self._set(number, Phase.LATE, safe_text("it is still shutting down"))

    async def _see(self, numbers: Sequence[int]) -> None:
        try:
            found = await self._requests.find(PODS, "", fieldSelector=f"spec.nodeName={self._node}")
        except Halted as halted:
            await self._halt(halted.sentence)
            return
        except Problem:
            return  # asked again in a second
        there = {_metadata(one).get("uid") for one in found}
        for number in numbers:
            if self.rows[number].pod.uid not in there and self.rows[number].phase not in OVER:
                await self._set(number, Phase.GONE)

    async def _attempt(self, number: int) -> float:
        """Ask once; returns the seconds to wait before the next time, 0 for never again."""
        pod = self.rows[number].pod
        try:
            document = await self._requests.get(PODS, pod.namespace, pod.name)
        except Halted as halted:
            return await self._halt(halted.sentence)
        except Problem as problem:
            if problem.status == 404:
                return await self._set(number, Phase.GONE)
            return await self._later(number, problem.sentence, 0.0)
        metadata, spec = _metadata(document), document.get("spec") or {}
        if metadata.get("uid") != pod.uid or spec.get("nodeName") != self._node:
            return await self._set(number, Phase.GONE, safe_text("another pod has its name"))
        if metadata.get("deletionTimestamp"):
            return await self._set(number, Phase.LEAVING)
        self.rows[number] = structs.replace(self.rows[number], attempts=self.rows[number].attempts + 1)
        try:
            await self._requests.send(eviction(pod, self._grace))
        except Halted as halted:
            return await self._halt(halted.sentence)
        except WriteProblem as problem:
            return await self._refused(number, problem)
        except Problem as problem:
            return await self._later(number, problem.sentence, 0.0)
        return await self._set(number, Phase.LEAVING)

    async def _refused(self, number: int, problem: WriteProblem) -> float:
        match problem.kind:
            case WriteFault.GONE:
                return await self._set(number, Phase.GONE)
            case WriteFault.BUDGET if MANY_BUDGETS not in problem.words:
                return await self._later(number, _budget(problem), problem.retry_after)
            case WriteFault.BUSY | WriteFault.CONFLICT | WriteFault.UNSENT | WriteFault.UNKNOWN:
                return await self._later(number, problem.sentence, problem.retry_after)
            case WriteFault.DENIED if any(one.get("reason") == TERMINATING_CAUSE for one in problem.causes):
                return await self._later(number, problem.sentence, problem.retry_after)
            case _:
                return await self._set(number, Phase.FAILED, problem.sentence)

    async def _later(self, number: int, why: SafeText, retry_after: float) -> float:
        spread = 1.0 + JITTER * (2.0 * self._chance() - 1.0)
        wait = retry_after or AGAIN * spread
        again_at = self._requests.clock.monotonic() + wait
        await self._set(number, Phase.REFUSED, why, again_at)
        return wait

    async def _halt(self, why: SafeText) -> float:
        """End it: whoever was asked to go goes on, nobody else is asked."""
        for number, row in enumerate(self.rows):
            if row.phase not in OVER | {Phase.LEAVING}:
                await self._set(number, Phase.STOPPED, why)
        self.over.set()
        return 0.0

    async def _set(self, number: int, phase: Phase, text: SafeText = NOTHING, again_at: float = 0.0) -> float:
        if self.rows[number].phase in OVER:
            return 0.0
        self.rows[number] = structs.replace(self.rows[number], phase=phase, text=text, again_at=again_at)
        await self._report(tuple(self.rows))
        if all(row.phase in OVER for row in self.rows):
            self.over.set()
        return 0.0


def _budget(problem: WriteProblem) -> SafeText:
    """Return the budget's own sentence where the server sent it."""
    said = [str(one.get("message") or "") for one in problem.causes]
    return safe_text(next((one for one in said if one), "") or problem.words or problem.sentence)


def _metadata(document: Mapping[str, Any]) -> Mapping[str, Any]:
    found = document.get("metadata")
    return found if isinstance(found, Mapping) else {}
