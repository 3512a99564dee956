from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

import cache.migrations.ledger as ledger_migrations
import cache.migrations.state as state_migrations
from cache.ledger.ledger import Ledger
from cache.ledger.records import Result
from cache.state.first_paint import FirstPaint
from cache.state.history import HistoryReader
from cache.state.records import EventQuery, HistoryState
from cache.versions import LEDGER_APPLICATION, LEDGER_VERSION, STATE_APPLICATION, STATE_VERSION
from services.clock import ManualClock
from services.model.actor import Actor
from tests.unit.cache.estate import ALICE, NOW, filled, happening, opened

FIXTURES = Path(__file__).parents[2] / "fixtures" / "databases"


def version_one(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    path = folder / "state.db"
    connection = sqlite3.connect(path)
    connection.executescript((FIXTURES / "state-1.sql").read_text())
    connection.close()
    path.chmod(0o600)
    return path


def test_what_version_one_wrote_is_read_and_written_on(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    version_one(folder)
    with FirstPaint(folder) as paint:
        assert paint.reason == ""
        assert paint.tables("one", ["symptoms"])["symptoms"].rows["nodes"].text == "2 nodes not ready"
        place = paint.place("one")
        assert place is not None
        assert place.view == "pods"
        assert paint.memo("fingerprint") is None  # of another shape: as good as never written
    store = opened(folder)
    assert store.status.state is HistoryState.WRITING
    assert store.status.notice == ""
    assert [mark.revision for mark in HistoryReader(folder).healthy("one", "uid-cart")] == [7]
    store.attend("one")
    store.record("one", [happening(5)])
    assert store.flush()
    assert store.close()
    assert {event.text for event in HistoryReader(folder).events(EventQuery("one", 0, NOW + 1)).events} == {
        "rolled out"
    }
    assert len(HistoryReader(folder).events(EventQuery("one", 0, NOW + 1)).events) == 2


def test_an_older_database_is_carried_forward_with_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "quarterdeck")
    later = Migrations("state")
    for step in state_migrations.STATE.pending(Database(memory=True)):
        later(name=step.name)(step.fn)

    @later(name="0003 a column more")
    def _third(db: Database) -> None:
        db.table("places").add_column("colour", str)
        db.execute("PRAGMA user_version = 3")

    monkeypatch.setattr(state_migrations, "STATE", later)
    monkeypatch.setattr("cache.state.database.STATE_VERSION", 3)
    monkeypatch.setattr("cache.state.first_paint.STATE_VERSION", 3)
    store = opened(path.parent)
    assert store.status.state is HistoryState.WRITING
    assert store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    assert "colour" in [row[1] for row in connection.execute("PRAGMA table_info(places)")]
    connection.close()
    assert len(HistoryReader(path.parent).events(EventQuery(ALICE, 0, NOW + 1)).events) == 400


def test_a_migration_that_fails_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "quarterdeck")
    later = Migrations("state")
    for step in state_migrations.STATE.pending(Database(memory=True)):
        later(name=step.name)(step.fn)

    @later(name="0003 half of a step")
    def _third(db: Database) -> None:
        db.table("places").drop()
        raise RuntimeError("broken")

    monkeypatch.setattr(state_migrations, "STATE", later)
    monkeypatch.setattr("cache.state.database.STATE_VERSION", 3)
    store = opened(path.parent)
    assert store.status.state is HistoryState.OFF
    assert store.close()
    with FirstPaint(path.parent) as paint:
        assert paint.tables(ALICE, ["pods"])
        assert paint.reason == ""
    assert not list(path.parent.glob("*damaged*"))


def test_a_ledger_of_version_one_is_verified_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.executescript((FIXTURES / "ledger-1.sql").read_text())
    connection.close()
    ledger = Ledger(tmp_path, ManualClock())
    assert ledger.open().sentence == ""
    [waiting] = ledger.open_intents()
    ledger.outcome(waiting.id, Actor("mina", "bastion-1", "c0ffee"), Result.FAILED)
    verdict = ledger.verify()
    assert (verdict.ok, verdict.entries) == (True, 6)
    ledger.close()


@pytest.mark.parametrize(
    ("migrations", "version", "application"),
    [
        (state_migrations.STATE, STATE_VERSION, STATE_APPLICATION),
        (ledger_migrations.LEDGER, LEDGER_VERSION, LEDGER_APPLICATION),
    ],
)
def test_the_last_migration_leads_to_the_version_that_readers_know(
    migrations: Migrations, version: int, application: int
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.apply(Database(connection))
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert connection.execute("PRAGMA application_id").fetchone() == (application,)
    connection.close()
