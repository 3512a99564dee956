"""The scenarios by name; a new one is a module here and its name in `NAMES`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.estate.blueprint import Blueprint
    from services.rehearsal.simulation.engine import Engine


@dataclass(frozen=True, slots=True)
class Outage:
    """A cycle in which the API server fails as a whole; seconds each."""

    down_after: float = 20.0
    hangs: float = 60.0
    refuses: float = 30.0
    up: float = 120.0
    """Between two outages."""
    cycles: int = 0
    """0 for ever."""


@dataclass(frozen=True, slots=True)
class Hush:
    """A silence that somebody has set: matchers as (name, operator, value), moments and lengths in seconds."""

    matchers: tuple[tuple[str, str, str], ...]
    start: float
    seconds: float
    author: str
    comment: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to an estate. `prepare` may change the plan; `script` plans what happens in past and future."""

    name: str
    summary: str
    past: float = 3600.0
    """Seconds of history that are simulated before the estate is shown."""
    prepare: Callable[[Blueprint], None] | None = None
    script: Callable[[Engine, Blueprint], None] | None = None
    claimed: Callable[[Blueprint], set[tuple[str, str]]] | None = None
    """The workloads that the quiet life leaves alone."""
    outage: Outage | None = None
    hushes: Callable[[Blueprint, float], list[Hush]] | None = None
    """The silences in force when the estate is shown, at the given moment."""
    rollouts: bool = False
    """Whether Argo Rollouts is installed, though nobody asked for it."""


def find(name: str) -> Scenario:
    """Return a scenario; raise ValueError with the known names when there is none of that name."""
    if name not in NAMES:
        raise ValueError(f"there is no scenario {name!r}; choose one of: {', '.join(NAMES)}")
    found: Scenario = import_module(f"services.rehearsal.scenarios.{name.replace('-', '_')}").SCENARIO
    return found


NAMES = ("calm", "bad-deploy", "node-down", "noisy-neighbour", "everything-down", "node-trouble", "bad-canary")
