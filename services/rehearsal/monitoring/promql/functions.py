"""Functions over instant vectors and scalars."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from services.rehearsal.monitoring.promql.lines import Line, Scalar, Value, Vector
from services.rehearsal.monitoring.promql.tree import Call, Labels, QueryError, Selector, anchored, nameless


@dataclass(slots=True)
class Arguments:
    """What a function was called with: values in order, string literals apart."""

    name: str
    values: list[Vector | Scalar]
    texts: list[str]
    steps: Sequence[float]
    node: Call

    def vector(self, index: int) -> Vector:
        """Return an argument that must be a vector."""
        found = self.values[index] if index < len(self.values) else None
        if found is None or isinstance(found, Scalar):
            kind = "string" if found is None else "scalar"
            raise QueryError(
                f'1:1: parse error: expected type instant vector in call to function "{self.name}", got {kind}'
            )
        return found

    def scalar(self, index: int, default: float | None = None) -> list[float]:
        """Return an argument that must be a scalar."""
        if index >= len(self.values) and default is not None:
            return [default] * len(self.steps)
        found = self.values[index] if index < len(self.values) else None
        if not isinstance(found, Scalar):
            raise QueryError(
                f'1:1: parse error: expected type scalar in call to function "{self.name}", got instant vector'
            )
        return found.values


@dataclass(frozen=True, slots=True)
class Function:
    """One function and how many arguments it takes."""

    counts: tuple[int, ...]
    work: Callable[[Arguments], Vector | Scalar]


def _mapped(line: Line, change: Callable[[float], float]) -> Line:
    values = [None if value is None else change(value) for value in line.values]
    return Line(nameless(line.labels), values)


def _each(change: Callable[[float], float]) -> Function:
    return Function((1,), lambda call: [_mapped(line, change) for line in call.vector(0)])


def _clamp(call: Arguments) -> Vector:
    low = call.scalar(1) if call.name != "clamp_max" else [-math.inf] * len(call.steps)
    high = call.scalar(2 if call.name == "clamp" else 1) if call.name != "clamp_min" else [math.inf] * len(call.steps)
    found = []
    for line in call.vector(0):
        values: list[Value] = []
        for value, least, most in zip(line.values, low, high, strict=True):
            values.append(None if value is None else max(least, min(most, value)))
        found.append(Line(nameless(line.labels), values))
    return found


def _round(call: Arguments) -> Vector:
    nearest = call.scalar(1, 1.0)[0]
    return [_mapped(line, lambda value: math.floor(value / nearest + 0.5) * nearest) for line in call.vector(0)]


def _scalar(call: Arguments) -> Scalar:
    lines = call.vector(0)
    result = []
    for step in range(len(call.steps)):
        there = [value for line in lines if (value := line.values[step]) is not None]
        result.append(there[0] if len(there) == 1 else math.nan)
    return Scalar(result)


def _absent(call: Arguments) -> Vector:
    lines = call.vector(0)
    values: list[Value] = [
        None if any(line.values[step] is not None for line in lines) else 1.0 for step in range(len(call.steps))
    ]
    node = call.node.arguments[0]
    labels: Labels = ()
    if isinstance(node, Selector):
        labels = tuple(sorted((one.name, one.value) for one in node.matchers if one.op == "=" and one.name[:2] != "__"))
    return [Line(labels, values)] if any(value is not None for value in values) else []


def _sorted(call: Arguments) -> Vector:
    def last(line: Line) -> float:
        return next((value for value in reversed(line.values) if value is not None), math.nan)

    return sorted(call.vector(0), key=last, reverse=call.name == "sort_desc")


def _timestamp(call: Arguments) -> Vector:
    found = []
    for line in call.vector(0):
        values: list[Value] = [
            None if value is None else step // 15 * 15 for value, step in zip(line.values, call.steps, strict=True)
        ]
        found.append(Line(nameless(line.labels), values))
    return found


def _label_replace(call: Arguments) -> Vector:
    target, template, source, pattern = call.texts
    compiled = anchored(pattern)
    filled = re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", template.replace("\\", r"\\"))
    found = []
    for line in call.vector(0):
        labels = dict(line.labels)
        match = compiled.fullmatch(labels.get(source, ""))
        if match is not None:
            labels[target] = match.expand(filled)
        found.append(Line(tuple(sorted((name, value) for name, value in labels.items() if value)), line.values))
    return found


def _label_join(call: Arguments) -> Vector:
    target, between, *sources = call.texts
    found = []
    for line in call.vector(0):
        labels = dict(line.labels)
        labels[target] = between.join(labels.get(name, "") for name in sources)
        found.append(Line(tuple(sorted((name, value) for name, value in labels.items() if value)), line.values))
    return found


def _histogram_quantile(call: Arguments) -> Vector:
    shares = call.scalar(0)
    groups: dict[Labels, list[tuple[float, Line]]] = {}
    for line in call.vector(1):
        bound = dict(line.labels).get("le", "")
        try:
            upper = float(bound)
        except ValueError:
            continue
        key = tuple(pair for pair in nameless(line.labels) if pair[0] != "le")
        groups.setdefault(key, []).append((upper, line))
    found = []
    for key, buckets in groups.items():
        buckets.sort(key=lambda bucket: bucket[0])
        values = [_quantile(share, buckets, step) for step, share in enumerate(shares)]
        if any(value is not None for value in values):
            found.append(Line(key, values))
    return found


def _quantile(share: float, buckets: list[tuple[float, Line]], step: int) -> Value:
    """Return a quantile of cumulative buckets by linear interpolation (promql/quantile.go, bucketQuantile)."""
    there = [(upper, value) for upper, line in buckets if (value := line.values[step]) is not None]
    # Extrapolated rates of buckets need not grow: what falls behind the bucket before it is raised (ensureMonotonic).
    grown = accumulate((count for _, count in there), max)
    counts = [(upper, count) for (upper, _), count in zip(there, grown, strict=True)]
    if not counts:
        return None
    if len(counts) < 2 or not math.isinf(counts[-1][0]) or counts[-1][1] == 0:
        return math.nan
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share)
    rank = share * counts[-1][1]
    index = next((number for number, (_, count) in enumerate(counts) if count >= rank), len(counts) - 1)
    if index == len(counts) - 1:
        return counts[-2][0]
    upper, count = counts[index]
    if index == 0:
        return upper if upper <= 0 else upper * rank / count
    lower, below = counts[index - 1]
    return lower + (upper - lower) * (rank - below) / (count - below) if count > below else upper


def _logarithm(value: float) -> float:
    if value > 0:
        return math.log(value)
    return -math.inf if value == 0 else math.nan


FUNCTIONS: dict[str, Function] = {
    "vector": Function((1,), lambda call: [Line((), list(call.scalar(0)))]),
    "scalar": Function((1,), _scalar),
    "time": Function((0,), lambda call: Scalar(list(call.steps))),
    "timestamp": Function((1,), _timestamp),
    "absent": Function((1,), _absent),
    "abs": _each(abs),
    "ceil": _each(lambda value: float(math.ceil(value)) if math.isfinite(value) else value),
    "floor": _each(lambda value: float(math.floor(value)) if math.isfinite(value) else value),
    "sqrt": _each(lambda value: math.sqrt(value) if value >= 0 else math.nan),
    "ln": _each(_logarithm),
    "exp": _each(lambda value: math.exp(min(value, 709.0))),
    "sgn": _each(lambda value: float((value > 0) - (value < 0))),
    "round": Function((1, 2), _round),
    "clamp": Function((3,), _clamp),
    "clamp_min": Function((2,), _clamp),
    "clamp_max": Function((2,), _clamp),
    "sort": Function((1,), _sorted),
    "sort_desc": Function((1,), _sorted),
    "histogram_quantile": Function((2,), _histogram_quantile),
    "label_replace": Function((5,), _label_replace),
    "label_join": Function(tuple(range(3, 16)), _label_join),
}
