"""One table on the whole screen: pods, nodes, jobs, events, or any kind the server knows."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult

from cache.state.records import Place
from services.model.severity import Severity
from services.model.source import CONNECTION
from services.ports import Changes
from tui.console import Console
from tui.driver import TableDriver
from tui.presenters.deck import waiting_message
from tui.presenters.freshness import Freshness, Reading, present_state, worst
from tui.presenters.generic import INFO_TABLE, generic_view
from tui.presenters.lens import TONES, Lens
from tui.presenters.view import View
from tui.screens.cursor import CursorScreen
from widgets.live_table import LiveTable
from widgets.pane import Pane
from widgets.prompt import FilterBar
from widgets.viewmodels import Face, PaneVM, Span, Tone


class TableScreen(CursorScreen):
    """A view on the whole screen, with its filter at the bottom."""

    place = "table"

    def __init__(self, console: Console, view: View, place: Place | None = None) -> None:
        super().__init__(console)
        self.view = view
        self.table = LiveTable(id="table")
        self.pane = Pane(self.table, id="pane")
        self.bar = FilterBar(id="filter")
        self._driver = TableDriver(self.table, view, console.lens)
        self._driver.on_filled = self._show_pane
        self._filter = place.filter if place is not None else ""
        self._faults = False
        self._come_back = place

    @property
    def driver(self) -> TableDriver:
        """The table."""
        return self._driver

    def compose(self) -> ComposeResult:
        """Lay out header, table, filter and footer."""
        yield self.header
        yield self.pane
        yield self.bar
        yield self.footer

    def begin(self) -> None:
        """Show what is known, as it was left."""
        self.bar.display = False
        self._apply_filter()
        super().begin()
        if self._come_back is not None:
            if self._come_back.sort and self._come_back.sort != self.driver.sort:
                self.driver.order_by(self._come_back.sort)
            if self._come_back.cursor:
                self.driver.point_at(self._come_back.cursor)
        self.table.focus()

    def show_all(self) -> None:
        """Show the whole table anew."""
        self._take_columns(self.console.feed.snapshot().tables.get(INFO_TABLE, {}))
        self.driver.take(self.console.feed.snapshot(), None, self.console.clock.now())
        super().show_all()
        self._show_pane()

    def take(self, changes: Changes) -> None:
        """Take what has changed, if it is of this table."""
        if INFO_TABLE in changes.keys:
            self._take_columns(changes.snapshot.tables.get(INFO_TABLE, {}))
        if self.view.table in changes.keys:
            self.driver.take(changes.snapshot, changes.keys[self.view.table], self.console.clock.now())
        super().take(changes)
        self._show_pane()

    def tick(self) -> None:
        """Let a second pass."""
        super().tick()
        self.driver.refresh(self.console.clock.now())
        self._show_pane()

    def _take_columns(self, infos: object) -> None:
        if self.view.resource is None or not isinstance(infos, Mapping):
            return
        info = infos.get(self.view.resource.table)
        if info is not None and len(self.view.columns) <= 1:
            self.view = generic_view(self.view.resource, info)
            self.driver.change_view(self.view)

    def reading(self) -> Reading:
        """Return how far this table may be believed: its own source and the connection."""
        readings = [self.console.reading(CONNECTION)]
        readings += [self.console.reading(f"kubernetes/{table}") for table in self.view.sources]
        known = self.console.feed.snapshot().sources
        optional = (f"kubernetes/{table}" for table in self.view.optional)
        readings += [self.console.reading(source) for source in optional if source in known]
        return worst(readings)

    def _show_pane(self) -> None:
        lens = self.console.lens()
        ordering, reading = self.driver.ordering, self.reading()
        shown = len(ordering.order)
        title = [Span(self.view.title, Tone.STRONG), lens.dash(), Span(f"{shown:,}", Tone.STRONG)]
        if self._filter or self._faults:
            narrowed = lens.text(self._filter) or "is:bad"
            title.append(Span(f" of {ordering.total:,}  /{narrowed}", Tone.KEY))
        title += [
            Span(f"  {lens.shape(severity)}{count}", TONES[severity])
            for severity in (Severity.CRIT, Severity.WARN)
            if (count := ordering.counts.get(severity))
        ]
        hidden = sum(ordering.hidden.values())
        if hidden:
            title.append(Span(f"  {hidden:,} outside the scope", Tone.NOTICE))
        state = list(present_state(reading, lens))
        own = f"kubernetes/{self.view.sources[0]}" if self.view.sources else ""
        status = self.console.feed.snapshot().sources.get(own)
        if status is not None and reading.freshness is Freshness.LOADING and status.loaded:
            state.append(
                Span(f" {status.loaded:,} of {status.total or '?':,}" if status.total else f" {status.loaded:,}")
            )
        if status is not None and status.quarantined:
            state.append(Span(f" {status.quarantined} unreadable", Tone.WARN))
        face, message = self._face(reading, shown, lens)
        trusted = reading.trusted or (reading.freshness is Freshness.LOADING and reading.last_ok == 0)
        self.pane.set_vm(PaneVM("", tuple(title), tuple(state), face, message, stale=shown > 0 and not trusted))

    def _face(self, reading: Reading, shown: int, lens: Lens) -> tuple[Face, str]:
        if reading.freshness is Freshness.FAILED:
            return Face.FAILED, waiting_message(reading, f"{self.view.noun}s", lens)
        if shown:
            return Face.DATA, ""
        if reading.trusted:
            total = self.driver.ordering.total
            empty = (
                f"none of {total:,} matches /{lens.text(self._filter)}" if total and self._filter else self.view.empty
            )
            return Face.WAITING, f"{empty}."
        return Face.WAITING, waiting_message(reading, f"{self.view.noun}s", lens)

    def anew(self) -> TableScreen:
        """Return the table with the same filter, order and row."""
        made = type(self)(self.console, self.view, self.where())
        made._faults = self._faults
        return made

    def where(self) -> Place:
        """Return the view and what is narrowed in it."""
        return self.console.kept(
            Place(
                view=self.view.id,
                filter=self._filter,
                sort=self.driver.sort,
                descending=self.driver.reverse,
                cursor=self.table.cursor_key or "",
            )
        )

    def do_filter(self) -> None:
        """Open the filter."""
        self.bar.open(self._filter)

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """Filter as the operator types.

        Textual calls the handlers of a class and of all its bases: what another one filters goes into `_apply_filter`.
        """
        _, wrong = self.parse(message.text)
        self.bar.set_error(wrong)
        if not wrong:
            self._set_filter(message.text)

    def on_filter_bar_submitted(self, message: FilterBar.Submitted) -> None:
        """Keep the filter and go back to the rows."""
        del message
        self.bar.close()
        self.table.focus()
        self.show_footer()

    def on_filter_bar_cancelled(self, message: FilterBar.Cancelled) -> None:
        """Drop the filter and go back to the rows."""
        del message
        self.bar.close()
        self._set_filter("")
        self.table.focus()

    def _set_filter(self, text: str) -> None:
        self._filter = text
        self._apply_filter()
        self._show_pane()

    def _apply_filter(self) -> None:
        test, _ = self.parse("is:bad " + self._filter if self._faults else self._filter)
        self.driver.filter(test, self.console.scope.test)

    def set_scope(self) -> None:
        """Take the console's new scope."""
        self._apply_filter()
        self.show_all()

    def do_faults(self) -> None:
        """Show only rows with a fault, or all again."""
        self._faults = not self._faults
        self._apply_filter()
        self._show_pane()

    def do_back(self) -> None:
        """Take marks away first, clear the filter then, then leave."""
        if self.clear_marks():
            return
        if self._filter or self._faults:
            self._faults = False
            self._set_filter("")
        else:
            super().do_back()
