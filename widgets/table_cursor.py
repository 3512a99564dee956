"""Whose row the cursor is on: a key, never a position, so that no reorder can aim a key press at another thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def successor(key: str, old: Sequence[str], old_index: int, new: Mapping[str, int]) -> str | None:
    """Return the key the cursor goes to when the order changes.

    The key itself while it is there; else the nearest key after it in the old order that is still there (the row that
    moved up into its place); else the nearest before it; else the first of the new order; None when that is empty.
    """
    if key in new:
        return key
    for candidate in old[old_index + 1 :]:
        if candidate in new:
            return candidate
    for position in range(min(old_index, len(old)) - 1, -1, -1):
        if old[position] in new:
            return old[position]
    return next(iter(new), None)


class KeyCursor:
    """The order of keys with the cursor and the marks on it.

    `key` is where the cursor is and `chosen` the key that the operator last chose: they differ after the chosen row
    went away, until the next move. `aim` is what a key press acts upon: the key seen under the cursor, which after a
    change of the data stays the one still on screen until `painted` says that the new one is.
    """

    __slots__ = ("aim", "chosen", "index_of", "key", "marks", "order")

    def __init__(self) -> None:
        self.order: Sequence[str] = ()
        self.index_of: Mapping[str, int] = {}
        self.key: str | None = None
        self.chosen: str | None = None
        self.aim: str | None = None
        self.marks: frozenset[str] = frozenset()

    @property
    def index(self) -> int:
        """Return where the cursor's key is in the order, or -1 when there is no row."""
        return -1 if self.key is None else self.index_of[self.key]

    @property
    def lost(self) -> str | None:
        """Return the key that was chosen and is gone, or None while the cursor is where the operator put it."""
        return self.chosen if self.chosen != self.key else None

    def reorder(self, order: Sequence[str]) -> bool:
        """Take another order; return whether the cursor had to leave its key. Marks of keys that are gone go too."""
        index_of = {key: index for index, key in enumerate(order)}
        before = self.key
        if before is None:
            self.key = self.chosen if self.chosen in index_of else next(iter(index_of), None)
            self.chosen = self.key if self.chosen is None else self.chosen
        else:
            self.key = successor(before, self.order, self.index_of[before], index_of)
        self.order, self.index_of = order, index_of
        if self.marks:
            self.marks = frozenset(mark for mark in self.marks if mark in index_of)
        return self.key != before

    def choose(self, key: str) -> bool:
        """Put the cursor on a key of the order, by the operator's wish; return whether it moved."""
        if key not in self.index_of:
            return False
        moved = key != self.key or self.chosen != key
        self.key = self.chosen = self.aim = key
        return moved

    def step(self, rows: int) -> bool:
        """Move the cursor by a number of rows, at most to the first or last; return whether it moved."""
        if self.key is None:
            return False
        index = max(0, min(len(self.order) - 1, self.index + rows))
        return self.choose(self.order[index])

    def painted(self) -> None:
        """Note that the row under the cursor is on screen."""
        self.aim = self.key

    def mark(self) -> bool:
        """Mark the row aimed at, or take its mark away; return whether there was one to mark."""
        key = self.aim
        if key is None or key not in self.index_of:
            return False
        self.marks = self.marks ^ {key}
        return True

    def clear_marks(self) -> bool:
        """Take all marks away; return whether there were any."""
        had, self.marks = bool(self.marks), frozenset()
        return had
