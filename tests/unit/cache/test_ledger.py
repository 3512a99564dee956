from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache.faults import Fault
from cache.ledger.ledger import Ledger
from cache.ledger.records import EntryKind, LedgerRefused, Request, Result
from cache.versions import LEDGER_VERSION
from services.clock import ManualClock
from services.errors import Problem
from services.model.actor import Actor
from services.model.ref import Ref
from services.model.text import SafeText, Secret

MINA = Actor("mina", "bastion-1", "c0ffee")
CART = Ref("0b5c1d2e-cluster", "apps", "Deployment", "shop", "cart", "uid-cart")
ROLL_BACK = Request(MINA, "rollout.rollback", CART, {"to": 16, "reason": "INC-42"})
NOW = ManualClock().now()
COPIED = "at_us, kind, intent, user, host, console, action, target, result, body, prev, hash"
RANDOM = random.Random(7)  # noqa: S311 - garbage needs no secrecy


def opened(folder: Path) -> Ledger:
    ledger = Ledger(folder, ManualClock())
    ledger.open()
    return ledger


def filled(folder: Path, intents: int = 5) -> Path:
    ledger = opened(folder)
    for _ in range(intents):
        name = ledger.intent(ROLL_BACK)
        ledger.step(name, MINA, "patched", {"resourceVersion": "77"})
        ledger.outcome(name, MINA, Result.OK)
    ledger.close()
    return folder / "ledger.db"


def altered(path: Path, *statements: str) -> None:
    """Change the file as somebody who knows SQL would, past the triggers."""
    connection = sqlite3.connect(path)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()


def test_an_intent_its_steps_and_its_outcome(folder: Path) -> None:
    ledger = opened(folder)
    assert ledger.status.ok
    assert ledger.status.sentence == ""
    name = ledger.intent(ROLL_BACK)
    [waiting] = ledger.open_intents()
    assert (waiting.id, waiting.steps, waiting.unknown) == (name, (), False)
    assert (waiting.entry.actor, waiting.entry.action, waiting.entry.target) == (MINA, "rollout.rollback", CART)
    assert json.loads(waiting.entry.body) == {"to": 16, "reason": "INC-42"}
    assert waiting.entry.at == NOW
    ledger.step(name, MINA, "patched")
    ledger.step(name, MINA, "verified")
    assert ledger.open_intents()[0].steps == ("patched", "verified")
    ledger.outcome(name, MINA, Result.UNKNOWN, {"why": "the connection was lost"})
    assert ledger.open_intents()[0].unknown, "what is unknown is still to be found out"
    ledger.outcome(name, MINA, Result.OK)
    assert ledger.open_intents() == ()
    kinds = [entry.kind.value for entry in ledger.entries()]
    assert kinds == ["intent", "step", "step", "outcome", "outcome"]
    assert [entry.seq for entry in ledger.entries(after=2, limit=2)] == [3, 4]
    ledger.close()


def test_an_intent_is_settled_once_and_must_be_known(folder: Path) -> None:
    ledger = opened(folder)
    name = ledger.intent(ROLL_BACK)
    ledger.outcome(name, MINA, Result.FAILED)
    with pytest.raises(LedgerRefused, match="was settled before"):
        ledger.outcome(name, MINA, Result.OK)
    with pytest.raises(LedgerRefused, match="was settled before"):
        ledger.step(name, MINA, "late")
    with pytest.raises(LedgerRefused, match="no intent"):
        ledger.outcome("0" * 32, MINA, Result.OK)
    assert len(ledger.entries()) == 2
    assert ledger.status.ok, "a refusal is not a fault of the ledger"
    assert ledger.intent(ROLL_BACK)
    ledger.close()


def test_sessions_and_contexts_are_noted(folder: Path) -> None:
    ledger = opened(folder)
    assert ledger.record(EntryKind.SESSION, MINA, "start", body={"version": "0.1.0"}) == 1
    assert ledger.record(EntryKind.CONTEXT, MINA, "switch", body={"to": "prod"}) == 2
    assert ledger.record(EntryKind.SESSION, MINA, "stop") == 3
    assert ledger.open_intents() == ()
    verdict = ledger.verify()
    assert (verdict.ok, verdict.entries, verdict.broken_at) == (True, 3, 0)
    assert verdict.head == ledger.entries()[-1].hash
    ledger.close()


