"""What the tests of notifications are about: messages, claims, and channels' settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.config_notify import NotifySettings
from services.config_secret import SecretRef
from services.model.actor import Actor
from services.model.message import Message, MessageKind
from services.model.severity import Severity
from services.notifications.model import Claimed

NOW = 1_800_000_000.0
MINA = Actor("mina", "bastion-1", "c0ffee")
ROOM = NotifySettings(type="slack", to=("#incidents",), url="env:CANARY_SLACK_URL")
HOOK = NotifySettings(type="webhook", to=("pager",), url="env:CANARY_HOOK_URL", secret=SecretRef("env:CANARY_HOOK_KEY"))
MAIL = NotifySettings(
    type="email",
    to=("oncall@example.org", "second@example.org"),
    host="127.0.0.1",
    sender="quarterdeck@example.org",
)


def message(number: int = 1, channel: str = "room", thread: str = "INC-7", **fields: object) -> Message:
    """Return a message; its id is its number."""
    given = {
        "subject": f"deployment shop/cart was rolled back to revision {number}",
        "text": "mina rolled back shop/cart\nReason: <500s> & more",
        "kind": MessageKind.ROLLED_BACK,
        "severity": Severity.CRIT,
        "cluster": "prod-eu",
        "by": "mina@bastion-1",
        "at": NOW,
        **fields,
    }
    return Message(f"{number:032x}", channel, "#incidents", thread=thread, **given)  # type: ignore[arg-type]


def claimed(attempts: int = 1, doubts: int = 0, expires_in: float = 7200.0) -> Claimed:
    """Return a claim of a message at NOW."""
    return Claimed(message(), "lease", attempts, doubts, NOW + expires_in, NOW + 60.0)


async def until(there: Callable[[], object]) -> None:
    """Wait until something is so; fails after ten seconds."""
    for _ in range(10_000):
        if there():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came")
