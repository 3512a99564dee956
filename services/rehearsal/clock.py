"""Time as a parameter, so that a test moves an estate through an hour without waiting."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarm(Protocol):
    """A call that is due later and may be cancelled."""

    def cancel(self) -> None:
        """Forget the call."""


class Clock(Protocol):
    """What the estate asks of time. Moments are seconds since the epoch."""

    def now(self) -> float:
        """Return the present moment."""
        ...

    def call_at(self, due: float, action: Callable[[], None]) -> Alarm:
        """Call `action` on the event loop once `due` has come."""
        ...


class WallClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return the present moment."""
        return time.time()

    def call_at(self, due: float, action: Callable[[], None]) -> Alarm:
        """Call `action` on the running event loop once `due` has come."""
        return asyncio.get_running_loop().call_later(max(0.0, due - time.time()), action)


class _ManualAlarm:
    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class ManualClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, start: float = 1_790_000_000.0) -> None:
        self._now = start
        self._alarms: list[tuple[float, int, _ManualAlarm]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Return the present moment."""
        return self._now

    def call_at(self, due: float, action: Callable[[], None]) -> Alarm:
        """Call `action` while an `advance` passes over `due`."""
        alarm = _ManualAlarm(action)
        heapq.heappush(self._alarms, (due, next(self._order), alarm))
        return alarm

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, making every call that falls due, each at its own moment."""
        target = self._now + seconds
        while self._alarms and self._alarms[0][0] <= target:
            due, _, alarm = heapq.heappop(self._alarms)
            self._now = max(self._now, due)
            if alarm.action is not None:
                alarm.action()
        self._now = target


async def sleep_until(clock: Clock, due: float) -> None:
    """Wait until `due` on `clock`."""
    done = asyncio.Event()
    alarm = clock.call_at(due, done.set)
    try:
        await done.wait()
    finally:
        alarm.cancel()


async def wait_until(clock: Clock, event: asyncio.Event, due: float) -> None:
    """Wait until `event` is set or `due` has come; the event is set in both cases."""
    alarm = clock.call_at(due, event.set)
    try:
        await event.wait()
    finally:
        alarm.cancel()


def stamp(moment: float) -> str:
    """Write a moment as metav1.Time does: RFC 3339 in UTC, whole seconds."""
    return _stamp(int(moment))


@lru_cache(maxsize=4096)
def _stamp(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def micro_stamp(moment: float) -> str:
    """Write a moment as metav1.MicroTime does: always six fractional digits."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def nano_stamp(moment: float) -> str:
    """Write a moment as the container runtime stamps log lines: nine fractional digits."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def parse_stamp(text: str) -> float:
    """Read an RFC 3339 time; raise ValueError when it is none."""
    return datetime.fromisoformat(text).timestamp()
