"""Lets the pilot look for rest in shorter steps than Textual's 20 ms, and frames come as much faster."""

from __future__ import annotations

import gc

import textual._wait
import textual.screen

STEP = 0.005
"""Seconds of rest after which a screen under a pilot counts as settled."""

FRAME = 0.004
"""Seconds between two frames under a pilot: as in Textual, fewer than a step of rest."""

textual._wait.SLEEP_GRANULARITY = STEP
textual._wait.SLEEP_IDLE = 0.001
textual.screen.UPDATE_PERIOD = FRAME  # type: ignore[misc]


def pytest_collection_finish() -> None:
    """Spare the tests a look at everything that was imported, at each collection of garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 20)
