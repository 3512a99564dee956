"""Reads what an operator means by `--since`: an hour, three days, or a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from services.errors import Problem
from services.sanitize import safe_text

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhdw])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def start_of(text: str, now: float) -> float:
    """Return the moment (epoch seconds) that a text names, never before 1970.

    "90s", "1h30m", "7d" count back from `now` (epoch seconds); "2026-03-14", "2026-03-14T03:08:00Z" are UTC unless they
    say otherwise. Raises Problem.
    """
    word = text.strip()
    if _WHOLE.fullmatch(word):
        return max(0.0, now - sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(word)))
    try:
        moment = datetime.fromisoformat(word)
        at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Problem(
            safe_text(f"--since {safe_text(word, 40)} is no time: say 1h, 30m, 7d, or 2026-03-14T03:00Z.")
        ) from None
    return max(0.0, at)
