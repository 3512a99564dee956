"""The control room: rollouts, alerts, costs and incidents side by side, or one of them on a small screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container

from cache.state.records import Place
from services.model.cluster import Symptom
from services.model.severity import Severity
from services.model.workload import Rollout
from services.ports import Changes
from tui.bindings import Command
from tui.console import Console
from tui.driver import TableDriver
from tui.presenters import rollouts
from tui.presenters.deck import (
    QUIET,
    present_quiet_pane,
    present_rollouts_pane,
    present_strip,
    present_symptoms_pane,
    present_timeline,
    present_too_small,
)
from tui.presenters.detail import present_detail
from tui.presenters.symptoms import SYMPTOMS_VIEW
from tui.presenters.timeline import in_scope
from tui.screens.cursor import CursorScreen
from widgets.bars import FooterBar, HeaderBar, PaneStrip, TimelineStrip
from widgets.live_table import LiveTable
from widgets.pane import Pane, PaneSentence
from widgets.text_view import TextView
from widgets.viewmodels import LABEL_CELLS, Line, PaneVM, Row, Span, TextVM, Tone

if TYPE_CHECKING:
    from tui.presenters.view import View
    from tui.screens.alert_pane import AlertPane
    from tui.screens.sides import Sides

HEALTHY = "\x00healthy"
"""The key of the row that stands for all healthy workloads; no object's key begins with NUL."""


FEW = 13
"""Lines in the upper panes up to which the detail is as high as they are."""


