"""The control room: rollouts, alerts, costs and incidents side by side, or one of them on a small screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container

from cache.state.records import Place
from services.model.cluster import Symptom
from services.ports import Changes
from tui.bindings import Command
from tui.console import Console
from tui.driver import TableDriver
from tui.presenters.deck import present_strip, present_timeline, present_too_small
from tui.presenters.timeline import in_scope
from tui.screens.cursor import CursorScreen
from tui.screens.deck_panes import DeckPanes
from widgets.bars import FooterBar, HeaderBar, PaneStrip, TimelineStrip
from widgets.live_table import LiveTable
from widgets.pane import Pane, PaneSentence
from widgets.text_view import TextView
from widgets.viewmodels import LABEL_CELLS, PaneVM, TextVM

if TYPE_CHECKING:
    from tui.presenters.view import View

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
        self.detail = TextView(id="detail-text", wrap=True, hang=LABEL_CELLS, focusable=False)
        self.detail_pane = Pane(self.detail, id="detail")
        self.contents = DeckPanes(console)
        self.panes = self.contents.panes
        self.panes[self.active].add_class("-active")
        self._come_back = place

    def compose(self) -> ComposeResult:
        """Lay out header, strip, panes, timeline and footer; the size classes decide what is seen.

        The tables are filled first: how many rows they have decides how everything is styled.
        """
        self.contents.take_scope()
        self.contents.take_all()
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
            self.contents.drivers["1"].point_at(self._come_back.cursor)

    @property
    def driver(self) -> TableDriver | None:
        """The table of the active pane."""
        return self.contents.drivers.get(self.active)

    def show_all(self) -> None:
        """Show every pane anew."""
        self._look_for_alerts()
        self.contents.take_all()
        if self.contents.alerts is not None:
            self.contents.alerts.show_all()
        super().show_all()
        self._show_panes()
        self._show_timeline()

    def take(self, changes: Changes) -> None:
        """Take what has changed."""
        if changes.sources:
            self._look_for_alerts()
        self.contents.take(changes)
        super().take(changes)
        self._show_panes()
        if changes.events or "gaps" in changes.keys:
            self._show_timeline()

    def tick(self) -> None:
        """Let a second pass."""
        super().tick()
        self.contents.tick()
        self._show_panes()

    def _look_for_alerts(self) -> None:
        """Let the alerts have pane 2 as soon as there are some, and the keys with it."""
        if self.contents.look_for_alerts() and self.active == "2":
            self._focus()

    def target(self) -> tuple[View, Any] | None:
        """Return what is under the cursor; a group of alerts stands for its lead."""
        target = super().target()
        alerts = self.contents.alerts
        if target is None or alerts is None or self.active != "2":
            return target
        from tui.presenters.alerts import ALERTS_VIEW

        return ALERTS_VIEW, alerts.lead(target[1])

    def acted_on(self) -> object | None:
        """Return a group of alerts as a whole: one acknowledgement is for all of it."""
        target = super().target() if self.active == "2" and self.contents.alerts is not None else None
        return target[1] if target is not None else super().acted_on()

    def _show_panes(self) -> None:
        lens, summary = self.console.lens(), self.console.summary()
        sides = self.contents.show(summary, lens)
        tiny = self.has_class("-tiny") or self.has_class("-flat")
        strip = present_too_small(summary, lens) if tiny else present_strip(summary, self.active, lens, sides)
        self.strip.set_vm(strip)
        self._make_room()
        self._show_detail()

    def _make_room(self) -> None:
        """Give the detail more lines where those above it have few; a row more or less moves nothing."""
        most = FEW + 2 if self.has_class("-few") else FEW
        self.set_class(self.contents.needed <= most, "-few")

    def on_resize(self) -> None:
        """The detail is shown where there is room."""
        self.call_after_refresh(self._show_detail)

    def _show_detail(self) -> None:
        if not self.detail_pane.display:
            return
        target = self.target()
        row = target[1] if target is not None else None
        detail = self.contents.detail(self.active, row, self.console.lens())
        self.detail.set_vm(TextVM((), detail.lines))
        self.detail_pane.set_vm(PaneVM("", detail.title))

    def _show_timeline(self) -> None:
        snapshot = self.console.feed.snapshot()
        known = self.console.summary().reading.trusted
        gaps = tuple(snapshot.tables.get("gaps", {}).values())
        scope = in_scope(self.console.scope.test, snapshot)
        self.timeline.set_vm(present_timeline(snapshot.events, self.console.lens(), known, gaps=gaps, scope=scope))

    def set_scope(self) -> None:
        """Take the console's new scope."""
        self.contents.take_scope()
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
        return self.console.kept(Place(view="deck", cursor=self.contents.rollouts.cursor_key or ""))

    def _activate(self, number: str) -> None:
        self.active = number
        for name, pane in self.panes.items():
            pane.set_class(name == number, "-active")
        self.set_class(self.expanded, "-expanded")
        self.set_class(number in ("3", "4"), "-side")
        self._focus()

    def _focus(self) -> None:
        """Give the keys to the active pane's table, where it has one."""
        if self.driver is not None:
            self.driver.widget.focus()
        else:
            self.set_focus(None)

    def _go_to_pane(self, number: str) -> None:
        self._activate(number)
        self._show_panes()
        self.show_footer()

    def no_target(self, command: Command) -> str:
        """Say why a row that stands for others cannot be asked."""
        if command.id == "open" and (self.active == "4" or self.contents.on_healthy):
            return ""
        return "no row is under the cursor"

    def do_open(self) -> None:
        """Open what is under the cursor: the healthy workloads' table, a symptom's view, a workload."""
        if self.active == "1" and self.contents.on_healthy:
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
