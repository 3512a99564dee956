from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cache.faults import Fault
from cache.folder import prepare
from cache.locks import FileLock
from cache.state.first_paint import FirstPaint
from cache.state.history import HistoryReader
from cache.state.records import EventQuery, HistoryState
from cache.state.store import StateStore
from cache.versions import STATE_VERSION
from services.clock import ManualClock
from tests.unit.cache.estate import ALICE, NOW, QUICK, filled, happening, opened

RANDOM = random.Random(7)  # noqa: S311 - garbage needs no secrecy


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 17)


def cut_to_one_page(path: Path) -> None:
    os.truncate(path, 4096)


def garbage(path: Path) -> None:
    path.write_bytes(RANDOM.randbytes(40_000))


def malformed_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = RANDOM.randbytes(len(content) - 4096)
    path.write_bytes(content)


def altered_schema(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE events RENAME COLUMN text TO words")
    connection.close()


def dropped_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE places")
    connection.close()


def of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (a)")
    connection.close()


DAMAGES = [truncated, cut_to_one_page, garbage, malformed_pages, altered_schema, dropped_table, of_another_program]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_database_is_set_aside_and_rebuilt(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = tmp_path / "quarterdeck"
    path = filled(folder)
    damage(path)
    broken = path.read_bytes()
    with FirstPaint(folder) as paint:
        paint.tables(ALICE, ["rollouts", "pods"])
        paint.place(ALICE)
    HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 1))
    store = opened(folder)
    assert store.status.state is HistoryState.WRITING
    assert "damaged" in store.status.notice
    [aside] = folder.glob("state.db.damaged-*Z")
    assert aside.name == "state.db.damaged-20270115T080000Z"
    assert aside.name in store.status.notice
    assert aside.read_bytes() == broken, "what was damaged is kept as it was"
    store.record(ALICE, [happening(1)])
    assert store.flush()
    assert store.close()
    assert len(HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 1)).events) == 1
    with FirstPaint(folder) as paint:
        assert paint.tables(ALICE, ["pods"]) == {}
        assert paint.reason == ""


@pytest.mark.parametrize("damage", [truncated, garbage, malformed_pages], ids=lambda damage: damage.__name__)
def test_the_first_paint_says_that_the_database_is_damaged(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = filled(tmp_path / "quarterdeck")
    damage(path)
    with FirstPaint(path.parent) as paint:
        assert "pods" not in paint.tables(ALICE, ["rollouts", "pods"])
        assert paint.fault is Fault.DAMAGED
        assert "damaged" in paint.reason


def test_damage_met_while_writing_loses_nothing_that_waits(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    filled(folder)
    store = opened(folder)
    with sqlite3.connect(folder / "state.db") as connection:
        connection.execute("DROP TABLE events")
    connection.close()
    store.record(ALICE, [happening(1)])
    assert store.flush()
    assert store.status.state is HistoryState.WRITING
    assert "damaged" in store.status.notice
    assert len(HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 1)).events) == 1
    assert store.close()


def test_damage_again_and_again_is_not_set_aside_again_and_again(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    filled(folder)
    store = opened(folder)
    for _ in range(3):
        with sqlite3.connect(folder / "state.db") as connection:
            connection.execute("DROP TABLE IF EXISTS events")
        connection.close()
        store.record(ALICE, [happening(1)])
        assert store.flush()
    assert store.status.state is HistoryState.OFF
    assert len(list(folder.glob("state.db.damaged-*Z"))) == 1
    assert store.close()


def test_a_file_that_was_removed_or_replaced_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    filled(folder)
    store = opened(folder)
    for side in ("", "-wal", "-shm"):
        (folder / f"state.db{side}").unlink(missing_ok=True)
    store.record(ALICE, [happening(1)])
    assert store.flush()
    assert store.status.state is HistoryState.WRITING
    assert len(HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 1)).events) == 1
    assert store.close()


def test_an_unreadable_blob_costs_only_its_table(tmp_path: Path) -> None:
    path = filled(tmp_path / "quarterdeck")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE first_paint_rows SET packed = x'00ff' WHERE name = 'pods'")
        connection.execute("UPDATE events SET packed = x'c1' WHERE rowid IN (SELECT rowid FROM events LIMIT 3)")
    connection.close()
    with FirstPaint(path.parent) as paint:
        assert paint.tables(ALICE, ["pods", "rollouts"]).keys() == {"rollouts"}
        assert paint.fault is Fault.DAMAGED
    page = HistoryReader(path.parent).events(EventQuery(ALICE, 0, NOW + 1))
    assert len(page.events) == 397
    assert page.reason == "3 of 400 recorded events cannot be read."


