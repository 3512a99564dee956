"""Does the work of the history thread: elects, opens, writes, forgets; every fault becomes one sentence."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from cache.faults import DatabaseFault, Fault, fault_of, what_failed
from cache.folder import private_folder
from cache.locks import FileLock
from cache.retention import Retention, forget, forget_beyond, shrink
from cache.state.backlog import Batch
from cache.state.database import StateDatabase
from cache.state.records import HistoryState, HistoryStatus
from cache.state.statements import write
from cache.versions import STATE_FILE
from services.clock import Clock
from services.model.text import SafeText
from services.sanitize import safe_text

_MINUTELY = "history is off and is tried again every minute"
_ALL_WELL = SafeText("")
_NEXT = {
    Fault.NEWER: "history is off and the file is left as it is; start the newer version to use it",
    Fault.FULL: f"{_MINUTELY}; free some space",
    Fault.FORBIDDEN: f"{_MINUTELY}; check who may write there",
    Fault.LOCKED: "history waits and is tried again soon",
}


class Pace(Struct, frozen=True):
    """Seconds: between two transactions, between two tries after a fault or to win the lock, between two clean-ups."""

    tick: float = 1.0
    retry: float = 60.0
    election: float = 5.0
    retention: float = 3600.0


class HistoryWriter:
    """The writer's side of state.db; lives on its one thread.

    A lock file for each identity elects which console of this user and machine writes its history; the others read.
    """

    def __init__(self, folder: Path, clock: Clock, pace: Pace, retention: Retention) -> None:
        self._folder = folder
        self._clock = clock
        self._pace = pace
        self._retention = retention
        self._database = StateDatabase(folder)
        self._locks: dict[str, FileLock] = {}
        self._lost: frozenset[str] = frozenset()
        self._opened = False
        self._condemned: DatabaseFault | None = None
        self._rebuilt_at = float("-inf")
        self._next_open = self._next_election = self._next_retention = 0.0
        self.status = HistoryStatus(HistoryState.STARTING, since=clock.now())

    @property
    def held(self) -> frozenset[str]:
        """The identities whose history this console writes."""
        return frozenset(self._locks)

    @property
    def lost(self) -> frozenset[str]:
        """The identities whose history another console writes."""
        return self._lost

    def due(self, attended: Iterable[str], waits: bool, last_write: float) -> float:
        """Return when (monotonic seconds) there is something to do next; a console that only reads forgets nothing."""
        if not self._opened:
            return self._next_open
        times = [self._next_retention] if self._locks else []
        if waits:
            times.append(last_write + self._pace.tick)
        if any(identity not in self._locks for identity in attended):
            times.append(self._next_election)
        return min(times, default=math.inf)

    def turn(self, attended: Iterable[str], take: Callable[[], Batch], give_back: Callable[[Batch], None]) -> None:
        """Do what is due: open, elect, write what `take` yields, forget a little. Raises nothing.

        A batch that could not be written for want of the database goes to `give_back`.
        """
        for last_try in (False, True):
            try:
                if not self._opened:
                    self._open()
                self._elect(attended)
                self._write(take, give_back)
                self._forget()
            except Exception as error:  # noqa: BLE001 - whatever happens here, the console goes on without history
                fault = fault_of(error)
                self._shut(fault)
                if last_try or fault.fault not in {Fault.MISSING, Fault.DAMAGED}:
                    self._off(fault)
                    return
            else:
                self._say(HistoryState.READING if attended and not self._locks else HistoryState.WRITING)
                return

    def release(self, identity: str) -> None:
        """Let another console write this identity's history."""
        lock = self._locks.pop(identity, None)
        if lock is not None:
            lock.release()

    def close(self) -> None:
        """Close the file and give up every lock."""
        self._release_all()
        self._database.close()
        self._opened = False
        self._say(HistoryState.CLOSED)

    def _open(self) -> None:
        now = time.monotonic()
        rebuild = now - self._rebuilt_at >= self._pace.retry
        notice = self._database.open(self._clock.now(), self._condemned, rebuild)
        self._condemned = None
        self._opened = True
        self._lost = frozenset()
        if notice:
            self._rebuilt_at = now
            self.status = HistoryStatus(self.status.state, self.status.sentence, notice, self.status.since)

    def _elect(self, attended: Iterable[str]) -> None:
        now = time.monotonic()
        wanted = {identity for identity in attended if identity not in self._locks}
        if not wanted or (now < self._next_election and wanted <= self._lost):
            return
        self._next_election = now + self._pace.election
        folder = self._folder / "locks"
        private_folder(folder)
        for identity in wanted:
            lock = FileLock(folder / f"history-{identity}.lock")
            if lock.acquire():
                self._locks[identity] = lock
        self._lost = frozenset(wanted - self._locks.keys())

    def _write(self, take: Callable[[], Batch], give_back: Callable[[Batch], None]) -> None:
        batch = take()
        if batch.empty():
            return
        try:
            connection = self._database.begin()
            write(connection, batch, self._clock.now())
            self._database.commit()
        except (sqlite3.Error, OSError, DatabaseFault):
            self._database.roll_back()
            give_back(batch)
            raise

    def _forget(self) -> None:
        now = time.monotonic()
        if now < self._next_retention or not self._locks:
            return
        connection = self._database.begin()
        try:
            gone = forget(connection, self._retention, self._clock.now())
            beyond = forget_beyond(connection, self._retention) if gone < self._retention.step else 0
            self._database.commit()
        except sqlite3.Error:
            self._database.roll_back()
            raise
        if gone or beyond:
            shrink(connection)
        more = gone >= self._retention.step or beyond
        self._next_retention = now + (self._pace.tick if more else self._pace.retention)

    def _shut(self, fault: DatabaseFault) -> None:
        """Close after a fault; damage met in an open file condemns that file."""
        if self._opened and fault.fault is Fault.DAMAGED:
            self._condemned = fault
        self._database.roll_back()
        self._database.close()
        self._opened = False

    def _off(self, fault: DatabaseFault) -> None:
        self._release_all()
        soon = fault.fault is Fault.LOCKED
        self._next_open = time.monotonic() + (self._pace.election if soon else self._pace.retry)
        what = what_failed(fault, self._folder / STATE_FILE)
        self._say(HistoryState.OFF, safe_text(f"{what}: {_NEXT.get(fault.fault, _MINUTELY)}."))

    def _release_all(self) -> None:
        for identity in tuple(self._locks):
            self.release(identity)

    def _say(self, state: HistoryState, sentence: SafeText = _ALL_WELL) -> None:
        if (state, sentence) != (self.status.state, self.status.sentence):
            self.status = HistoryStatus(state, sentence, self.status.notice, self._clock.now())
