"""Functions over range vectors: what a series did in the window before each step."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.promql.lines import SCRAPE, Line, Samples, Series, Value, Vector
from services.rehearsal.monitoring.promql.tree import nameless

if TYPE_CHECKING:
    from services.rehearsal.monitoring.promql.lines import Catalogue
    from services.rehearsal.monitoring.promql.tree import Selector

Window = Callable[[Sequence[float]], Value]
_STEEPEST = 1.1


Edges = list[tuple[float, float, float]]
"""For each step: its moment less the offset, the first and the last sample of its window."""


def _edges(catalogue: Catalogue, selector: Selector, steps: Sequence[float]) -> Edges:
    oldest, newest, window = catalogue.oldest, catalogue.newest, selector.window
    found = []
    for step in steps:
        at = step - selector.offset
        first = max(math.ceil((at - window) / SCRAPE) * SCRAPE, oldest)
        found.append((at, first, min(at // SCRAPE * SCRAPE, newest)))
    return found


def _points(series: Series, first: float, last: float) -> list[tuple[float, float]]:
    found = []
    moment = first
    while moment <= last:
        value = series.value(moment)
        if value is not None:
            found.append((moment, value))
        moment += SCRAPE
    return found


def raw(catalogue: Catalogue, selector: Selector, at: float) -> list[Samples]:
    """Return the samples of a range selector at one moment."""
    _, first, last = _edges(catalogue, selector, [at])[0]
    found = (Samples(one.labels, _points(one, first, last)) for one in catalogue.select(selector.matchers))
    return [one for one in found if one.points]


def rise(catalogue: Catalogue, selector: Selector, steps: Sequence[float], kind: str) -> Vector:
    """Return rate, increase or delta with Prometheus' extrapolation (promql/functions.go, extrapolatedRate).

    The estate's counters never reset within one series, so the two outermost samples tell all.
    """
    edges, window = _edges(catalogue, selector, steps), selector.window
    found = []
    for series in catalogue.select(selector.matchers):
        values = [_rise_at(series, edge, window, kind) for edge in edges]
        found.append(Line(nameless(series.labels), values))
    return _alive(found)


def _rise_at(series: Series, edge: tuple[float, float, float], window: float, kind: str) -> Value:
    at, first, last = edge
    if last <= first:
        return None
    begun, ended = series.value(first), series.value(last)
    if begun is None or ended is None:
        points = _points(series, first, last)
        if len(points) < 2:
            return None
        (first, begun), (last, ended) = points[0], points[-1]
    change = ended - begun
    sampled = last - first
    to_start, to_end = first - (at - window), at - last
    if kind != "delta" and change > 0 and begun >= 0:
        to_start = min(to_start, sampled * begun / change)
    reach = sampled
    reach += to_start if to_start < SCRAPE * _STEEPEST else SCRAPE / 2
    reach += to_end if to_end < SCRAPE * _STEEPEST else SCRAPE / 2
    result = change * reach / sampled
    return result / window if kind == "rate" else result


def _irate(points: Sequence[tuple[float, float]]) -> Value:
    if len(points) < 2:
        return None
    (before, begun), (after, ended) = points[-2:]
    return (ended - begun) / (after - before)


def _changes(values: Sequence[float]) -> float:
    return float(sum(one != other for one, other in itertools.pairwise(values)))


def _resets(values: Sequence[float]) -> float:
    return float(sum(one > other for one, other in itertools.pairwise(values)))


OVER_TIME: dict[str, Window] = {
    "avg_over_time": lambda values: math.fsum(values) / len(values),
    "max_over_time": max,
    "min_over_time": min,
    "sum_over_time": math.fsum,
    "count_over_time": lambda values: float(len(values)),
    "last_over_time": lambda values: values[-1],
    "present_over_time": lambda _: 1.0,
    "changes": _changes,
    "resets": _resets,
}
RISES = {"rate", "increase", "delta"}
FUNCTIONS = {*OVER_TIME, *RISES, "irate"}


def over_time(catalogue: Catalogue, selector: Selector, steps: Sequence[float], function: str) -> Vector:
    """Return a function of all samples in each window."""
    keeps_name = function == "last_over_time"
    edges = _edges(catalogue, selector, steps)
    found = []
    for series in catalogue.select(selector.matchers):
        known: dict[float, Value] = {}
        values: list[Value] = []
        for _, first, last in edges:
            points = _remembered(series, first, last, known)
            if function == "irate":
                values.append(_irate(points))
            else:
                values.append(OVER_TIME[function]([value for _, value in points]) if points else None)
        labels = series.labels if keeps_name else nameless(series.labels)
        found.append(Line(labels, values))
    return _alive(found)


def _remembered(series: Series, first: float, last: float, known: dict[float, Value]) -> list[tuple[float, float]]:
    """Return the samples of a window; those of overlapping windows are asked for once."""
    found = []
    moment = first
    while moment <= last:
        if moment not in known:
            known[moment] = series.value(moment)
        value = known[moment]
        if value is not None:
            found.append((moment, value))
        moment += SCRAPE
    return found


def _alive(lines: Vector) -> Vector:
    return [line for line in lines if any(value is not None for value in line.values)]
