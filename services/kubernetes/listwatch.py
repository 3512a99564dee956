"""Keeps one collection as the server has it: a consistent list, then a watch from there, for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.backoff import Backoff
from services.kubernetes.decode import DecodedList, Undecodable, WatchEvent
from services.kubernetes.problems import STRANGER, ApiProblem, Unreached, foreign_answer
from services.kubernetes.transport import Transport
from services.model.ref import Resource
from services.sanitize import safe_text

PAGE = 250
SILENCE = 90.0
WATCH_SECONDS = (240, 300)
STEADY = 1.0
"""Seconds after which a watch that ended, or was cut, is opened again at once and without a word."""
POLL = 15.0
ASK_AGAIN = 60.0
SLICE = 0.02


class Codec(Protocol):
    """How one kind is asked for and read: typed objects, or the server's own Table; `limit` objects a page.

    Where `limit` is less than `PAGE`, the objects are large, and never all asked for at once.
    """

    accept: str
    params: Mapping[str, str]
    limit: int

    def page(self, body: bytes) -> DecodedList:
        """Decode one page of a list; one bad object never spoils it."""
        ...

    def event(self, line: bytes) -> WatchEvent:
        """Decode one watch event; raises Undecodable for a bad object."""
        ...


class Target(Protocol):
    """Who is told: everything is called on the loop, `scope` is the namespace ("" for the whole cluster)."""

    def listing(self, scope: str, loaded: int, total: int) -> None:
        """A list is on its way."""
        ...

    def listed(self, scope: str, rows: dict[str, Any], quarantined: int) -> None:
        """The collection's whole content."""
        ...

    def watching(self, scope: str) -> None:
        """The watch is open: what was listed is live."""
        ...

    def changed(self, scope: str, upserts: Mapping[str, Any], removals: Sequence[str], quarantined: int) -> None:
        """What one batch of events changed; all empty for a bookmark."""
        ...

    def failed(self, scope: str, problem: Problem) -> None:
        """List or watch failed; it will be tried again."""
        ...


class Expired(Exception):  # noqa: N818 - it is what the server says
    """The server no longer has the version the watch wants: list again."""


