"""Incidents in the ledger: appended, never changed, seen by every console, refused loudly where it cannot be."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cache.faults import Fault
from cache.ledger.incident_watch import IncidentWatch
from cache.ledger.incidents import IncidentBook, IncidentReader, Said
from cache.ledger.ledger import Ledger
from cache.ledger.records import LedgerRefused
from cache.live import LiveState
from services.clock import ManualClock, settle
from services.model.actor import Actor
from services.model.incident import (
    IncidentEventKind,
    IncidentLink,
    IncidentSeverity,
    IncidentStatus,
)
from services.model.ref import Ref
from services.model.source import SourceState

MINA = Actor("mina", "bastion-1", "c0ffee")
ADE = Actor("ade", "bastion-2", "beef")
CART = IncidentLink("shop/cart CrashLoop", Ref("c1", "apps", "Deployment", "shop", "cart", "u1"), "", 5.0)
HOSTILE = 'x\x1b]52;c;QUJD\x07\x00\u202e"; DROP TABLE incident_events; -- [bold]\n#'


def book(folder: Path, clock: ManualClock | None = None) -> IncidentBook:
    clock = clock or ManualClock()
    return IncidentBook(Ledger(folder, clock), clock)


def declared(title: str = "checkout 5xx", severity: IncidentSeverity = IncidentSeverity.P1) -> Said:
    return Said(
        IncidentEventKind.DECLARED, MINA, value=title, severity=severity, owner="mina", started_at=5.0, cluster="c1",
        links=(CART,),
    )  # fmt: skip


def note(text: str) -> Said:
    return Said(IncidentEventKind.NOTE, ADE, text)


def test_declared_said_of_and_resolved(folder: Path) -> None:
    clock = ManualClock()
    writer = book(folder, clock)
    assert [writer.declare(declared()), writer.declare(declared("another"))] == [1, 2]
    writer.say(1, note("looking at the proxy"))
    writer.say(1, Said(IncidentEventKind.STATUS, ADE, "rolled back", "resolved"))
    found = IncidentReader(folder).look()
    assert found.problem == ""
    one = found.rows["INC-1"]
    assert (one.title, one.severity, one.status, one.owner) == ("checkout 5xx", "P1", "resolved", "mina")
    assert (one.started_at, one.declared_at, one.resolved_at) == (5.0, clock.now(), clock.now())
    assert one.links == (CART,)
    assert [(event.kind, event.actor, event.text) for event in one.events[1:]] == [
        ("note", ADE, "looking at the proxy"),
        ("status", ADE, "rolled back"),
    ]
    assert found.rows["INC-2"].open


def test_what_was_typed_comes_back_as_it_was(folder: Path) -> None:
    writer = book(folder)
    writer.declare(declared(HOSTILE))
    writer.say(1, note(HOSTILE))
    one = IncidentReader(folder).look().rows["INC-1"]
    assert (one.title, one.events[1].text) == (HOSTILE, HOSTILE)


def test_half_a_character_is_refused_not_lost_in_silence(folder: Path) -> None:
    writer = book(folder)
    writer.declare(declared())
    with pytest.raises(LedgerRefused, match="cannot be written down"):
        writer.say(1, note("\ud800"))
    assert len(IncidentReader(folder).look().rows["INC-1"].events) == 1


def test_saying_the_same_twice_writes_it_once(folder: Path) -> None:
    writer = book(folder)
    said = declared()
    assert [writer.declare(said), writer.declare(said)] == [1, 1]
    once = note("once")
    assert [writer.say(1, once), writer.say(1, once)] == [1, 1]
    assert len(IncidentReader(folder).look().rows["INC-1"].events) == 2


def test_an_incident_must_be_known(folder: Path) -> None:
    with pytest.raises(LedgerRefused, match="There is no incident INC-7"):
        book(folder).say(7, note("x"))
    assert IncidentReader(folder).look().rows == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE incident_events SET body = '{}'",
        "DELETE FROM incident_events",
        "INSERT INTO incident_events VALUES (9, 1, 0, 'x', 'note', '', '', '', '{}')",
        "INSERT INTO incident_events VALUES (2, 2, 0, 'x', 'note', '', '', '', '{}')",
        "INSERT INTO incident_events VALUES (2, 1, 0, 'x', 'declared', '', '', '', '{}')",
        "INSERT INTO incident_events VALUES (2, 9, 0, 'x', 'declared', '', '', '', '{}')",
    ],
)
def test_the_file_itself_forbids_changing_what_was_said(folder: Path, statement: str) -> None:
    book(folder).declare(declared())
    connection = sqlite3.connect(folder / "ledger.db")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.close()
    assert (folder / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_a_ledger_of_version_one_is_carried_forward(folder: Path) -> None:
    ledger = Ledger(folder, ManualClock())
    ledger.open()
    ledger.close()
    connection = sqlite3.connect(folder / "ledger.db")
    connection.execute("DROP TABLE incident_events")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE '0002%'")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    assert IncidentReader(folder).look().rows == {}
    assert book(folder).declare(declared()) == 1
    assert "INC-1" in IncidentReader(folder).look().rows


def test_nothing_there_is_no_fault_and_makes_nothing(folder: Path) -> None:
    found = IncidentReader(folder).look()
    assert (dict(found.rows), found.problem) == ({}, "")
    assert not folder.exists()


def test_a_reader_sees_what_another_wrote_and_keeps_what_did_not_change(folder: Path) -> None:
    reader = IncidentReader(folder)
    reader.look()
    writer = book(folder)
    writer.declare(declared())
    writer.declare(declared("other"))
    first = reader.look()
    assert reader.look() is first
    writer.say(2, note("news"))
    second = reader.look()
    assert second is not first
    assert second.rows["INC-1"] is first.rows["INC-1"]
    assert len(second.rows["INC-2"].events) == 2
    reader.close()


def test_an_entry_that_makes_no_sense_is_counted_not_fatal(folder: Path) -> None:
    book(folder).declare(declared())
    connection = sqlite3.connect(folder / "ledger.db")
    connection.execute("INSERT INTO incident_events VALUES (2, 1, 0, 'x', 'sung', '', '', '', '{}')")
    connection.execute("INSERT INTO incident_events VALUES (3, 1, 0, 'y', 'note', '', '', '', '{{')")
    connection.commit()
    connection.close()
    found = IncidentReader(folder).look()
    assert found.problem == "2 of 3 entries on incidents cannot be read."
    assert list(found.rows) == ["INC-1"]


def test_a_damaged_ledger_keeps_what_was_known_and_says_so(folder: Path) -> None:
    book(folder).declare(declared())
    reader = IncidentReader(folder)
    reader.look()
    (folder / "ledger.db").rename(folder / "ledger.old")
    (folder / "ledger.db").write_bytes(b"garbage" * 1000)
    (folder / "ledger.db-wal").unlink(missing_ok=True)
    (folder / "ledger.db-shm").unlink(missing_ok=True)
    found = reader.look()
    assert list(found.rows) == ["INC-1"]
    assert "The incidents cannot be read" in found.problem
    with pytest.raises(LedgerRefused, match="damaged"):
        book(folder).declare(declared())


def test_a_locked_ledger_refuses_and_then_takes_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.ledger.database.BUSY_SECONDS", 0.01)
    clock = ManualClock()
    ledger = Ledger(folder, clock)
    writer = IncidentBook(ledger, clock)
    writer.declare(declared())
    other = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    said = note("typed at 3 a.m.")
    with pytest.raises(LedgerRefused, match="held by another program"):
        writer.say(1, said)
    assert ledger.status.fault is Fault.LOCKED
    other.execute("ROLLBACK")
    other.close()
    assert writer.say(1, said) == 1
    assert [event.text for event in IncidentReader(folder).look().rows["INC-1"].events] == ["", said.text]


def test_a_full_disk_refuses_and_room_heals(folder: Path) -> None:
    clock = ManualClock()
    ledger = Ledger(folder, clock)
    writer = IncidentBook(ledger, clock)
    writer.declare(declared())
    connection = ledger._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    said = note("long " * 5000)
    with pytest.raises(LedgerRefused, match="the disk is full"):
        writer.say(1, said)
    assert writer.say(1, said) == 1
    assert len(IncidentReader(folder).look().rows["INC-1"].events) == 2


PROCESS = """
import sys
from pathlib import Path
from cache.ledger.incidents import IncidentBook, Said
from cache.ledger.ledger import Ledger
from services.clock import SystemClock
from services.model.actor import Actor
from services.model.incident import IncidentEventKind
clock = SystemClock()
book = IncidentBook(Ledger(Path(sys.argv[1]), clock), clock)
actor = Actor("mina", "bastion-1", sys.argv[2])
for line in sys.stdin:
    number = book.declare(Said(IncidentEventKind.DECLARED, actor, value=line.strip()))
    book.say(number, Said(IncidentEventKind.NOTE, actor, "from " + sys.argv[2]))
    print(number, flush=True)
