"""Takes history from the services and hands it to one writer thread: nobody waits for the disk, no fault comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import structs

from cache.retention import Retention
from cache.samples import Sampled
from cache.state.backlog import Backlog, Batch, Marked, Saved
from cache.state.history import HistoryReader
from cache.state.records import HistoryStatus, Memo, Place, Span
from cache.state.writer import HistoryWriter, Pace
from services.clock import Clock
from services.model.cost import CostHour
from services.model.timeline import Event
from services.ports import Key, Table

_MARK_AGAIN = 60.0


class StateStore:
    """The way into state.db. Every method may be called from any thread, returns at once and raises nothing.

    `close` and `flush` alone wait, and only so long as they are told. Whatever cannot be written now is kept, within
    bounds, and tried again; `status` says in words how the history is doing.
    """

    def __init__(
        self, folder: Path, clock: Clock, pace: Pace | None = None, retention: Retention | None = None
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._writer = HistoryWriter(folder, clock, pace or Pace(), retention or Retention())
        self._backlog = Backlog()
        self._attended: set[str] = set()
        self._leaving: set[str] = set()
        self._marked: dict[tuple[str, str, int], float] = {}
        self._changed = threading.Condition()
        self._asked = self._answered = 0
        self._closing = self._everything = False
        self._wrote_at = float("-inf")
        self._thread: threading.Thread | None = None
        self._listener: Callable[[HistoryStatus], None] | None = None

    # The thread's life.

    def start(self, on_status: Callable[[HistoryStatus], None] | None = None) -> None:
        """Start the writer thread; `on_status` is called on it whenever the status changes."""
        self._listener = on_status
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def close(self, deadline: float = 2.0) -> bool:
        """Write what waits and end the thread; returns whether it ended within `deadline` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is None:
            return True
        self._thread.join(deadline)
        return not self._thread.is_alive()

    def flush(self, deadline: float = 5.0) -> bool:
        """Write what waits now, trying a database again that was given up; returns whether that was done in time."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._answered >= mine, deadline)

    @property
    def status(self) -> HistoryStatus:
        """How the history is doing."""
        return structs.replace(self._writer.status, dropped=self._backlog.dropped)

    def reader(self) -> HistoryReader:
        """Return the way to read what was written; it blocks, so it is for a thread."""
        return HistoryReader(self._folder)

    # Whose history.

    def attend(self, identity: str) -> None:
        """Stand for election as the writer of this identity's history."""
        with self._changed:
            if identity not in self._attended:
                self._attended.add(identity)
                self._leaving.discard(identity)
                self._asked += 1
                self._changed.notify_all()

    def leave(self, identity: str) -> None:
        """Write what waits for this identity, then let another console write its history."""
        with self._changed:
            if identity in self._attended:
                self._attended.discard(identity)
                self._leaving.add(identity)
            self._marked = {mark: at for mark, at in self._marked.items() if mark[0] != identity}
            self._changed.notify_all()

    def writes(self, identity: str) -> bool:
        """Whether this console is the one that writes this identity's history."""
        return identity in self._writer.held

    # What is to be written. All but places and memos only for an identity that is attended.

    def record(self, identity: str, events: Iterable[Event]) -> None:
        """Keep timeline events, each id once."""
        self._hand(identity, lambda: self._backlog.events(identity, events))

    def save(self, identity: str, table: Table, rows: Mapping[Key, Any], as_of: float) -> None:
        """Keep the rows of a table for the next first paint.

        `rows` must never change again (a published picture); `as_of` (epoch seconds) is when the source last vouched
        for them.
        """
        self._hand(identity, lambda: self._backlog.table(identity, table, Saved(rows, as_of)))

    def vouch(self, identity: str, table: Table, as_of: float) -> None:
        """Say that the saved rows of a table were still true at `as_of`."""
        self._hand(identity, lambda: self._backlog.vouch(identity, table, as_of))

    def mark_healthy(self, identity: str, workload_uid: str, revision: int, at: float, *, ended: bool = False) -> None:
        """Note that a revision of a workload was seen complete, for the last time where that `ended`.

        Repeated within a minute, nothing is written.
        """
        mark = (identity, workload_uid, revision)
        if ended or at - self._marked.get(mark, float("-inf")) >= _MARK_AGAIN:
            self._marked[mark] = at
            self._hand(identity, lambda: self._backlog.mark(identity, Marked(workload_uid, revision, at, at)))

    def keep_samples(self, identity: str, at: float, values: Mapping[str, float]) -> None:
        """Keep what was measured at `at` (epoch seconds), by the name of the series (`cache.samples`).

        `values` must never change again. The samples of some minutes are written together, or when asked to `flush`.
        """
        if values:
            self._hand(identity, lambda: self._backlog.samples(identity, Sampled(at, values)))

    def watched(self, identity: str, since: float, until: float) -> None:
        """Note that this console saw all that happened between two moments (epoch seconds)."""
        self._hand(identity, lambda: self._backlog.span(identity, Span(since, until)))

    def keep_costs(self, identity: str, hour: CostHour) -> None:
        """Keep what one hour cost; of two records of an hour the one that was watched for longer stays."""
        self._hand(identity, lambda: self._backlog.cost(identity, hour))

    def save_place(self, identity: str, place: Place) -> None:
        """Keep where the operator is; `place.seen_at` 0 stands for now."""
        stamped = place if place.seen_at else structs.replace(place, seen_at=self._clock.now())
        self._hand("", lambda: self._backlog.place(identity, stamped))

    def remember(self, fingerprint: str, memo: Memo) -> None:
        """Keep what a kubeconfig of this fingerprint means."""
        self._hand("", lambda: self._backlog.memo(fingerprint, memo))

    # Inside.

    def _hand(self, identity: str, put: Callable[[], None]) -> None:
        with self._changed:
            if identity and identity not in self._attended:
                return
            idle = not self._waits()
            put()
            if idle:
                self._changed.notify_all()

    def _waits(self) -> bool:
        return self._backlog.waits(self._writer.held)

    def _run(self) -> None:
        said = self._writer.status
        ended = False
        while not ended:
            with self._changed:
                self._rest()
                ended, asked = self._closing, self._asked
                attended, leaving = frozenset(self._attended), frozenset(self._leaving)
                self._everything = ended or bool(leaving) or asked > self._answered
            self._writer.turn(attended | leaving, self._take, self._give_back)
            self._let_go(leaving)
            if ended:
                self._writer.close()
            if self._writer.status != said:
                said = self._writer.status
                self._tell()
            with self._changed:
                self._answered = max(self._answered, asked)
                self._changed.notify_all()

    def _rest(self) -> None:
        """Wait, with the lock, until something is due."""
        while not (self._closing or self._leaving or self._asked > self._answered):
            due = self._writer.due(self._attended, self._waits(), self._wrote_at)
            pause = due - time.monotonic()
            if pause <= 0:
                return
            self._changed.wait(min(pause, threading.TIMEOUT_MAX))

    def _let_go(self, leaving: Iterable[str]) -> None:
        with self._changed:
            self._leaving -= set(leaving)
            for identity in leaving:
                if identity not in self._attended:
                    self._writer.release(identity)
                    self._backlog.forget(identity)

    def _tell(self) -> None:
        if self._listener is not None:
            with suppress(Exception):
                self._listener(self.status)

    def _take(self) -> Batch:
        with self._changed:
            self._wrote_at = time.monotonic()
            self._backlog.trim(self._writer.lost, self._clock.now())
            return self._backlog.take(self._writer.held, self._everything)

    def _give_back(self, batch: Batch) -> None:
        with self._changed:
            self._backlog.give_back(batch)
