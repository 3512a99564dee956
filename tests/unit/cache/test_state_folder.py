from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cache.folder import state_folder
from cache.state.store import StateStore
from services.clock import ManualClock
from tests.unit.cache.estate import ALICE, QUICK, filled, opened

STRANGER = """
import os, sys
from pathlib import Path
import cache.migrations.state
from cache.state.first_paint import FirstPaint
from cache.state.store import StateStore
from services.clock import ManualClock
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
folder = Path(sys.argv[1])
store = StateStore(folder, ManualClock())
store.start()
store.attend("i")
assert store.flush()
print(store.status.sentence)
with FirstPaint(folder) as paint:
    paint.tables("i", ["pods"])
    print(paint.reason)
assert store.close()
"""


def stranger(folder: Path) -> list[str]:
    """What a user without rights reads; as root this drops to nobody, whom the folder must then belong to."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=root,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def reachable(tmp_path: Path) -> Iterator[Path]:
    """A folder whose parents everyone may enter."""
    folder = tmp_path / "quarterdeck"
    opened_up: list[tuple[Path, int]] = []
    for parent in (tmp_path, *tmp_path.parents):
        mode = parent.stat().st_mode
        if not mode & 0o001 and parent.stat().st_uid == os.geteuid():
            parent.chmod(mode | 0o011)
            opened_up.append((parent, mode))
    yield folder
    for parent, mode in opened_up:
        parent.chmod(mode)


def test_a_read_only_folder_turns_history_off_with_a_sentence(reachable: Path) -> None:
    reachable.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(reachable, 65534, 65534)
    reachable.chmod(0o500)
    history, paint = stranger(reachable)
    assert "state.db" in history
    assert "Permission denied" in history
    assert "history is off" in history
    assert paint == "Nothing is remembered from an earlier run"
    reachable.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_folder_of_another_user_is_refused(reachable: Path) -> None:
    filled(reachable)
    history, paint = stranger(reachable)
    assert "the folder belongs to another user" in history
    assert "Permission denied" in paint


def test_no_home_is_said_plainly() -> None:
    store = StateStore(Path("~/.local/state/quarterdeck"), ManualClock(), QUICK)
    store.start()
    store.attend(ALICE)
    assert store.flush()
    assert "no home folder; set QUARTERDECK_STATE_DIR" in store.status.sentence
    assert store.close()
    assert not Path("~").exists()


def test_a_folder_that_is_not_ours_alone_is_not_tightened(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "notes.txt").touch()
    store = opened(shared)
    assert "open to others and not ours alone" in store.status.sentence
    assert store.close()
    assert shared.stat().st_mode & 0o777 == 0o755
    assert sorted(entry.name for entry in shared.iterdir()) == ["notes.txt"]


def test_where_the_folder_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_folder({"QUARTERDECK_STATE_DIR": "/srv/qd", "XDG_STATE_HOME": "/x"}) == Path("/srv/qd")
    assert state_folder({"XDG_STATE_HOME": "/x"}) == Path("/x/quarterdeck")
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert state_folder({}).is_relative_to("/home/a")


def test_a_folder_with_crash_reports_alone_is_ours_and_tightened(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "crash-20260101T000000Z-1-1.txt").touch()
    store = opened(folder)
    assert store.status.sentence == ""
    assert store.close()
    assert folder.stat().st_mode & 0o777 == 0o700
