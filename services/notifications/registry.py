"""Lists the kinds of channels there are; another one is a module with `render` and `classify`, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from services.config_notify import NotifySettings
from services.model.message import Message
from services.model.text import Secret
from services.notifications import mail, slack, webhook
from services.notifications.model import Answer, Rendered, Settled


class Render(Protocol):
    """Gives a message a channel's own form: pure, the same bytes for the same message and settings."""

    def __call__(self, message: Message, settings: NotifySettings, *, doubtful: bool = False) -> Rendered:
        """Return it; `doubtful` says that it may have arrived before."""
        ...


class Classify(Protocol):
    """Says what an answer means: pure."""

    def __call__(self, answer: Answer) -> Settled:
        """Return it."""
        ...


class Sign(Protocol):
    """Says what else is in the headers of a request, such as a signature."""

    def __call__(self, rendered: Rendered, message: Message, secret: Secret, now: float) -> dict[str, str]:
        """Return them."""
        ...


class Channel(Struct, frozen=True):
    """One kind of channel. `repeatable`: whoever receives it drops what came before, by its id.

    `pace` is the seconds between two messages, `carrier` "http" or "smtp".
    """

    type: str
    label: str
    render: Render
    classify: Classify
    repeatable: bool
    pace: float = 0.0
    carrier: str = "http"
    sign: Sign | None = None


CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        channel.type: channel
        for channel in (
            Channel("slack", "Slack", slack.render, slack.classify, repeatable=False, pace=slack.PACE),
            Channel("email", "e-mail", mail.render, mail.classify, repeatable=True, carrier="smtp"),
            Channel("webhook", "webhook", webhook.render, webhook.classify, repeatable=True, sign=webhook.sign),
        )
    }
)


def recipient(name: str, settings: NotifySettings) -> str:
    """Return whom a channel reaches, in words: `#incidents`, `oncall@example.org`, else its name."""
    return ", ".join(settings.to) or name
