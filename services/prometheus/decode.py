"""Reads what a Prometheus answers to queries: tolerant of what it does not know, bounded in what it takes.

Wire format: prometheus/prometheus, docs/querying/api.md; Thanos, Mimir and VictoriaMetrics answer alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from services.errors import Problem
from services.sanitize import safe_text

MOST_LINES = 20_000
"""Series taken of one answer; what comes after them is counted as left out."""
LONGEST_LABEL = 4096
"""Characters taken of a label's value."""
MOST_NOTES = 10

FAILURES = (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, RecursionError)

Labels = Mapping[str, str]
Points = tuple[tuple[float, float], ...]
Wire = TypeVar("Wire")


class Line(Struct, frozen=True, gc=False):
    """One series of an answer: its labels (raw) and its samples, as (epoch seconds, value); NaN and infinities stay."""

    labels: Labels
    points: Points

    @property
    def last(self) -> float:
        """The newest value, NaN where there is none."""
        return self.points[-1][1] if self.points else math.nan


class Answer(Struct, frozen=True):
    """What a query gave. A scalar is a line without labels. `notes` are the server's warnings and infos (raw)."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


class _Envelope(Struct, gc=False, rename="camel"):
    status: str
    data: Raw = Raw(b"null")
    error_type: str = ""
    error: str = ""
    warnings: list[str] | None = None
    infos: list[str] | None = None


class _Result(Struct, gc=False, rename="camel"):
    result_type: str
    result: Raw = Raw(b"[]")


_Point = tuple[float, str]


class _Line(Struct, gc=False):
    metric: dict[str, str] = {}
    values: list[_Point] = []
    value: _Point | None = None


_ENVELOPE, _RESULT, _LINE = Decoder(_Envelope), Decoder(_Result), Decoder(_Line)
_LINES, _POINT, _NAMES = Decoder(list[Raw]), Decoder(_Point), Decoder(list[str])


def decode_answer(body: bytes) -> Answer:
    """Return the result of /api/v1/query or /api/v1/query_range. Raises Problem."""
    envelope = _opened(body)
    result = _read(_RESULT, envelope.data)
    if result.result_type in ("scalar", "string"):
        point = _read(_POINT, result.result)
        return Answer((Line({}, (_point(point),)),), _notes(envelope))
    raws = _read(_LINES, result.result)
    lines: list[Line] = []
    for raw in raws[:MOST_LINES]:
        try:
            lines.append(_line(_LINE.decode(raw)))
        except FAILURES:
            continue
    return Answer(tuple(lines), _notes(envelope))


def decode_names(body: bytes) -> tuple[str, ...]:
    """Return the names of /api/v1/labels or /api/v1/label/NAME/values. Raises Problem."""
    names = _read(_NAMES, _opened(body).data)
    return tuple(name for name in names[:MOST_LINES] if len(name) <= LONGEST_LABEL)


def _opened(body: bytes) -> _Envelope:
    envelope = _read(_ENVELOPE, body)
    if envelope.status != "success":
        kind = f"{envelope.error_type}: " if envelope.error_type else ""
        raise Problem(safe_text(f"Prometheus refused: {kind}{envelope.error or 'it does not say why'}."))
    return envelope


def _read(decoder: Decoder[Wire], body: bytes | Raw) -> Wire:
    try:
        return decoder.decode(body)
    except FAILURES as error:
        raise Problem(safe_text(f"The answer is no Prometheus' ({error}); check the address.")) from None


def _notes(envelope: _Envelope) -> tuple[str, ...]:
    return (*(envelope.warnings or ()), *(envelope.infos or ()))[:MOST_NOTES]


def _line(wire: _Line) -> Line:
    points = [*wire.values, *((wire.value,) if wire.value is not None else ())]
    labels = {name: value[:LONGEST_LABEL] for name, value in wire.metric.items()}
    return Line(labels, tuple(map(_point, points)))


def _point(wire: _Point) -> tuple[float, float]:
    """Read one sample: float() takes "NaN", "+Inf" and "-Inf" as the server writes them."""
    return wire[0], float(wire[1])


def spread(points: Sequence[tuple[float, float]], start: float, step: float, count: int) -> tuple[float, ...]:
    """Put samples into `count` places from `start` on, `step` seconds apart; what is missing or no number is NaN."""
    values = [math.nan] * count
    for at, value in points:
        place = (at - start) / step
        if -0.5 <= place < count - 0.5 and math.isfinite(value):
            values[round(place)] = value
    return tuple(values)
