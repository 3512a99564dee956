"""Writes measured numbers as short as they can be read: with their unit, and never more digits than matter."""

from __future__ import annotations

import math

_THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ((2.0**50, "Pi"), (2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"))
_TIMES = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"))
_SMALL_TIMES = ((1.0, " s"), (1e-3, " ms"), (1e-6, " us"))

_ROUNDED = 0.9995
"""From this part of a unit on, three digits of the smaller unit would be a whole one of the larger: "1 s"."""


def measured(value: float, unit: str = "") -> str:
    """Return a number with its unit, in three significant digits: "12.4 %", "250 ms", "1.5Gi", "250m", "42/s", "1.2k".

    `unit` is "ratio", "seconds", "bytes", "cores", "per_second" or "" (`services.model.metric.Series`), or "percent" of
    what is multiplied by 100 already. What is not a number is "?".
    """
    if math.isnan(value):
        return "?"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    sign, size = ("-" if value < 0 else ""), abs(value)
    if unit in ("ratio", "percent"):
        return f"{sign}{_plain(size * 100 if unit == 'ratio' else size)} %"
    if unit == "seconds":
        return sign + _seconds(size)
    if unit == "bytes":
        return sign + _scaled(size, _BINARY)
    if unit == "cores":
        return sign + (f"{_plain(size * 1000)}m" if 0 < size < _ROUNDED else _plain(size))
    return sign + _scaled(size, _THOUSANDS) + ("/s" if unit == "per_second" else "")


def change(value: float, unit: str = "") -> str:
    """Return a difference with its sign: "+3.1 %", "-250 ms"; "" for none worth a word."""
    if math.isnan(value) or math.isinf(value) or not value:
        return ""
    text = measured(value, unit)
    return text if value < 0 else f"+{text}"


def _scaled(size: float, steps: tuple[tuple[float, str], ...]) -> str:
    for step, letter in steps:
        if size >= step * _ROUNDED:
            return f"{_plain(size / step)}{letter}"
    return _plain(size)


def _seconds(size: float) -> str:
    for step, letter in _TIMES:
        if size >= (step if letter != "m" else 120.0) * _ROUNDED:
            return f"{_plain(size / step)}{letter}"
    for step, letter in _SMALL_TIMES:
        if size >= step * _ROUNDED:
            return f"{_plain(size / step)}{letter}"
    return "0 s" if size == 0 else f"{size:.1g} s"


def _plain(size: float) -> str:
    """Return a size of 0 or more in three significant digits, without zeros that say nothing."""
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{size:.2e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    text = f"{size:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
