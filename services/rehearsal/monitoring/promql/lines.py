"""What a query works on: stored series, and lines of values over the steps of one query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.rehearsal.monitoring.promql.tree import Labels, Matcher

SCRAPE = 15.0
"""Seconds between two samples of any series; samples lie on whole multiples of it."""
LOOKBACK = 300.0

Value = float | None
"""None where there is no sample."""


@dataclass(slots=True, eq=False)
class Series:
    """One stored series: `value(t)` is its sample at a moment of the scrape grid, None where it had none."""

    labels: Labels
    value: Callable[[float], Value]


class Catalogue(Protocol):
    """Where stored series come from. Samples exist from `oldest` to `newest`, both on the scrape grid."""

    @property
    def oldest(self) -> float:
        """Return the moment of the first sample."""
        ...

    @property
    def newest(self) -> float:
        """Return the moment of the last sample."""
        ...

    def select(self, matchers: Sequence[Matcher]) -> Sequence[Series]:
        """Return the series that match."""
        ...


@dataclass(slots=True, eq=False)
class Line:
    """One series of a result: a value for each step."""

    labels: Labels
    values: list[Value]


@dataclass(slots=True, eq=False)
class Scalar:
    """A number for each step."""

    values: list[float]


@dataclass(slots=True, eq=False)
class Samples:
    """One raw series of a range selector's result: (moment, value) of each sample in the window."""

    labels: Labels
    points: list[tuple[float, float]]


Vector = list[Line]


def on_grid(moment: float) -> float:
    """Return the last moment of the scrape grid at or before `moment`."""
    return moment // SCRAPE * SCRAPE
