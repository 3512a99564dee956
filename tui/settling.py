"""Mixed into the app: finds out how ended what was begun and never settled, by a former console or by this one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from services.model.action import Outcome
from tui.navigation import Navigation
from tui.presenters.banner import Notice, present_found_out, present_left_open

if TYPE_CHECKING:
    from textual.timer import Timer

    from services.errors import Problem
    from services.model.action import Ended
    from tui.acting import Acting

    _Base = Navigation
else:
    _Base = object

LOOK_AGAIN_AFTER = 30.0
"""Seconds after which it is asked again how something ended that nobody knows the end of."""

SAID_FOR = 120.0
"""Seconds for which it is said that all of it went well."""


def _load_hands() -> None:
    """Import what acts away from the screen's loop, which would stand still for it."""
    for name in ("services.kubernetes.hands", "services.alerts.hands", "cache.state.past", "tui.handing"):
        import_module(name)


class Settling(_Base):
    """Looks once after the start, and again as long as there is something whose end nobody knows."""

    if TYPE_CHECKING:

        def show_banner(self) -> None:
            """Show what needs a person now."""

        def log_settled(self, found: Sequence[Ended]) -> None:
            """Show in the action log how it has ended."""

    _looking = False
    _later: Timer | None = None

    def look_again(self) -> None:
        """Look later once more."""
        if self._later is not None:
            self._later.stop()
        self._later = self.set_timer(LOOK_AGAIN_AFTER, self.look_back)

    def look_back(self) -> None:
        """Find out how what a former console began, or this one lost sight of, has ended, and say it."""
        console = self.console_state
        if console.acting is None:
            return
        if self._looking:
            self.look_again()
            return

        async def load() -> None:
            await asyncio.to_thread(_load_hands)

        def loaded(_nothing: None, _problem: Problem | None) -> None:
            acting = console.acting() if console.acting is not None else None
            if acting is not None:
                self.work(acting.left_open, partial(self._listed, acting))

        self.work(load, loaded)

    def _listed(self, acting: Acting, left: tuple[tuple[str, object], ...] | None, _problem: Problem | None) -> None:
        if left:
            self._looking = True
            titles = [title for title, _ in left]
            self.console_state.notify(Notice.UNSETTLED, lambda lens: present_left_open(titles, lens))
            self.show_banner()
            self.work(acting.look_back, self._found_out)

    def _found_out(self, found: tuple[tuple[str, Ended], ...] | None, _problem: Problem | None) -> None:
        self._looking = False
        if found:
            self.console_state.notify(Notice.UNSETTLED, lambda lens: present_found_out(found, lens))
            self.show_banner()
            self.log_settled([ended for _, ended in found])
        outcomes = {ended.outcome for _, ended in found or ()}
        if found is None or Outcome.UNKNOWN in outcomes:
            self.look_again()
        elif outcomes == {Outcome.OK}:
            self.set_timer(SAID_FOR, self._let_go)

    def _let_go(self) -> None:
        """Take away what was said of what went well, unless something is looked for again by now."""
        if not self._looking:
            self.console_state.notify(Notice.UNSETTLED, None)
            self.show_banner()
