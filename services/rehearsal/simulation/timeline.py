"""Things due later, in order: one queue runs through a past hour in a moment, then keeps pace with the clock."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Timeline:
    """A discrete-event queue. Moments are seconds since the epoch."""

    def __init__(self, start: float) -> None:
        self.now = start
        self.on_sooner: Callable[[], None] | None = None
        """Called when something became due before everything else."""
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, due: float, action: Callable[[], None]) -> None:
        """Do `action` at `due`, or now when that is past."""
        heapq.heappush(self._due, (due, next(self._order), action))
        if self.on_sooner is not None and self._due[0][0] == due:
            self.on_sooner()

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Do `action` after `delay` seconds."""
        self.at(self.now + delay, action)

    def next_due(self) -> float | None:
        """Return when something happens next."""
        return self._due[0][0] if self._due else None

    def run_until(self, moment: float, most: int = 1_000_000) -> bool:
        """Do what is due up to `moment`, at most so many things; return whether all of it was done."""
        for _ in range(most):
            if not self._due or self._due[0][0] > moment:
                self.now = max(self.now, moment)
                return True
            due, _, action = heapq.heappop(self._due)
            self.now = max(self.now, due)
            action()
        return False

    def skip_to(self, moment: float) -> None:
        """Let time pass with nothing happening: what fell due meanwhile happens at `moment`."""
        self.now = max(self.now, moment)
