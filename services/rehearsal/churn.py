"""Many small changes a second to pods' statuses, for load tests."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from services.rehearsal import resources

if TYPE_CHECKING:
    from services.rehearsal.clock import Alarm, Clock
    from services.rehearsal.simulation.world import World

_TICK = 0.05


class Churn:
    """Touches random pods at a steady rate."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._rate = 0.0
        self._owed = 0.0
        self._last = 0.0
        self._alarm: Alarm | None = None
        self._rng = random.Random("churn")  # noqa: S311 (a simulation, not a secret)

    def set_rate(self, per_second: float) -> None:
        """Make so many changes a second from now on; 0 stops."""
        self._rate = per_second
        self.stop()
        self._last = self._clock.now()
        if per_second > 0:
            self._alarm = self._clock.call_at(self._clock.now() + _TICK, self._tick)

    def stop(self) -> None:
        """Stop."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _tick(self) -> None:
        now = self._clock.now()
        self._owed += self._rate * (now - self._last)
        self._last = now
        entries = self._world.store.collection(resources.PODS).ordered()
        while self._owed >= 1 and entries:
            self._owed -= 1
            self._touch(self._rng.choice(entries).key)
        self._alarm = self._clock.call_at(now + _TICK, self._tick)

    def _touch(self, key: tuple[str, str]) -> None:
        """Count one restart more: a change that a screen shows."""
        pod = self._world.store.get(resources.PODS, *key)
        if pod is None or not pod["status"].get("containerStatuses"):
            return
        status = pod["status"]["containerStatuses"][0]
        status["restartCount"] += 1
        self._world.store.update(resources.PODS, pod)
