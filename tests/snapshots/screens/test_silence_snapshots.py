"""How a silence is asked for: the form with what it would hide, and the plan that is confirmed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from screenshots.stage import console_app, settle
from tests.flows.silencing import Room
from tests.snapshots.screens.test_screen_snapshots import Compare
from tui.app import QuarterdeckApp
from widgets.form import AnswerRow


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("key", ["M", "a"], ids=["silence", "acknowledge"])
def test_asked_for(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, key: str, size: tuple[int, int]) -> None:
    monkeypatch.setattr(AnswerRow, "armed", False)  # however long the picture takes
    room = Room()
    app, runtime = console_app(room.live)
    app.console_state.acting = lambda: room.acting
    assert snap_compare(app, run_before=_pressed(key, lambda pilot: settle(pilot, runtime)), terminal_size=size)


def _pressed(key: str, rest: Callable[[Pilot[None]], Awaitable[None]]) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def run_before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, QuarterdeckApp)
        await pilot.pause()
        app.open_view("alerts")
        await rest(pilot)
        await pilot.press(key)
        await rest(pilot)

    return run_before
