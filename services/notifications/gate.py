"""Lets one channel's messages pass at its pace, and none while its server wants to be left alone."""

from __future__ import annotations

from collections.abc import Callable

from services.circuit import Circuit
from services.clock import Clock
from services.notifications.model import Settled, Verdict
from services.notifications.outbox_policy import DENIED_SECONDS, Limits

AT_ONCE = 4
"""Messages of one channel that are on their way together, where it has no pace."""


class Gate:
    """Counts what is on its way and until when nothing may go. `random` gives numbers in [0, 1)."""

    def __init__(self, clock: Clock, pace: float, limits: Limits, random: Callable[[], float]) -> None:
        self._clock = clock
        self._pace = pace
        self._limits = limits
        self._circuit = Circuit(clock, random)
        self._shut_until = 0.0
        self._away = 0
        self.why = ""

    @property
    def opens_in(self) -> float:
        """Seconds until it may be asked again, 0 when it may be asked now."""
        return max(self._shut_until - self._clock.monotonic(), self._circuit.reopens_in, 0.0)

    @property
    def room(self) -> int:
        """How many messages may go now: one after the other where there is a pace, or where one is to try."""
        if self.opens_in > 0:
            return 0
        most = 1 if self._pace or self.why else AT_ONCE
        return max(0, most - self._away)

    def sent(self) -> None:
        """Take that a message is on its way."""
        self._circuit.may_ask()
        self._away += 1
        self._hold(self._pace)

    def left(self) -> None:
        """Take that nothing went after all, or that nobody waited for it."""
        self._away = max(0, self._away - 1)
        self._circuit.left()

    def came_back(self, settled: Settled) -> None:
        """Take how an attempt ended: what it says of the server counts for all of its messages."""
        self._away = max(0, self._away - 1)
        if settled.verdict is Verdict.DENIED:
            self._circuit.answered()
            self._hold(DENIED_SECONDS)
        elif settled.retry_after > 0:
            self._circuit.answered()
            self._hold(min(settled.retry_after, self._limits.longest_told))
        elif settled.verdict in (Verdict.RETRY, Verdict.UNKNOWN):
            self._circuit.failed()
        else:
            self._circuit.answered()
        well = settled.verdict in (Verdict.ACCEPTED, Verdict.REJECTED)
        self.why = "" if well else settled.reason

    def reopen(self) -> None:
        """Forget why it was shut: somebody says that it is mended."""
        self._shut_until, self.why = 0.0, ""
        self._circuit.answered()

    def _hold(self, seconds: float) -> None:
        self._shut_until = max(self._shut_until, self._clock.monotonic() + seconds)
