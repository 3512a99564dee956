"""One scale of how bad a thing is, shared by every pane and sorted worst first."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """How much a thing needs the operator: the lower the number, the worse, so an ascending sort is worst first."""

    CRIT = 0
    WARN = 1
    NOTICE = 2
    UNKNOWN = 3
    OK = 4
