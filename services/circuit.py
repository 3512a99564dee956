"""Stops asking a server that keeps failing, and tries it again now and then: a slow answer must not hold screens up."""

from __future__ import annotations

from collections.abc import Callable

from services.clock import Clock

FAILURES = 3
"""Failures one after the other from which a server is left alone."""

FIRST, LONGEST = 5.0, 60.0
"""Seconds a server is left alone: at first, and at most."""


class Circuit:
    """Closed while all is well, open after `FAILURES` in a row, half-open when its time is over: one request may try.

    Michael Nygard, "Release It!", 2007. `random` gives numbers in [0, 1) for the jitter.
    """

    def __init__(self, clock: Clock, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._failures = 0
        self._open_until = 0.0
        self._trying = False

    @property
    def reopens_in(self) -> float:
        """Return the seconds until it may be asked again, 0 when it may be asked now."""
        return max(0.0, self._open_until - self._clock.monotonic())

    def may_ask(self) -> bool:
        """Return whether a request may go; while half-open, only the first one that asks."""
        if self._failures < FAILURES:
            return True
        if self.reopens_in > 0 or self._trying:
            return False
        self._trying = True
        return True

    def answered(self) -> None:
        """Take that the server answered, whatever it said."""
        self._failures, self._open_until, self._trying = 0, 0.0, False

    def failed(self) -> None:
        """Take that no answer came in time."""
        self._failures += 1
        self._trying = False
        if self._failures >= FAILURES:
            wait = min(LONGEST, FIRST * 2.0 ** min(self._failures - FAILURES, 10))
            self._open_until = self._clock.monotonic() + wait * (0.5 + self._random() / 2)

    def left(self) -> None:
        """Take that nobody waits for the request any more: it says nothing of the server."""
        self._trying = False
