from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from cache.state.history import HistoryReader
from cache.state.records import EventQuery, HistoryState
from cache.state.store import StateStore
from services.clock import ManualClock
from tests.unit.cache.estate import ALICE, NOW, QUICK, happening

CONSOLE = """
import sys
from pathlib import Path
from cache.state.store import StateStore
from cache.state.records import Place
from cache.state.writer import Pace
from services.clock import ManualClock
from tests.unit.cache.estate import happening
folder, identity, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
store = StateStore(folder, ManualClock(), Pace(tick=0.0, election=0.01))
store.start()
store.attend(identity)
assert store.flush(20)
print("ready", store.status.state.value, store.status.notice, flush=True)
for line in sys.stdin:
    start, count = map(int, line.split())
    for number in range(start, start + count, 10):
        store.record(identity, [happening(n) for n in range(number, number + 10)])
        store.save_place(identity, Place(name))
        assert store.flush(20)
    print(store.status.state.value, store.status.sentence, flush=True)
assert store.close(20)
"""


class Console:
    """A console of its own process."""

    def __init__(self, folder: Path, identity: str, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONSOLE, str(folder), identity, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def heard(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, start: int, count: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{start} {count}\n")
        self.process.stdin.flush()

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)


def test_two_processes_write_two_clusters_at_once_from_an_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    one, two = Console(folder, "one", "a"), Console(folder, "two", "b")
    assert [one.heard(), two.heard()] == ["ready writing"] * 2
    one.tell(0, 400)
    two.tell(0, 400)
    assert [one.heard(), two.heard()] == ["writing"] * 2
    assert [one.end(), two.end()] == [0, 0]
    for identity in ("one", "two"):
        assert len(HistoryReader(folder).events(EventQuery(identity, 0, NOW + 1)).events) == 400
    connection = sqlite3.connect(folder / "state.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone() == (2,)
    connection.close()


def test_when_the_writer_is_killed_another_console_takes_over(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    first = Console(folder, ALICE, "a")
    assert first.heard() == "ready writing"
    first.tell(0, 10)
    assert first.heard() == "writing"
    second = StateStore(folder, ManualClock(), QUICK)
    second.start()
    second.attend(ALICE)
    second.record(ALICE, [happening(number) for number in range(20)])
    assert second.flush()
    assert second.status.state is HistoryState.READING
    assert len(HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 1)).events) == 10
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(60)
    while not second.writes(ALICE):
        assert second.flush()
    assert second.flush()
    assert second.status.state is HistoryState.WRITING
    assert len(HistoryReader(folder).events(EventQuery(ALICE, 0, NOW + 1)).events) == 20
    assert second.close()


def test_two_processes_that_find_the_database_damaged_set_it_aside_once(tmp_path: Path) -> None:
    folder = tmp_path / "quarterdeck"
    folder.mkdir(mode=0o700)
    (folder / "state.db").write_bytes(b"not a database at all" * 999)
    consoles = [Console(folder, name, name) for name in ("one", "two", "three")]
    heard = sorted(console.heard() for console in consoles)
    assert [line.startswith("ready writing The history database was damaged") for line in heard] == [False, False, True]
    for number, console in enumerate(consoles):
        console.tell(number, 10)
        assert console.heard() == "writing"
        assert console.end() == 0
    assert len(list(folder.glob("state.db.damaged-*Z"))) == 1
