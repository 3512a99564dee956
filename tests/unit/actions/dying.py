"""A console that is killed at one point of an action: run as a process of its own, with a folder and the point."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from services.actions.guard import Circumstances
from services.actions.runner import Orders, Runner
from services.actions.spec import Document
from services.clock import SystemClock
from services.config_policy import Policy
from services.model.action import Progress, Write
from services.model.actor import Actor
from services.model.ref import Resource
from tests.unit.actions.stage import CART, Mend, StageHands, World
from tui.locking import MachineLocks
from tui.trail import LedgerTrail

SENT = "sent"
POINTS = ("guard", "intent", "lease", "rehearse", "execute", "before the send", "after the send", "verify", "settle")
"""Everywhere that a console can die in an action, in order."""


class FileHands(StageHands):
    """Hands on a cluster that outlives the console: a file with one line for each change that arrived."""

    def __init__(self, folder: Path, point: str = "") -> None:
        super().__init__(World())
        self.clock = SystemClock()
        self._path = folder / SENT
        self._point = point

    @property
    def sent(self) -> int:
        """How many changes have arrived."""
        return len(self._path.read_text().splitlines()) if self._path.exists() else 0

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        return {"spec": "good" if self.sent else "bad"}

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        if not dry_run:
            _die(self._point, "before the send")
            with self._path.open("a") as file:
                file.write(f"{write.what}\n")
            _die(self._point, "after the send")
        return {}


def _die(wanted: str, point: str) -> None:
    if wanted == point:
        os.kill(os.getpid(), signal.SIGKILL)


async def _act(folder: Path, point: str) -> None:
    hands = FileHands(folder, point)
    trail = LedgerTrail(folder, hands.clock, Actor("alice", "bastion-2", f"console-{os.getpid()}"))
    runner = Runner(hands, trail, MachineLocks(folder), Policy(), lambda _: Circumstances(now=hands.clock.now()))

    async def note(progress: Progress) -> None:
        _die(point, progress.stage.value)

    plan = await Mend().plan(CART, {}, hands)
    print("planned", flush=True)  # noqa: T201 - the test waits for it
    await runner.run(Mend(), Orders(plan), note)
    _die(point, "settle")


if __name__ == "__main__":
    asyncio.run(_act(Path(sys.argv[1]), sys.argv[2]))
