"""The colour beside a message, the same on every channel that shows one."""

from __future__ import annotations

from services.model.severity import Severity

_COLOURS = {Severity.CRIT: "#d13438", Severity.WARN: "#c19c00", Severity.NOTICE: "#0078d4", Severity.UNKNOWN: "#881798"}
_FINE = "#107c10"


def colour_of(severity: Severity) -> str:
    """Return the colour of a severity as HTML and Slack write it: "#d13438"."""
    return _COLOURS.get(severity, _FINE)
