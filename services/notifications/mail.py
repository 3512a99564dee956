"""Tells people by e-mail: one mail with plain text and HTML, whose Message-ID is the same however often it is sent."""

from __future__ import annotations

import hashlib
import html
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from services.config_notify import NotifySettings
from services.model.message import Message
from services.model.severity import Severity
from services.notifications.answers import words
from services.notifications.colours import colour_of
from services.notifications.model import Answer, Rendered, Settled, Verdict
from services.sanitize import safe_text


def render(message: Message, settings: NotifySettings, *, doubtful: bool = False) -> Rendered:
    """Return the whole mail (RFC 5322) as it goes over the wire, before the dots are stuffed."""
    del doubtful
    domain = settings.sender.rpartition("@")[2]
    subject = safe_text(message.subject or "(no subject)", 400)
    mail = EmailMessage(policy=SMTP.clone(max_line_length=78))
    mail["From"] = Address("Quarterdeck", addr_spec=settings.sender)
    mail["To"] = ", ".join(settings.to)
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    if message.thread:
        root = hashlib.sha256(message.thread.encode()).hexdigest()[:24]
        mail["In-Reply-To"] = mail["References"] = f"<thread-{root}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Quarterdeck-Id"] = message.id
    if message.severity is Severity.CRIT:
        mail["X-Priority"] = "1"
    text = _text(message)
    mail.set_content(text + "\n", cte="quoted-printable")
    mail.add_alternative(_html(message), subtype="html", cte="quoted-printable")
    mail.set_boundary(f"=_{message.id}")
    shown = (
        f"From: Quarterdeck <{settings.sender}>",
        f"To: {', '.join(settings.to)}",
        f"Subject: {subject}",
        "",
        *text.split("\n"),
    )
    return Rendered(mail.as_bytes(), shown, "message/rfc822")


def classify(answer: Answer) -> Settled:
    """Return what the mail server's last reply means (RFC 5321, 4.2): 2 is success, 4 try again, 5 no."""
    if not answer.status:
        return Settled(Verdict.UNKNOWN if answer.sent else Verdict.RETRY, answer.error or "gave no answer")
    said = words(answer)
    if 200 <= answer.status < 300:
        return Settled(Verdict.ACCEPTED, answer.error)
    reason = f"{answer.error or 'refused the mail'} with {answer.status}{f' ({said})' if said else ''}"
    if answer.status in (454, 530, 534, 535, 538):
        return Settled(Verdict.DENIED, reason)
    return Settled(Verdict.RETRY if answer.status < 500 else Verdict.REJECTED, reason)


def _text(message: Message) -> str:
    """Return the plain part; after the line with two dashes is who sent it."""
    foot = " · ".join(part for part in (message.cluster, message.by, "Quarterdeck") if part)
    link = (message.link,) if message.link else ()
    return "\n".join((*(message.text or message.subject).split("\n"), *link, "", "-- ", foot))


def _html(message: Message) -> str:
    colour = colour_of(message.severity)
    link = html.escape(message.link, quote=True)
    more = f'<p><a href="{link}">{link}</a></p>' if message.link.startswith(("https://", "http://")) else ""
    foot = html.escape(" · ".join(part for part in (message.cluster, message.by, "Quarterdeck") if part))
    return (
        f'<html><body><div style="border-left:4px solid {colour};padding-left:12px;font-family:sans-serif">'
        f"<h3>{html.escape(message.subject)}</h3>"
        f'<div style="white-space:pre-wrap">{html.escape(message.text)}</div>{more}'
        f'<p style="color:#666;font-size:small">{foot}</p></div></body></html>\n'
    )
