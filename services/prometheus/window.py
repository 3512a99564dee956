"""Cuts a span of time into the even steps of a chart, so that no server is asked for more points than it gives."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from services.model.metric import Series
from services.prometheus.decode import spread

LEAST_STEP = 15.0
"""Seconds between two points at least: a common scrape interval."""

LEAST_RATE = 300.0
"""Seconds over which a rate is taken at least: four scrapes a minute apart, and one to spare."""

MOST_POINTS = 10_000
"""Points of one line: Prometheus refuses more than 11,000 (web/api/v1/api.go)."""


class Window(Struct, frozen=True):
    """`count` buckets of `step` seconds from `start` (epoch seconds) on; each is asked for at its end."""

    start: float
    step: float
    count: int

    @classmethod
    def of(cls, since: float, until: float, columns: int) -> Window:
        """Return the window that ends at `until` and reaches back to `since`, in `columns` buckets at most.

        It ends on a multiple of a fraction of the step: what is drawn again a little later is the same, and yet not
        old.
        """
        columns = max(1, min(columns, MOST_POINTS))
        step = float(max(LEAST_STEP, math.ceil(max(1.0, until - since) / columns)))
        grain = max(5.0, step // 8)
        end = math.floor(until / grain) * grain
        count = max(1, min(columns, math.ceil((end - since) / step)))
        return cls(end - count * step, step, count)

    @property
    def first(self) -> float:
        """The moment that the first bucket is asked for."""
        return self.start + self.step

    @property
    def end(self) -> float:
        """The end of the last bucket."""
        return self.start + self.count * self.step

    @property
    def bucket(self) -> str:
        """A range selector that holds one bucket."""
        return f"[{self.step:.0f}s]"

    @property
    def rate(self) -> str:
        """A range selector for rates."""
        return f"[{max(LEAST_RATE, self.step):.0f}s]"

    def values(self, points: Sequence[tuple[float, float]]) -> tuple[float, ...]:
        """Put samples into their buckets; what is missing or no number is NaN."""
        return spread(points, self.first, self.step, self.count)

    def series(self, name: str, unit: str, values: tuple[float, ...]) -> Series:
        """Return one line of a chart."""
        return Series(name, unit, self.start, self.step, values)
