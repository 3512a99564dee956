"""What the parts of a delivery hand each other: what is sent, what came back, what it means, what happens next."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from services.model.message import Message, OutboxState
from services.model.text import Secret


class Rendered(Struct, frozen=True):
    """A message in a channel's own form. `shown` are its lines as the recipient reads them, `cut` if some is missing.

    `body` is what travels: JSON, or a mail of RFC 5322.
    """

    body: bytes
    shown: tuple[str, ...]
    content_type: str = "application/json"
    cut: bool = False


class Request(Struct, frozen=True):
    """What is sent over HTTP. The URL may be the secret."""

    url: Secret
    body: bytes
    headers: Mapping[str, str]


class Answer(Struct, frozen=True):
    """What came back: an HTTP status or an SMTP code, 0 for none; then `error` is the end of a sentence on why.

    `sent` says if the message may have left whole. `headers` have lower-case names, `body` its first kilobytes, `at`
    is when it came.
    """

    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    error: str = ""
    sent: bool = True
    at: float = 0.0


class Verdict(StrEnum):
    """What an answer means. DENIED: our credentials are not taken, so that nothing on this channel will be."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    REJECTED = "rejected"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Settled(Struct, frozen=True):
    """How one attempt ended, and why in words. `retry_after` is how many seconds the server wants to be left alone."""

    verdict: Verdict
    reason: str = ""
    retry_after: float = 0.0


class Claimed(Struct, frozen=True):
    """A message that this worker alone may send until its lease ends at `until`.

    `attempts` counts this one, `doubts` those before it that ended without anybody knowing how. `lease` is what the
    outbox knows this claim by.
    """

    message: Message
    lease: str
    attempts: int
    doubts: int
    expires_at: float
    until: float


class Step(Struct, frozen=True):
    """What becomes of a message after an attempt: its state, when it is tried again (0: never), and why."""

    state: OutboxState
    next_at: float = 0.0
    reason: str = ""
    doubts: int = 0