def test_what_is_written_is_ascii_safe_and_exact(folder: Path) -> None:
    ledger = opened(folder)
    body = {"patch": "\x1b[31m\u202eevil\u2028é", "n": 1}
    name = ledger.intent(Request(Actor("mi\x07na", "ho\udcffst", "c"), "act\x07", CART, body))
    [entry] = ledger.entries()
    assert (entry.actor.user, entry.actor.host, entry.action) == ("mina", "host", "act")
    assert json.loads(entry.body) == body
    ledger.outcome(name, MINA, Result.OK)
    ledger.close()
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"\x1b[31m" not in content
    assert "\u202e".encode() not in content


@pytest.mark.parametrize("body", [{"token": Secret("canary-4711")}, {"x": float("nan")}, {"x": b"raw"}])
def test_what_cannot_be_held_is_refused(folder: Path, body: dict[str, Any]) -> None:
    ledger = opened(folder)
    with pytest.raises(LedgerRefused) as refused:
        ledger.intent(Request(MINA, "act", CART, body))
    assert "canary" not in refused.value.sentence
    assert ledger.entries() == ()
    ledger.close()


def test_writes_are_durable_and_private(folder: Path) -> None:
    before = os.umask(0)
    try:
        ledger = opened(folder)
        ledger.intent(ROLL_BACK)
        connection = ledger._connection
        assert connection is not None
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert {path.name for path in folder.iterdir()} >= {"ledger.db", "ledger.db-wal", "ledger.lock"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        ledger.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET body = '{}' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 15",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 2",
        f"INSERT INTO audit SELECT 99, {COPIED} FROM audit WHERE seq = 2",  # noqa: S608
        f"INSERT INTO audit SELECT 16, {COPIED} FROM audit WHERE seq = 1",  # noqa: S608
        f"INSERT INTO audit SELECT 16, {COPIED} FROM audit WHERE seq = 3",  # noqa: S608
    ],
)
def test_the_file_itself_forbids_changing_what_is_written(folder: Path, statement: str) -> None:
    path = filled(folder)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.close()
    assert opened(folder).verify().entries == 15


FORGERIES = {
    "body": (("UPDATE audit SET body = '{}' WHERE seq = 4",), 4),
    "actor": (("UPDATE audit SET user = 'eve' WHERE seq = 1",), 1),
    "time": (("UPDATE audit SET at_us = at_us + 1 WHERE seq = 15",), 15),
    "result": (("UPDATE audit SET result = 'failed' WHERE seq = 3",), 3),
    "removed": (("DELETE FROM audit WHERE seq = 7",), 7),
    "closed ranks": (("DELETE FROM audit WHERE seq = 7", "UPDATE audit SET seq = seq - 1 WHERE seq > 7"), 7),
    "swapped": (
        (
            "UPDATE audit SET seq = 99 WHERE seq = 5",
            "UPDATE audit SET seq = 5 WHERE seq = 6",
            "UPDATE audit SET seq = 6 WHERE seq = 99",
        ),
        5,
    ),
    "first": (("DELETE FROM audit WHERE seq = 1",), 1),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_found_said_and_not_written_on(folder: Path, forgery: str) -> None:
    path = filled(folder)
    statements, at = FORGERIES[forgery]
    altered(path, *statements)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    ledger = opened(folder)
    verdict = ledger.verify()
    assert (verdict.ok, verdict.broken_at, verdict.entries) == (False, at, at - 1)
    assert f"broken at entry {at}" in verdict.sentence
    assert not ledger.status.ok
    assert ledger.status.fault is Fault.DAMAGED
    with pytest.raises(LedgerRefused):
        ledger.intent(ROLL_BACK)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_a_head_that_is_altered_while_in_use_is_not_written_on(folder: Path) -> None:
    path = filled(folder)
    ledger = opened(folder)
    altered(path, "UPDATE audit SET user = 'eve' WHERE seq = 15")
    with pytest.raises(LedgerRefused, match="altered"):
        ledger.intent(ROLL_BACK)
    ledger.close()


def garbage(path: Path) -> None:
    path.write_bytes(RANDOM.randbytes(9000))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 17)