class DeckScreen(CursorScreen):
    """The four panes, the strip of their counts, the timeline and the detail of the row under the cursor."""

    place: ClassVar[str] = "deck"
    STYLED = (HeaderBar, PaneStrip, Container, TimelineStrip, FooterBar, Pane, PaneSentence, LiveTable, TextView)

    def __init__(self, console: Console, place: Place | None = None) -> None:
        super().__init__(console)
        self.active = "1" if console.scope.context else "2"
        self.expanded = False
        self.strip = PaneStrip(id="strip")
        self.timeline = TimelineStrip(id="timeline")
        self.rollouts = LiveTable(id="rollouts")
        self.symptoms = LiveTable(id="symptoms")
        self.detail = TextView(id="detail-text", wrap=True, hang=LABEL_CELLS, focusable=False)
        self.detail_pane = Pane(self.detail, id="detail")
        self.panes = {
            "1": Pane(self.rollouts, id="pane-1"),
            "2": Pane(self.symptoms, id="pane-2"),
            "3": Pane(id="pane-3"),
            "4": Pane(id="pane-4"),
        }
        self.panes[self.active].add_class("-active")
        self._come_back = place
        self._sides: Sides | None = None
        self.alerts: AlertPane | None = None
        self._drivers = {
            "1": TableDriver(
                self.rollouts,
                rollouts.VIEW,
                console.lens,
                columns=rollouts.PANE_COLUMNS,
                row=rollouts.present_pane_row,
                keep=self._listed,
                extra=self._healthy_row,
                tall=rollouts.detail_lines,
            ),
            "2": TableDriver(self.symptoms, SYMPTOMS_VIEW, console.lens),
        }

    def compose(self) -> ComposeResult:
        """Lay out header, strip, panes, timeline and footer; the size classes decide what is seen.

        The tables are filled first: how many rows they have decides how everything is styled.
        """
        for driver in self._drivers.values():
            driver.filter(None, self.console.scope.test)
        self._take_all()
        self._make_room()
        yield self.header
        yield self.strip
        with Container(id="grid"):
            yield self.panes["1"]
            yield self.panes["2"]
            yield self.detail_pane
            yield self.panes["3"]
            yield self.panes["4"]
        yield self.timeline
        yield self.footer

    def begin(self) -> None:
        """Show what is known."""
        self._activate(self.active)
        super().begin()
        if self._come_back is not None and self._come_back.cursor:
            self._drivers["1"].point_at(self._come_back.cursor)

    @property
    def driver(self) -> TableDriver | None:
        """The table of the active pane."""
        return self._drivers.get(self.active)

    def _listed(self, rollout: Rollout) -> bool:
        """Return whether a workload stands in the pane: in trouble, changing, flapping, or only just recovered."""
        if rollout.severity <= Severity.NOTICE or rollout.flapping:
            return True
        return bool(rollout.recovered_at) and rollouts.recovering(rollout, self.console.lens())

    def _healthy_row(self) -> Mapping[str, Row]:
        ordering = self._drivers["1"].ordering
        rest = ordering.total - sum(1 for key in ordering.order if key not in ordering.gone)
        if rest <= 0:
            return {}
        lens = self.console.lens()
        cells = (lens.badge(Severity.OK), Span(f"{rest:,} healthy", Tone.MUTED))
        return {HEALTHY: Row(HEALTHY, cells)}

    def show_all(self) -> None:
        """Show every pane anew."""
        self._look_for_alerts()
        self._take_all()
        if self.alerts is not None:
            self.alerts.show_all()
        super().show_all()
        self._show_panes()
        self._show_timeline()

    def _take_all(self) -> None:
        """Take all rows that there are, but the alerts, which are taken by their pane."""
        snapshot, now = self.console.feed.snapshot(), self.console.clock.now()
        for driver in self._drivers.values():
            if self.alerts is None or driver is not self.alerts.driver:
                driver.take(snapshot, None, now)

    def take(self, changes: Changes) -> None:
        """Take what has changed."""
        now = self.console.clock.now()
        if changes.sources:
            self._look_for_alerts()
        if self.alerts is not None:
            self.alerts.take(changes)
        for driver in self._drivers.values():
            if driver.view.table in changes.keys and (self.alerts is None or driver is not self.alerts.driver):
                driver.take(changes.snapshot, changes.keys[driver.view.table], now)
        super().take(changes)
        self._show_panes()
        if changes.events or "gaps" in changes.keys:
            self._show_timeline()

    def tick(self) -> None:
        """Let a second pass."""
        super().tick()
        now = self.console.clock.now()
        if int(now) % 10 == 0:
            self._drivers["1"].reconsider()
        for driver in self._drivers.values():
            driver.refresh(now)
        self._show_panes()

    def _look_for_alerts(self) -> None:
        """Give pane 2 to the alerts as soon as a server is asked for them; until then nothing of them is loaded."""
        if self.alerts is None and self.console.summary().evidence is not None:
            from tui.screens.alert_pane import AlertPane

            self.alerts = AlertPane(self.console, self.panes["2"])
            self._drivers["2"] = self.alerts.driver
            if self.active == "2":
                self.alerts.table.focus()

    def target(self) -> tuple[View, Any] | None:
        """Return what is under the cursor; a group of alerts stands for its lead."""
        target = super().target()
        if target is None or self.alerts is None or self.active != "2":
            return target
        from tui.presenters.alerts import ALERTS_VIEW

        return ALERTS_VIEW, self.alerts.lead(target[1])

    def acted_on(self) -> object | None:
        """Return a group of alerts as a whole: one acknowledgement is for all of it."""
        target = super().target() if self.active == "2" and self.alerts is not None else None
        return target[1] if target is not None else super().acted_on()

    def _show_panes(self) -> None:
        lens, summary = self.console.lens(), self.console.summary()
        ordering = self._drivers["1"].ordering
        self.panes["1"].set_vm(present_rollouts_pane(summary, summary.reading, len(ordering.order), lens))
        if self.alerts is not None:
            self.alerts.show()
        else:
            self.panes["2"].set_vm(present_symptoms_pane(summary, self._unseen(), lens))
        sides = self._show_sides()
        tiny = self.has_class("-tiny") or self.has_class("-flat")
        strip = present_too_small(summary, lens) if tiny else present_strip(summary, self.active, lens, sides)
        self.strip.set_vm(strip)
        self._make_room()
        self._show_detail()

    def _make_room(self) -> None:
        """Give the detail more lines where those above it have few; a row more or less moves nothing."""
        tables = (self.rollouts, self.symptoms if self.alerts is None else self.alerts.table)
        most = FEW + 2 if self.has_class("-few") else FEW
        self.set_class(max(table.needed for table in tables) <= most, "-few")

    def _show_sides(self) -> tuple[Line, Line]:
        """Show costs and incidents, with what they need loaded once there is something of them; returns the strip's."""
        if self._sides is None:
            snapshot = self.console.feed.snapshot()
            if "costs" not in snapshot.sources and "incidents" not in snapshot.sources:
                for number in ("3", "4"):
                    self.panes[number].set_vm(present_quiet_pane(number))
                return QUIET
            from tui.screens.sides import Sides

            self._sides = Sides(self.console, self.panes["3"], self.panes["4"], self._drivers)
        return self._sides.show()

    def on_resize(self) -> None:
        """The detail is shown where there is room."""
        self.call_after_refresh(self._show_detail)

    def _unseen(self) -> list[str]:
        """Return the tables that symptoms are read from and that cannot be read now."""
        sources = SYMPTOMS_VIEW.sources
        return [table for table in sources if not self.console.reading(f"kubernetes/{table}").trusted]

    def _show_detail(self) -> None:
        if not self.detail_pane.display:
            return
        target = self.target()
        lens = self.console.lens()
        if target is not None and isinstance(target[1], Rollout):
            detail = present_detail(target[1], self.console.feed.snapshot(), lens)
        elif (found := self._other_detail(target[1] if target is not None else None)) is not None:
            detail = found
        else:
            detail = TextVM((Span("Detail", Tone.MUTED),), ())
        self.detail.set_vm(TextVM((), detail.lines))
        self.detail_pane.set_vm(PaneVM("", detail.title))

    def _other_detail(self, row: Any) -> TextVM | None:  # noqa: ANN401 - rows of every pane
        """Return the detail of an alert, of what costs, or of an incident."""
        if self.alerts is not None and (found := self.alerts.detail(row)) is not None:
            return found
        if self._sides is None:
            return None
        return self._sides.cost_detail() if self.active == "3" else self._sides.detail(row) if row is not None else None

    def _show_timeline(self) -> None:
        snapshot = self.console.feed.snapshot()
        known = self.console.summary().reading.trusted
        gaps = tuple(snapshot.tables.get("gaps", {}).values())
        scope = in_scope(self.console.scope.test, snapshot)
        self.timeline.set_vm(present_timeline(snapshot.events, self.console.lens(), known, gaps=gaps, scope=scope))

    def set_scope(self) -> None:
        """Take the console's new scope."""
        for driver in self._drivers.values():
            driver.filter(None, self.console.scope.test)
        self.show_all()

    def cursor_moved(self) -> None:
        """The detail follows the cursor."""
        self._show_detail()

    def anew(self) -> DeckScreen:
        """Return the control room with the same pane and row."""
        made = DeckScreen(self.console, self.where())
        made.active, made.expanded = self.active, self.expanded
        return made

    def where(self) -> Place:
        """Return the control room and the row under the cursor."""
        return self.console.kept(Place(view="deck", cursor=self.rollouts.cursor_key or ""))

    def _activate(self, number: str) -> None:
        self.active = number
        for name, pane in self.panes.items():
            pane.set_class(name == number, "-active")
        self.set_class(self.expanded, "-expanded")
        self.set_class(number in ("3", "4"), "-side")
        driver = self._drivers.get(number)
        if driver is not None:
            driver.widget.focus()
        else:
            self.set_focus(None)

    def _go_to_pane(self, number: str) -> None:
        self._activate(number)
        self._show_panes()
        self.show_footer()

    def no_target(self, command: Command) -> str:
        """Say why a row that stands for others cannot be asked."""
        if command.id == "open" and (self.active == "4" or self.rollouts.target_key == HEALTHY):
            return ""
        return "no row is under the cursor"

    def do_open(self) -> None:
        """Open what is under the cursor: the healthy workloads' table, a symptom's view, a workload."""
        if self.active == "1" and self.rollouts.target_key == HEALTHY:
            self.quarterdeck.open_view("rollouts")
            return
        target: tuple[Any, Any] | None = self.target()
        if self.active == "3" or (self.active == "4" and target is None):
            self.quarterdeck.open_view("costs" if self.active == "3" else "incidents")
            return
        if target is not None and isinstance(target[1], Symptom):
            self.quarterdeck.open_view(target[1].view or "events", "is:bad")
            return
        super().do_open()

    def do_expand(self) -> None:
        """Give the active pane the whole screen, or put it back."""
        self.expanded = not self.expanded
        self._activate(self.active)

    def do_pane_1(self) -> None:
        """Go to the rollouts."""
        self._go_to_pane("1")

    def do_pane_2(self) -> None:
        """Go to the alerts."""
        self._go_to_pane("2")

    def do_pane_3(self) -> None:
        """Go to the costs."""
        self._go_to_pane("3")

    def do_pane_4(self) -> None:
        """Go to the incidents."""
        self._go_to_pane("4")

    def do_filter(self) -> None:
        """Filter on the full table of workloads, where there is room for it."""
        self.quarterdeck.open_view("rollouts")
        self.quarterdeck.call_after_refresh(self.quarterdeck.begin_filter)

    def do_back(self) -> None:
        """Take marks away, put an expanded pane back; the control room is where all ways end."""
        if self.clear_marks():
            return
        if self.expanded:
            self.do_expand()
        else:
            self.quarterdeck.say(f"this is the control room; {self.console.keymap.key('quit')} leaves")
