"""The whole program on a rehearsal estate, as `run` puts it together, with the pilot in place of a terminal."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from textual.pilot import Pilot

from cache.live import LiveState
from services.clock import SystemClock
from services.rehearsal.clock import Clock
from services.rehearsal.server import Options, Rehearsal
from tui.app import QuarterdeckApp
from tui.assembly import Assembly
from tui.cli import parser
from tui.cli import words as commands
from tui.commands.run import first_place, interest_for, open_scope
from tui.commands.setup import FIRST_TABLES, prepare, seed
from tui.crash import CrashLog, install
from tui.terminal import Streams, detect

PATIENCE = 60.0
"""Seconds in which what a test waits for must have come."""


@contextmanager
def estate_served(
    scenario: str = "bad-deploy", seed: int = 5, size: str = "tiny", clock: Clock | None = None
) -> Iterator[Rehearsal]:
    """Serve an estate from a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    served = Rehearsal(Options(scenario=scenario, seed=seed, size=size, life=False), clock)
    asyncio.run_coroutine_threadsafe(served.__aenter__(), loop).result(60)
    try:
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(served.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)


class Program:
    """A running console and what a test may look at and turn."""

    def __init__(self, assembly: Assembly, app: QuarterdeckApp, pilot: Pilot[None]) -> None:
        self.assembly = assembly
        self.app = app
        self.pilot = pilot

    @property
    def text(self) -> str:
        """What the terminal shows."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    @property
    def header(self) -> str:
        """The first line."""
        return self.text.splitlines()[0]

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other, and wait until they have been answered, or have ended the app."""
        for key in keys:
            await self.pilot.press(key)
        await self.until(lambda: not (self.app.answering and self.app.is_running))
        await self.pilot.pause()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so; AssertionError with the screen's text when it does not come."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not true():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"it never came to be; the screen:\n{self.text}") from None

    async def until_seen(self, *words: str) -> None:
        """Wait until all these words are on screen."""
        await self.until(lambda: all(word in self.text for word in words))


@asynccontextmanager
async def program(*words: str, size: tuple[int, int] = (160, 48)) -> AsyncIterator[Program]:
    """Run `quarterdeck WORDS` without a terminal; the state folder and the configuration are the environment's."""
    arguments = parser().parse_args(commands(words))
    flags = {"ui.theme": arguments.theme, "ui.ascii": arguments.ascii, "ui.slow_link": arguments.slow_link}
    setup = prepare(arguments, {name: value for name, value in flags.items() if value is not None})
    clock = SystemClock()
    live = LiveState(clock)
    left, _ = seed(live, setup, FIRST_TABLES, clock)
    terminal = detect({"TERM": "xterm-256color", "LANG": "C.UTF-8"}, Streams(True, True, "utf-8"), size)
    log = CrashLog(setup.folder)
    hooks = threading.excepthook, sys.excepthook, sys.unraisablehook
    assembly = Assembly(setup, terminal, live, clock, log)
    install(log, assembly.thread_died)
    assembly.wanted = getattr(arguments, "what", "")
    place = first_place(arguments, left)
    open_scope(arguments, assembly.console, left)
    namespaces = (arguments.namespace,) if arguments.namespace else ()
    app = assembly.open(place, interest_for(arguments.view, namespaces))
    try:
        async with app.run_test(size=size) as pilot:
            yield Program(assembly, app, pilot)
    finally:
        await asyncio.to_thread(assembly.close)
        threading.excepthook, sys.excepthook, sys.unraisablehook = hooks


def kubeconfig_of(estate: Rehearsal) -> str:
    """Return the path of the estate's kubeconfig."""
    return str(Path(estate.address.kubeconfig))
