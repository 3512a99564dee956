"""The timeline on the whole screen: live events joined with recorded ones, which are read while nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from textual.worker import Worker

from cache.state.history import HistoryPage
from cache.state.past import Past
from cache.state.records import Place, Span
from services.model.incident import number_of
from services.model.ref import Ref, Resource
from services.model.source import CONNECTION
from services.model.timeline import Event, EventKind
from services.model.workload import Rollout
from services.ports import Changes, Snapshot
from tui.bindings import Command
from tui.console import Console
from tui.presenters.alert_past import is_of, past_key
from tui.presenters.deck import waiting_message
from tui.presenters.freshness import Freshness, Reading
from tui.presenters.lens import Lens
from tui.presenters.terms import Test
from tui.presenters.timeline import (
    OBJECTS,
    TABLE,
    WORKLOADS,
    Moment,
    in_scope,
    merged,
    moments,
    present_title,
    query_of,
)
from tui.presenters.view import View, picture_of
from tui.screens.table import TableScreen
from widgets.viewmodels import Face, PaneVM

PAGE = 300
"""Recorded events that are read at a time."""

MOST = 6000
"""Events on one screen; older ones are found by a filter, or by `quarterdeck timeline`."""

AHEAD = 40
"""Rows from the last one at which the next page is read."""

GAPS_EVERY = 60.0
DAY = 86_400.0


class TimelineScreen(TableScreen):
    """Every event, newest first. `enter` goes to what it is about."""

    def __init__(self, console: Console, view: View, place: Place | None = None) -> None:
        super().__init__(console, view, place)
        self._events: dict[str, Event] = {}
        self._gaps: tuple[Span, ...] = ()
        self._outside = 0
        self._gaps_at = float("-inf")
        self._oldest: Event | None = None
        self._more = console.past is not None
        self._reason = ""
        self._asked = ""
        self._test: Test | None = None
        self._reading: Worker[None] | None = None

    @property
    def past(self) -> Past | None:
        """What was recorded, None where history is off."""
        return self.console.past() if self.console.past is not None else None

    # What is shown

    def show_all(self) -> None:
        """Show what is known, and ask what was recorded."""
        self._take_live(self.console.feed.snapshot())
        super(TableScreen, self).show_all()
        self._show_moments()
        self._read()

    def take(self, changes: Changes) -> None:
        """Take new events."""
        if changes.events:
            self._take_live(changes.snapshot)
            self._show_moments()
        super(TableScreen, self).take(changes)
        self._show_pane()

    def tick(self) -> None:
        """Let a second pass; what nobody watched is asked for again now and then."""
        super().tick()
        if self.console.clock.monotonic() - self._gaps_at >= GAPS_EVERY:
            self._read()

    def _take_live(self, snapshot: Snapshot) -> None:
        self._events = merged(self._events, snapshot.events)

    def _show_moments(self) -> None:
        scope = in_scope(self.console.scope.test, self.console.feed.snapshot())
        inside = [event for event in self._events.values() if scope is None or scope(event)]
        self._outside = len(self._events) - len(inside)
        rows = moments(inside, self._gaps, self._test)
        self.driver.take(picture_of(TABLE, rows), None, self.console.clock.now())
        self._show_pane()

    def reading(self) -> Reading:
        """Return how far the newest part may be believed: as far as the connection."""
        return self.console.reading(CONNECTION)

    def _show_pane(self) -> None:
        reading = self.reading()
        shown = sum(1 for moment in self.driver.rows.values() if moment.event is not None)
        title, state = present_title(
            shown,
            len(self._events) - self._outside,
            words=self._words,
            more=self._more,
            reason=self._reason,
            reading=reading,
            lens=self.console.lens(),
            outside=self._outside,
        )
        face, message = self._face(reading, len(self.driver.rows), self.console.lens())
        self.pane.set_vm(PaneVM("", title, state, face, message))

    def _face(self, reading: Reading, shown: int, lens: Lens) -> tuple[Face, str]:
        if shown:
            return Face.DATA, ""
        if self._words:
            return Face.WAITING, f"none of {len(self._events):,} happenings matches /{lens.text(self._words)}."
        if reading.freshness is Freshness.FRESH or self._reason:
            return Face.WAITING, self._reason or f"{self.view.empty}."
        return Face.WAITING, waiting_message(reading, "happenings", lens)

    @property
    def _words(self) -> str:
        return f"is:bad {self._filter}".strip() if self._faults else self._filter

    # What was recorded

    def _read(self, further: bool = False) -> None:
        """Read a page of history on a thread: the newest, or the one after those that are known."""
        past = self.past
        if past is None or not self.is_attached or (further and len(self._events) >= MOST):
            return
        self._gaps_at = self.console.clock.monotonic()
        self._asked = self._words
        query = query_of(self._asked, PAGE, self._oldest if further else None)
        now = self.console.clock.now()

        async def ask() -> None:
            page = await asyncio.to_thread(past.events, query)
            oldest = page.events[-1].at if page.events else now - DAY
            since = min([oldest, *([self._oldest.at] if self._oldest is not None else [])])
            gaps = await asyncio.to_thread(past.gaps, min(since, now - DAY), now)
            self._take_page(page, gaps, further)

        self._reading = self.run_worker(ask, group="history", exclusive=True, exit_on_error=False)

    def _take_page(self, page: HistoryPage, gaps: tuple[Span, ...], further: bool) -> None:
        if not self.is_attached:
            return
        self._events = merged(self._events, page.events)
        self._gaps, self._reason = gaps, page.reason
        if further or self._oldest is None:
            self._more = page.more
            self._oldest = page.events[-1] if page.events else self._oldest
        self._show_moments()

    def _apply_filter(self) -> None:
        """Narrow what is known at once; what else was recorded and passes is asked for."""
        self._test, wrong = self.parse(self._words)
        self.bar.set_error(wrong)
        if self.is_attached:
            self._show_moments()
            self.driver.filter(None, None)  # the operator asked: what is left takes its place at once
        if self._asked != self._words:
            self._oldest, self._more = None, self.past is not None
            self._read()

    def do_faults(self) -> None:
        """Show only what was bad, or all again."""
        self._faults = not self._faults
        self._apply_filter()

    def cursor_moved(self) -> None:
        """Read further back when the end of what is known comes near."""
        order = self.driver.ordering.order
        near = self.table.cursor_key in order[-AHEAD:]
        if near and self._more and (self._reading is None or self._reading.is_finished):
            self._read(further=True)

    # What is under the cursor

    def target(self) -> tuple[View, Any] | None:
        """Return the event under the cursor; a day or a gap is nothing that could be opened."""
        found = super().target()
        return found if found is not None and found[1].event is not None else None

    def target_ref(self) -> tuple[Ref, Resource | None] | None:
        """Return the identity of what the event under the cursor is about."""
        found = self.target()
        return (found[0].ref(found[1]), None) if found is not None else None

    def no_target(self, command: Command) -> str:
        """Return why a command finds no event."""
        del command
        return "no happening is under the cursor"

    def why_not(self, command: Command) -> str | None:
        """Say why a command is off: not every event is about an object of the cluster."""
        found = self.target()
        if found is not None and command.id in ("describe", "yaml", "logs", "previous_logs", "explain"):
            moment: Moment = found[1]
            if moment.event is not None and moment.event.ref.kind not in OBJECTS:
                return "this is not about an object of the cluster"
        return super().why_not(command)

    def subject(self) -> object | None:
        """Return the workload that the event under the cursor is about."""
        found = self.target()
        return self._workload(found[0].ref(found[1])) if found is not None else None

    def _workload(self, ref: Ref) -> Rollout | None:
        rows: Mapping[str, Rollout] = self.console.feed.snapshot().tables.get("rollouts", {})
        return rows.get(f"{ref.kind}/{ref.key}")

    def do_open(self) -> None:
        """Go to what the event is about: the alert, the incident, the costs, the workload, or the object described."""
        found = self.target()
        if found is None:
            return
        event: Event = found[1].event
        ref = event.ref
        if event.kind is EventKind.ALERT:
            self._open_alert(event)
        elif ref.kind == "Incident":
            self.quarterdeck.open_incident(number_of(ref.name))
        elif ref.kind in WORKLOADS and (row := self._workload(ref)) is not None:
            self.quarterdeck.open_workload(row.ref)
        elif ref.kind in OBJECTS:
            self.quarterdeck.open_description(ref, None)
        elif event.kind is EventKind.COST:
            self.quarterdeck.open_view("costs")
        else:
            self.quarterdeck.say("this happening has no screen of its own")

    def _open_alert(self, event: Event) -> None:
        """Open the alert: as it is, as it was when it is over, else the table of those that bear its name."""
        alert = self.console.feed.snapshot().tables.get("alerts", {}).get(event.payload.get("alert", ""))
        if alert is not None and is_of(event, alert):
            self.quarterdeck.open_alert(alert)
            return

        def listed() -> None:
            self.quarterdeck.open_view("alerts", event.text.split(" ")[0])

        self.quarterdeck.open_over(past_key(event), listed)

    def do_explain(self) -> None:
        """Explain the workload it is about."""
        found = self.target_ref()
        row = self._workload(found[0]) if found is not None else None
        if row is not None:
            self.quarterdeck.explain(row.ref)
        else:
            self.do_describe()

    def _order_by(self, name: str) -> None:
        del name
        self.quarterdeck.say("the timeline stays in order of time, newest first")

    def do_sort_next(self) -> None:
        """Stay in the order of time."""
        self._order_by("")