def malformed_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:] = RANDOM.randbytes(len(content) - 8192)
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def without_triggers(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER audit_forbids_update")
    connection.close()


def of_another_program(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE audit (a)")
    connection.commit()
    connection.close()


DAMAGES = [garbage, truncated, malformed_pages, emptied, without_triggers, of_another_program]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_ledger_is_never_touched_and_said_loudly(folder: Path, damage: Callable[[Path], None]) -> None:
    path = filled(folder, 40)
    damage(path)
    before = path.read_bytes()
    ledger = opened(folder)
    assert not ledger.status.ok
    assert ledger.status.fault is Fault.DAMAGED
    assert "nothing is done without an entry in it" in ledger.status.sentence
    for attempt in (
        lambda: ledger.intent(ROLL_BACK),
        lambda: ledger.record(EntryKind.SESSION, MINA, "start"),
        lambda: ledger.step("x", MINA, "y"),
    ):
        with pytest.raises(Problem, match="damaged"):
            attempt()
    ledger.verify()
    ledger.close()
    assert path.read_bytes() == before
    assert {entry.name for entry in folder.glob("ledger.db*")} <= {"ledger.db", "ledger.db-wal", "ledger.db-shm"}


def test_a_newer_ledger_is_left_alone(folder: Path) -> None:
    path = filled(folder)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {LEDGER_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    ledger = opened(folder)
    assert ledger.status.fault is Fault.NEWER
    with pytest.raises(LedgerRefused, match="newer"):
        ledger.intent(ROLL_BACK)
    with pytest.raises(LedgerRefused, match="newer"):
        ledger.open_intents()
    assert not ledger.verify().ok
    assert path.read_bytes() == before


def test_a_ledger_that_is_removed_while_in_use_is_not_made_again(folder: Path) -> None:
    path = filled(folder)
    ledger = opened(folder)
    path.rename(folder / "elsewhere")
    for _ in range(2):
        with pytest.raises(LedgerRefused, match="replaced or removed while in use"):
            ledger.intent(ROLL_BACK)
    assert not path.exists()
    ledger.close()


def test_a_log_without_its_ledger_is_a_loss_not_a_beginning(folder: Path) -> None:
    path = filled(folder)
    path.rename(folder / "elsewhere")
    (folder / "ledger.db-wal").write_bytes(b"wal")
    assert opened(folder).status.fault is Fault.DAMAGED
    assert not path.exists()


def test_a_full_disk_refuses_and_room_heals(folder: Path) -> None:
    filled(folder)
    ledger = opened(folder)
    connection = ledger._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    big = Request(MINA, "act", CART, {"patch": "x" * 100_000})
    with pytest.raises(LedgerRefused, match="disk is full"):
        ledger.intent(big)
    assert not ledger.status.ok
    assert ledger.open_intents() == ()
    assert ledger.intent(big)
    assert ledger.status.ok
    assert ledger.verify().ok
    ledger.close()


def test_a_locked_ledger_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.ledger.database.BUSY_SECONDS", 0.05)
    path = filled(folder)
    ledger = opened(folder)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerRefused, match="held by another program"):
        ledger.intent(ROLL_BACK)
    holder.execute("ROLLBACK")
    holder.close()
    assert ledger.intent(ROLL_BACK)
    assert ledger.verify().entries == 16
    ledger.close()


def test_no_home_and_nothing_there(tmp_path: Path) -> None:
    homeless = opened(Path("~/quarterdeck"))
    assert "no home folder" in homeless.status.sentence
    nothing = Ledger(tmp_path / "none", ManualClock())
    assert not nothing.status.ok
    with pytest.raises(LedgerRefused, match="cannot be read"):
        nothing.entries()
    assert isinstance(nothing.verify().sentence, SafeText)
    assert not (tmp_path / "none").exists()


def test_nothing_is_lost_where_another_process_ends_while_this_one_writes(folder: Path) -> None:
    """Two connections of one process and a third process: its end must not take away the log of the others."""
    first, second = opened(folder), opened(folder)
    first.intent(ROLL_BACK)
    second.intent(ROLL_BACK)
    look = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM audit').fetchone())"
    counting = [sys.executable, "-S", "-c", look, str(folder / "ledger.db")]
    assert subprocess.check_output(counting, text=True).strip() == "2"
    first.intent(ROLL_BACK)
    second.intent(ROLL_BACK)
    assert subprocess.check_output(counting, text=True).strip() == "4"
    assert first.verify().ok


def test_a_log_that_was_removed_while_in_use_is_noticed_before_anything_is_begun(folder: Path) -> None:
    ledger = opened(folder)
    ledger.intent(ROLL_BACK)
    (folder / "ledger.db-wal").unlink()
    with pytest.raises(LedgerRefused, match="its write-ahead log was removed while in use"):
        ledger.intent(ROLL_BACK)
    assert ledger.intent(ROLL_BACK), "opened anew, it takes entries again"
    assert ledger.verify().ok
