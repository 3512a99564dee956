"""Knows ahead which keys this user may not use on what is under the cursor, without ever waiting for the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from services.clock import Clock
from services.errors import Problem
from services.model.action import Target
from services.model.ref import Ref

KEPT = 60.0
"""Seconds for which an answer about rights is believed: as long as the session keeps the server's own."""

HANDS = "tui.handing"
"""The module that acts; it is loaded some time after the first frame."""

Answer = Mapping[str, str]
Ask = Callable[[Target], Coroutine[Any, Any, Answer]]
Work = Callable[[Callable[[], Coroutine[Any, Any, Answer]], Callable[[Answer | None, Problem | None], None]], None]


class Rights:
    """What may not be done where the cursor is, by action, with the reason.

    `look` is called once a second with what is under the cursor then: so nobody asks about rows in passing, and never
    twice at a time, nor again before the operator has `used` a key since. `changed` is called when an answer has come
    that is not the one known before. Everything runs on the screen's loop; `work` brings a coroutine to the service's
    loop and its answer back.
    """

    def __init__(self, clock: Clock, work: Work, changed: Callable[[], None]) -> None:
        self._clock = clock
        self._work = work
        self._changed = changed
        self._known: dict[tuple[str, ...], tuple[float, Answer]] = {}
        self._asking = False
        self._used_at = clock.monotonic()

    def used(self) -> None:
        """Take note that the operator is there: what is no longer believed is worth a question."""
        self._used_at = self._clock.monotonic()

    def why_not(self, action: str, ref: Ref) -> str:
        """Return why an action on an object is not this user's, "" where it is or where nobody knows yet."""
        known = self._known.get(_place(ref))
        return known[1].get(action, "") if known is not None else ""

    def doubt(self, ref: Ref) -> None:
        """Ask anew soon: somebody wanted what they may not, and may have been given it meanwhile."""
        known = self._known.get(_place(ref))
        if known is not None:
            self._known[_place(ref)] = (-KEPT, known[1])

    def look(self, target: Target, ask: Ask) -> None:
        """Ask about an object where its rights are not known, or no longer; at most one question at a time."""
        place, now = _place(target.ref), self._clock.monotonic()
        known_at, known = self._known.get(place, (-KEPT, {}))
        believed = now - known_at < KEPT or self._used_at < known_at
        if self._asking or (place in self._known and believed):
            return

        def answered(found: Answer | None, _problem: Problem | None) -> None:
            self._asking = False
            self._known[place] = (self._clock.monotonic(), known if found is None else found)
            if found is not None and dict(found) != dict(known):
                self._changed()

        self._asking = True
        self._work(lambda: ask(target), answered)


def hands_are_there() -> bool:
    """Return whether what acts has been loaded already: nothing is shown later for want of it."""
    return HANDS in sys.modules


def _place(ref: Ref) -> tuple[str, ...]:
    """Return what rights are the same for."""
    return (ref.cluster, ref.group, ref.kind, ref.namespace)