class ListWatch:
    """One collection, cluster-wide or of one namespace (client-go's reflector, without its store).

    `lists` bounds how many lists run at once. `random` gives the jitter.
    """

    def __init__(
        self,
        resource: Resource,
        namespace: str,
        codec: Codec,
        transport: Transport,
        target: Target,
        *,
        clock: Clock,
        random: Callable[[], float],
        lists: asyncio.Semaphore,
    ) -> None:
        self._resource = resource
        self._namespace = namespace
        self._path = resource.path(namespace)
        self._codec = codec
        self._transport = transport
        self._target = target
        self._clock = clock
        self._random = random
        self._lists = lists
        self._backoff = Backoff(random)
        self._version = ""
        self._healthy_since = clock.monotonic()
        self._nudged = asyncio.Event()
        self._polled = False

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            self._nudged.clear()
            pause = await self._or_nudge(self._turn())
            if pause:
                await self._or_nudge(self._clock.sleep(pause))

    def nudge(self) -> None:
        """Open the watch again now: the server answers again, or a person has logged in."""
        self._backoff.reset()
        self._nudged.set()

    async def _or_nudge(self, work: Any) -> float:  # noqa: ANN401 - any coroutine
        """Do the work unless nudged meanwhile; the watch goes on from its last version, so nothing is lost."""
        doing = asyncio.ensure_future(work)
        nudged = asyncio.ensure_future(self._nudged.wait())
        try:
            await asyncio.wait({doing, nudged}, return_when=asyncio.FIRST_COMPLETED)
            return (doing.result() or 0.0) if doing.done() else 0.0
        finally:
            nudged.cancel()
            if not doing.done():
                doing.cancel()
                await asyncio.gather(doing, return_exceptions=True)

    async def _turn(self) -> float:
        """List where needed and watch until it ends; return how long to wait before the next turn."""
        try:
            if not self._version:
                await self._list()
            if self._polled:
                self._version = ""
                return POLL
            self._healthy_since = self._clock.monotonic()
            await self._watch()
        except Expired:
            self._version = ""
            return self._backoff.after_failure(self._healthy_for())
        except ApiProblem as problem:
            return self._refused(problem)
        except Problem as problem:
            self._target.failed(self._namespace, problem)
            return self._backoff.after_failure(self._healthy_for())
        # A server that ends every watch at once must not be asked in a tight loop.
        return 0.0 if self._healthy_for() > STEADY else self._backoff.after_failure(0.0)

    def _refused(self, problem: ApiProblem) -> float:
        if problem.status == 405 and self._version:
            self._polled = True
            self._target.watching(self._namespace)
            return POLL
        if problem.status == 410:
            self._version = ""
        else:
            self._target.failed(self._namespace, problem)
        at_least = ASK_AGAIN if problem.status in {403, 404} else problem.retry_after
        return self._backoff.after_failure(self._healthy_for(), at_least)

    def _healthy_for(self) -> float:
        return self._clock.monotonic() - self._healthy_since

    async def _list(self) -> None:
        async with self._lists:
            # A list that is too slow for its continue token is begun again, then asked for as a whole.
            size = self._codec.limit
            for limit in (size, size, 0 if size >= PAGE else size):
                try:
                    await self._list_once(limit)
                except ApiProblem as problem:
                    if problem.status != 410 or not limit:
                        raise
                else:
                    return

    async def _list_once(self, limit: int) -> None:
        rows: dict[str, Any] = {}
        quarantined = 0
        version = ""
        what = f"list {self._resource.plural}"
        self._target.listing(self._namespace, 0, 0)
        pages = self._transport.pages(self._path, self._codec.params, accept=self._codec.accept, limit=limit, what=what)
        try:
            async for body in pages:
                page = self._decoded(body)
                rows.update(page.rows)
                quarantined += len(page.quarantined)
                version = page.resource_version or version
                if page.continue_token:
                    self._target.listing(self._namespace, len(rows), len(rows) + page.remaining)
        finally:
            await pages.aclose()
        self._version = version
        self._target.listed(self._namespace, rows, quarantined)

    def _decoded(self, body: bytes) -> DecodedList:
        try:
            return self._codec.page(body)
        except (Undecodable, ValueError) as error:
            what = f"read the server's list of {self._resource.plural}"
            why = STRANGER if foreign_answer(body) else f"{error}."
            raise Problem(safe_text(f"Could not {what}: {why}")) from None

    async def _watch(self) -> None:
        first, last = WATCH_SECONDS
        params = {
            **self._codec.params,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(first + int(self._random() * (last - first))),
        }
        what = f"watch {self._resource.plural}"
        async with self._transport.stream(
            self._path, params, accept=self._codec.accept, idle_timeout=SILENCE, what=what
        ) as batches:
            self._healthy_since = self._clock.monotonic()
            self._target.watching(self._namespace)
            try:
                await self._follow(batches)
            except Unreached:
                # Proxies cut what is silent for long: whether the server is gone, the next request says.
                if self._healthy_for() <= STEADY:
                    raise

    async def _follow(self, batches: AsyncIterator[list[bytes]]) -> None:
        async for lines in batches:
            position = 0
            while position < len(lines):
                position = self._apply(lines, position)
                await asyncio.sleep(0)

    def _apply(self, lines: Sequence[bytes], position: int) -> int:
        """Tell the target what the lines from `position` change, for at most a slice of time; return where it got."""
        until = time.perf_counter() + SLICE
        pending: dict[str, Any] = {}
        quarantined = 0
        fault: WatchEvent | None = None
        while position < len(lines) and fault is None:
            try:
                event = self._codec.event(lines[position])
            except Undecodable as bad:
                quarantined += 1
                self._version = bad.resource_version or self._version
            else:
                if event.type == "ERROR":
                    fault = event
                else:
                    self._version = event.resource_version or self._version
                    if event.type == "DELETED":
                        pending[event.key] = None
                    elif event.type != "BOOKMARK":
                        pending[event.key] = event.obj
            position += 1
            if time.perf_counter() > until:
                break
        upserts = {key: value for key, value in pending.items() if value is not None}
        removals = [key for key, value in pending.items() if value is None]
        self._target.changed(self._namespace, upserts, removals, quarantined)
        if fault is not None:
            self._raise(fault)
        return position

    def _raise(self, fault: WatchEvent) -> None:
        if fault.status_code == 410:
            raise Expired
        problem = ApiProblem(
            safe_text(f"The watch of {self._resource.plural} was ended by the server: {fault.message or 'no reason'}."),
            fault.status_code,
        )
        raise problem
