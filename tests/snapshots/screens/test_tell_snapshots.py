"""How people are told: a template, whom it goes to, own words, and the messages as each will be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from screenshots.scene_alerts import whole
from screenshots.stage import console_app, settle
from services.config_schema import Config
from services.model.actor import Actor
from tests.snapshots.screens.test_screen_snapshots import SIZES, Compare
from tests.unit.notifications.telling import MAIL, ROOM
from tui.app import QuarterdeckApp
from tui.outgoing import Outgoing
from widgets.draft_dialog import DraftDialog


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_tell(snap_compare: Compare, tmp_path: Path, size: tuple[int, int]) -> None:
    app, runtime = console_app(whole())
    assert isinstance(app, QuarterdeckApp)
    config = Config(notify={"room": ROOM, "mail": MAIL})
    outgoing = Outgoing(tmp_path / "state", app.console_state.clock, Actor("duty1", "bastion-2", "c"), config)
    app.console_state.outgoing = lambda: outgoing

    async def opened(pilot: Pilot[None]) -> None:
        await settle(pilot, runtime)
        await pilot.press("T")
        await settle(pilot, runtime)
        dialog = app.screen
        assert isinstance(dialog, DraftDialog)
        dialog.answers._armed_after = 1e9
        dialog.answers.show()
        await settle(pilot, runtime)

    assert snap_compare(app, run_before=opened, terminal_size=size)
