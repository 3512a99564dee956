"""What a query is once it has been read: a tree of few kinds of nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

Labels = tuple[tuple[str, str], ...]
"""Sorted by name; a name is never there twice."""
NAME = "__name__"


class QueryError(Exception):
    """A query that is refused; `kind` is Prometheus' errorType: bad_data, execution, timeout."""

    def __init__(self, message: str, kind: str = "bad_data") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


@lru_cache(maxsize=512)
def anchored(pattern: str) -> re.Pattern[str]:
    """Compile a fully anchored expression; raise QueryError when it is none."""
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise QueryError(f"error parsing regexp: {error}: `{pattern}`") from None


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher; `op` is =, !=, =~ or !~."""

    name: str
    op: str
    value: str

    def matches(self, value: str) -> bool:
        """Tell whether a label's value ("" for a missing label) matches."""
        if self.op in {"=", "!="}:
            return (value == self.value) == (self.op == "=")
        return (anchored(self.value).fullmatch(value) is not None) == (self.op == "=~")

    def __str__(self) -> str:
        return f"{self.name}{self.op}{quoted(self.value)}"


def quoted(text: str) -> str:
    """Return a text as a quoted PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar literal."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant vector selector, or a range vector one when `window` (seconds) is above zero."""

    matchers: tuple[Matcher, ...]
    window: float = 0.0
    offset: float = 0.0

    @property
    def name(self) -> str:
        """Return the metric's name, "" when no equality matcher says it."""
        return next((one.value for one in self.matchers if one.name == NAME and one.op == "="), "")


@dataclass(frozen=True, slots=True)
class Call:
    """A function call."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregation over labels: by `labels`, or without them."""

    op: str
    inner: Node
    parameter: Node | None
    labels: tuple[str, ...]
    without: bool


@dataclass(frozen=True, slots=True)
class Matching:
    """How the two sides of an operator find each other."""

    on: bool = False
    labels: tuple[str, ...] = ()
    group: str = ""
    """"left" for group_left: many on the left; "right"; or one to one."""
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary operator; `returns_bool` makes comparisons answer 0 or 1."""

    op: str
    left: Node
    right: Node
    returns_bool: bool
    matching: Matching


@dataclass(frozen=True, slots=True)
class Negative:
    """Unary minus."""

    inner: Node


Node = Number | Text | Selector | Call | Aggregate | Binary | Negative


def signature(labels: Labels, names: tuple[str, ...], *, on: bool) -> Labels:
    """Return the labels by which two series match: those named, or all others; never the metric's name."""
    if on:
        return tuple(pair for pair in labels if pair[0] in names)
    return tuple(pair for pair in labels if pair[0] not in names and pair[0] != NAME)


def nameless(labels: Labels) -> Labels:
    """Return labels without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME)
