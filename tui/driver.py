"""Drives one live table: the feed's changes in, an order and rows on demand out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import structs

from services.model.ref import ref_of
from services.ports import Snapshot
from tui.presenters.lens import Lens
from tui.presenters.ordering import LARGE, Ordering
from tui.presenters.terms import Test
from tui.presenters.view import View
from widgets.live_table import LiveTable
from widgets.viewmodels import Column, Row, TableVM

EVERY = 15.0
"""Seconds between two looks at the ages of rows that show none below a minute."""

_SECONDS = re.compile(r"\d+s\b")

RowBuilder = Callable[[str, Any, Lens], Row]
NOTHING: Mapping[str, Any] = {}


class TableDriver:
    """Keeps a `LiveTable` equal to one live-state table, in order, filtered, scoped and frozen as asked.

    `tall` says how many detail lines an object's row has; `extra` may add rows of another making below the ordered ones
    (key -> row), such as a line that stands for the rest. Until the operator has been at the rows, the cursor stays on
    the first one. `on_filled`, where given, is called when a big table, which is ordered in helpings, has been shown.
    """

    on_filled: Callable[[], None] | None = None

    def __init__(
        self,
        widget: LiveTable,
        view: View,
        lens: Callable[[], Lens],
        *,
        columns: tuple[Column, ...] | None = None,
        row: RowBuilder | None = None,
        keep: Callable[[Any], bool] | None = None,
        extra: Callable[[], Mapping[str, Row]] | None = None,
        tall: Callable[[Any], int] | None = None,
    ) -> None:
        self.widget = widget
        self.view = view
        self.sort = view.first_rank
        self.reverse = False
        self.frozen_at = 0.0
        self.ordering = Ordering(view.ranks[self.sort], view.subject, keep, view.severity)
        self._columns = columns or view.columns
        self._row = row or view.row
        self._lens = lens
        self._extra = extra
        self._tall = tall
        self._rows: Mapping[str, Any] = NOTHING
        self._waiting: Snapshot | None = None
        self._pointed = False
        self._ticking: set[str] = set()
        self._shown_at = 0.0
        self._helpings: Iterator[None] | None = None
        self._missed: frozenset[str] | None = frozenset()

    @property
    def rows(self) -> Mapping[str, Any]:
        """The live rows, filtered or not."""
        return self._rows

    def take(self, snapshot: Snapshot, changed: frozenset[str] | None, now: float) -> None:
        """Take the feed's changes; `changed` None means everything may have changed."""
        if self.frozen_at:
            self._waiting = snapshot
            return
        self._rows = snapshot.tables.get(self.view.table, NOTHING)
        if self._helpings is not None:
            self._missed = None if self._missed is None or changed is None else self._missed | changed
        elif len(self._rows if changed is None else changed) > LARGE and not self.ordering.held(now):
            self._helpings, self._missed = self.ordering.in_helpings(self._rows), frozenset()
            self._next_helping(self._helpings)
        else:
            self.ordering.update(self._rows, changed, now)
            self.show(changed)

    def _next_helping(self, helpings: Iterator[None]) -> None:
        """Order some more of a big table and let the loop turn in between; what came meanwhile is taken at the end."""
        if helpings is not self._helpings:
            return
        if next(helpings, self) is None:
            asyncio.get_running_loop().call_soon(self._next_helping, helpings)
            return
        self._helpings = None
        if self._missed is None or self._missed:
            self.ordering.update(self._rows, self._missed, self._lens().now)
        self.show(None)
        if self.on_filled is not None:
            self.on_filled()

    def _anew(self) -> None:
        """Give up ordering in helpings: the operator asked for another order, which comes at once."""
        if self._helpings is not None:
            self._helpings = None
            self.ordering.update(self._rows, None, 0.0)

    def refresh(self, now: float) -> None:
        """Let time pass: ages move on, a held order is let go when its time is over."""
        if self.frozen_at:
            return
        if self.ordering.due(now):
            self.ordering.release()
            self.show(None)
        elif now - self._shown_at >= EVERY:
            self.show(None)
        elif ticking := self._ticking.intersection(self.widget.visible_keys):
            self.show(frozenset(ticking))

    def reconsider(self) -> None:
        """Look at every row again (what to keep may depend on the time)."""
        if not self.frozen_at and self._helpings is None:
            self.ordering.update(self._rows, None, 0.0)
            self.show(None)

    def filter(self, test: Test | None, scope: Test | None) -> None:
        """Show only these rows."""
        self._anew()
        self.ordering.show_only(test, scope)
        self.show(None)

    def order_by(self, name: str) -> bool:
        """Sort by a named order, reversed when it is the present one; False where the view has no such order."""
        rank = self.view.ranks.get(name)
        if rank is None:
            return False
        self.reverse = not self.reverse if name == self.sort else False
        self.sort = name
        self._anew()
        self.ordering.sort_by(rank, self.reverse)
        self.show(None)
        return True

    def next_order(self) -> str:
        """Sort by the next of the view's orders; returns its name."""
        names = list(self.view.ranks)
        name = names[(names.index(self.sort) + 1) % len(names)]
        self.order_by(name)
        return name

    def release(self) -> None:
        """Let held rows take their places now."""
        self.ordering.release()
        self.show(None)

    def freeze(self, now: float) -> None:
        """Hold the display still, or let it go on with all that has come since."""
        if not self.frozen_at:
            self._anew()
            self.frozen_at = now
            return
        self.frozen_at = 0.0
        if self._waiting is not None:
            snapshot, self._waiting = self._waiting, None
            self.take(snapshot, None, now)

    def point_at(self, key: str) -> None:
        """Put the cursor on a row and leave it there."""
        self._pointed = self.widget.select(key) or self._pointed

    def change_view(self, view: View) -> None:
        """Show the same rows with other columns (a kind whose columns have come)."""
        self.view, self._columns, self._row = view, view.columns, view.row
        self.show(None)

    def object(self, key: str | None) -> Any:  # noqa: ANN401 - objects of every kind
        """Return the object of a row, None where there is none."""
        return self.ordering.object(key) if key is not None else None

    def show(self, changed: frozenset[str] | None) -> None:
        """Hand the table its view-model."""
        lens = self._lens()
        if changed is None:
            self._ticking.clear()
            self._shown_at = lens.now
        extra = dict(self._extra()) if self._extra is not None else {}
        order = self.ordering.order

        def row(key: str) -> Row:
            added = extra.get(key)
            if added is not None:
                return added
            obj = self.ordering.object(key)
            if obj is None:
                return Row(key, ())
            built = self._row(key, obj, lens)
            (self._ticking.add if ticks(built) else self._ticking.discard)(key)
            identity = ref.uid if (ref := ref_of(obj)) is not None else ""
            return structs.replace(built, identity=identity, dimmed=built.dimmed or key not in self._rows)

        if extra:
            order = [*order, *extra]
            changed = changed | frozenset(extra) if changed is not None else None
        column = self.sort if any(one.key == self.sort for one in self._columns) else ""
        self.widget.set_vm(
            TableVM(self._columns, order, row, self._heights(), (column, self.reverse), self.view.empty), changed
        )
        if order and not self._pointed and not self.ordering.touched and self.widget.cursor_key != order[0]:
            self.widget.select(order[0], asked=False)

    def _heights(self) -> dict[str, int]:
        if self._tall is None:
            return {}
        objects = ((key, self.ordering.object(key)) for key in self.ordering.order)
        return {key: lines for key, obj in objects if obj is not None and (lines := self._tall(obj))}


def ticks(row: Row) -> bool:
    """Return whether a row shows seconds, and so looks different a second later."""
    return any(_SECONDS.search(span.text) for spans in (row.cells, *row.details) for span in spans)
