"""Who leaves while something runs is told what goes on and what ends; the next start finds out how it ended."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from cache.ledger.ledger import Ledger
from services.clock import SystemClock
from services.rehearsal.server import Rehearsal
from tests.flows.program import kubeconfig_of, program
from tui import app as apps
from tui import flows
from widgets import dialog as dialogs
from widgets.plan_dialog import PlanDialog, RunDialog


async def test_who_leaves_is_told_what_goes_on_and_the_next_start_finds_it_out(
    estate: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(flows, "PlanDialog", partial(PlanDialog, armed_after=1e-6))
    monkeypatch.setattr(dialogs, "ConfirmDialog", partial(dialogs.ConfirmDialog, armed_after=1e-6))
    monkeypatch.setattr(apps, "LOOK_BACK_AFTER", 0.3)
    words = ("--kubeconfig", kubeconfig_of(estate))
    async with program(*words) as console:
        await console.until_seen("CrashLoop", "live")
        await console.press("B")
        await console.until(lambda: isinstance(console.app.screen, PlanDialog))
        await console.press("y")
        await console.until_seen("watch  ")
        run = console.app.screen
        assert isinstance(run, RunDialog)
        await console.press("ctrl+c")
        await console.until_seen("Leave while something runs", "restart", "goes on there", "the next start finds out")
        asked = console.app.screen
        await console.press("ctrl+c")
        assert console.app.screen is asked, "asked once"
        await console.press("enter")
        assert console.app.screen is run, "it is still watched"
        await console.press("ctrl+c", "y")
        await console.until(lambda: not console.app.is_running)
    ledger = Ledger(tmp_path / "state", SystemClock())
    [left] = ledger.open_intents()
    assert (left.entry.action, left.unknown) == ("restart", True)
    assert ledger.verify().ok
    ledger.close()
    async with program(*words) as console:
        await console.until_seen("CrashLoop", "live")
        await console.until_seen("BEGUN BEFORE", "Restart", "finding out how it ended")