"""


def console(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_consoles_that_declare_at_once_get_numbers_of_their_own(folder: Path) -> None:
    consoles = [console(folder, name) for name in ("a", "b", "c")]
    numbers: list[int] = []
    for process in consoles:
        assert process.stdin is not None
        process.stdin.write("trouble\n" * 20)
        process.stdin.flush()
    for process in consoles:
        output, _ = process.communicate(timeout=60)
        numbers += map(int, output.split())
    assert sorted(numbers) == list(range(1, 61))
    found = IncidentReader(folder).look()
    assert found.problem == ""
    assert all(len(one.events) == 2 for one in found.rows.values())
    assert all(one.events[0].actor.console == one.events[1].text[-1] for one in found.rows.values())


def test_what_a_killed_console_was_told_is_there(folder: Path) -> None:
    process = console(folder, "a")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("trouble\n")
    process.stdin.flush()
    assert process.stdout.readline() == "1\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    assert len(IncidentReader(folder).look().rows["INC-1"].events) == 2
    assert book(folder).declare(declared()) == 2


async def test_live_state_follows_the_ledger_and_its_faults(folder: Path) -> None:
    clock = ManualClock()
    live = LiveState(clock)
    watch = IncidentWatch(IncidentReader(folder), live, clock)
    await watch.look()
    live.publish()
    assert dict(live.snapshot().tables["incidents"]) == {}
    book(folder).declare(declared())
    await watch.look()
    live.publish()
    assert live.snapshot().tables["incidents"]["INC-1"].status is IncidentStatus.TRIAGE
    revision = live.snapshot().revision
    await watch.look()
    assert live.publish().revision == revision
    (folder / "ledger.db").rename(folder / "gone")
    (folder / "ledger.db").write_bytes(b"")
    await watch.look()
    live.publish()
    assert live.snapshot().sources["incidents"].state is SourceState.FAILED
    await settle()


def test_a_ledger_that_is_removed_is_no_end_of_its_incidents(folder: Path) -> None:
    book(folder).declare(declared())
    reader = IncidentReader(folder)
    reader.look()
    (folder / "ledger.db").unlink()
    found = reader.look()
    assert list(found.rows) == ["INC-1"]
    assert "is not there" in found.problem
