from __future__ import annotations

import math
import os
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

from cache.faults import Fault
from cache.locks import FileLock
from cache.state.first_paint import FirstPaint
from cache.state.history import HistoryReader
from cache.state.packing import PACKED
from cache.state.records import (
    EventQuery,
    HistoryState,
    HistoryStatus,
    Memo,
    Place,
    content_hash,
    identity_key,
    kubeconfig_fingerprint,
)
from cache.state.store import StateStore
from cache.state.writer import Pace
from services.clock import ManualClock
from services.model.cluster import Symptom
from services.model.severity import Severity
from services.model.text import SafeText, Secret
from services.model.timeline import Event
from tests.unit.cache.estate import ALICE, BOB, NOW, QUICK, happening, pod, rollout


def test_rows_come_back_as_they_were_saved(store: StateStore, folder: Path) -> None:
    rollouts = {f"shop/cart-{number}": rollout(f"cart-{number}", cause="quota") for number in range(1_201)}
    symptoms = {"nodes": Symptom("nodes", Severity.WARN, "2 nodes not ready", 2)}
    store.save(ALICE, "rollouts", rollouts, NOW - 5)
    store.save(ALICE, "symptoms", symptoms, NOW - 4)
    store.save(ALICE, "pods", {}, NOW - 3)
    assert store.flush()
    with FirstPaint(folder) as paint:
        saved = paint.tables(ALICE, ["rollouts", "symptoms", "pods", "nodes", "unheard-of"])
        assert {name: dict(table.rows) for name, table in saved.items()} == {
            "rollouts": rollouts,
            "symptoms": symptoms,
            "pods": {},
        }
        assert (saved["rollouts"].as_of, saved["rollouts"].saved_at, saved["rollouts"].count) == (NOW - 5, NOW, 1_201)
        assert {name: table.count for name, table in saved.items()} == {
            "rollouts": 1_201,
            "symptoms": 1,
            "pods": 0,
        }
        assert paint.reason == ""
        assert paint.fault is None


def test_vouching_makes_saved_rows_younger_and_never_older(store: StateStore, folder: Path) -> None:
    store.save(ALICE, "pods", {"shop/cart-1": pod()}, NOW - 100)
    assert store.flush()
    store.vouch(ALICE, "pods", NOW)
    store.vouch(ALICE, "nodes", NOW)
    assert store.flush()
    store.vouch(ALICE, "pods", NOW - 50)
    assert store.flush()
    with FirstPaint(folder) as paint:
        saved = paint.tables(ALICE, PACKED)
    assert {name: table.as_of for name, table in saved.items()} == {"pods": NOW}


def test_one_user_never_sees_the_rows_of_another(store: StateStore, folder: Path) -> None:
    store.attend(BOB)
    store.save(ALICE, "pods", {"shop/cart-1": pod()}, NOW)
    store.record(ALICE, [happening(1)])
    store.record(BOB, [happening(1), happening(2)])
    store.mark_healthy(ALICE, "uid-cart", 7, NOW)
    store.save_place(ALICE, Place("pods", cursor="shop/cart-1"))
    assert store.flush()
    with FirstPaint(folder) as paint:
        assert paint.tables(BOB, ["pods"]) == {}
        assert paint.place(BOB) is None
    assert store.status.sentence == ""
    reader = HistoryReader(folder)
    assert reader.healthy(BOB, "uid-cart") == ()
    assert len(reader.events(EventQuery(ALICE, 0, NOW + 1)).events) == 1
    assert len(reader.events(EventQuery(BOB, 0, NOW + 1)).events) == 2
    parts = [("s", "ca", "u"), ("sc", "a", "u"), ("s", "c", "au"), ("s", "ca", "v"), ("t", "ca", "u")]
    assert len({identity_key(*part) for part in parts}) == len(parts)


