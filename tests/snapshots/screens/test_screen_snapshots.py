"""How whole screens look on the recorded scene: a changed cell anywhere is a changed picture."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
from textual.pilot import Pilot

from screenshots import scene_runtime
from screenshots.make import DEAD
from screenshots.scene_alerts import nowhere, whole
from screenshots.stage import HERE, NOWHERE, console_app, settle
from services.model.source import SourceState
from tests.snapshots.conftest import PYTHON, TEXTUAL, refusal
from tui.app import QuarterdeckApp


class Compare(Protocol):
    """What the snapshot plugin offers: an app, keys to press, a size; true when the picture is the kept one."""

    def __call__(self, app: object, **settings: object) -> bool: ...


SIZES = [(80, 24), (120, 40), (200, 60)]
SCREENS = {
    "control-room": (),
    "pods": (":pods",),
    "workload": ("enter",),
    "logs": ("l",),
    "dead-server": (),
    "alerts": (":alerts",),
    "alert": (":alerts", "enter"),
    "explain": ("X",),
    "timeline": (":timeline",),
    "costs": (":costs",),
    "incidents": (":incidents",),
    "incident": (":incidents", "enter"),
    "no-cluster": (),
}
"""What is pressed before the picture is taken; a word after a colon is a table to open."""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", SCREENS)
def test_screen(snap_compare: Compare, screen: str, size: tuple[int, int]) -> None:
    assert snap_compare(_app(screen), run_before=_opened(screen), terminal_size=size)


@pytest.mark.parametrize("screen", ["control-room", "dead-server"])
def test_screen_without_colour(snap_compare: Compare, screen: str) -> None:
    assert snap_compare(_app(screen, no_colour=True), run_before=_opened(screen), terminal_size=(80, 24))


def test_screen_in_ascii(snap_compare: Compare) -> None:
    app = _app("control-room", ascii_only=True)
    assert snap_compare(app, run_before=_opened("control-room"), terminal_size=(80, 24))


@pytest.mark.parametrize(
    ("python", "textual", "allowed"),
    [
        (PYTHON, TEXTUAL, True),
        ((3, 12), TEXTUAL, False),
        (PYTHON, "8.2.9", False),
    ],
)
def test_only_the_pinned_versions_write_snapshots(python: tuple[int, int], textual: str, allowed: bool) -> None:
    assert (refusal(python, textual) == "") is allowed


def _app(screen: str, *, no_colour: bool = False, ascii_only: bool = False) -> QuarterdeckApp:
    if screen == "no-cluster":
        feed, scope = nowhere(), NOWHERE
    else:
        state = (SourceState.FAILED, DEAD) if screen == "dead-server" else (SourceState.LIVE, "")
        feed, scope = whole(None, *state), HERE
    app, _ = console_app(feed, no_colour=no_colour, ascii_only=ascii_only, scope=scope)
    return app


def _opened(screen: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def run_before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, QuarterdeckApp)
        runtime = app.console_state.runtime
        assert isinstance(runtime, scene_runtime.SceneRuntime)
        await pilot.pause()
        for key in (*SCREENS[screen], ""):
            if key.startswith(":"):
                app.open_view(key[1:])
            elif key:
                await pilot.press(key)
            await settle(pilot, runtime)

    return run_before
