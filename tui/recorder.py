"""Keeps what is known for the next start: rows for the first paint, the timeline, healthy revisions, the place."""

from __future__ import annotations

from cache.live import LiveState
from cache.state.packing import PACKED
from cache.state.records import Place
from cache.state.store import StateStore
from services.clock import Clock
from services.model.severity import Severity
from services.ports import Snapshot
from tui.presenters.freshness import CONNECTION
from tui.presenters.summary import overall

EVERY = 10.0
"""Seconds between two savings of the tables."""

LARGE = 2_000
LARGE_EVERY = 60.0
"""Rows from which a table is saved less often, and how often."""


class Recorder:
    """Follows live state and hands what is worth keeping to the store; called on the service thread, never waits.

    Rows are saved only while they may be believed: a failed or half-loaded picture never replaces a good one.
    """

    def __init__(self, live: LiveState, store: StateStore, identity: str, clock: Clock) -> None:
        self._live = live
        self._store = store
        self._identity = identity
        self._clock = clock
        self._saved: dict[str, tuple[float, object]] = {}
        self._due = 0.0
        self._leave = [live.subscribe(self._published), live.add_event_listener(self._happened)]

    def _published(self) -> None:
        if (now := self._clock.monotonic()) >= self._due:
            self._due = now + EVERY
            self._save(self._live.snapshot(), last=False)

    def _happened(self, events: object) -> None:
        self._store.record(self._identity, events)  # type: ignore[arg-type]

    def _save(self, snapshot: Snapshot, last: bool) -> None:
        now = self._clock.now()
        if not overall(snapshot, now).trusted:
            return
        as_of = snapshot.sources[CONNECTION].last_byte
        for name in PACKED & snapshot.tables.keys():
            rows = snapshot.tables[name]
            at, known = self._saved.get(name, (0.0, None))
            if known is rows:
                self._store.vouch(self._identity, name, as_of)
            elif last or len(rows) < LARGE or now - at >= LARGE_EVERY:
                self._store.save(self._identity, name, rows, as_of)
                self._saved[name] = (now, rows)
        for rollout in snapshot.tables.get("rollouts", {}).values():
            if rollout.severity is Severity.OK and rollout.done and rollout.revision and rollout.workload.desired:
                self._store.mark_healthy(self._identity, rollout.ref.uid, rollout.revision, now)

    def place(self, place: Place) -> None:
        """Keep where the operator is."""
        self._store.save_place(self._identity, place)

    def close(self) -> None:
        """Save what is known once more, and follow no longer."""
        for leave in self._leave:
            leave()
        self._save(self._live.snapshot(), last=True)
