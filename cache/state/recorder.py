"""Carries what live state shows into state.db, for one identity: rows, their age, events, revisions seen complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cache.live import LiveState
from cache.state.marks import HealthMarks
from cache.state.packing import ALERT_SOURCES, ALERTING, NARROWED, PACKED
from cache.state.records import narrowed_key
from cache.state.store import StateStore
from services.clock import Clock
from services.model.ref import DAEMONSETS, DEPLOYMENTS, EVENTS, JOBS, NODES, PODS, REPLICASETS, STATEFULSETS
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.model.timeline import Event
from services.ports import Key, Snapshot, Table

EVERY = 10.0
ROLLOUTS = "rollouts"
KIND = f"{CONNECTION}/"

_MADE_FROM: Mapping[Table, tuple[Table, ...]] = {
    ROLLOUTS: tuple(kind.table for kind in (DEPLOYMENTS, STATEFULSETS, DAEMONSETS, REPLICASETS, PODS)),
    "symptoms": tuple(kind.table for kind in (NODES, PODS, JOBS, EVENTS)),
}


class Recorder:
    """Saves one identity's live state, at most every `every` seconds and at the end; on the service thread.

    Make one when the cluster is entered, and `close` it before live state is cleared for another. `namespaces` says
    which alone are watched, () for all: their rows are kept apart, because they would pass for the cluster's.
    """

    def __init__(
        self,
        live: LiveState,
        store: StateStore,
        identity: str,
        clock: Clock,
        as_of: Callable[[Snapshot, Table], float] | None = None,
        *,
        namespaces: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._live = live
        self._store = store
        self._identity = identity
        self._clock = clock
        self._as_of = as_of or vouched_at
        self._namespaces = namespaces
        self._narrowed = identity
        self._unsaved: set[Table] = set(PACKED)
        self._marks = HealthMarks(store, identity)
        self._unmarked: set[Key] | None = None
        self._vouched: dict[Table, float] = {}
        self._rights: Mapping[Key, SourceStatus] = {}
        self._revision = -1
        self._closed = False
        store.attend(identity)
        self._leave = live.add_event_listener(self._happened)
        self._happened(live.snapshot().events)

    async def run(self, every: float = EVERY) -> None:
        """Save whenever the time has come, until cancelled."""
        while True:
            await self._clock.sleep(every)
            self.save()

    def save(self) -> None:
        """Hand what changed since the last time to the store; tables that are not whole yet are left for later."""
        if self._closed:
            return
        snapshot = self._take_stock()
        self._look_where()
        for table in PACKED:
            rows = rows_of(snapshot, table)
            as_of = self._as_of(snapshot, table)
            if rows is None or as_of <= 0:
                continue
            self._keep(table, rows, as_of)
            if table == ROLLOUTS:
                self._marks.take(rows, self._unmarked, as_of)
                self._unmarked = set()

    def _look_where(self) -> None:
        """Keep rows under another key from now on where other namespaces are watched."""
        key = narrowed_key(self._identity, self._namespaces())
        if key != self._narrowed:
            self._store.attend(key)
            self._leave_narrowed()
            self._narrowed = key
            self._unsaved.update(PACKED)

    def _leave_narrowed(self) -> None:
        if self._narrowed != self._identity:
            self._store.leave(self._narrowed)

    def _keep(self, table: Table, rows: Mapping[Key, Any], as_of: float) -> None:
        key = self._identity if table in ALERTING else self._narrowed
        if table in self._unsaved:
            self._store.save(key, table, rows, as_of)
        elif as_of > self._vouched.get(table, 0.0):
            self._store.vouch(key, table, as_of)
        self._unsaved.discard(table)
        self._vouched[table] = as_of

    def close(self) -> None:
        """Save for the last time and let another console write this identity's history."""
        if self._closed:
            return
        self._unmarked = None
        self.save()
        self._closed = True
        self._leave()
        self._leave_narrowed()
        self._store.leave(self._identity)

    def _take_stock(self) -> Snapshot:
        changes = self._live.changes(self._revision)
        if changes is None:
            return self._live.snapshot()
        self._revision = changes.snapshot.revision
        self._unsaved.update(table for table in changes.keys if table in PACKED)
        if any(map(brings_alerts, changes.sources)):
            self._unsaved.add(ALERT_SOURCES)
        if (rights := narrowed(changes.snapshot)) != self._rights:
            self._rights = rights
            self._unsaved.add(NARROWED)
        if ROLLOUTS in changes.keys and self._unmarked is not None:
            keys = changes.keys[ROLLOUTS]
            self._unmarked = None if keys is None else self._unmarked | keys
        return changes.snapshot

    def _happened(self, events: Iterable[Event]) -> None:
        self._store.record(self._identity, events)


def brings_alerts(source: str) -> bool:
    """Return whether alerts come from a source."""
    return source.startswith(("alertmanager/", "prometheus/"))


def narrowed(snapshot: Snapshot) -> Mapping[Key, SourceStatus]:
    """Return how the kinds stand that the user may not see, or not everywhere."""
    return {
        name: SourceStatus(name, status.state, error=status.error, scope=status.scope)
        for name, status in snapshot.sources.items()
        if name.startswith(KIND) and (status.scope or status.state is SourceState.FORBIDDEN)
    }


def rows_of(snapshot: Snapshot, table: Table) -> Mapping[Key, Any] | None:
    """Return what is to be saved of a table, None where nothing is known of it."""
    if table == ALERT_SOURCES:
        return {name: status for name, status in snapshot.sources.items() if brings_alerts(name)} or None
    return narrowed(snapshot) if table == NARROWED else snapshot.tables.get(table)


def vouched_at(snapshot: Snapshot, table: Table) -> float:
    """Return until when (epoch seconds) the rows of a table are known to be true; 0 while they are not whole yet.

    A table is as old as the oldest source it is made from; a live source is as young as the connection's last sign
    of life. A kind that is forbidden, or not watched, vouches for nothing and takes nothing away. Alerts are as young
    as the last answer of any of their servers: which of them does not answer is saved beside them.
    """
    if table in ALERTING:
        answered = (one for name, one in snapshot.sources.items() if brings_alerts(name) and one.last_ok)
        return max((one.last_byte for one in answered), default=0.0)
    connection = snapshot.sources.get(CONNECTION)
    if table == NARROWED:
        return _told_at(snapshot, connection)
    ages = []
    for source in _MADE_FROM.get(table, (table,)):
        status = snapshot.sources.get(f"{CONNECTION}/{source}")
        if status is None or status.state in {SourceState.FORBIDDEN, SourceState.NOT_CONFIGURED}:
            continue
        ages.append(_alive_at(status, connection))
    return min(ages, default=0.0)


def _told_at(snapshot: Snapshot, connection: SourceStatus | None) -> float:
    """Return when the server had answered for every kind that is asked for, 0 while one is on its way."""
    kinds = [status for name, status in snapshot.sources.items() if name.startswith(KIND)]
    if connection is None or not kinds or any(one.state in (SourceState.NEVER, SourceState.LOADING) for one in kinds):
        return 0.0
    return connection.last_ok


def _alive_at(status: SourceStatus, connection: SourceStatus | None) -> float:
    if status.state in {SourceState.NEVER, SourceState.LOADING} or not status.last_ok:
        return 0.0
    if status.state is SourceState.LIVE and connection is not None:
        return max(status.last_byte, connection.last_byte)
    return status.last_byte
