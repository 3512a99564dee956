"""Watches one cluster: every table wanted, the connection's pulse, and usage where metrics-server gives it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from services.clock import Clock
from services.errors import Problem, own_fault
from services.kubernetes.codecs import TableCodec, TypedCodec
from services.kubernetes.credentials import Credentials
from services.kubernetes.decode import DERIVED_FROM, TYPED
from services.kubernetes.exec_plugin import LoginNeeded
from services.kubernetes.optional import OPTIONAL, Offered
from services.kubernetes.preview import preview_pods
from services.kubernetes.pulse import Pulse
from services.kubernetes.settings import ConnectionSettings
from services.kubernetes.tablewatch import TableWatch, Wiring
from services.kubernetes.transport import Transport
from services.kubernetes.usage import USAGE, UsagePoll
from services.model.cluster import TableInfo
from services.model.ref import NAMESPACES, PODS, Resource
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.ports import Delta, Interest, Replace, Sink
from services.sanitize import safe_text

COLUMNS = "columns"
LISTS_AT_ONCE = 3
HEAD_START = 10.0
AFTER_FAULT = 30.0
LATE = 30.0
LARGE_PAGE = 25
"""Objects a page where one may have a megabyte."""


class _Meta(Struct):
    name: str = ""
    uid: str = ""


class _Item(Struct):
    metadata: _Meta


class _Items(Struct):
    items: list[_Item] = []


class KubernetesSource:
    """One pinned cluster as a source: `run` until cancelled, `update` when the interest changes.

    `cluster` is the cluster's id: the uid of namespace kube-system, else the hash of server and CA; "" until the
    server has answered once. `fallback` are the namespaces to watch where cluster-wide lists are refused.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        interest: Interest,
        sink: Sink,
        clock: Clock,
        *,
        fallback: Sequence[str] = (),
        on_login: Callable[[LoginNeeded | None], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.cluster = ""
        self.known = asyncio.Event()
        self.credentials = Credentials(settings, clock, on_login=on_login)
        self.transport = Transport(self.credentials)
        self.identity = settings.identity
        self._interest = interest
        self._sink = sink
        self._clock = clock
        self._fallback = tuple(fallback) or (settings.identity.namespace,)
        self._pulse = Pulse(self.transport, sink, clock, self.nudge)
        self._wiring = Wiring(self.transport, sink, clock, jitter, asyncio.Semaphore(LISTS_AT_ONCE), self._pulse.doubt)
        self._namespaces: tuple[str, ...] = ()
        self._watches: dict[str, TableWatch | UsagePoll] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._offered = Offered(self.transport, clock, self._changed.set)
        self._looking: asyncio.Task[None] | None = None
        self._without: set[str] = set()

    @property
    def needs_login(self) -> LoginNeeded | None:
        """What a person has to do before the credentials work again."""
        return self.credentials.needs_login

    async def run(self) -> None:
        """Watch until cancelled; every failure is said in a status and tried again."""
        pulse = asyncio.ensure_future(self._pulse.run())
        try:
            await self._identify()
            while True:
                self._changed.clear()
                await self._reshape()
                await self._changed.wait()
        finally:
            tasks = [pulse, *self._tasks.values(), *([self._looking] if self._looking is not None else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.transport.close()
            await self.credentials.close()

    def update(self, interest: Interest) -> None:
        """Watch something else from now on; what stays is not disturbed."""
        if interest != self._interest:
            self._interest = interest
            self._changed.set()

    def nudge(self) -> None:
        """Open every watch again now: the server answers again, or a person has logged in."""
        for watch in self._watches.values():
            watch.nudge()

    def logged_in(self) -> None:
        """Take that a person has run the login command."""
        self.credentials.invalidate()
        self._pulse.at_once()
        self.nudge()

    async def _identify(self) -> None:
        """Learn the cluster's id and the namespaces; waits until the server answers or refuses."""
        while not self.cluster:
            try:
                found = await self._items(NAMESPACES.path())
            except Problem as problem:
                if problem.status not in {403, 404}:
                    await self._pulse.answered(self._clock)
                    continue
                found = await self._kube_system()
            self._namespaces = tuple(item.metadata.name for item in found if item.metadata.name != "")
            uids = {item.metadata.name: item.metadata.uid for item in found}
            self.cluster = uids.get("kube-system") or self.identity.cluster_key
        self.known.set()

    async def _kube_system(self) -> list[_Item]:
        try:
            answer = await self.transport.request("GET", NAMESPACES.path(name="kube-system"))
            return [msgspec.json.decode(answer.body, type=_Item)]
        except (Problem, msgspec.DecodeError):
            return []

    async def _items(self, path: str) -> list[_Item]:
        found: list[_Item] = []
        async for body in self.transport.pages(path, what="list namespaces"):
            try:
                found += msgspec.json.decode(body, type=_Items).items
            except msgspec.DecodeError:
                return found
        return found

    async def _reshape(self) -> None:
        """Stop the tables no longer wanted, start the new ones, and hand the namespaces on to those that stay."""
        interest = self._interest
        printed = {resource.printed: resource for resource in interest.generic}
        wanted = [name for name in interest.tables if name in TYPED or name in USAGE or name in DERIVED_FROM]
        wanted = self._there(list(dict.fromkeys([*wanted, *printed])))
        for name in [name for name in self._watches if name not in wanted]:
            del self._watches[name]
            task = self._tasks.pop(name)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        first = not self._watches
        for name in wanted:
            watch = self._watches.get(name)
            if watch is not None:
                watch.update(interest.namespaces)
                continue
            watch = self._watches[name] = self._made(name, printed.get(name))
            before = [other for key, other in self._watches.items() if key not in DERIVED_FROM]
            before = before if name in DERIVED_FROM else []
            self._tasks[name] = asyncio.ensure_future(self._guarded(watch, before))
            if first:
                await self._wait_for(watch)
                first = False

    def _there(self, wanted: list[str]) -> list[str]:
        """Return the tables that the server has; one that it lacks is empty, and asked for when it has come."""
        optional = [name for name in wanted if name in OPTIONAL]
        if optional and self._looking is None:
            self._looking = asyncio.ensure_future(self._offered.run())
            for name in optional:
                self._sink.status(SourceStatus(f"kubernetes/{name}", SourceState.LOADING, since=self._clock.now()))
        there = self._offered.tables or frozenset()
        lacking = {name for name in optional if name not in there} if self._offered.tables is not None else set()
        for name in sorted(lacking - self._without):
            self._sink.status(SourceStatus(f"kubernetes/{name}", SourceState.LIVE, since=self._clock.now()))
            self._sink.apply(f"kubernetes/{name}", Replace(name, {}))
        self._without = lacking
        return [name for name in wanted if name not in OPTIONAL or name in there]

    async def _guarded(self, watch: TableWatch | UsagePoll, before: Sequence[TableWatch | UsagePoll]) -> None:
        """Run a table once others have had their rows, or their time.

        A fault of this program is said where the rows are, and tried again, never silent.
        """
        if before:
            await self._first_of(asyncio.gather(*(other.ready.wait() for other in before)), self._clock.sleep(LATE))
        while True:
            try:
                await watch.run()
            except Exception as error:  # noqa: BLE001 - whatever it is, the operator must read it
                now = self._clock.now()
                sentence = safe_text(f"The watch was stopped by {own_fault(error)}; it is tried again.")
                self._sink.status(SourceStatus(watch.source, SourceState.FAILED, since=now, error=sentence))
                watch.ready.set()
                await self._clock.sleep(AFTER_FAULT)

    async def _wait_for(self, watch: TableWatch | UsagePoll) -> None:
        """Let the visible view's table have its rows before the others ask."""
        await self._first_of(watch.ready.wait(), self._changed.wait(), self._clock.sleep(HEAD_START))

    async def _first_of(self, *events: Awaitable[Any]) -> None:
        waiting = [asyncio.ensure_future(event) for event in events]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _made(self, name: str, resource: Resource | None) -> TableWatch | UsagePoll:
        interest = self._interest
        if name in USAGE:
            return UsagePoll(name, self._wiring, self.cluster)
        if resource is not None:
            codec = TableCodec(resource, self.cluster, self._columns)
            return TableWatch(
                resource, codec, self._wiring, interest.namespaces, fallback=self._fallback, table=resource.printed
            )
        if name in DERIVED_FROM:
            return TableWatch(
                DERIVED_FROM[name],
                TypedCodec(name, self.cluster, limit=LARGE_PAGE),
                self._wiring,
                interest.namespaces,
                fallback=self._fallback,
                table=name,
            )
        preview = self._preview if name == PODS.table and self._namespaces else None
        return TableWatch(
            TYPED[name],
            TypedCodec(name, self.cluster),
            self._wiring,
            interest.namespaces,
            fallback=self._fallback,
            preview=preview,
        )

    async def _preview(self) -> dict[str, Any]:
        return dict(await preview_pods(self.transport, self._namespaces, self.cluster, self._clock))

    def _columns(self, info: TableInfo) -> None:
        self._sink.apply(CONNECTION, Delta(COLUMNS, {info.resource.table: info}))
