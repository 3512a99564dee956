"""Which lines of a log are shown and at which row, kept up to date line by line as the log grows and forgets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

from msgspec import Struct

from widgets.ring import LogRing
from widgets.search import Pattern
from widgets.viewmodels import LogEntry

_LINE_COST = 40


class LogFilter(Struct, frozen=True):
    """Shows the lines whose text or source matches (not, when `inverse`) with `context` lines around each.

    Marks and reports of dropped lines are always shown: they are about the log, not of it.
    """

    pattern: Pattern
    inverse: bool = False
    context: int = 0

    def hits(self, entry: LogEntry) -> bool:
        """Whether a line is one of those asked for."""
        found = self.pattern.matches(entry.text) or self.pattern.matches(entry.source)
        return found is not self.inverse


def about_the_log(entry: LogEntry) -> bool:
    """Whether an entry is a mark or a report of dropped lines."""
    return entry.marker or entry.dropped > 0


class LogLayout:
    """Rows of the shown lines, each as many as `rows_of` says, and one more before a line that follows hidden ones.

    Rows are counted from the first shown line that is still held. A line's place is found by bisection. `revised` is
    the first serial from which lines were laid out anew since it was last set to None.
    """

    def __init__(
        self, rule: LogFilter | None, rows_of: Callable[[LogEntry], int], first: int, *, folded: bool = False
    ) -> None:
        self.rule = rule
        self.serials: list[int] = []
        self.revised: int | None = None
        self._rows_of = rows_of
        self._folded = folded
        self._ends: list[int] = []
        self._base = 0
        self._breaks: set[int] = set()
        self._next = first
        self._until = -1

    @property
    def rows(self) -> int:
        """The number of rows of all shown lines."""
        return self._ends[-1] - self._base if self._ends else 0

    def advance(self, ring: LogRing, budget: int) -> bool:
        """Lay out the lines not seen yet, at a cost of about `budget`; return whether all have been.

        A line costs 40, and its characters when they are searched and again when they are folded.
        """
        self._next = max(self._next, ring.first)
        if self.rule is None:
            self._push_all(ring, budget)
        else:
            self._sift_all(self.rule, ring, budget)
        return self._next >= ring.end

    def _push_all(self, ring: LogRing, budget: int) -> None:
        """Show line after line: what most logs ask for, thousands of times a second."""
        rows_of, folded = self._rows_of, self._folded
        end = self._ends[-1] if self._ends else self._base
        for serial, entry in enumerate(ring.since(self._next), self._next):
            if budget <= 0:
                break
            budget -= _LINE_COST + len(entry.text) if folded else _LINE_COST
            end += rows_of(entry)
            self.serials.append(serial)
            self._ends.append(end)
            self._next = serial + 1

    def _sift_all(self, rule: LogFilter, ring: LogRing, budget: int) -> None:
        while self._next < ring.end and budget > 0:
            serial = self._next
            entry = ring[serial]
            budget -= _LINE_COST + (2 if self._folded else 1) * len(entry.text)
            self._sift(rule, ring, serial, entry)
            self._next += 1

    def drop_before(self, serial: int) -> int:
        """Forget the lines below `serial`; return how many rows went."""
        going = bisect_left(self.serials, serial)
        if not going:
            return 0
        if self._breaks:
            self._breaks.difference_update(self.serials[:going])
        rows = self._ends[going - 1] - self._base
        self._base += rows
        del self.serials[:going]
        del self._ends[:going]
        return rows

    def at(self, row: int) -> tuple[int, int] | None:
        """Return the serial at `row` and the row within it (-1: the break before it); None outside."""
        if not 0 <= row < self.rows:
            return None
        place = bisect_right(self._ends, row + self._base)
        serial = self.serials[place]
        return serial, row - self._start(place) - (serial in self._breaks)

    def row_of(self, serial: int) -> int:
        """Return the first row of a line, or of the next shown one; the number of rows when none follows."""
        place = bisect_left(self.serials, serial)
        if place >= len(self.serials):
            return self.rows
        return self._start(place) + (self.serials[place] in self._breaks)

    def hidden_before(self, serial: int) -> int:
        """Return how many lines lie hidden between a shown line and the shown one before it, 0 when that is gone."""
        place = bisect_left(self.serials, serial)
        return serial - self.serials[place - 1] - 1 if place else 0

    def _start(self, place: int) -> int:
        return (self._ends[place - 1] if place else self._base) - self._base

    def _sift(self, rule: LogFilter, ring: LogRing, serial: int, entry: LogEntry) -> None:
        if not about_the_log(entry) and rule.hits(entry):
            start = max(ring.first, serial - rule.context)
            place = bisect_left(self.serials, start)
            shown = len(self.serials) - place
            if shown and self.serials[-1] != start + shown - 1:
                # A mark was shown before the lines around it were wanted.
                self._take_back(place, start)
                shown = 0
            for before in range(start + shown, serial):
                self._push(before, ring[before])
            self._push(serial, entry)
            self._until = serial + rule.context
        elif serial <= self._until or about_the_log(entry):
            self._push(serial, entry)

    def _take_back(self, place: int, start: int) -> None:
        for serial in self.serials[place:]:
            self._breaks.discard(serial)
        del self.serials[place:]
        del self._ends[place:]
        self.revised = start if self.revised is None else min(self.revised, start)

    def _push(self, serial: int, entry: LogEntry) -> None:
        rows = self._rows_of(entry)
        if self.rule and self.rule.context and self.serials and serial != self.serials[-1] + 1:
            self._breaks.add(serial)
            rows += 1
        self.serials.append(serial)
        self._ends.append((self._ends[-1] if self._ends else self._base) + rows)
