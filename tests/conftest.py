"""Makes many small apps and properties cheap: what every test would do again is done once, and waits are short."""

from __future__ import annotations

import gc
from typing import Any

import textual._wait
import textual.screen
from hypothesis import settings
from textual.css.stylesheet import CSSLocation, RuleSet, Stylesheet

STEP = 0.005
"""Seconds of rest after which a screen under a pilot counts as settled; Textual's own 20 ms are paid at every key."""

FRAME = 0.004
"""Seconds between two frames under a pilot: as in Textual, fewer than a step of rest."""

textual._wait.SLEEP_GRANULARITY = STEP
textual._wait.SLEEP_IDLE = 0.001
textual.screen.UPDATE_PERIOD = FRAME  # type: ignore[misc]

settings.register_profile("brisk", max_examples=50)
settings.register_profile("thorough", max_examples=1_000, deadline=None)
settings.load_profile("brisk")  # --hypothesis-profile=thorough for a long look

_parse = Stylesheet._parse_rules
_parsed: dict[tuple[Any, ...], list[RuleSet]] = {}


def _parse_once(
    sheet: Stylesheet,
    css: str,
    read_from: CSSLocation,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    """Parse rules unless an app before this one had the same text and variables."""
    key = (css, read_from, is_default_rules, tie_breaker, scope, frozenset(sheet._variables.items()))
    if key not in _parsed:
        _parsed[key] = _parse(sheet, css, read_from, is_default_rules, tie_breaker, scope)
    return list(_parsed[key])


Stylesheet._parse_rules = _parse_once  # type: ignore[method-assign]


def pytest_collection_finish() -> None:
    """Spare the tests a look at everything that was imported, at each collection of garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 20)
