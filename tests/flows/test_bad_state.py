"""Databases that are damaged, of a newer version, or cannot be written: the screen works, and nothing is lost."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from cache.ledger.ledger import Ledger
from services.clock import ManualClock
from services.rehearsal.server import Rehearsal
from tests.flows.mishap import PATIENCE, SOON, console, leave, run, shows
from tests.flows.program import kubeconfig_of
from tests.unit.cache.estate import filled

LIVE = ("live", "need you", "CrashLoop")
GARBAGE = b"not a database " * 4000


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder of our own, and empty."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def events(path: Path) -> int:
    """Count what a state.db remembers, and hold that it is whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])


def of_version(path: Path, version: int) -> bytes:
    """Make a database one of another version, and return the bytes it then has."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def test_a_damaged_history_is_set_aside_and_begun_anew(tmp_path: Path, state: Path, estate: Rehearsal) -> None:
    (state / "state.db").write_bytes(GARBAGE)
    with console(tmp_path, "run", "--kubeconfig", kubeconfig_of(estate), command=SOON) as terminal:
        shows(terminal, "The history database was damaged", "it was set aside as state.db.damaged-", "begins anew.")
        shows(terminal, *LIVE)
        assert leave(terminal) == 0
    (aside,) = state.glob("state.db.damaged-*")
    assert aside.read_bytes() == GARBAGE
    assert events(state / "state.db") > 0
    assert "3 CRIT" in run(tmp_path, "status", "--kubeconfig", kubeconfig_of(estate)).stdout


def test_a_damaged_ledger_is_said_above_everything_and_never_touched(
    tmp_path: Path, state: Path, estate: Rehearsal
) -> None:
    (state / "ledger.db").write_bytes(GARBAGE)
    with console(tmp_path, "run", "--kubeconfig", kubeconfig_of(estate), command=SOON) as terminal:
        shows(
            terminal,
            "nothing is done without an entry in it; it is left as it is; find out what happened, then restore",
        )
        above = "LEDGER  ledger.db is damaged (file is not a database): nothing is done"
        terminal.until_true(lambda: above in terminal.screen.display[1], PATIENCE, "the banner below the header")
        shows(terminal, *LIVE)
        assert leave(terminal) == 0
    assert (state / "ledger.db").read_bytes() == GARBAGE
    assert [path.name for path in state.glob("ledger*")] == ["ledger.db"]


def test_databases_of_a_newer_version_are_left_alone(tmp_path: Path, state: Path, estate: Rehearsal) -> None:
    Ledger(state, ManualClock()).open()
    left = {path: of_version(path, 99) for path in (filled(state), state / "ledger.db")}
    with console(tmp_path, "run", "--kubeconfig", kubeconfig_of(estate), command=SOON) as terminal:
        shows(terminal, "state.db was written by a newer Quarterdeck (version 99", "history is off", "start the newer")
        shows(terminal, "LEDGER ledger.db was written by a newer Quarterdeck (version 99", "nothing is done without")
        shows(terminal, *LIVE)
        assert leave(terminal) == 0
    assert {path: path.read_bytes() for path in left} == left
    assert not list(state.glob("*damaged*"))


def on_a_full_disk(state: Path, way: str) -> list[str]:
    """Return words that start a command whose state folder takes no more bytes; skip where that cannot be had."""
    if way == "limit":
        return ["sh", "-c", 'ulimit -f 8; PYTHONDONTWRITEBYTECODE=1 exec "$@"', "sh"]  # a module's would be cut off too
    size = (state / "state.db").stat().st_size
    folder = shlex.quote(str(state))
    script = (
        f"cp -a {folder} {folder}.kept && mount -t tmpfs -o size={size + 65536},mode=700 none {folder} "
        f"&& cp -a {folder}.kept/. {folder}/ && (cat /dev/zero >{folder}/crash-filler 2>/dev/null; true) || exit 99\n"
        f'"$@"; code=$?; rm {folder}/crash-filler; cp -a {folder}/. {folder}.after/; exit $code'
    )
    _mounts_or_skip(state.parent)
    return ["unshare", "-m", "sh", "-c", script, "sh"]


def _mounts_or_skip(folder: Path) -> None:
    """Skip where a file system cannot be mounted: that takes a right few test machines give."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed, so no small disk can be mounted")
    words = ["unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no small disk can be mounted here: {tried.stderr.strip()}")


@pytest.mark.parametrize("way", ["limit", "disk"])
def test_a_full_disk_stops_history_and_loses_none(tmp_path: Path, state: Path, estate: Rehearsal, way: str) -> None:
    path = filled(state)
    before = events(path)
    after = path if way == "limit" else tmp_path / "state.after" / "state.db"
    with console(
        tmp_path, "run", "--kubeconfig", kubeconfig_of(estate), command=SOON, before=on_a_full_disk(state, way)
    ) as terminal:
        shows(terminal, "state.db could not be written, the disk is full", "history is off", "free some space")
        shows(terminal, *LIVE)
        assert leave(terminal) == 0
    assert events(after) >= before
    assert not list(after.parent.glob("*damaged*"))


def test_a_state_folder_that_may_not_be_written(tmp_path: Path, state: Path, estate: Rehearsal) -> None:
    _mounts_or_skip(tmp_path)
    script = f'mount -t tmpfs -o ro,mode=700 none {shlex.quote(str(state))} && exec "$@"'
    before = ["unshare", "-m", "sh", "-c", script, "sh"]
    with console(tmp_path, "run", "--kubeconfig", kubeconfig_of(estate), command=SOON, before=before) as terminal:
        shows(terminal, "could not be opened for writing (Read-only file system)", "history is off", "check who may")
        shows(terminal, *LIVE)
        assert leave(terminal) == 0


def test_a_state_folder_that_is_a_file(tmp_path: Path, estate: Rehearsal) -> None:
    (tmp_path / "state").write_text("mine")
    with console(tmp_path, "run", "--kubeconfig", kubeconfig_of(estate), command=SOON) as terminal:
        shows(terminal, "could not be opened for writing (its folder is a file)", "history is off", "check who may")
        shows(terminal, *LIVE)
        assert leave(terminal) == 0
    assert (tmp_path / "state").read_text() == "mine"
    done = run(tmp_path, "status", "--kubeconfig", kubeconfig_of(estate))
    assert done.returncode == 2
    assert "nothing is cached" in done.stdout
