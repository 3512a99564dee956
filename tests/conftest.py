"""Makes many small apps and properties cheap: what every test would do again is done once, and waits are short."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Generator
from typing import Any

import pytest
import textual._wait
import textual.app
import textual.pilot
import textual.screen
from hypothesis import HealthCheck, settings
from rich.console import RenderableType
from textual._compositor import ChopsUpdate, Compositor
from textual._context import active_app, visible_screen_stack
from textual.css.stylesheet import CSSLocation, RuleSet, Stylesheet
from textual.geometry import Region
from textual.screen import Screen

from cache.state.store import StateStore

STEP = 0.005
"""Seconds of rest after which a screen under a pilot counts as settled; Textual's own 20 ms are paid at every key."""

FRAME = 0.004
"""Seconds between two frames under a pilot: as in Textual, fewer than a step of rest."""

textual._wait.SLEEP_GRANULARITY = STEP
textual._wait.SLEEP_IDLE = 0.001
textual.screen.UPDATE_PERIOD = FRAME  # type: ignore[misc]

TURNS = 1_000
"""Turns of the loop after which it is taken for one that never rests."""

_wait_for_idle = textual._wait.wait_for_idle


async def _nothing_ready() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(TURNS):
        await asyncio.sleep(0)
        if not loop._ready:  # type: ignore[attr-defined]
            return


async def _at_rest(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Wait until nothing has to be done: a process that is given no processor time only looks as if it were idle."""
    await _nothing_ready()
    await _wait_for_idle(min_sleep, max_sleep)
    await _nothing_ready()


textual.pilot.wait_for_idle = textual.app.wait_for_idle = _at_rest  # type: ignore[attr-defined]

# How long an example takes is the machine's business: a busy one must fail no test.
settings.register_profile("brisk", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("brisk"), max_examples=1_000)
settings.load_profile("brisk")  # --hypothesis-profile=thorough for a long look

BUSY = 60.0
"""Seconds for a history to be written or closed: what is enough on an idle machine is not on a busy one."""

StateStore.flush.__defaults__ = StateStore.close.__defaults__ = (BUSY,)

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

_render_update = Compositor.render_update
_NOTHING = ChopsUpdate([], [], [])


def _render_widgets(
    compositor: Compositor,
    full: bool = False,
    screen_stack: list[Screen[Any]] | None = None,
    simplify: bool = False,
) -> RenderableType | None:
    """Render what a frame shows, but do not cut it to pieces for a terminal that a headless app has not."""
    if full or not active_app.get().is_headless:
        return _render_update(compositor, full, screen_stack, simplify)
    dirty, whole = compositor._dirty_regions, compositor.size.region
    if not dirty:
        return None
    crop = whole if whole in dirty else Region.from_union(dirty).intersection(whole)
    dirty.clear()
    visible_screen_stack.set([] if screen_stack is None else screen_stack)
    for _ in compositor._get_renders(crop):
        pass
    return _NOTHING


Compositor.render_update = _render_widgets  # type: ignore[method-assign, assignment]


def _first_of_ours(count: int) -> int:
    """Return at which of `count` this worker begins."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return count * int(worker) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each worker begin with other files, so that what one has compiled the others find."""
    report = yield
    if isinstance(collector, pytest.Directory) and report.result:
        first = _first_of_ours(len(report.result))
        report.result[:] = report.result[first:] + report.result[:first]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests back into the one order that all workers have in common."""
    items.sort(key=lambda item: item.path)


def pytest_collection_finish() -> None:
    """Spare the tests a look at everything that was imported, at each collection of garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 20)
