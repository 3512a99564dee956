"""Whether two pod templates mean the same, however they are written."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json

_POWERS = (("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18))
_SCALES = {
    **{letter: Decimal(10) ** power for letter, power in _POWERS},
    **{f"{letter}i": Decimal(1024**power) for power, letter in enumerate("KMGTPE", 1)},
}
_AMOUNTS = {"requests", "limits"}


def quantity(text: str | float) -> Decimal:
    """Read a quantity such as `250m`, `1.5Gi`, `1e3`; raise ValueError when it is none (apimachinery resource)."""
    written = str(text).strip()
    for suffix in (written[-2:], written[-1:]):
        if suffix in _SCALES and not (suffix == "E" and written[:-1].isdecimal() is False):
            return _number(written[: -len(suffix)]) * _SCALES[suffix]
    return _number(written)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no quantity") from None


def same_template(one: Json, other: Json, without: str = "") -> bool:
    """Tell whether two templates are equal but for the label `without`: order, empty fields and units do not count."""
    return one == other or _plain(one, without) == _plain(other, without)


def _plain(template: Json, without: str) -> Any:  # noqa: ANN401 (any JSON value)
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != without}
    rest = {key: value for key, value in template.items() if key != "$patch"}
    return _reduced({**rest, "metadata": {**metadata, "labels": labels}})


def _reduced(value: Any, *, amounts: bool = False) -> Any:  # noqa: ANN401 (any JSON value)
    if isinstance(value, dict):
        inner = {key: _reduced(one, amounts=key in _AMOUNTS) for key, one in value.items()}
        if amounts:
            return {key: _amount(one) for key, one in value.items()}
        return {key: one for key, one in inner.items() if one not in (None, "", {}, [], False)}
    if isinstance(value, list):
        return [_reduced(one) for one in value]
    return value


def _amount(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    try:
        return quantity(value)
    except ValueError:
        return value