def test_a_newer_database_turns_history_off_and_is_not_touched(tmp_path: Path) -> None:
    path = filled(tmp_path / "quarterdeck")
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {STATE_VERSION + 1}")
    connection.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    store = opened(path.parent)
    store.record(ALICE, [happening(9999)])
    assert store.flush()
    assert store.status.state is HistoryState.OFF
    assert "newer" in store.status.sentence
    assert store.close()
    with FirstPaint(path.parent) as paint:
        assert paint.tables(ALICE, ["pods"]) == {}
        assert paint.fault is Fault.NEWER
    assert "newer" in HistoryReader(path.parent).events(EventQuery(ALICE, 0, NOW)).reason
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert not list(path.parent.glob("*damaged*"))


def test_a_database_that_becomes_newer_while_running_is_left_alone(tmp_path: Path) -> None:
    path = filled(tmp_path / "quarterdeck")
    store = opened(path.parent)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {STATE_VERSION + 1}")
        connection.execute("DROP TABLE events")
    connection.close()
    store.record(ALICE, [happening(9999)])
    assert store.flush()
    assert store.status.state is HistoryState.OFF
    assert "newer" in store.status.sentence
    assert not list(path.parent.glob("*damaged*"))
    assert store.close()


def test_a_full_disk_turns_history_off_and_nothing_is_lost_once_there_is_room(tmp_path: Path) -> None:
    path = filled(tmp_path / "quarterdeck")
    store = opened(path.parent)
    connection = store._writer._database._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    store.record(ALICE, [happening(number, NOW + 1, "x" * 400) for number in range(2000)])
    assert store.flush()
    assert store.status.state is HistoryState.OFF
    assert "disk is full" in store.status.sentence
    assert store.flush(), "the next try opens the file anew, and there is room"
    assert store.status.state is HistoryState.WRITING
    assert store.status.sentence == ""
    assert len(HistoryReader(path.parent).events(EventQuery(ALICE, NOW + 1, NOW + 2, limit=5000)).events) == 2000
    assert store.close()


LIMITED = """
import resource, sys
from pathlib import Path
from cache.state.store import StateStore
from services.clock import ManualClock
from tests.unit.cache.estate import happening
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
store = StateStore(Path(sys.argv[1]), ManualClock())
store.start()
store.attend("i")
store.record("i", [happening(n, text="x" * 400) for n in range(4000)])
assert store.flush()
print(store.status.state.value, "|", store.status.sentence)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.flush()
print(store.status.state.value, "|", store.status.sentence)
assert store.close()
"""


@pytest.mark.parametrize("limit", [0, 5_000, 200_000])
def test_a_disk_that_takes_no_more_bytes(tmp_path: Path, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", LIMITED, str(tmp_path / "quarterdeck"), str(limit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    before, after = done.stdout.splitlines()
    assert before.startswith("off | ")
    assert "disk is full" in before
    assert after == "writing | "
    assert not list((tmp_path / "quarterdeck").glob("*damaged*")), "what could not be made whole is not set aside"
    assert len(HistoryReader(tmp_path / "quarterdeck").events(EventQuery("i", 0, NOW + 1, limit=9999)).events) == 4000


def test_a_locked_database_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.state.database._BUSY_SECONDS", 0.05)
    path = filled(tmp_path / "quarterdeck")
    store = opened(path.parent)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    store.record(ALICE, [happening(9999)])
    assert store.flush()
    assert store.status.state is HistoryState.OFF
    assert "held by another program" in store.status.sentence
    with FirstPaint(path.parent) as paint:
        assert paint.tables(ALICE, ["rollouts"]), "readers do not wait for a writer"
    holder.execute("ROLLBACK")
    holder.close()
    assert store.flush()
    assert store.status.state is HistoryState.WRITING
    assert len(HistoryReader(path.parent).events(EventQuery(ALICE, 0, NOW + 1)).events) == 401
    assert store.close()


def test_a_door_that_another_console_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.state.database._DOOR_SECONDS", 0.05)
    folder = tmp_path / "quarterdeck"
    prepare(folder)
    door = FileLock(folder / "state.lock")
    assert door.acquire()
    store = opened(folder)
    assert "another console is opening it" in store.status.sentence
    door.release()
    assert store.flush()
    assert store.status.state is HistoryState.WRITING
    assert store.close()


def test_a_fault_of_the_listener_does_not_end_the_writer(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "quarterdeck", ManualClock(), QUICK)

    def fail(_: object) -> None:
        raise ValueError("broken")

    store.start(fail)
    store.attend(ALICE)
    assert store.flush()
    assert store.flush()
    assert store.status.state is HistoryState.WRITING
    assert store.close()
