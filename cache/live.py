"""Holds what is true now: written on the service thread, read from any thread as immutable snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TypeVar

from msgspec import Struct

from cache.recent import RecentEvents, with_safe_text
from cache.tables import ChangedKeys, WorkingTables
from services.clock import Clock
from services.model.source import SourceStatus
from services.model.timeline import Event
from services.ports import Change, Changes, Key, Replace, Sink, Snapshot, Table

_MOST_KEYS = 65_536

Leave = Callable[[], None]
Entry = TypeVar("Entry")


class _Published(Struct, frozen=True):
    """All that readers need, swapped in by one assignment.

    `steps` name the keys of the last publications, that of `snapshot.revision` at the end; `tables_at`, `sources_at`
    and `events_at` say at which revision each last changed, and remember tables and sources that are gone.
    """

    snapshot: Snapshot
    steps: tuple[ChangedKeys, ...]
    tables_at: Mapping[Table, int]
    sources_at: Mapping[str, int]
    events_at: int


class LiveState:
    """The live state: a `Sink` for sources and a `StateFeed` for screens.

    `tick` is the shortest time between two publications in seconds; `history` how many publications back `changes`
    can name single keys; `most_events` how many timeline events are kept. A write without a running event loop is
    published at once.
    """

    def __init__(self, clock: Clock, tick: float = 0.1, history: int = 256, most_events: int = 1000) -> None:
        self._clock = clock
        self._tick = tick
        self._history = max(1, history)
        self._working = WorkingTables()
        self._events = RecentEvents(most_events)
        self._sources: dict[str, SourceStatus] = {}
        self._asked = False
        self._publishing = False
        self._epoch = 0
        self._hooks: list[Callable[[float], None]] = []
        self._readers: list[Callable[[], None]] = []
        self._listeners: list[Callable[[Sequence[Event]], None]] = []
        self._pacer: asyncio.Task[None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        empty = Snapshot(revision=0, tables=MappingProxyType({}), sources=MappingProxyType({}))
        self._published = _Published(empty, (), {}, {}, 0)

    # Writing: the service thread only.

    def apply(self, source: str, change: Change) -> None:  # noqa: ARG002 - the port's signature
        """Take a table's new content; rows equal to those known change nothing.

        A Delta removes before it adds: a key named by both stays. A Replace keeps the known row objects where equal.
        """
        if isinstance(change, Replace):
            changed = self._working.replace(change.table, change.rows)
        else:
            changed = self._working.merge(change.table, change.upserts, change.removals)
        if changed:
            self._ask()

    def status(self, status: SourceStatus) -> None:
        """Take a source's new state."""
        if self._sources.get(status.source) != status:
            self._sources[status.source] = status
            self._ask()

    def happened(self, events: Iterable[Event]) -> None:
        """Take timeline events; an id that is already known changes nothing. Text that is not safe yet is made so."""
        news = [event for raw in events if self._events.add(event := with_safe_text(raw))]
        if not news:
            return
        for listener in tuple(self._listeners):
            with _guarded():
                listener(news)
        self._ask()

    def clear(self, tables: Iterable[Table] | None = None) -> None:
        """Forget these tables, or all that is known: before the first row of another cluster or scope comes in.

        Forgetting everything also closes each way in that `sink()` gave out, so that a late answer of the cluster
        that was left can never mix with the next one's rows.
        """
        self._working.clear(tables)
        if tables is None:
            self._epoch += 1
            self._sources.clear()
            self._events.clear()
        self._ask()

    def sink(self) -> Sink:
        """Return a way in that closes for good when everything is cleared."""
        epoch = self._epoch
        return _Gate(self, lambda: self._epoch == epoch)

    # Publishing.

    def add_hook(self, hook: Callable[[float], None]) -> Leave:
        """Call `hook(now)` before each publication, where a derivation applies its rows; returns the way to stop."""
        return _joined(self._hooks, hook)

    def add_event_listener(self, listener: Callable[[Sequence[Event]], None]) -> Leave:
        """Call with each batch of events that are new, at once and on the writer's thread; returns the way to stop."""
        return _joined(self._listeners, listener)

    def nudge(self) -> None:
        """Ask for a publication although nothing was applied: a hook has something to say (a deadline passed)."""
        self._ask()

    def publish(self) -> Snapshot:
        """Publish now what is pending, whatever the tick says, and return the latest picture."""
        if self._publishing:
            return self._published.snapshot
        self._publishing = True
        try:
            now = self._clock.now()
            for hook in tuple(self._hooks):
                with _guarded():
                    hook(now)
            self._asked = False
            changed = self._swap()
        finally:
            self._publishing = False
        if changed:
            for reader in tuple(self._readers):
                with _guarded():
                    reader()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        return self._published.snapshot

    async def idle(self) -> Snapshot:
        """Wait until everything that was applied is published."""
        while self._asked:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        return self._published.snapshot

    async def close(self) -> None:
        """Publish what is pending and stop the pacing."""
        if self._pacer is not None:
            self._pacer.cancel()
            await asyncio.wait([self._pacer])
        if self._asked:
            self.publish()

    # Reading: any thread.

    def snapshot(self) -> Snapshot:
        """Return the latest published picture; costs nothing."""
        return self._published.snapshot

    def changes(self, since: int) -> Changes | None:
        """Return what changed since that revision, None when nothing did."""
        latest = self._published
        behind = latest.snapshot.revision - since
        if behind <= 0:
            return None
        keys: Mapping[Table, frozenset[Key] | None]
        if behind <= len(latest.steps):
            keys = _merged(latest.steps[-behind:])
        else:
            keys = {table: None for table, revision in latest.tables_at.items() if revision > since}
        sources = frozenset(name for name, revision in latest.sources_at.items() if revision > since)
        return Changes(latest.snapshot, keys, sources, latest.events_at > since)

    def subscribe(self, callback: Callable[[], None]) -> Leave:
        """Call back (on the writer's thread) after each publication; returns the way to stop."""
        return _joined(self._readers, callback)

    # Inside.

    def _ask(self) -> None:
        self._asked = True
        if self._publishing or self._pacer is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.publish()
            return
        self._pacer = loop.create_task(self._pace())

    async def _pace(self) -> None:
        """Publish the first change after quiet at once, then at most once a tick, until there is quiet again."""
        try:
            while self._asked:
                self.publish()
                await self._clock.sleep(self._tick)
        finally:
            self._pacer = None

    def _swap(self) -> bool:
        """Publish the net change since the last publication; False when there is none."""
        last = self._published
        old = last.snapshot
        keys = self._working.settle(old.tables)
        names = self._sources.keys() | old.sources.keys()
        sources = [name for name in names if self._sources.get(name) != old.sources.get(name)]
        events = self._events.newest_first()
        if not keys and not sources and events is old.events:
            return False
        revision = old.revision + 1
        snapshot = Snapshot(
            revision=revision,
            tables=self._working.picture(old.tables, keys) if keys else old.tables,
            sources=MappingProxyType(dict(self._sources)) if sources else old.sources,
            events=events,
        )
        self._published = _Published(
            snapshot,
            _bounded((*last.steps, keys), self._history),
            {**last.tables_at, **dict.fromkeys(keys, revision)} if keys else last.tables_at,
            {**last.sources_at, **dict.fromkeys(sources, revision)} if sources else last.sources_at,
            last.events_at if events is old.events else revision,
        )
        return True


