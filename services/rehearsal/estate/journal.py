"""The log of one run of a container, line by line, from its start to its end or to now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.rehearsal.estate.speech import Voice

KEPT = 20_000
"""The newest lines that the node keeps: older ones have been rotated away."""
_OPENING_STEP = 0.12
_OPENING_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Journal:
    """One run. `ended` is None while it goes on; `last_words` come at its end."""

    voice: Voice
    started: float
    ended: float | None = None
    last_words: tuple[str, ...] = ()

    def count(self, until: float) -> int:
        """Return how many lines have been written by `until`."""
        horizon = until if self.ended is None else min(until, self.ended)
        opening = len(self.voice.opening)
        if horizon < self._regular_start:
            written = min(opening, max(0, math.floor((horizon - self.started) / _OPENING_STEP) + 1))
            written = max(0, written)
        else:
            written = opening + self._regular(horizon)
        if self.ended is not None and until >= self.ended:
            return self._before_end + len(self.last_words)
        return written

    @property
    def _regular_start(self) -> float:
        return self.started + _OPENING_STEP * len(self.voice.opening) + _OPENING_PAUSE

    @property
    def _before_end(self) -> int:
        """Return the lines before the last words; a run that has ended wrote its whole opening."""
        assert self.ended is not None  # noqa: S101 (asked for finished runs only)
        return len(self.voice.opening) + max(0, self._regular(self.ended))

    def _regular(self, horizon: float) -> int:
        """Return how many regular lines have been written by `horizon`."""
        elapsed = horizon - self._regular_start
        if elapsed < 0:
            return 0
        whole = int(elapsed / self.voice.period)
        late = self.voice.jitter(whole) * self.voice.period
        return whole + (whole * self.voice.period + late <= elapsed)

    def moment(self, index: int) -> float:
        """Return when a line was or will be written, in whole microseconds: what is printed reads back the same."""
        return round(self._moment(index), 6)

    def _moment(self, index: int) -> float:
        opening = len(self.voice.opening)
        if self.ended is not None and index >= self._before_end:
            return self.ended
        if index < opening:
            when = self.started + _OPENING_STEP * index
            return when if self.ended is None else min(when, self.ended)
        number = index - opening
        return self._regular_start + (number + self.voice.jitter(number)) * self.voice.period

    def text(self, index: int) -> str:
        """Return a line."""
        opening = self.voice.opening
        if self.ended is not None and index >= self._before_end:
            return self.last_words[index - self._before_end]
        if index < len(opening):
            return opening[index]
        return self.voice.line(index - len(opening), self.moment(index))

    def first_since(self, since: float, until: float) -> int:
        """Return the index of the first kept line at or after `since`."""
        end = self.count(until)
        low, high = max(0, end - KEPT), end
        while low < high:
            middle = (low + high) // 2
            if self.moment(middle) < since:
                low = middle + 1
            else:
                high = middle
        return low
