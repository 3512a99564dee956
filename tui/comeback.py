"""Coming back: after a quit, a hangup or ctrl-z the operator is told what changed since they last looked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from services.model.source import CONNECTION
from services.model.workload import Rollout
from tui.navigation import Navigation
from tui.presenters.banner import Notice
from tui.presenters.lens import Lens
from tui.presenters.rollouts import subject
from tui.presenters.since import present_since
from tui.presenters.terms import Test
from tui.presenters.timeline import in_scope
from tui.signals import suspend_to_shell
from widgets.viewmodels import Line

if TYPE_CHECKING:
    _Base = Navigation
else:
    _Base = object

AWAY = 10.0
"""Seconds in a shell from which on it is worth a word what changed meanwhile."""

SETTLED = 2.0
"""Seconds that the servers have to tell what changed while this program stood still."""


def within(scope: Test | None, rows: Mapping[str, Rollout]) -> Mapping[str, Rollout]:
    """Return the rows in the scope: what lies outside is not gone when nobody looks at it."""
    return rows if scope is None else {key: row for key, row in rows.items() if scope(subject(row))}


class ComingBack(_Base):
    """Mixed into the app. `_left` are the rows that the operator saw last, and when that was."""

    _left: tuple[Mapping[str, Rollout], float] | None = None
    _since_shown = False

    def show_banner(self) -> None:
        """Show or hide what needs a person now, on every screen."""
        raise NotImplementedError

    def say_since(self) -> None:
        """Say once what changed while the operator was away; the next key takes the line away."""
        before, left_at = self._left or ({}, 0.0)
        self._left = None
        feed, scope = self.console_state.feed, self.console_state.scope.test
        before, now = within(scope, before), within(scope, feed.snapshot().tables.get("rollouts", {}))

        def line(lens: Lens) -> Line:
            snapshot = feed.snapshot()
            inside = in_scope(scope, snapshot)
            return present_since(before, now, left_at, lens, filter(inside, snapshot.events))

        self._since_shown = bool(line(self.console_state.lens()))
        if self._since_shown:
            self.console_state.notify(Notice.SINCE, line)
            self.show_banner()

    def hide_since(self) -> None:
        """Take the line away: it has been read."""
        if self._since_shown:
            self._since_shown = False
            self.console_state.notify(Notice.SINCE, None)
            self.show_banner()

    def do_suspend(self) -> None:
        """Go back to the shell; the place is kept, and what changed meanwhile is said on the return."""
        self.keep_place()
        clock, feed = self.console_state.clock, self.console_state.feed
        rows, left_at = feed.snapshot().tables.get("rollouts", {}), clock.now()
        refused = suspend_to_shell(self)
        if refused is not None:
            self.say(refused)
        elif clock.now() - left_at >= AWAY:
            self._await_news(rows, left_at, clock.now())

    def _await_news(self, rows: Mapping[str, Rollout], left_at: float, back_at: float) -> None:
        """Say what changed once the servers have been heard again: while the program stood still nobody listened."""
        heard = self.console_state.feed.snapshot().sources.get(CONNECTION)
        settled = self.console_state.clock.now() - back_at >= SETTLED
        if settled and heard is not None and heard.last_byte > back_at:
            self._left = (rows, left_at)
            self.say_since()
        else:
            self.set_timer(SETTLED / 2, lambda: self._await_news(rows, left_at, back_at))