def test_events_are_recorded_once_and_read_newest_first(store: StateStore, folder: Path) -> None:
    events = [happening(number, NOW + number, f"step {number}") for number in range(10)]
    store.record(ALICE, events[:6])
    assert store.flush()
    store.record(ALICE, events)
    assert store.flush()
    page = HistoryReader(folder).events(EventQuery(ALICE, NOW + 2, NOW + 8, limit=4))
    assert page.events == tuple(reversed(events[4:8]))
    assert page.reason == ""
    assert all(isinstance(event.text, SafeText) for event in page.events)


def test_stored_event_text_is_safe(store: StateStore, folder: Path) -> None:
    raw = happening(1)
    hostile = Event(
        raw.id, raw.at, raw.seen_at, raw.kind, raw.ref, "\x1b]0;owned\x07boo\u202e", payload={"to": "\x1b[31m1.9"}
    )
    store.record(ALICE, [hostile])
    assert store.flush()
    [event] = HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 1)).events
    assert (event.text, event.payload) == ("boo", {"to": "1.9"})
    content = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert b"boo" in content
    assert b"\x1b]0" not in content
    assert b"\x1b[31" not in content


def test_a_secret_is_never_stored(store: StateStore, folder: Path) -> None:
    store.save(ALICE, "pods", {"a": Secret("canary-4711")}, NOW)
    store.record(ALICE, [happening(1)])
    assert store.flush()
    assert store.status.state is HistoryState.OFF
    assert "canary" not in store.status.sentence
    store.record(ALICE, [happening(2)])
    assert store.flush()
    assert store.status.state is HistoryState.WRITING, "what cannot be stored does not stand in the way for ever"
    assert b"canary" not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_place_and_last_look(store: StateStore, folder: Path) -> None:
    place = Place("pods", "state:crash !team=x", ("shop", "pay"), "restarts", descending=True, cursor="shop/cart-1")
    store.save_place(ALICE, Place("nodes"))
    store.save_place(ALICE, place)
    assert store.flush()
    with FirstPaint(folder) as paint:
        found = paint.place(ALICE)
    assert found is not None
    assert found.seen_at == NOW
    assert (found.view, found.filter, found.scope, found.cursor) == (
        "pods",
        place.filter,
        ("shop", "pay"),
        "shop/cart-1",
    )


