"""Gives encoders our own kinds of text as plain text, and refuses what must not be written: secrets first."""

from __future__ import annotations

from services.model.text import SafeText


def plain(value: object) -> str:
    """Return SafeText as text, as msgspec's `enc_hook`; raise TypeError for all else that the model does not hold."""
    if isinstance(value, SafeText):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is not stored")
