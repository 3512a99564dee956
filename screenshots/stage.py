"""Opens a console on the recorded scene, with a clock that stands still, for pictures and for looking at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from textual.pilot import Pilot

from cache.live import LiveState
from screenshots import scene, scene_acting, scene_runtime
from screenshots.scene_alerts import SceneMetrics, whole
from services.clock import ManualClock
from tui.app import QuarterdeckApp
from tui.console import Console, Scope
from tui.glyphs import ASCII, UNICODE
from widgets.log_view import LogView

HERE = Scope(scene.CLUSTER, scene.CLUSTER, "PROD")
NOWHERE = Scope("", "no cluster")


async def settle(pilot: Pilot[None], runtime: scene_runtime.SceneRuntime) -> None:
    """Wait until both sides are at rest; log lines that are held back for the next painting are painted now."""
    for _ in range(2):
        await pilot.pause()
        await runtime.idle()
    for log in pilot.app.screen.query(LogView):
        log.flush()
    await pilot.pause()


@dataclass
class Stage:
    """A running console and what drives it."""

    app: QuarterdeckApp
    pilot: Pilot[None]
    runtime: scene_runtime.SceneRuntime

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until everything they caused has settled."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def open_view(self, name: str) -> None:
        """Open a table."""
        self.app.open_view(name)
        await self.settle()

    async def settle(self) -> None:
        """Wait until the service side and the screen are at rest."""
        await settle(self.pilot, self.runtime)


def console_app(
    live: LiveState,
    *,
    theme: str = "dark",
    no_colour: bool = False,
    ascii_only: bool = False,
    scope: Scope = HERE,
) -> tuple[QuarterdeckApp, scene_runtime.SceneRuntime]:
    """Return an app on `live`, and what stands for its service thread."""
    clock = ManualClock(scene.NOW)
    runtime = scene_runtime.SceneRuntime()
    console = Console(
        clock,
        live,
        scope,
        runtime=runtime,
        actor="duty1@bastion-2",
        steering=scene_runtime.SceneSteering(),
        glyphs=ASCII if ascii_only else UNICODE,
        metrics=SceneMetrics,
        acting=scene_acting.hands,
    )
    return QuarterdeckApp(console, ascii_only=ascii_only, theme=theme, no_colour=no_colour), runtime


@asynccontextmanager
async def on_stage(
    size: tuple[int, int],
    live: LiveState | None = None,
    *,
    theme: str = "dark",
    no_colour: bool = False,
    ascii_only: bool = False,
) -> AsyncIterator[Stage]:
    """Run a console without a terminal, `size` columns and lines, until the block ends; on the scene unless told else.

    The scene is filled on a thread without a loop, where what is written is published at once.
    """
    feed = live if live is not None else await asyncio.to_thread(whole)
    app, runtime = console_app(feed, theme=theme, no_colour=no_colour, ascii_only=ascii_only)
    with scene_acting.at_once():
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot, runtime)
            await stage.settle()
            yield stage
