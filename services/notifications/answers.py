"""Reads what any HTTP server's answer means for a message, before a channel looks at what its own service says."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from services.notifications.model import Answer, Settled, Verdict
from services.sanitize import safe_text


def retry_after(answer: Answer) -> float:
    """Return the seconds of a Retry-After header, 0 where there is none that says something.

    It holds seconds or a date (RFC 9110, 10.2.3); a date is taken against the server's own clock where it tells it.
    """
    told = answer.headers.get("retry-after", "").strip()
    if not told:
        return 0.0
    try:
        return max(0.0, float(told)) if told.replace(".", "", 1).isdigit() else _until(told, answer)
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0


def _until(told: str, answer: Answer) -> float:
    now = answer.headers.get("date", "")
    start = parsedate_to_datetime(now).timestamp() if now else answer.at
    return max(0.0, parsedate_to_datetime(told).timestamp() - start)


def is_page(answer: Answer) -> bool:
    """Return whether a web page came: a login, a captive portal or a proxy answered instead of the service."""
    return "html" in answer.headers.get("content-type", "").lower() or answer.body.lstrip()[:1] == b"<"


def words(answer: Answer, most: int = 160) -> str:
    """Return the beginning of what the server said, in one clean line."""
    return "" if is_page(answer) else str(safe_text(answer.body[:2048].decode("utf-8", "replace").strip(), most))


def common(answer: Answer) -> Settled | None:
    """Return what an answer means whoever gives it, None where the channel has to say."""
    status = answer.status
    if not status:
        return Settled(Verdict.UNKNOWN if answer.sent else Verdict.RETRY, answer.error or "gave no answer")
    if status == 429:
        return Settled(Verdict.RETRY, "asked to wait: too many messages (429)", retry_after(answer))
    if status == 407:
        return Settled(Verdict.DENIED, "was not reached: the proxy wants credentials (407)")
    if status in (408, 425) or status >= 500:
        said = words(answer)
        reason = f"failed with {status}{f' ({said})' if said else ''}"
        return Settled(Verdict.RETRY, reason, retry_after(answer))
    if status < 200 or 300 <= status < 400:
        return Settled(
            Verdict.RETRY, f"sent elsewhere ({status}): a portal or a proxy is in between, or the URL is old"
        )
    if status < 300 and is_page(answer):
        return Settled(Verdict.RETRY, f"answered with a web page ({status}): a portal or a proxy is in between")
    return None
