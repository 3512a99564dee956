"""What all hands know without asking anybody: the time, the context they act in, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable

from services.clock import Clock
from services.ports import Snapshot


class Standing:
    """The part of `services.actions.spec.Hands` that needs no server. `snapshot` returns live state as it is now."""

    def __init__(self, clock: Clock, snapshot: Callable[[], Snapshot], context: str) -> None:
        self._clock = clock
        self._snapshot = snapshot
        self._context = context

    @property
    def clock(self) -> Clock:
        """The clock that waits and times are taken from."""
        return self._clock

    @property
    def context(self) -> str:
        """The kubeconfig context, for commands that are shown; "" where there is no kubeconfig."""
        return self._context

    def snapshot(self) -> Snapshot:
        """Live state as it is now."""
        return self._snapshot()
