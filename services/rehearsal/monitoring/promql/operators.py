"""Binary operators between scalars and vectors, with the matching rules of Prometheus."""

from __future__ import annotations

import math
from collections.abc import Callable

from services.rehearsal.monitoring.promql.lines import Line, Scalar, Value, Vector
from services.rehearsal.monitoring.promql.parser import COMPARISONS, SETS
from services.rehearsal.monitoring.promql.tree import (
    NAME,
    Binary,
    Labels,
    Matching,
    QueryError,
    nameless,
    signature,
)

PLAIN = Matching()
_MULTIPLE = "multiple matches for labels:"
Operation = Callable[[float, float], float]


def _divide(one: float, other: float) -> float:
    if other == 0:
        return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1.0, other)
    return one / other


def _modulo(one: float, other: float) -> float:
    return math.nan if other == 0 or math.isinf(one) else math.fmod(one, other)


def _power(one: float, other: float) -> float:
    try:
        return float(math.pow(one, other))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


_ARITHMETIC: dict[str, Operation] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": _divide,
    "%": _modulo,
    "^": _power,
}
_TESTS: dict[str, Callable[[float, float], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<=": lambda one, other: one <= other,
    "<": lambda one, other: one < other,
    ">=": lambda one, other: one >= other,
    ">": lambda one, other: one > other,
}


def binary(op: str, left: Vector | Scalar, right: Vector | Scalar, node: Binary) -> Vector | Scalar:
    """Return the operator's result; raise QueryError where the sides do not fit."""
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        if op in SETS:
            raise QueryError(f'1:1: parse error: set operator "{op}" not allowed in binary scalar expression')
        if op in COMPARISONS and not node.returns_bool:
            raise QueryError("1:1: parse error: comparisons between scalars must use BOOL modifier")
        pairs = zip(left.values, right.values, strict=True)
        if op in COMPARISONS:
            return Scalar([float(_TESTS[op](one, other)) for one, other in pairs])
        return Scalar([_ARITHMETIC[op](one, other) for one, other in pairs])
    if op in SETS:
        if isinstance(left, Scalar) or isinstance(right, Scalar):
            raise QueryError(f'1:1: parse error: set operator "{op}" not allowed in binary scalar expression')
        return _sets(op, left, right, node.matching)
    if isinstance(left, Scalar):
        assert not isinstance(right, Scalar)  # noqa: S101 (both scalars were handled above)
        return _lively([_with_scalar(line, left, node, swapped=True) for line in right])
    if isinstance(right, Scalar):
        return _lively([_with_scalar(line, right, node, swapped=False) for line in left])
    return _matched(left, right, node)


def _lively(lines: Vector) -> Vector:
    return [line for line in lines if any(value is not None for value in line.values)]


def _combined(node: Binary, one: Value, other: Value, keep: Value) -> Value:
    if one is None or other is None:
        return None
    if node.op in COMPARISONS:
        held = _TESTS[node.op](one, other)
        if node.returns_bool:
            return float(held)
        return keep if held else None
    return _ARITHMETIC[node.op](one, other)


def _with_scalar(line: Line, scalar: Scalar, node: Binary, *, swapped: bool) -> Line:
    values: list[Value] = []
    for own, number in zip(line.values, scalar.values, strict=True):
        one, other = (number, own) if swapped else (own, number)
        values.append(_combined(node, one, other, own))
    keeps_name = node.op in COMPARISONS and not node.returns_bool
    return Line(line.labels if keeps_name else nameless(line.labels), values)


def _sets(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    count = len((left or right)[0].values) if left or right else 0
    there: dict[Labels, list[bool]] = {}
    of, other = (left, right) if op == "or" else (right, left)
    for line in of:
        key = signature(line.labels, matching.labels, on=matching.on)
        held = there.setdefault(key, [False] * count)
        for step, value in enumerate(line.values):
            held[step] = held[step] or value is not None
    wanted = op == "and"
    nowhere = [False] * count
    kept = []
    for line in other:
        held = there.get(signature(line.labels, matching.labels, on=matching.on), nowhere)
        values = [value if held[step] == wanted else None for step, value in enumerate(line.values)]
        kept.append(Line(line.labels, values))
    return [*left, *_lively(kept)] if op == "or" else _lively(kept)


def _matched(left: Vector, right: Vector, node: Binary) -> Vector:
    """Match two vectors: one to one, or many on the side that `group` names."""
    matching = node.matching
    swapped = matching.group == "right"
    many, ones = (right, left) if swapped else (left, right)
    single = _by_signature(ones, matching, "left" if swapped else "right")
    found: dict[Labels, Line] = {}
    for line in many:
        key = signature(line.labels, matching.labels, on=matching.on)
        partner = single.get(key)
        if partner is None:
            continue
        values: list[Value] = []
        for own, other in zip(line.values, partner.values, strict=True):
            one, two = (other, own) if swapped else (own, other)
            values.append(_combined(node, one, two, one))
        _put(found, Line(_result_labels(line, partner, node), values), node)
    return _lively(list(found.values()))


def _by_signature(ones: Vector, matching: Matching, side: str) -> dict[Labels, Line]:
    found: dict[Labels, Line] = {}
    for line in ones:
        key = signature(line.labels, matching.labels, on=matching.on)
        known = found.get(key)
        if known is None:
            found[key] = Line(line.labels, list(line.values))
            continue
        for step, value in enumerate(line.values):
            if value is None:
                continue
            if known.values[step] is not None:
                raise QueryError(_duplicates(key, side, line.labels, known.labels), "execution")
            known.values[step] = value
    return found


def _put(found: dict[Labels, Line], line: Line, node: Binary) -> None:
    known = found.get(line.labels)
    if known is None:
        found[line.labels] = line
        return
    for step, value in enumerate(line.values):
        if value is None:
            continue
        if known.values[step] is not None:
            if not node.matching.group:
                raise QueryError(
                    f"{_MULTIPLE} many-to-one matching must be explicit (group_left/group_right)", "execution"
                )
            raise QueryError(f"{_MULTIPLE} grouping labels must ensure unique matches", "execution")
        known.values[step] = value


def _duplicates(key: Labels, side: str, one: Labels, other: Labels) -> str:
    return (
        f"found duplicate series for the match group {braced(key)} on the {side} hand-side of the operation: "
        f"[{braced(one)}, {braced(other)}];many-to-many matching not allowed: "
        "matching labels must be unique on one side"
    )


def braced(labels: Labels) -> str:
    """Return labels as Prometheus prints them."""
    inside = ", ".join(f'{name}="{value}"' for name, value in labels)
    return f"{{{inside}}}"


def _result_labels(line: Line, partner: Line, node: Binary) -> Labels:
    matching = node.matching
    filters = node.op in COMPARISONS and not node.returns_bool
    labels = line.labels if filters else nameless(line.labels)
    if not matching.group:
        if matching.on:
            return tuple(pair for pair in labels if pair[0] in matching.labels)
        return tuple(pair for pair in labels if pair[0] not in matching.labels)
    if not matching.include:
        return labels
    theirs = dict(partner.labels)
    result = {name: value for name, value in labels if name not in matching.include}
    result.update({name: theirs[name] for name in matching.include if theirs.get(name) and name != NAME})
    return tuple(sorted(result.items()))