def test_a_memo_holds_while_every_file_is_the_same(store: StateStore, folder: Path, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(b"pem")
    files = [("/home/a/.kube/config", b"contexts: []")]
    key = kubeconfig_fingerprint(files, "")
    memo = Memo(b"prod", files={str(authority): content_hash(b"pem")})
    store.remember(key, memo)
    assert store.flush()
    with FirstPaint(folder) as paint:
        assert paint.memo(key) == memo
        assert paint.memo(kubeconfig_fingerprint(files, "prod")) is None
        assert paint.memo(kubeconfig_fingerprint([(files[0][0], b"contexts: [] ")], "")) is None
        authority.write_bytes(b"other")
        assert paint.memo(key) is None
        authority.unlink()
        assert paint.memo(key) is None
        assert paint.reason == ""


def test_marks_keep_the_first_and_the_last_time(store: StateStore, folder: Path) -> None:
    for at in (NOW, NOW + 10, NOW + 100):
        store.mark_healthy(ALICE, "uid-cart", 7, at)
    store.mark_healthy(ALICE, "uid-cart", 8, NOW + 200)
    assert store.flush()
    store.mark_healthy(ALICE, "uid-cart", 7, NOW + 300)
    assert store.flush()
    reader = HistoryReader(folder)
    marks = {mark.revision: (mark.first_seen, mark.last_seen) for mark in reader.healthy(ALICE, "uid-cart")}
    assert marks == {8: (NOW + 200, NOW + 200), 7: (NOW, NOW + 300)}


@pytest.mark.parametrize(("umask", "found"), [(0, True), (0, False), (0o377, False)])
def test_files_are_for_this_user_alone_whatever_the_umask(folder: Path, umask: int, found: bool) -> None:
    folder.parent.mkdir()
    before = os.umask(umask)
    try:
        if found:
            folder.mkdir(mode=0o777)
        store = StateStore(folder, ManualClock(), QUICK)
        store.start()
        store.attend(ALICE)
        store.record(ALICE, [happening(1)])
        assert store.flush()
        modes = {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {"state.db", "state.db-wal", "state.db-shm", "locks"} <= modes.keys()
        assert {mode for name, mode in modes.items() if name != "locks"} == {0o600}
        assert modes["locks"] == 0o700
        assert store.close()
    finally:
        os.umask(before)


def test_the_settings_that_were_measured_are_set(store: StateStore, folder: Path) -> None:
    connection = sqlite3.connect(folder / "state.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    connection.close()
    writer = store._writer._database._connection
    assert writer is not None
    assert writer.execute("PRAGMA synchronous").fetchone() == (1,)


def test_only_one_console_writes_and_another_takes_over_without_a_gap(store: StateStore, folder: Path) -> None:
    other = StateStore(folder, ManualClock(), QUICK)
    states: list[HistoryStatus] = []
    writing = threading.Event()

    def told(status: HistoryStatus) -> None:
        states.append(status)
        if status.state is HistoryState.WRITING:
            writing.set()

    other.start(told)
    other.attend(ALICE)
    other.record(ALICE, [happening(2)])
    other.save(ALICE, "pods", {"shop/cart-1": pod()}, NOW)
    other.save_place(ALICE, Place("pods"))
    assert other.flush()
    assert (store.writes(ALICE), other.writes(ALICE)) == (True, False)
    assert other.status.state is HistoryState.READING
    assert other._writer.due({ALICE}, False, 0.0) > time.monotonic(), "one that only reads has nothing to do at once"
    assert HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 9)).events == ()
    with FirstPaint(folder) as paint:
        assert paint.place(ALICE) is not None, "the operator's place is written by every console"
    writing.clear()
    store.leave(ALICE)
    assert writing.wait(60)
    assert other.flush()
    assert other.writes(ALICE)
    assert [event.id for event in HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 9)).events] == [
        happening(2).id
    ]
    with FirstPaint(folder) as paint:
        assert paint.tables(ALICE, PACKED).keys() == {"pods"}
    assert other.close()


def test_a_console_that_only_reads_rests(store: StateStore, folder: Path) -> None:
    other = StateStore(folder, ManualClock(), Pace(election=3600))
    other.start()
    other.attend(ALICE)
    assert other.flush()
    assert not other.writes(ALICE)
    assert other._writer.due({ALICE}, False, 0.0) > time.monotonic() + 1800
    assert other._writer.due((), False, 0.0) == math.inf
    assert other.close()


def test_what_waits_behind_another_console_does_not_pile_up(store: StateStore, folder: Path) -> None:
    clock = ManualClock()
    other = StateStore(folder, clock, Pace(tick=0.0, election=3600))
    other.start()
    other.attend(ALICE)
    other.record(ALICE, [happening(1, NOW - 500), happening(2, NOW)])
    assert other.flush()
    assert [event.id for event in other._backlog._batch.identities[ALICE].events] == [happening(2, NOW).id]
    assert other.close()


def test_leaving_writes_what_waits_and_later_words_are_dropped(store: StateStore, folder: Path) -> None:
    store.record(ALICE, [happening(1)])
    store.leave(ALICE)
    store.record(ALICE, [happening(2)])
    assert store.flush()
    assert [event.id for event in HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 9)).events] == [
        happening(1).id
    ]
    free = FileLock(folder / "locks" / f"history-{ALICE}.lock")
    assert free.acquire()
    free.release()


def test_nothing_is_asked_of_a_folder_that_was_never_written(tmp_path: Path) -> None:
    with FirstPaint(tmp_path / "none") as paint:
        assert paint.tables(ALICE, ["pods"]) == {}
        assert paint.fault is Fault.MISSING
        assert paint.reason
    assert (
        HistoryReader(tmp_path / "none").events(EventQuery(ALICE, 0, NOW)).reason == "No history has been recorded yet."
    )
    assert not (tmp_path / "none").exists()
