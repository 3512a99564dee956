"""The only place that carries data from the service thread to the screen: one pending pull at a time, never a queue."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable

from services.ports import Changes, StateFeed

Painter = Callable[[Changes], None]

SLOW_PAUSE = 1.0
"""Seconds between two pulls on a slow link; elsewhere the feed's own tick is the pace."""


class Bridge:
    """Pulls from the feed on the UI's loop whenever the feed has published, and hands the changes to the screen.

    It pulls in the context it was started in: screens that are opened by what has come belong to the app.
    A stalled terminal stalls the UI's loop; the feed then only finds a pull pending and does nothing.
    """

    def __init__(self, feed: StateFeed, paint: Painter, slow: bool = False) -> None:
        self._feed = feed
        self._paint = paint
        self._pause = SLOW_PAUSE if slow else 0.0
        self._revision = -1
        self._pending = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: contextvars.Context | None = None
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to pull; call on the UI's loop."""
        self._loop, self._context = asyncio.get_running_loop(), contextvars.copy_context()
        self._stop = self._feed.subscribe(self._poke)
        self._pull()

    def stop(self) -> None:
        """Pull no more."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def _poke(self) -> None:
        if self._pending or self._loop is None:
            return
        self._pending = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._arrange, context=self._context)

    def _arrange(self) -> None:
        if self._pause and self._loop is not None:
            self._loop.call_later(self._pause, self._pull)
        else:
            self._pull()

    def _pull(self) -> None:
        self._pending = False
        changes = self._feed.changes(self._revision)
        if changes is not None:
            self._revision = changes.snapshot.revision
            self._paint(changes)
