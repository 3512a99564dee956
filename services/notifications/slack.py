"""Tells a Slack channel through an incoming webhook, whose URL is the secret.

Wire format: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks; escaping:
https://docs.slack.dev/messaging/formatting-message-text. A webhook knows no id: what is sent twice is there twice.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from services.config_notify import NotifySettings
from services.model.message import Message
from services.notifications.answers import common, words
from services.notifications.colours import colour_of
from services.notifications.model import Answer, Rendered, Settled, Verdict

PACE = 1.0
"""Seconds between two messages: Slack takes one a second."""

MAX_BLOCK = 3000
DOUBTFUL = "(possible duplicate: it is not known whether this came before)"

_AGAIN = frozenset({"ratelimited", "rate_limited", "rollup_error", "internal_error", "fatal_error", "timeout"})
_DENIED = frozenset({"invalid_token", "invalid_auth", "token_revoked", "account_inactive", "not_authed"})
_MEANINGS = {
    "no_service": "the webhook was removed; make a new one and change what url refers to",
    "no_team": "the workspace is gone",
    "channel_not_found": "the channel is gone",
    "channel_is_archived": "the channel is archived",
    "action_prohibited": "an administrator forbids posting there",
    "invalid_token": "the webhook's URL is wrong or was revoked",
}


def render(message: Message, settings: NotifySettings, *, doubtful: bool = False) -> Rendered:
    """Return the request's JSON: coloured blocks, and `text` for notifications and screen readers."""
    del settings
    foot = " · ".join(part for part in (message.cluster, message.by, _stamp(message.at), "Quarterdeck") if part)
    subject = message.subject or "(no subject)"
    text, cut = _within(message.text)
    marked = (DOUBTFUL,) if doubtful else ()
    blocks = [_section(escape(subject) if "*" in subject else f"*{escape(subject)}*")]
    blocks += [_section(escape(one)) for one in (text, *marked) if one]
    blocks += [_section(f"<{escape(message.link)}|More>")] if _linkable(message.link) else []
    blocks += [{"type": "context", "elements": [_words(escape(foot))]}]
    colour = colour_of(message.severity)
    body = {"text": escape(subject), "attachments": [{"color": colour, "fallback": escape(subject), "blocks": blocks}]}
    link = (message.link,) if _linkable(message.link) else ()
    shown = (subject, *text.split("\n"), *marked, *link, foot) if text else (subject, *marked, *link, foot)
    return Rendered(msgspec.json.encode(body), shown, "application/json; charset=utf-8", cut)


def classify(answer: Answer) -> Settled:
    """Return what Slack's answer means: 200 with the text "ok" and nothing else is success."""
    if (known := common(answer)) is not None:
        return known
    said = words(answer)
    error = said.split()[0] if said and answer.status >= 400 else ""
    if answer.status < 300:
        if said == "ok":
            return Settled(Verdict.ACCEPTED)
        try:
            told = msgspec.json.decode(answer.body, type=_Told)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Settled(Verdict.UNKNOWN, f"answered {answer.status} with what is not Slack's ({said or 'nothing'})")
        if told.ok:
            return Settled(Verdict.ACCEPTED)
        error = told.error or "ok: false"
    meaning = f" ({_MEANINGS[error]})" if error in _MEANINGS else ""
    reason = f"refused the message with {answer.status}: {error[:60] or 'no reason given'}{meaning}"
    if error in _AGAIN:
        return Settled(Verdict.RETRY, reason)
    if error in _DENIED or answer.status == 401:
        return Settled(Verdict.DENIED, reason)
    return Settled(Verdict.REJECTED, reason)


def escape(text: str) -> str:
    """Return text that Slack takes for text: no mention, link or channel in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Told(msgspec.Struct):
    ok: bool
    error: str = ""


def _within(text: str) -> tuple[str, bool]:
    """Return the text that fits a block once it is escaped, and whether some of it is missing."""
    if len(escape(text)) <= MAX_BLOCK:
        return text, False
    at = MAX_BLOCK
    while len(escape(text[:at])) > MAX_BLOCK - 1:
        at -= max(1, (len(escape(text[:at])) - MAX_BLOCK + 1) // 5)
    return text[:at] + "…", True


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": _words(text)}


def _words(text: str) -> dict[str, object]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _linkable(link: str) -> bool:
    return link.startswith(("https://", "http://")) and not set(link) & set(" <>|")


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else ""
