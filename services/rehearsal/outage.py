"""The API server as a whole going away and coming back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from services.rehearsal.clock import sleep_until

if TYPE_CHECKING:
    from services.rehearsal.scenarios.registry import Outage
    from services.rehearsal.server import Rehearsal


class Outages:
    """Takes an estate's API server through its outage cycle."""

    def __init__(self, estate: Rehearsal, plan: Outage | None) -> None:
        self._estate = estate
        self._plan = plan
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start the cycle, if the scenario has one."""
        if self._plan is not None:
            self._task = asyncio.get_running_loop().create_task(self._cycle(self._plan))

    async def stop(self) -> None:
        """End the cycle wherever it is; the server answers again unless its port is closed."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._estate.faults.resume()

    async def _cycle(self, plan: Outage) -> None:
        done = 0
        pause = plan.down_after
        while not plan.cycles or done < plan.cycles:
            await self._wait(pause)
            await self._fail(plan)
            pause = plan.up
            done += 1

    async def _fail(self, plan: Outage) -> None:
        estate = self._estate
        if plan.hangs > 0:
            estate.engine.hold()
            estate.faults.hang()
            await self._wait(plan.hangs)
        if plan.refuses > 0:
            estate.engine.hold()
            await estate.refuse()
            estate.faults.resume()
            await self._wait(plan.refuses)
            await estate.accept()
        estate.faults.resume()
        estate.engine.release()

    async def _wait(self, seconds: float) -> None:
        clock = self._estate.clock
        await sleep_until(clock, clock.now() + seconds)
