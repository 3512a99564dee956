"""A full disk, a ledger that another process holds: nothing is done or told, the reason is said, no word is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cache.ledger import ledger as ledgers
from cache.ledger.ledger import Ledger
from cache.ledger.records import EntryKind, LedgerRefused
from services.clock import SystemClock
from services.model.actor import Actor
from services.rehearsal.server import Rehearsal
from tests.flows.program import Program, kubeconfig_of, program
from tui import beside
from widgets.draft_dialog import DraftDialog
from widgets.form import FormDialog
from widgets.plan_dialog import PlanDialog, RunDialog

CONFIG = """
[policy."*"]
reason = ["*"]
[notify.room]
to = ["#incidents"]
url = "env:CANARY_SLACK_URL"
"""
WHO = Actor("mina", "here", "c")
HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CANARY_SLACK_URL", "http://127.0.0.1:9/services/T/B/canary")
    monkeypatch.setattr(beside, "AFTER", 0.05)
    monkeypatch.setattr("cache.ledger.database.BUSY_SECONDS", 0.05)
    (home / "config.toml").write_text(CONFIG)
    ledger = Ledger(home / "state", SystemClock())
    ledger.record(EntryKind.NOTE, WHO, "begin")
    ledger.close()
    return home / "state"


def fill(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """Let SQLite find no room for another page, fill the last one, and return what stands in the audit trail then."""
    real = ledgers.open_ledger

    def full(path: Path) -> sqlite3.Connection:
        connection = real(path)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(ledgers, "open_ledger", full)
    ledger = Ledger(folder, SystemClock())
    for _ in range(50):
        try:
            ledger.record(EntryKind.NOTE, WHO, "x")
        except LedgerRefused:
            break
    assert "full" in ledger.status.sentence
    return entries(ledger)


def entries(ledger: Ledger) -> list[str]:
    """Return what stands in the audit trail, and close it."""
    assert ledger.verify().ok
    found = [entry.action for entry in ledger.entries()]
    ledger.close()
    return found


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Let another process hold the ledger."""
    command = [sys.executable, "-c", HOLD, str(folder / "ledger.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.communicate("\n")


async def refused(console: Program, *words: str) -> None:
    """Restart what is under the cursor for a reason, and see that it is not done."""
    await console.press("B")
    await console.until(lambda: isinstance(console.app.screen, PlanDialog))
    dialog = console.app.screen
    assert isinstance(dialog, FormDialog)
    if not dialog.values["reason"]:
        await console.press(*"INC-7")
    assert dialog.values["reason"] == "INC-7", "what was typed is still there"
    await console.press("tab")
    dialog.answers._since = -1.0
    await console.press("y")
    await console.until(lambda: isinstance(console.app.screen, RunDialog))
    await console.until_seen("NOT DONE", "(nothing", *words)
    await console.press("escape")


async def not_told(console: Program, *words: str) -> None:
    """Tell of it, and see that it is not told."""
    await console.press("T")
    await console.until(lambda: isinstance(console.app.screen, DraftDialog))
    dialog = console.app.screen
    assert isinstance(dialog, DraftDialog)
    if not dialog.values["text"]:
        await console.press("w", *"help")
        await console.press("tab")
    assert dialog.values["text"] == "help", "what was typed is still there"
    dialog.answers._since = -1.0
    await console.press("y")
    await console.until_seen("Not told:", *words)
    await console.press("escape")


async def test_nothing_is_done_where_it_cannot_be_written_down(
    folder: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--kubeconfig", kubeconfig_of(estate), "--config", str(folder.parent / "config.toml"))
    async with program(*words) as console:
        await console.until_seen("CrashLoop", "live")
        with monkeypatch.context() as disk:
            before = fill(disk, folder)
            await refused(console, "full", "space")
            await not_told(console, "full", "space")
        with held(folder):
            await refused(console, "locked")
            await not_told(console, "locked")
    assert entries(Ledger(folder, SystemClock())) == before
