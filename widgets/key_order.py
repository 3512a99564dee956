"""Takes keys one at a time: what a slow line delivers at once means what it would have meant typed slowly."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Generic, TypeVar

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.timer import Timer

ReturnType = TypeVar("ReturnType")

PATIENCE = 0.3
"""Seconds after which a key counts as answered, whatever became of it."""


class OrderedKeys(App[ReturnType], Generic[ReturnType]):
    """An app that forwards a key only when the one before was answered.

    Textual (8.2.8) forwards keys as they come to what has the focus at that moment, and answers bindings when a key has
    bubbled up to the app. Of `/crash` in one read, `/` would open the filter after `c` was taken for a command. Here a
    callback trails each key through every queue that its answer may take, and then lets the next key go.
    """

    _keys_waiting: deque[events.Key | events.Paste]
    _key_number = 0
    _key_under_way = 0
    _key_patience: Timer | None = None

    async def on_event(self, event: events.Event) -> None:
        """Let a key wait while another is under way."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._key_under_way:
            self._waiting.append(event)
        else:
            await self._take(event)

    @property
    def answering(self) -> bool:
        """Whether a key is under way, or waits for its turn."""
        return bool(self._key_under_way or self._waiting)

    @property
    def _waiting(self) -> deque[events.Key | events.Paste]:
        try:
            return self._keys_waiting
        except AttributeError:
            self._keys_waiting = deque()
            return self._keys_waiting

    async def _take(self, event: events.Key | events.Paste) -> None:
        self._key_number += 1
        number = self._key_under_way = self._key_number
        path = self._path()
        self._key_patience = self.set_timer(PATIENCE, partial(self._answered, number))
        await super().on_event(event)
        self._trail(path, number)

    def _path(self) -> deque[MessagePump]:
        """Return the queues that a key and its messages go through.

        From what has the focus up to the app, twice: for the key, and for what its answer posts. Each queue twice, for
        what is posted there on the way. And the app once more, where the focus changes.
        """
        target = self.focused or self.screen
        up = [node for node in target.ancestors_with_self for _ in range(2)]
        return deque([*up, *up, self])

    def _trail(self, path: deque[MessagePump], number: int) -> None:
        """Go on to the next queue that is still there."""
        while path:
            if path.popleft().call_later(self._trail, path, number):
                return
        self.call_later(self._answered, number)

    async def _answered(self, number: int) -> None:
        if number == self._key_under_way:
            self._key_under_way = 0
            if self._key_patience is not None:
                self._key_patience.stop()
            if self._waiting:
                await self._take(self._waiting.popleft())
