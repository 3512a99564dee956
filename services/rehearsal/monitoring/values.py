"""Numbers, moments and labels as Prometheus writes and reads them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

from services.rehearsal.clock import parse_stamp
from services.rehearsal.monitoring.promql.parser import duration


def number_text(value: float) -> str:
    """Write a sample's value as Go does: shortest form, never an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(float(value))
    return format(Decimal(text), "f") if "e" in text else text


def sample(moment: float, value: float) -> list[object]:
    """Return a sample as JSON: seconds as a number, the value as text."""
    return [int(moment) if moment == int(moment) else round(moment, 3), number_text(value)]


def moment_of(text: str) -> float:
    """Read Unix seconds, to the millisecond as Prometheus does, or RFC 3339; raise ValueError when it is neither."""
    try:
        found = float(text)
    except ValueError:
        return parse_stamp(text)
    if not math.isfinite(found):
        raise ValueError(f"cannot parse {text!r} to a valid timestamp")
    return round(found, 3)


def seconds_of(text: str) -> float:
    """Read seconds or a duration such as 1m; raise ValueError when it is neither."""
    try:
        found = float(text)
    except ValueError:
        return duration(text)
    if not math.isfinite(found):
        raise ValueError(f"cannot parse {text!r} to a valid duration")
    return found


def nano_text(moment: float) -> str:
    """Write a moment as Go marshals a time in UTC."""
    whole = datetime.fromtimestamp(moment, UTC)
    text = whole.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{whole.microsecond:06d}Z".replace(".000000Z", "Z")


def milli_text(moment: float) -> str:
    """Write a moment as Alertmanager does: strfmt.DateTime, three digits."""
    whole = datetime.fromtimestamp(moment, UTC)
    return f"{whole.strftime('%Y-%m-%dT%H:%M:%S')}.{whole.microsecond // 1000:03d}Z"
