"""Keeps the newest timeline events at hand, each once, for the strip at the foot of the screen."""

from __future__ import annotations

from bisect import insort

from msgspec import structs

from services.model.text import SafeText
from services.model.timeline import Event
from services.sanitize import safe_text


class RecentEvents:
    """At most `most` events, ordered by onset; what is older than a full list holds is not taken."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._events: list[Event] = []
        self._ids: set[str] = set()
        self._picture: tuple[Event, ...] | None = ()

    def add(self, event: Event) -> bool:
        """Take an event; False when it is known, or too old to be kept."""
        if event.id in self._ids:
            return False
        full = len(self._events) >= self._most
        if full and _by_onset(event) <= _by_onset(self._events[0]):
            return False
        insort(self._events, event, key=_by_onset)
        self._ids.add(event.id)
        if full:
            self._ids.discard(self._events.pop(0).id)
        self._picture = None
        return True

    def clear(self) -> None:
        """Forget them all."""
        if self._events:
            self._events, self._ids, self._picture = [], set(), ()

    def newest_first(self) -> tuple[Event, ...]:
        """Return the events: the same object as last time where nothing was added."""
        if self._picture is None:
            self._picture = tuple(reversed(self._events))
        return self._picture


def with_safe_text(event: Event) -> Event:
    """Return the event with its text fit to be shown."""
    return event if isinstance(event.text, SafeText) else structs.replace(event, text=safe_text(event.text))


def _by_onset(event: Event) -> tuple[float, float, str]:
    return (event.at, event.seen_at, event.id)
