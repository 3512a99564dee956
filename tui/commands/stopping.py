"""Turns ctrl-c on a running action into an orderly stop: nothing more is sent, and what was done so far is said."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator

from services.actions.runner import NEVER_SENT, Orders
from services.model.action import Ended, Outcome, Progress, Stage
from services.sanitize import safe_text
from tui.acting import Acting

STOPPED = "stopped by ctrl-c"
LEFT = "left by ctrl-c before its effect was seen"
UNSENT = f"left by ctrl-c ({NEVER_SENT})"
BEFORE = frozenset({Stage.GUARD, Stage.INTENT, Stage.LEASE, Stage.REHEARSE})
"""Stages in which nothing has been sent yet: leaving changes nothing, and is not asked for twice."""


class Stopping:
    """Runs one action. The first ctrl-c stops it before its next request, the second leaves it as it is.

    Before anything was sent the first one ends it. Once everything was sent there is nothing to stop: then the first
    one leaves, and the outcome is UNKNOWN.
    """

    def __init__(self, acting: Acting, *, quiet: bool) -> None:
        self._acting = acting
        self._quiet = quiet
        self._asked = False
        self._stage = Stage.GUARD
        self._told = ""

    async def run(self, orders: Orders) -> Ended:
        """Return how it ended; raises nothing but asyncio.CancelledError, where somebody else cancels."""
        left = False
        task = asyncio.ensure_future(self._acting.run(orders, self._note, lambda: STOPPED if self._asked else ""))

        def interrupted() -> None:
            nonlocal left
            if self._asked or self._stage is Stage.VERIFY or self._stage in BEFORE:
                left = True
                task.cancel()
                return
            self._asked = True
            self._say("stopping: nothing more is sent; ctrl-c again leaves at once")

        with _on_interrupt(interrupted):
            try:
                return await task
            except asyncio.CancelledError:
                if not left:
                    raise
        outcome, text = (Outcome.CANCELLED, UNSENT) if self._stage in BEFORE else (Outcome.UNKNOWN, LEFT)
        return Ended(outcome, safe_text(text), at=self._acting.clock.now())

    async def _note(self, progress: Progress) -> None:
        self._stage = progress.stage
        counted = f"{progress.text} {progress.done}/{progress.of}" if progress.of else progress.text
        if counted and counted != self._told and progress.stage in (Stage.EXECUTE, Stage.VERIFY):
            self._told = counted
            self._say(counted)

    def _say(self, text: str) -> None:
        if not self._quiet:
            sys.stderr.write(f"{safe_text(text, 300)}\n")


@contextlib.contextmanager
def _on_interrupt(interrupted: Callable[[], None]) -> Iterator[None]:
    """Answer SIGINT with a call on the loop for as long as the block runs; elsewhere than on the main thread not."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, ValueError, RuntimeError):
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
