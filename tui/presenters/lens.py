"""How things are shown at this moment: time, glyphs and masks, all that presenters know beside the data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from services.model.severity import Severity
from services.model.text import SafeText
from services.sanitize import safe_line, safe_text
from tui.glyphs import ASCII, UNICODE, Glyphs
from widgets.viewmodels import Span, Tone

TONES = {
    Severity.CRIT: Tone.CRIT,
    Severity.WARN: Tone.WARN,
    Severity.NOTICE: Tone.NOTICE,
    Severity.UNKNOWN: Tone.MUTED,
    Severity.OK: Tone.PLAIN,
}
WORDS = {
    Severity.CRIT: "CRIT",
    Severity.WARN: "WARN",
    Severity.NOTICE: "NOTE",
    Severity.UNKNOWN: "?",
    Severity.OK: "ok",
}


LONGEST_NAME = 253
"""Characters of the longest host's name (RFC 1035): so many more are masked before a text is cut."""


class Lens(Struct, frozen=True):
    """The moment and the way of showing. `mask` is the redaction in force: tokens always, names in share mode.

    `names` is there in share mode alone: it gives the stand-in for a name of a kind (host, user), and remembers it.
    `recovered_for` and `flapping_for` are the seconds for which the settings let a recovery and a change be seen.
    """

    now: float
    glyphs: Glyphs = UNICODE
    mask: Callable[[str], str] | None = None
    recovered_for: float = 300.0
    flapping_for: float = 900.0
    names: Callable[[str, str], str] | None = None

    def text(self, raw: object, limit: int = 512) -> SafeText:
        """Return raw text as it may be shown."""
        safe = safe_text(raw, limit if self.names is None else limit + LONGEST_NAME)
        if self.mask is not None:
            safe = safe_text(self.mask(safe), limit)
        return safe if self.glyphs is not ASCII or safe.isascii() else safe_text(_plain(safe), limit)

    def name(self, kind: str, raw: str) -> SafeText:
        """Return the name of a host or a person as it may be shown, also where it looks like any other word."""
        if self.names is None or not raw:
            return self.text(raw)
        return self.text(self.names(kind, safe_text(raw)))

    def line(self, raw: object) -> SafeText:
        """Return a long raw line (of a log, of YAML) as it may be shown."""
        safe = safe_line(raw)
        masked = safe if self.mask is None else self.mask(safe)
        return safe if masked == safe else safe_line(masked)

    def shape(self, severity: Severity) -> str:
        """Return the severity's shape: one cell."""
        return self.glyphs.severity(severity)

    def badge(self, severity: Severity) -> Span:
        """Return the severity's shape in its tone."""
        return Span(self.shape(severity), TONES[severity])

    def dash(self) -> Span:
        """Return the rule that parts a title from what is said of it."""
        return Span(f" {self.glyphs.rule} ", Tone.MUTED)

    def age(self, since: float) -> str:
        """Return the age of a time, "" for none."""
        return age(self.now - since) if since else ""


def _plain(text: str) -> str:
    """Return text for a terminal without Unicode: arrows and the like as ASCII, all else as question marks."""
    for sign, twin in zip(UNICODE.signs().values(), ASCII.signs().values(), strict=True):
        text = text.replace(sign, twin)
    return text.encode("ascii", "replace").decode()


def age(seconds: float) -> str:
    """Return a duration as an operator reads it: "40s", "14m", "3h05m", "26h", "3d4h", "26d", "2y".

    Below a minute it counts seconds, above only minutes and more, so that a screen at rest stays at rest.
    """
    total = max(0, int(seconds))
    if total < 60:
        return f"{total}s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 60:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60:02d}m"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d" if days < 730 else f"{days // 365}y"


def countdown(seconds: float) -> str:
    """Return the time left as "2m50s" or "12m"; it moves every 10 s above a minute, every second below."""
    total = max(0, int(seconds))
    if total < 60:
        return f"{total}s"
    if total < 600:
        return f"{total // 60}m{total % 60 // 10 * 10:02d}s"
    return age(total)


def clock(at: float, seconds: bool = False) -> str:
    """Return a UTC time of day."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S" if seconds else "%H:%M")


def moment(at: float, now: float) -> str:
    """Return a UTC time: of day when it is less than a day ago, else with the date."""
    if not at:
        return ""
    style = "%H:%M:%S" if now - at < 86400 else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(at, UTC).strftime(style)


def stamp(at: float) -> str:
    """Return a UTC time as RFC 3339 writes it, for scripts; "" for none."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if 0 < at < 1e11 else ""


def tag(image: str) -> str:
    """Return an image's tag (or the start of its digest): "registry/shop/cart:v2.0.1" -> "v2.0.1"."""
    rest = image.rsplit("/", 1)[-1]
    if "@" in rest:
        name, digest = rest.split("@", 1)
        return name.split(":", 1)[1] if ":" in name else digest.removeprefix("sha256:")[:12]
    return rest.split(":", 1)[1] if ":" in rest else "latest"


def plural(count: int, noun: str) -> str:
    """Return "1 pod", "3 pods"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
