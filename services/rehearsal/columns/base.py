"""Columns, and cells that know how to grow old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.rehearsal.clock import parse_stamp
from services.rehearsal.jsonic import Json

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 31_536_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column definition; priority 1 is shown with `-o wide` only."""

    name: str
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""

    def definition(self) -> Json:
        """Return the wire form."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description or f"{self.name} of the object.",
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Since:
    """A cell that shows the time since a moment; None is unknown."""

    moment: float | None
    before: str = ""
    after: str = ""

    def text(self, now: float) -> str:
        """Return what is printed at `now`."""
        if self.moment is None:
            return "<unknown>"
        return f"{self.before}{human_duration(now - self.moment)}{self.after}"


Cell = str | int | bool | None | Since
Row = list[Cell]
Conditions = list[Json]


@dataclass(frozen=True, slots=True)
class Printer:
    """How one resource is printed: its columns and a function from an object to its cells."""

    columns: tuple[Column, ...]
    cells: Callable[[Json], Row]
    conditions: Callable[[Json], Conditions] | None = None


def named(*columns: Column) -> tuple[Column, ...]:
    """Return the columns after the name, which every resource has first."""
    return (Column("Name", format="name", description="Name of the object, unique within its namespace."), *columns)


def wide(*names: str) -> tuple[Column, ...]:
    """Return columns that are shown with `-o wide` only."""
    return tuple(Column(name, priority=1) for name in names)


AGE = Column("Age", description="Time since the object was created.")


def human_duration(seconds: float) -> str:
    """Write a duration as apimachinery's duration.HumanDuration does (pkg/util/duration)."""
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if seconds < -1 else "0s"
    for limit, write in _STEPS:
        if whole < limit:
            return write(whole)
    return f"{whole // _YEAR}y"


def _two(whole: int, big: int, big_sign: str, small: int, small_sign: str) -> str:
    rest = whole % big // small
    return f"{whole // big}{big_sign}{rest}{small_sign}" if rest else f"{whole // big}{big_sign}"


_STEPS: tuple[tuple[int, Callable[[int], str]], ...] = (
    (2 * _MINUTE, lambda s: f"{s}s"),
    (10 * _MINUTE, lambda s: _two(s, _MINUTE, "m", 1, "s")),
    (3 * _HOUR, lambda s: f"{s // _MINUTE}m"),
    (8 * _HOUR, lambda s: _two(s, _HOUR, "h", _MINUTE, "m")),
    (2 * _DAY, lambda s: f"{s // _HOUR}h"),
    (8 * _DAY, lambda s: _two(s, _DAY, "d", _HOUR, "h")),
    (2 * _YEAR, lambda s: f"{s // _DAY}d"),
    (8 * _YEAR, lambda s: _two(s, _YEAR, "y", _DAY, "d")),
)


def moment(text: str | None) -> float | None:
    """Read a timestamp that may be absent."""
    return parse_stamp(text) if text else None


def age(obj: Json) -> Since:
    """Return the Age cell."""
    return Since(moment(obj["metadata"].get("creationTimestamp")))


def name(obj: Json) -> str:
    """Return the Name cell; an object without one (a bookmark) has an empty cell."""
    text: str = obj["metadata"].get("name", "")
    return text


def dig(obj: Json, *path: str, default: Any = None) -> Any:  # noqa: ANN401 (JSON leaves)
    """Return the value at a path of keys, or the default where a step is missing."""
    value: Any = obj
    for step in path:
        if not isinstance(value, dict):
            return default
        value = value.get(step)
        if value is None:
            return default
    return value


def selector_text(selector: Json | None) -> str:
    """Write a label selector as the server's SELECTOR column does."""
    if selector is None:
        return "<none>"
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        operator = one["operator"]
        if operator in {"In", "NotIn"}:
            parts.append(f"{one['key']} {operator.lower()} ({','.join(sorted(one['values']))})")
        else:
            parts.append(one["key"] if operator == "Exists" else f"!{one['key']}")
    return ",".join(parts) or "<none>"


def pairs_text(pairs: dict[str, str] | None) -> str:
    """Write a map of labels in one cell."""
    return ",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())) or "<none>"


def containers_cells(template: Json) -> list[Cell]:
    """Return the CONTAINERS and IMAGES cells of a pod template."""
    containers = dig(template, "spec", "containers", default=[])
    return [",".join(c["name"] for c in containers), ",".join(c.get("image", "") for c in containers)]
