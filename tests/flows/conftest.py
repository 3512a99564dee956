"""A console on the recorded scene, driven by key presses; the clock moves only when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from cache.live import LiveState
from cache.state.records import Place
from screenshots import scene, scene_runtime
from services.clock import ManualClock
from services.rehearsal.server import Rehearsal
from tests.flows.program import estate_served
from tui.app import QuarterdeckApp
from tui.console import Console, Scope
from tui.glyphs import UNICODE, Glyphs
from tui.keymap import DEFAULT, Keymap
from widgets.log_view import LogView


@dataclass
class Deck:
    """A running app and all that a test may turn."""

    app: QuarterdeckApp
    pilot: Pilot[None]
    clock: ManualClock
    live: LiveState
    runtime: scene_runtime.SceneRuntime
    places: list[Place]
    steering: scene_runtime.SceneSteering

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until everything they caused has settled."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        """Wait until both sides are at rest; log lines that are held back for the next painting are painted now."""
        await self.pilot.pause()
        await self.runtime.idle()
        await self.pilot.pause()
        for log in self.app.screen.query(LogView):
            log.flush()
            await self.pilot.pause()

    async def tick(self, seconds: float = 1.0) -> None:
        """Let time pass for the screen."""
        await self.clock.advance(seconds)
        self.app._tick()
        await self.settle()

    @property
    def text(self) -> str:
        """What the terminal shows."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    @property
    def header(self) -> str:
        """The first line."""
        return self.text.splitlines()[0]

    @property
    def footer(self) -> str:
        """The last line."""
        return self.text.splitlines()[-1]


Open = Callable[..., AbstractAsyncContextManager[Deck]]


@pytest.fixture
def open_deck() -> Open:
    """Return the way to open a console on the scene."""

    @asynccontextmanager
    async def opened(
        size: tuple[int, int] = (120, 40),
        live: LiveState | None = None,
        place: Place | None = None,
        glyphs: Glyphs = UNICODE,
        keymap: Keymap = DEFAULT,
        console: Mapping[str, Any] | None = None,
        **settings: object,
    ) -> AsyncIterator[Deck]:
        clock = ManualClock(scene.NOW)
        feed = live or scene.live(clock)
        runtime = scene_runtime.SceneRuntime()
        places: list[Place] = []
        steering = scene_runtime.SceneSteering()
        parts: dict[str, Any] = {
            "scope": Scope("prod-eu-1", "prod-eu-1", "PROD"),
            "runtime": runtime,
            "actor": "duty1@bastion-2",
            "steering": steering,
            "on_place": places.append,
            "glyphs": glyphs,
            "keymap": keymap,
        }
        app = QuarterdeckApp(Console(clock, feed, **(parts | dict(console or {}))), place, **settings)
        async with app.run_test(size=size) as pilot:
            deck = Deck(app, pilot, clock, feed, runtime, places, steering)
            await deck.settle()
            app._beat.stop()  # time passes where a test says so
            yield deck

    return opened


FROM_OUTSIDE = ("KUBECONFIG", "QUARTERDECK_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy")
"""What the environment of whoever runs the tests may say, and no test may hear."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own: home, state folder and configuration below `tmp_path`."""
    for name in FROM_OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture(scope="module")
def estate() -> Iterator[Rehearsal]:
    """A tiny estate with a bad release, served over its real wire."""
    with estate_served() as served:
        yield served
