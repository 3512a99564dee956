"""Reads Kubernetes quantities ("250m", "1.5Gi", "2e3"), so that requests, limits and usage can be added and compared.

Grammar: k8s.io/apimachinery/pkg/api/resource/quantity.go.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_QUANTITY = re.compile(r"([+-]?)(\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:([eE][+-]?\d{1,2})|([numkKMGTPE]i?))?", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse_quantity(text: str) -> Fraction:
    """Return the exact value of a quantity in its base unit (cores, bytes); raises ValueError where it is none."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError("not a quantity")
    sign, digits, exponent, suffix = found.groups()
    value = Fraction(digits.rstrip(".") if digits.endswith(".") else digits)
    if exponent:
        value *= Fraction(10) ** int(exponent[1:])
    elif suffix in _BINARY:
        value *= 1 << _BINARY[suffix]
    elif suffix in _DECIMAL:
        value *= Fraction(10) ** _DECIMAL[suffix]
    elif suffix:
        raise ValueError("not a quantity")
    return -value if sign == "-" else value


@lru_cache(maxsize=2048, typed=True)
def millicores(text: object) -> int:
    """Return CPU in thousandths of a core, rounded up as the scheduler does; 0 for what is no quantity."""
    return _ceiling(text, 1000)


@lru_cache(maxsize=2048, typed=True)
def whole(text: object) -> int:
    """Return a quantity in whole units (bytes, pods), rounded up; 0 for what is no quantity."""
    return _ceiling(text, 1)


def _ceiling(text: object, scale: int) -> int:
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return 0
    try:
        value = parse_quantity(str(text)) * scale
    except ValueError:
        return 0
    return -((-value.numerator) // value.denominator)
