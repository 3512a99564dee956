"""Mixed into the app: sentences in the footer, each for a while; news that nobody asked for waits for its turn."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tui.navigation import Navigation

if TYPE_CHECKING:
    _Base = Navigation
else:
    _Base = object

SAID_FOR = 5.0
"""Seconds a sentence to the operator stands in the footer."""

READ_FOR = 20.0
"""Seconds that one on what was not found stands there: it is read by somebody who was asleep."""


class Saying(_Base):
    """The answer to a key takes the line at once; news stands until it could be read, and only then makes room."""

    _said_until = 0.0

    def begin_saying(self) -> None:
        """Have no news yet."""
        self._news: deque[str] = deque()

    def say(self, sentence: str) -> None:
        """Show one sentence in the footer for a while."""
        if (front := self.front) is not None:
            front.say(self.console_state.lens().text(sentence))
            self._said_until = self.console_state.clock.monotonic() + SAID_FOR

    def say_long(self, sentence: str) -> None:
        """Show one sentence for as long as somebody needs who was asleep: what they asked for is not to be had."""
        self.say(sentence)
        self._said_until = self.console_state.clock.monotonic() + READ_FOR

    def announce(self, sentence: str) -> None:
        """Show one sentence that no key has asked for, after what stands there now."""
        if sentence not in self._news:
            self._news.append(sentence)
        self.say_next()

    def say_next(self) -> None:
        """Take away what has stood long enough, and show the next piece of news."""
        if self.console_state.clock.monotonic() < self._said_until or (front := self.front) is None:
            return
        if self._news:
            self.say(self._news.popleft())
        elif self._said_until:
            self._said_until = 0.0
            front.say("")
