"""What delivering needs of whoever keeps the messages, and tells whoever shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from services.model.message import Message, OutboxRow
from services.model.text import SafeText
from services.notifications.model import Claimed, Settled, Step

if TYPE_CHECKING:
    from services.notifications.registry import Channel

Publish = Callable[[Mapping[str, OutboxRow], SafeText], None]
"""Takes the messages as they are now, by id, and a sentence on what is wrong with the outbox ("" for nothing)."""


class Box(Protocol):
    """The outbox. Blocks; everything may raise `services.errors.Problem`."""

    def claim(self, worker: str, n: int, ttl: float, channels: Iterable[str]) -> tuple[Claimed, ...]:
        """Take messages that are due."""
        ...

    def settle(self, id: str, result: Step, lease: str) -> bool:  # noqa: A002 - the seam's name
        """Write down what becomes of one."""
        ...

    def forget(self) -> int:
        """Remove what was settled long ago."""
        ...

    def lead(self, channels: Iterable[str]) -> frozenset[str]:
        """Return which channels are ours to deliver; may raise OSError."""
        ...

    def resign(self) -> None:
        """Let another console deliver."""
        ...


class Glance(Protocol):
    """What a look found."""

    @property
    def rows(self) -> Mapping[str, OutboxRow]:
        """The messages by id."""
        ...

    @property
    def problem(self) -> SafeText:
        """What is wrong, "" for nothing."""
        ...


class Reader(Protocol):
    """Looks at the outbox; blocks, raises nothing."""

    def look(self) -> Glance:
        """Return the messages as they are now."""
        ...


class Carrier(Protocol):
    """One configured channel."""

    @property
    def channel(self) -> Channel:
        """What kind it is."""
        ...

    @property
    def lease(self) -> float:
        """Seconds a claim of its messages has to last."""
        ...

    async def deliver(self, message: Message, *, doubtful: bool = False) -> Settled:
        """Send one message once; raises nothing but CancelledError."""
        ...
