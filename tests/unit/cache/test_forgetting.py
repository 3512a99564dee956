from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from cache.retention import DAY, Retention, content_bytes, forget, forget_beyond
from cache.state.history import HistoryReader
from cache.state.records import (
    EventQuery,
)
from cache.state.store import StateStore
from services.clock import ManualClock
from tests.unit.cache.estate import ALICE, NOW, QUICK, happening, pod


def test_old_things_are_forgotten_in_small_steps(store: StateStore, folder: Path) -> None:
    old = [happening(number, NOW - 31 * DAY) for number in range(25)]
    store.record(ALICE, [*old, happening(99, NOW - 29 * DAY)])
    store.mark_healthy(ALICE, "uid", 1, NOW - 399 * DAY)
    store.save(ALICE, "pods", {"shop/cart-1": pod()}, NOW)
    assert store.flush()
    connection = sqlite3.connect(folder / "state.db")
    steps = [forget(connection, Retention(step=10), NOW) for _ in range(4)]
    assert steps == [10, 10, 5, 0]
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
    forget(connection, Retention(), NOW + 31 * DAY)
    counts = [
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for table in ("events", "first_paint", "first_paint_rows", "healthy_revisions")
    ]
    assert counts == [0, 0, 0, 0]
    connection.close()


def test_the_writer_forgets_by_itself(folder: Path) -> None:
    store = StateStore(folder, ManualClock(), QUICK, Retention(step=2))
    store.start()
    store.attend(ALICE)
    store.record(ALICE, [happening(number, NOW - 31 * DAY) for number in range(9)])
    assert store.flush()
    store._writer._next_retention = 0.0
    while HistoryReader(folder).events(EventQuery(ALICE, 0, NOW)).events:
        assert store.flush()
    assert store.close()


def fill(connection: sqlite3.Connection, days: int, rows: int) -> None:
    """Write events and hours of samples of each of the last days, a kilobyte each."""
    connection.execute("INSERT INTO identities (key) VALUES ('x') ON CONFLICT (key) DO NOTHING")
    (number,) = connection.execute("SELECT id FROM identities WHERE key = 'x'").fetchone()
    for day in range(days):
        for row in range(rows):
            at = NOW - day * DAY - row
            connection.execute(
                "INSERT INTO events (identity, id, at, seen_at, kind, severity, text, packed) "
                "VALUES (?, ?, ?, ?, 'rollout', 0, '', zeroblob(1000))",
                (number, f"{day}-{row}", at, at),
            )
            hour = int(at) // 3600
            connection.execute("INSERT INTO samples VALUES (?, ?, zeroblob(1000))", (hour, day * rows + row))


def test_the_oldest_goes_where_there_is_too_much(store: StateStore, folder: Path) -> None:
    store.save(ALICE, "pods", {"shop/cart-1": pod()}, NOW)
    store.mark_healthy(ALICE, "uid", 1, NOW - 399 * DAY)
    assert store.flush()
    connection = sqlite3.connect(folder / "state.db")
    fill(connection, days=10, rows=50)
    connection.commit()
    before = content_bytes(connection)
    bounded = Retention(most_bytes=before // 2, step=40)
    while gone := forget_beyond(connection, bounded):
        assert gone <= 40
        connection.commit()
    assert content_bytes(connection) <= before // 2
    for table, column, unit in (("events", "at", 1), ("samples", "hour", 3600)):
        oldest, count = connection.execute(f"SELECT min({column}), count(*) FROM {table}").fetchone()  # noqa: S608
        assert NOW - 7 * DAY < oldest * unit <= NOW - 3 * DAY, "the younger half stays"
        assert count >= 3 * 50
    tiny = Retention(most_bytes=1)
    while forget_beyond(connection, tiny):
        connection.commit()
    for table, left in (("events", 0), ("samples", 0), ("first_paint_rows", 1), ("healthy_revisions", 1)):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (left,)  # noqa: S608
    connection.close()


def test_the_writer_forgets_beyond_the_size_and_the_file_shrinks(folder: Path) -> None:
    first = StateStore(folder, ManualClock(NOW), QUICK)
    first.start()
    first.close()
    connection = sqlite3.connect(folder / "state.db")
    fill(connection, days=4, rows=200)
    connection.commit()
    large = content_bytes(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    store = StateStore(folder, ManualClock(NOW), QUICK, Retention(most_bytes=large // 2, step=100))
    store.start()
    store.attend(ALICE)
    connection = sqlite3.connect(folder / "state.db")
    ended = time.monotonic() + 60
    while content_bytes(connection) > large // 2 and time.monotonic() < ended:
        assert store.flush()
    assert content_bytes(connection) <= large // 2
    assert connection.execute("SELECT max(at) FROM events").fetchone() == (NOW,)
    connection.close()
    store.close()
