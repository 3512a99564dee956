"""How long to wait before asking a server again: exponential with full jitter, forgotten after a healthy minute."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 0.5
LONGEST = 30.0
HEALTHY = 60.0


class Backoff:
    """Waits of one loop. `random` returns a number in [0, 1); see "Exponential backoff and jitter", AWS 2015."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0

    def after_failure(self, healthy_for: float, at_least: float = 0.0) -> float:
        """Return the seconds to wait after a failure that followed `healthy_for` seconds of health."""
        if healthy_for >= HEALTHY:
            self._failures = 0
        ceiling = min(LONGEST, FIRST * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return max(at_least, self._random() * ceiling)

    def reset(self) -> None:
        """Forget every failure."""
        self._failures = 0
