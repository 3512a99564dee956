"""What is told to people outside: a message, and how far it has come on its way.

Times are epoch seconds UTC, 0 for never. The text of a message is fit to be shown and free of secrets when it is made.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from services.model.severity import Severity

DROPPED = "dropped by "
"""What the reason of a dead message begins with that somebody took back: then nobody waits for it."""

OUTBOX = "outbox"
"""The live-state table: `OutboxRow` by the message's id."""


class MessageKind(StrEnum):
    """What a message is about; the built-in template of the same name says it."""

    PLAIN = "plain"
    ACTED = "acted"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DECLARED = "declared"
    UPDATED = "updated"
    RESOLVED = "resolved"
    PAGE = "page"
    HELP = "help"


class OutboxState(StrEnum):
    """How far a message has come. ACCEPTED: the server took it, which is not yet "read". UNKNOWN: it may have it."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    DEAD = "dead"


class Message(Struct, frozen=True):
    """One message to one channel, whole: what is previewed is what is stored, and what is stored is what is sent.

    `id` stays the same however often it is sent. `channel` is the name of a [notify.NAME], `to` whom that reaches, in
    words. `thread` is what belongs together and keeps its order: "INC-42". `text` has lines. `by` is who told it.
    """

    id: str
    channel: str
    to: str
    subject: str
    text: str = ""
    kind: MessageKind = MessageKind.PLAIN
    severity: Severity = Severity.OK
    thread: str = ""
    cluster: str = ""
    by: str = ""
    at: float = 0.0
    link: str = ""


class OutboxRow(Struct, frozen=True):
    """One message as the outbox has it. `next_at` is when it is tried (again) at the earliest, 0 once it is settled.

    `folded` counts equal messages that were not queued because this one was. `number` orders them all.
    """

    id: str
    number: int
    channel: str
    to: str
    subject: str
    thread: str
    state: OutboxState
    reason: str = ""
    attempts: int = 0
    folded: int = 0
    created_at: float = 0.0
    next_at: float = 0.0
    settled_at: float = 0.0
    by: str = ""

    @property
    def waits(self) -> bool:
        """Whether it is still on its way."""
        return self.next_at > 0
