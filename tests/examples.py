"""How many examples a property takes that is dear by the example: a share of those of the profile in use."""

from __future__ import annotations

from hypothesis import settings


def share(part: float, **more: int) -> settings:
    """Return settings without a deadline and with `part` of the examples: 0.4 is 20 of brisk, 400 of thorough."""
    return settings(max_examples=max(1, int(settings().max_examples * part)), deadline=None, **more)
