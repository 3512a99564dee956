"""Reads what an alert's labels say of its weight: how bad it is, and whether it is a dead man's switch."""

from __future__ import annotations

import re
from functools import lru_cache

from services.model.severity import Severity

HEARTBEATS = frozenset({"watchdog", "deadmansswitch", "deadmanssnitch", "deadmanswitch", "heartbeat"})
"""Names of heartbeat alerts, as they are compared: lower case, letters only."""

_SEVERITIES = {
    **dict.fromkeys(("critical", "crit", "page", "emergency", "disaster", "fatal", "high", "p0", "p1"), Severity.CRIT),
    **dict.fromkeys(("sev0", "sev1", "alert", "urgent"), Severity.CRIT),
    **dict.fromkeys(("info", "informational", "notice", "none", "low", "minor", "debug", "p4", "p5"), Severity.NOTICE),
}
_ALWAYS = re.compile(r"\s*\(*\s*vector\(\s*1\s*\)\s*\)*\s*")


@lru_cache(maxsize=1024)
def severity_of(label: str) -> Severity:
    """Return the severity a label names. What is unnamed or unknown is a warning: somebody wanted to be told."""
    return _SEVERITIES.get(label.strip().lower(), Severity.WARN)


@lru_cache(maxsize=4096)
def is_heartbeat(name: str, severity: str, expression: str, known: frozenset[str] = HEARTBEATS) -> bool:
    """Return whether an alert is a dead man's switch: by its name, or because it always fires and weighs nothing."""
    plain = "".join(letter for letter in name.lower() if letter.isalpha())
    if plain in known or name in known:
        return True
    return severity.lower() in ("none", "info") and _ALWAYS.fullmatch(expression) is not None
