"""The small pieces of a description: a field and its value, a list under its title, columns, ages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.kubernetes.wire import epoch

WIDTH = 18
DEEPEST = 24
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_-]")


def title(key: str) -> str:
    """Return a field's name as words: "progressDeadlineSeconds" -> "Progress Deadline Seconds"."""
    words = _WORDS.sub(" ", key).split()
    return " ".join(word if word.isupper() else word[:1].upper() + word[1:] for word in words)


def field(name: str, value: object, indent: int = 0) -> str:
    """Return one line: the name, then the value in its column."""
    shown = "<none>" if value is None or value == "" else scalar(value)
    return f"{' ' * indent}{name + ':':<{WIDTH}} {shown}".rstrip()


def scalar(value: object) -> str:
    """Return a value as a manifest writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<none>" if value is None else str(value)


def pairs(name: str, mapping: Mapping[str, Any] | None, joint: str) -> list[str]:
    """Return labels or annotations, one a line, the first beside the name."""
    shown = [f"{key}{joint}{scalar(value)}" for key, value in (mapping or {}).items()]
    if not shown:
        return [field(name, "<none>")]
    return [field(name, shown[0]), *(f"{'':<{WIDTH}} {each}" for each in shown[1:])]


def block(name: str, value: object, indent: int = 0) -> list[str]:
    """Return any value under a title, nested as deep as it is; the title stays on its line whatever it is."""
    name = name.replace("\n", " ")
    if indent > 2 * DEEPEST:
        return [field(name, "...", indent)]
    if isinstance(value, Mapping):
        lines = [f"{' ' * indent}{name}:"]
        for key, each in value.items():
            lines += block(title(str(key)) if indent or " " not in str(key) else str(key), each, indent + 2)
        return lines if value else [field(name, "<none>", indent)]
    if isinstance(value, list | tuple):
        if not value:
            return [field(name, "<none>", indent)]
        lines = [f"{' ' * indent}{name}:"]
        for number, each in enumerate(value):
            if isinstance(each, Mapping | list):
                label = each.get("name") or each.get("type") if isinstance(each, Mapping) else None
                lines += block(str(label or f"#{number + 1}"), each, indent + 2)
            else:
                lines += text_lines(scalar(each), indent + 2)
        return lines
    shown = scalar(value)
    if "\n" in shown:
        return [f"{' ' * indent}{name}:", *text_lines(shown, indent + 2)]
    return [field(name, shown, indent)]


def text_lines(text: str, indent: int) -> list[str]:
    """Return a text of several lines, indented."""
    return [f"{' ' * indent}{line}" for line in text.splitlines() or [""]]


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]], indent: int = 2) -> list[str]:
    """Return a small table; the last column is as long as it is."""
    cells = [list(heads), ["-" * len(head) for head in heads], *(list(row) for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads) - 1)]
    return [
        (
            " " * indent + "  ".join([*(f"{row[place]:<{width}}" for place, width in enumerate(widths)), row[-1]])
        ).rstrip()
        for row in cells
    ]


def age(moment: object, now: float) -> str:
    """Return how long ago (an RFC 3339 text or epoch seconds) that was, as kubectl shortens it."""
    at = epoch(moment) if isinstance(moment, str) else float(moment) if isinstance(moment, int | float) else 0.0
    if not at:
        return "<unknown>"
    seconds = max(0, int(now - at))
    for limit, unit, letter in ((120, 1, "s"), (7200, 60, "m"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit}{letter}"
    return f"{seconds // 86400}d"


def when(moment: object, now: float) -> str:
    """Return a time with its age beside it."""
    return f"{moment} ({age(moment, now)} ago)"
