"""Fills one live-state table from one collection or from several namespaces' collections, and says how that goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.listwatch import Codec, ListWatch
from services.kubernetes.problems import Unreached
from services.kubernetes.transport import Transport
from services.model.ref import Resource
from services.model.source import SourceState, SourceStatus
from services.ports import Delta, Replace, Sink
from services.sanitize import safe_text

REPORT_EVERY = 2.0

Preview = Callable[[], Awaitable[dict[str, Any]]]


class Wiring(Struct, frozen=True):
    """What every table of one cluster shares. `doubt` is called when a request got no answer."""

    transport: Transport
    sink: Sink
    clock: Clock
    random: Callable[[], float]
    lists: asyncio.Semaphore
    doubt: Callable[[], None]


class _Scope:
    """One namespace's part of the table ("" for the whole cluster)."""

    def __init__(self, watch: ListWatch) -> None:
        self.watch = watch
        self.task: asyncio.Task[None] | None = None
        self.state = SourceState.LOADING
        self.keys: set[str] = set()
        self.pending: dict[str, Any] | None = None
        self.settled = False
        self.error = ""
        self.loaded = 0
        self.total = 0
        self.quarantined = 0


class TableWatch:
    """One kind, watched in every namespace wanted; implements `listwatch.Target`.

    A refused cluster-wide list falls back to `fallback`. `preview` may give rows before the first list is done. `table`
    is the live-state table, where it is not the kind's own. `ready` is set once the table has its first rows or nothing
    more can be expected soon.
    """

    def __init__(
        self,
        resource: Resource,
        codec: Codec,
        wiring: Wiring,
        namespaces: Sequence[str],
        *,
        fallback: Sequence[str] = (),
        preview: Preview | None = None,
        table: str = "",
    ) -> None:
        self.resource = resource
        self.table = table or resource.table
        self.source = f"kubernetes/{self.table}"
        self.ready = asyncio.Event()
        self._codec = codec
        self._wiring = wiring
        self._fallback = tuple(fallback)
        self._preview = preview
        self._asked = tuple(namespaces)
        self._refused = False
        self._wanted = self._scopes_of(self._asked)
        self._scopes: dict[str, _Scope] = {}
        self._orphans: set[str] = set()
        self._filled = False
        self._changed = asyncio.Event()
        self._status = SourceStatus(self.source, SourceState.NEVER)
        self._reported_at = float("-inf")
        self._fault: BaseException | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        self._report()
        try:
            if self._preview is not None and "" in self._wanted:
                await self._show_preview(self._preview)
            while True:
                self._changed.clear()
                await self._reshape()
                await self._changed.wait()
                if self._fault is not None:
                    fault, self._fault = self._fault, None
                    raise fault
        finally:
            await self._stop(list(self._scopes))

    def update(self, namespaces: Sequence[str]) -> None:
        """Watch these namespaces (empty: all) from now on; those already watched go on undisturbed."""
        if tuple(namespaces) != self._asked:
            self._asked = tuple(namespaces)
            self._wanted = self._scopes_of(self._asked)
            self._changed.set()

    def nudge(self) -> None:
        """Open every watch again now."""
        for scope in self._scopes.values():
            scope.watch.nudge()

    # What the collections say

    def listing(self, scope: str, loaded: int, total: int) -> None:
        """Show how far a list has come."""
        found = self._scopes.get(scope)
        if found is None:
            return
        found.loaded, found.total = loaded, total
        self._report()

    def listed(self, scope: str, rows: dict[str, Any], quarantined: int) -> None:
        """Take a collection's whole content: the table changes in one step, when every namespace has answered."""
        found = self._scopes.get(scope)
        if found is None:
            return
        self._orphans |= found.keys
        found.keys = set(rows)
        found.pending = rows
        found.quarantined = quarantined
        found.loaded = found.total = len(rows)
        self._settle(found, SourceState.LIVE, "")

    def watching(self, scope: str) -> None:
        """Take that the watch is open."""
        found = self._scopes.get(scope)
        if found is not None:
            self._settle(found, SourceState.LIVE, "")

    def changed(self, scope: str, upserts: Mapping[str, Any], removals: Sequence[str], quarantined: int) -> None:
        """Take one batch of a watch."""
        found = self._scopes.get(scope)
        if found is None:
            return
        found.quarantined += quarantined
        if found.pending is not None:  # other namespaces have not answered yet
            found.pending.update(upserts)
            for key in removals:
                found.pending.pop(key, None)
        elif upserts or removals:
            self._wiring.sink.apply(self.source, Delta(self.table, upserts, removals))
        found.keys.update(upserts)
        found.keys.difference_update(removals)
        now = self._wiring.clock.monotonic()
        if quarantined or now - self._reported_at >= REPORT_EVERY:
            self._report(alive=True)

    def failed(self, scope: str, problem: Problem) -> None:
        """Take that a collection cannot be had now; fall back to single namespaces where the whole is forbidden."""
        found = self._scopes.get(scope)
        if found is None:
            return
        if isinstance(problem, Unreached):
            self._wiring.doubt()
        if problem.status == 403 and scope == "" and self.resource.namespaced and self._fallback:
            self._refused = True
            self._wanted = self._scopes_of(self._asked)
            self._changed.set()
            return
        state = SourceState.FORBIDDEN if problem.status == 403 else SourceState.FAILED
        self._settle(found, state, problem.sentence)

    # How the table follows

    def _scopes_of(self, namespaces: Sequence[str]) -> tuple[str, ...]:
        if not self.resource.namespaced:
            return ("",)
        return tuple(dict.fromkeys(namespaces)) or (self._fallback if self._refused else ("",))

    async def _show_preview(self, preview: Preview) -> None:
        try:
            rows = await preview()
        except Problem:
            return  # the list says what is wrong
        if rows:
            self._wiring.sink.apply(self.source, Replace(self.table, rows))
            self.ready.set()

    async def _reshape(self) -> None:
        """Stop the namespaces no longer wanted and start the new ones."""
        gone = [name for name in self._scopes if name not in self._wanted]
        for name in gone:
            self._orphans |= self._scopes[name].keys
        await self._stop(gone)
        wiring = self._wiring
        for name in self._wanted:
            if name not in self._scopes:
                watch = ListWatch(
                    self.resource,
                    name,
                    self._codec,
                    wiring.transport,
                    self,
                    clock=wiring.clock,
                    random=wiring.random,
                    lists=wiring.lists,
                )
                scope = self._scopes[name] = _Scope(watch)
                scope.task = asyncio.ensure_future(watch.run())
                scope.task.add_done_callback(self._ended)
        self._publish()
        self._report()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._fault = task.exception()
            self._changed.set()

    async def _stop(self, names: Sequence[str]) -> None:
        tasks = [scope.task for name in names if (scope := self._scopes.pop(name)).task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _settle(self, scope: _Scope, state: SourceState, error: str) -> None:
        scope.state, scope.error, scope.settled = state, error, True
        self._publish()
        self._report(alive=state is SourceState.LIVE)

    def _publish(self) -> None:
        scopes = self._scopes.values()
        waiting = [scope for scope in scopes if scope.pending is not None]
        if not all(scope.settled for scope in scopes) or not (waiting or self._orphans):
            return
        rows: dict[str, Any] = {}
        for scope in waiting:
            rows.update(scope.pending or {})
            scope.pending = None
        everything = len(waiting) == len(self._scopes)
        if everything or not self._filled:
            if waiting:
                self._wiring.sink.apply(self.source, Replace(self.table, rows))
                self._filled = True
        else:
            kept = set[str]().union(*(scope.keys for scope in scopes))
            removals = sorted(self._orphans - kept)
            self._wiring.sink.apply(self.source, Delta(self.table, rows, removals))
        self._orphans.clear()

    def _report(self, *, alive: bool = False) -> None:
        scopes = list(self._scopes.values())
        settled = all(scope.settled for scope in scopes)
        # Live means that the rows are there: until every namespace has answered once, none of them is shown.
        state = _combined([scope.state for scope in scopes]) if self._filled or settled else SourceState.LOADING
        live = [scope for scope in scopes if scope.state is SourceState.LIVE]
        now = self._wiring.clock.now()
        before = self._status
        if settled and scopes:
            self.ready.set()
        after = SourceStatus(
            source=self.source,
            state=state,
            last_ok=now if alive else before.last_ok,
            last_byte=now if alive else before.last_byte,
            since=before.since if state is before.state else now,
            error=next((scope.error for scope in scopes if scope.error), "") if scopes else before.error,
            loaded=sum(scope.loaded for scope in scopes),
            total=sum(scope.total for scope in scopes),
            scope=self._scope_text(len(live)),
            quarantined=sum(scope.quarantined for scope in scopes),
        )
        self._reported_at = self._wiring.clock.monotonic()
        if after != before:
            self._status = after
            self._wiring.sink.status(after)

    def _scope_text(self, live: int) -> str:
        names = self._wanted
        if names == ("",):
            return ""
        if len(names) == 1:
            return safe_text(names[0], 64)
        return f"{live} of {len(names)} namespaces" if 0 < live < len(names) else f"{len(names)} namespaces"


def _combined(states: Sequence[SourceState]) -> SourceState:
    """One namespace that is live makes the table live; what is missing is said in its scope and error."""
    for state in (SourceState.LIVE, SourceState.LOADING, SourceState.FAILED, SourceState.FORBIDDEN):
        if state in states:
            return state
    return SourceState.LOADING
