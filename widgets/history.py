"""Remembers what was typed into a line, and walks back through it."""

from __future__ import annotations

from collections.abc import Iterable

REMEMBERED = 50


class History:
    """The last `limit` texts, oldest first, each once, at the place where it was used last."""

    def __init__(self, entries: Iterable[str] = (), limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._entries: list[str] = []
        for entry in entries:
            self.add(entry)
        self._at = len(self._entries)

    @property
    def entries(self) -> tuple[str, ...]:
        """What is remembered, oldest first."""
        return tuple(self._entries)

    def add(self, text: str) -> None:
        """Remember a text; blank ones are not worth it. The walk starts from the newest again."""
        text = text.strip()
        if text:
            if text in self._entries:
                self._entries.remove(text)
            self._entries.append(text)
            del self._entries[: -self._limit]
        self.rest()

    def rest(self) -> None:
        """Start the walk from the newest again."""
        self._at = len(self._entries)

    def older(self) -> str | None:
        """Return the text before the last one returned, the oldest again at the end; None when there is none."""
        if not self._entries:
            return None
        self._at = max(0, self._at - 1)
        return self._entries[self._at]

    def newer(self) -> str:
        """Return the text after the last one returned, "" past the newest."""
        self._at = min(len(self._entries), self._at + 1)
        return self._entries[self._at] if self._at < len(self._entries) else ""
