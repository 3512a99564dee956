"""What the first frame costs: what is loaded before it, what is parsed for it, and when it is let out."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from textual._compositor import LayoutUpdate
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

from tui.cli import SCREENS, parser
from widgets.frugal_app import FrugalApp
from widgets.tones import Toned
from widgets.viewmodels import Tone

NOT_BEFORE_THE_FIRST_FRAME = (
    "aiohttp",
    "cache.ledger",
    "cache.state.store",
    "httpx",
    "kubernetes",
    "pygments",
    "services.actions.runner",
    "services.alertmanager",
    "services.engine",
    "services.incidents",
    "services.kubernetes.client",
    "services.kubernetes.decode_workloads",
    "services.notifications",
    "services.prometheus",
    "services.rehearsal",
    "sqlite_utils",
    "tui.beginning",
    "tui.flows",
    "tui.palette",
    "tui.screens.alert_pane",
    "tui.screens.logs",
    "tui.screens.table",
    "tui.screens.workload",
    "widgets.chart",
    "widgets.dialog",
    "widgets.log_view",
    "widgets.plan_dialog",
    "yaml",
)
"""Of these nothing may be imported by what the control room's first frame is drawn with."""

MOST_MODULES = 150
"""Modules that the first frame may need beside Textual's own; 145 when this was written."""


def test_the_first_frame_loads_nothing_that_it_does_not_show() -> None:
    program = (
        "import sys; import textual.app; before = set(sys.modules); import tui.cli, tui.commands.run, tui.assembly\n"
        "print(' '.join(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = run.stdout.split()
    early = {name for name in loaded for room in NOT_BEFORE_THE_FIRST_FRAME if f"{name}.".startswith(f"{room}.")}
    assert not early
    assert len(loaded) <= MOST_MODULES, f"{len(loaded)} modules before the first frame"


@pytest.mark.parametrize("command", SCREENS)
def test_the_words_of_a_screen_are_read_alike_with_and_without_those_of_the_others(command: str) -> None:
    said = [command, *(["checkout"] if command == "open" else []), "--view", "pods"]
    assert parser(screens_alone=True).parse_args(said) == parser().parse_args(said)


class Plain(Toned):
    def render_line(self, y: int) -> Strip:
        return Strip.blank(self.size.width)


class TwoApp(FrugalApp[None]):
    STYLED_FIRST = (Plain,)

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Plain(), Plain()
        self.shown = 0

    def compose(self) -> ComposeResult:
        yield self.one
        yield self.two

    def on_mount(self) -> None:
        self.once_shown(self._count)

    def _count(self) -> None:
        self.shown += 1


async def test_tones_are_looked_up_once_for_all_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    app = TwoApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        first = app.one.tone_style(Tone.CRIT)

        def refuse(*_: object, **__: object) -> None:
            pytest.fail("the stylesheet was applied once more")

        monkeypatch.setattr(app.stylesheet, "apply", refuse)
        assert app.two.tone_style(Tone.CRIT) == first


async def test_who_waits_for_the_first_frame_is_called_once() -> None:
    app = TwoApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        app._shown()
        assert app.shown == 1


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What an app that believes in a terminal would have written on it."""
    written: list[str] = []
    queue = SimpleNamespace(qsize=lambda: 0, full=lambda: False)
    writer: Any = SimpleNamespace(write=written.append, _queue=queue)
    monkeypatch.setattr(FrugalApp, "_terminal_writer", property(lambda _: writer))
    monkeypatch.setattr(FrugalApp, "is_headless", property(lambda _: False))
    return written


async def test_the_first_frame_does_not_wait_for_a_batch_and_the_next_one_does(terminal: list[str]) -> None:
    app = TwoApp()
    screen: Screen[Any]
    async with app.run_test(size=(20, 4)) as pilot:
        await pilot.pause()
        screen = app.screen
        frame = LayoutUpdate([[Strip.blank(20)]] * 4, Region(0, 0, 20, 4))
        terminal.clear()
        app._frame, app._frame_writer, app._drawn = None, None, ()
        with app.batch_update():
            app._display(screen, frame)
            assert len(terminal) == 1, "somebody waits before an empty screen"
            app._display(screen, frame)
            assert len(terminal) == 1
            assert not app._drawn