class _Gate:
    """A way into live state for one stay in a cluster."""

    def __init__(self, state: LiveState, is_open: Callable[[], bool]) -> None:
        self._state = state
        self._is_open = is_open

    def apply(self, source: str, change: Change) -> None:
        """Take a table's new content."""
        if self._is_open():
            self._state.apply(source, change)

    def status(self, status: SourceStatus) -> None:
        """Take a source's new state."""
        if self._is_open():
            self._state.status(status)

    def happened(self, events: Iterable[Event]) -> None:
        """Take timeline events."""
        if self._is_open():
            self._state.happened(events)


@contextmanager
def _guarded() -> Iterator[None]:
    """Keep one faulty hook or reader from stopping the others; the loop's exception handler is told."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever a reader raises, the state goes on
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise error from None
        loop.call_exception_handler({"message": "a reader of live state failed", "exception": error})


def _bounded(steps: tuple[ChangedKeys, ...], most: int) -> tuple[ChangedKeys, ...]:
    """Keep the newest steps: at most `most`, and together at most as many keys as memory should hold; at least one."""
    weight = kept = 0
    for step in reversed(steps[-most:]):
        weight += sum(len(names) for names in step.values() if names)
        if kept and weight > _MOST_KEYS:
            break
        kept += 1
    return steps[-kept:]


def _merged(steps: Sequence[ChangedKeys]) -> Mapping[Table, frozenset[Key] | None]:
    if len(steps) == 1:
        return steps[0]
    names: dict[Table, set[Key]] = {}
    whole: set[Table] = set()
    for step in steps:
        for table, keys in step.items():
            if keys is None:
                whole.add(table)
            else:
                names.setdefault(table, set()).update(keys)
    return {table: frozenset(keys) for table, keys in names.items()} | dict.fromkeys(whole)


def _joined(entries: list[Entry], entry: Entry) -> Leave:
    entries.append(entry)

    def leave() -> None:
        if entry in entries:
            entries.remove(entry)

    return leave
