"""Works a query out for all its steps at once: each node turns lines of values into lines of values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.promql import functions, operators, ranges
from services.rehearsal.monitoring.promql.lines import LOOKBACK, Line, Samples, Scalar, Value, Vector, on_grid
from services.rehearsal.monitoring.promql.tree import (
    Aggregate,
    Binary,
    Call,
    Labels,
    Negative,
    Node,
    Number,
    QueryError,
    Selector,
    Text,
    signature,
)

if TYPE_CHECKING:
    from services.rehearsal.monitoring.promql.lines import Catalogue

Result = Vector | Scalar


class Evaluator:
    """Evaluates trees over one catalogue at the same steps (seconds since the epoch)."""

    def __init__(self, catalogue: Catalogue, steps: Sequence[float]) -> None:
        self._catalogue = catalogue
        self._steps = steps

    def of(self, node: Node) -> Result:
        """Return a vector or a scalar; raise QueryError for a type that fits nowhere."""
        if isinstance(node, Number):
            return Scalar([node.value] * len(self._steps))
        if isinstance(node, Selector):
            return self._instant(node)
        if isinstance(node, Negative):
            inner = self.of(node.inner)
            return operators.binary("*", Scalar([-1.0] * len(self._steps)), inner, Binary("*", *_NOTHING))
        if isinstance(node, Binary):
            return operators.binary(node.op, self.of(node.left), self.of(node.right), node)
        if isinstance(node, Aggregate):
            return self._aggregate(node)
        if isinstance(node, Call):
            return self._call(node)
        raise QueryError("1:1: parse error: unexpected string literal")

    def samples(self, selector: Selector) -> list[Samples]:
        """Return the raw samples of a range selector at the first step."""
        return ranges.raw(self._catalogue, selector, self._steps[0])

    def _instant(self, selector: Selector) -> Vector:
        if selector.window:
            raise QueryError("1:1: parse error: expected type instant vector, got range vector")
        newest = self._catalogue.newest
        moments = []
        for step in self._steps:
            at = step - selector.offset
            moment = min(on_grid(at), newest)
            moments.append(moment if at - moment < LOOKBACK and moment >= self._catalogue.oldest else math.nan)
        found = []
        for series in self._catalogue.select(selector.matchers):
            read = series.value
            values = [None if math.isnan(moment) else read(moment) for moment in moments]
            if any(value is not None for value in values):
                found.append(Line(series.labels, values))
        return found

    def _call(self, node: Call) -> Result:
        name = node.function
        if name in ranges.FUNCTIONS:
            if len(node.arguments) != 1:
                raise _count_error(name, 1, len(node.arguments))
            selector = node.arguments[0]
            if not isinstance(selector, Selector) or not selector.window:
                raise QueryError(
                    f'1:{len(name) + 2}: parse error: expected type range vector in call to function "{name}", '
                    "got instant vector"
                )
            if name in ranges.RISES:
                return ranges.rise(self._catalogue, selector, self._steps, name)
            return ranges.over_time(self._catalogue, selector, self._steps, name)
        function = functions.FUNCTIONS.get(name)
        if function is None:
            raise QueryError(f'1:1: parse error: unknown function with name "{name}"')
        texts = [one.value for one in node.arguments if isinstance(one, Text)]
        values = [self.of(one) for one in node.arguments if not isinstance(one, Text)]
        call = functions.Arguments(name, values, texts, self._steps, node)
        if len(node.arguments) not in function.counts:
            raise _count_error(name, min(function.counts), len(node.arguments))
        return function.work(call)

    def _aggregate(self, node: Aggregate) -> Vector:
        inner = self.of(node.inner)
        if isinstance(inner, Scalar):
            raise QueryError("1:1: parse error: expected type instant vector in aggregation expression, got scalar")
        parameter = self.of(node.parameter) if node.parameter is not None else None
        if parameter is not None and not isinstance(parameter, Scalar):
            raise QueryError("1:1: parse error: expected type scalar in aggregation parameter, got instant vector")
        groups: dict[Labels, Vector] = {}
        for line in inner:
            key = signature(line.labels, node.labels, on=not node.without)
            groups.setdefault(key, []).append(line)
        if node.op in {"topk", "bottomk"} and parameter is not None:
            return [line for group in groups.values() for line in _extremes(node.op, group, parameter.values)]
        if node.op == "quantile" and parameter is not None:
            return [Line(key, _quantiles(group, parameter.values)) for key, group in groups.items()]
        fold = _FOLDS[node.op]
        return [Line(key, _folded(fold, group)) for key, group in groups.items()]


def _count_error(name: str, wanted: int, given: int) -> QueryError:
    return QueryError(f'1:1: parse error: expected {wanted} argument(s) in call to "{name}", got {given}')


_FOLDS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": lambda values: math.fsum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
}


def _folded(fold: Callable[[list[float]], float], group: Vector) -> list[Value]:
    if len(group) == 1 and fold is math.fsum:
        return group[0].values
    result: list[Value] = []
    for column in zip(*(line.values for line in group), strict=True):
        there = [value for value in column if value is not None]
        result.append(fold(there) if there else None)
    return result


def _extremes(op: str, group: Vector, counts: list[float]) -> Vector:
    """Keep the k largest or smallest of a group at each step."""
    kept: list[list[Value]] = [[None] * len(counts) for _ in group]
    for step, count in enumerate(counts):
        there = [(value, number) for number, line in enumerate(group) if (value := line.values[step]) is not None]
        there.sort(reverse=op == "topk")
        for value, number in there[: max(0, int(count))]:
            kept[number][step] = value
    lines = [Line(line.labels, values) for line, values in zip(group, kept, strict=True)]
    return [line for line in lines if any(value is not None for value in line.values)]


def _quantiles(group: Vector, parameters: list[float]) -> list[Value]:
    result: list[Value] = []
    for column, share in zip(zip(*(line.values for line in group), strict=True), parameters, strict=True):
        there = sorted(value for value in column if value is not None)
        if not there:
            result.append(None)
            continue
        rank = min(max(share, 0.0), 1.0) * (len(there) - 1)
        low = math.floor(rank)
        high = min(low + 1, len(there) - 1)
        result.append(there[low] + (there[high] - there[low]) * (rank - low))
    return result


_NOTHING = (Number(0.0), Number(0.0), False, operators.PLAIN)
