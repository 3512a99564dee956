"""Marks the line between raw text, which keys and requests need, and text that may be shown."""

from __future__ import annotations


class SafeText(str):
    """Text that has been through `services.sanitize.safe_text`: no control, escape or bidi character, bounded length.

    Only the sanitiser makes one; a screen, a log line or an exported file accepts nothing else.
    """

    __slots__ = ()


class Secret:
    """A value that cannot be printed by accident: `repr`, `str` and format all mask it.

    `reveal()` is called where the value is sent, and nowhere else.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the plain value, for the request that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
