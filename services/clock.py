"""The one way to ask for the time, so that every test runs without waiting."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is shown and stored, monotonic time for durations, and waiting."""

    def now(self) -> float:
        """Epoch seconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Epoch seconds, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when a test says so; sleepers wake in order of their time."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        """Epoch seconds, UTC."""
        return self._now + self._elapsed

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has passed the time."""
        woken = asyncio.Event()
        self._sleepers.append((self._elapsed + seconds, woken))
        await woken.wait()

    async def advance(self, seconds: float) -> None:
        """Move time on, waking sleepers at their time and letting them run."""
        end = self._elapsed + seconds
        while due := [entry for entry in self._sleepers if entry[0] <= end]:
            entry = min(due, key=lambda pair: pair[0])
            self._sleepers.remove(entry)
            self._elapsed = max(self._elapsed, entry[0])
            entry[1].set()
            await settle()
        self._elapsed = end
        await settle()


async def settle(rounds: int = 20) -> None:
    """Let every task that is ready take its turn."""
    for _ in range(rounds):
        await asyncio.sleep(0)
