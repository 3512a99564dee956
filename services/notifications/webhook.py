"""Tells a server of your own by a signed POST, so that it can know who sent it, when, and whether it came before.

Signature and headers: Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks (webhook-id,
webhook-timestamp, webhook-signature), and beside them X-Quarterdeck-Id, -Timestamp and -Signature for receivers that
only know HMAC-SHA256 in hex over `timestamp.body`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from datetime import UTC, datetime

import msgspec

from services.config_notify import NotifySettings
from services.model.message import Message
from services.model.text import Secret
from services.notifications.answers import common, words
from services.notifications.model import Answer, Rendered, Settled, Verdict

_MEANINGS = {
    401: "our signature or credentials are not taken; check secret",
    403: "our signature or credentials are not taken; check secret",
    404: "there is nothing at this URL",
    410: "the receiver is gone for good; take the channel out of the configuration",
    413: "the message is too long for it",
}


def render(message: Message, settings: NotifySettings, *, doubtful: bool = False) -> Rendered:
    """Return the JSON body: type, timestamp and data; the id in it and in the headers stays the same on each try."""
    del settings, doubtful
    body = {
        "type": f"quarterdeck.{message.kind.value}",
        "timestamp": datetime.fromtimestamp(message.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "id": message.id,
            "subject": message.subject,
            "text": message.text,
            "severity": message.severity.name.lower(),
            "thread": message.thread,
            "cluster": message.cluster,
            "by": message.by,
            "link": message.link,
        },
    }
    encoded = msgspec.json.format(msgspec.json.encode(body), indent=2)
    return Rendered(encoded, tuple(encoded.decode().split("\n")))


def sign(rendered: Rendered, message: Message, secret: Secret, now: float) -> dict[str, str]:
    """Return the headers of a request that leaves at `now` (epoch seconds)."""
    stamp = str(int(now))
    key = _key(secret)
    whole = f"{message.id}.{stamp}.".encode() + rendered.body
    standard = base64.b64encode(hmac.new(key, whole, hashlib.sha256).digest()).decode()
    plain = hmac.new(key, f"{stamp}.".encode() + rendered.body, hashlib.sha256).hexdigest()
    return {
        "webhook-id": message.id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{standard}",
        "X-Quarterdeck-Id": message.id,
        "X-Quarterdeck-Timestamp": stamp,
        "X-Quarterdeck-Signature": f"sha256={plain}",
    }


def classify(answer: Answer) -> Settled:
    """Return what a receiver's answer means: any 2xx that is no web page is success."""
    if (known := common(answer)) is not None:
        return known
    if answer.status < 300:
        return Settled(Verdict.ACCEPTED)
    said = words(answer)
    meaning = _MEANINGS.get(answer.status, "")
    more = "; ".join(part for part in (meaning, f'it says "{said}"' if said else "") if part)
    reason = f"refused the message with {answer.status}{f': {more}' if more else ''}"
    return Settled(Verdict.DENIED if answer.status in (401, 403) else Verdict.REJECTED, reason)


def _key(secret: Secret) -> bytes:
    """Return the key's bytes; `whsec_` marks base64, as the standard has it."""
    text = secret.reveal()
    if text.startswith("whsec_"):
        try:
            return base64.b64decode(re.sub(r"\s", "", text[6:]), validate=True)
        except (binascii.Error, ValueError):
            pass
    return text.encode()
