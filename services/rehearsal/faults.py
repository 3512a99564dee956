"""The levers that a test pulls: each is a way in which a real API server fails its clients."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.rehearsal.wire.watching import Watch


@dataclass(slots=True)
class Faults:
    """The present faults of one server; all off at first."""

    slow: float = 0.0
    """Seconds that every answer waits."""
    gone_as_status: bool = False
    """A watch from a forgotten version answers HTTP 410 instead of an ERROR event."""
    refuse_initial_events: bool = False
    """A watch with sendInitialEvents answers 422."""
    foreign: dict[str, list[bytes]] = field(default_factory=dict)
    """Raw items by resource key that lists carry beside the real ones."""
    watches: set[Watch] = field(default_factory=set)
    _running: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Begin with everything answering."""
        self._running.set()

    @property
    def hung(self) -> bool:
        """Tell whether nothing is answered."""
        return not self._running.is_set()

    def hang(self) -> None:
        """Accept connections and answer nothing, as a stopped process does."""
        self._running.clear()

    def resume(self) -> None:
        """Answer again, late requests too."""
        self._running.set()

    async def gate(self) -> None:
        """Wait while the server hangs."""
        await self._running.wait()

    def close_watches(self) -> None:
        """End every watch as the server does when its time is up."""
        for watch in list(self.watches):
            watch.close()

    def inject(self, resource_key: str, raw: bytes) -> None:
        """Put a raw object (JSON of any shape) into lists of a resource and into its running watches."""
        self.foreign.setdefault(resource_key, []).append(raw)
        for watch in list(self.watches):
            watch.push(resource_key, raw)

    def heal(self) -> None:
        """Take every fault back."""
        self.slow = 0.0
        self.gone_as_status = False
        self.refuse_initial_events = False
        self.foreign.clear()
        self.resume()
