"""What every screen with a live table does with the thing under the cursor."""

from __future__ import annotations

from typing import Any

from services.actions.registry import BY_ID
from services.model.action import Altered
from services.model.alert import Alert
from services.model.cost import CostLine
from services.model.incident import Incident
from services.model.ref import Ref, Resource
from services.model.workload import Pod, Rollout
from tui.bindings import Command
from tui.driver import TableDriver
from tui.presenters.terms import FilterError, Test, parse_filter
from tui.presenters.view import View
from tui.screens.base import BaseScreen
from widgets.live_table import LiveTable
from widgets.viewmodels import Line, Span, Tone

NEEDS_ROW = frozenset({"open", "explain", "describe", "yaml", "logs", "previous_logs", "mark", "copy"})
ALERT = "Alert"
OF_ALERTING = frozenset({ALERT, "Silence", "Peer"})
"""Kinds of rows that are no objects of the cluster, though an alert's labels may name one."""
HAS_LOGS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Rollout", "Pod", "Job", "ReplicaSet"})


class CursorScreen(BaseScreen):
    """A screen with one table in use at a time."""

    @property
    def driver(self) -> TableDriver | None:
        """The table in use."""
        return None

    def target(self) -> tuple[View, Any] | None:
        """Return the view and the object of the row that is seen under the cursor."""
        driver = self.driver
        if driver is None or not driver.ordering.order:
            return None  # a table without rows is not painted, and still aims at what it showed last
        obj = driver.object(driver.widget.target_key)
        return (driver.view, obj) if obj is not None else None

    def _row(self) -> Any:  # noqa: ANN401 - objects of every kind
        target = self.target()
        return target[1] if target is not None else None

    def target_ref(self) -> tuple[Ref, Resource | None] | None:
        """Return the identity and the kind of the thing under the cursor."""
        target = self.target()
        if target is None:
            return None
        view, obj = target
        ref = view.ref(obj)
        if ref.kind == ALERT:
            from tui.presenters.alert_targets import target_of

            return target_of(obj, self.console.feed.snapshot()) or (ref, None)
        return ref, view.resource_for(obj)

    def why_not(self, command: Command) -> str | None:
        """Say why a command on a row is off: no row, or a kind it does not fit."""
        if command.id in BY_ID or not hasattr(self, f"do_{command.id}"):
            return super().why_not(command)
        if command.id in NEEDS_ROW and self.driver is not None:
            target = self.target_ref()
            if target is None:
                return self.no_target(command)
            if command.id not in ("open", "mark", "copy") and isinstance(self._row(), CostLine | Incident):
                return "this row is not an object of the cluster"
            works = ("open", "mark", "copy", "explain" if target[0].kind == ALERT else "open")
            if target[0].kind in OF_ALERTING and command.id not in works:
                return "it names no object that is known here"
            if command.id in ("logs", "previous_logs") and target[0].kind not in HAS_LOGS:
                return f"a {target[0].kind} has no logs"
            if command.id == "yaml" and target[1] is None and target[0].kind == "":
                return "this row is not an object of the cluster"
        return ""

    def no_target(self, command: Command) -> str:  # noqa: ARG002 - a screen may know rows that stand for others
        """Return why a command finds no row."""
        return "no row is under the cursor"

    def subject(self) -> object | None:
        """Return the object under the cursor, where it is one of the cluster or an alert."""
        target = self.target()
        return target[1] if target is not None and not isinstance(target[1], CostLine | Incident) else None

    def topic(self) -> object | None:
        """Return what is under the cursor: an incident too."""
        target = self.target()
        return target[1] if target is not None and isinstance(target[1], Incident) else self.subject()

    def seen_identity(self) -> str:
        """Return the uid of the row that was painted under the cursor."""
        return self.driver.widget.target_identity if self.driver is not None else ""

    def aside(self) -> Line:
        """Say how many rows would stand elsewhere, and the key that lets them."""
        driver = self.driver
        if driver is None or not (driver.ordering.moved or driver.ordering.fresh_crit):
            return super().aside()
        crit = f"{driver.ordering.fresh_crit} new CRIT, " if driver.ordering.fresh_crit else ""
        return (Span(f"{crit}{driver.ordering.moved} moved {self.console.keymap.key('reorder')}", Tone.NOTICE),)

    def parse(self, text: str) -> tuple[Test | None, str]:
        """Return the test of a filter text and what is wrong with the text."""
        try:
            return parse_filter(text), ""
        except FilterError as error:
            return None, str(error)

    def on_live_table_opened(self, message: LiveTable.Opened) -> None:
        """Open the row that was seen under the cursor."""
        message.stop()
        self.do_open()

    def on_live_table_cursor_moved(self, message: LiveTable.CursorMoved) -> None:
        """The keys that work here may have changed with the row."""
        message.stop()
        self.show_footer()
        self.cursor_moved()

    def cursor_moved(self) -> None:
        """Follow the cursor, where more than the keys depends on it."""

    def do_open(self) -> None:
        """Open what is under the cursor: a workload's screen, else the object described."""
        target = self.target()
        if target is None:
            return
        view, obj = target
        ref = view.ref(obj)
        if isinstance(obj, Rollout):
            self.quarterdeck.open_workload(ref)
        elif ref.kind == ALERT:
            self.quarterdeck.open_alert(obj)
        elif isinstance(obj, Incident):
            self.quarterdeck.open_incident(obj.number)
        elif isinstance(obj, Altered):
            self.quarterdeck.put_back(obj)
        elif isinstance(obj, Pod):
            self.quarterdeck.open_logs(ref)
        elif ref.kind == "Namespace":
            self.quarterdeck.enter_namespace(ref.name)
        else:
            self.quarterdeck.open_description(ref, view.resource_for(obj))

    def do_explain(self) -> None:
        """Say why it is broken and what changed: of a workload, or of what an alert is about."""
        target = self.target()
        if target is not None and isinstance(target[1], Rollout):
            self.quarterdeck.explain(target[1].ref)
        elif target is not None and target[0].ref(target[1]).kind == ALERT:
            self.quarterdeck.explain_alert(target[1])
        else:
            self.do_describe()

    def do_describe(self) -> None:
        """Describe the object."""
        if (target := self.target_ref()) is not None:
            self.quarterdeck.open_description(*target)

    def do_yaml(self) -> None:
        """Show the object as YAML."""
        if (target := self.target_ref()) is not None:
            self.quarterdeck.open_yaml(*target)

    def do_logs(self) -> None:
        """Show the logs of all its pods and containers."""
        if (target := self.target_ref()) is not None:
            self.quarterdeck.open_logs(target[0])

    def do_previous_logs(self) -> None:
        """Show the logs of the run before."""
        if (target := self.target_ref()) is not None:
            self.quarterdeck.open_logs(target[0], previous=True)

    def do_copy(self) -> None:
        """Copy the name and the exact kubectl command."""
        if (named := self.target_ref()) is None:
            return
        ref, resource = named
        row = self._row()
        if isinstance(row, Incident):
            self.quarterdeck.copy(f"{row.id} {row.title}")
        elif isinstance(row, CostLine):
            self.quarterdeck.copy(row.name)
        elif isinstance(row, Alert):
            self.quarterdeck.copy_alert(row)
        else:
            kind = resource.plural if resource is not None else ref.kind.lower()
            self.quarterdeck.copy(f"{self.console.scope.kubectl(ref.namespace)} get {kind}/{ref.name}")

    def do_down(self) -> None:
        """Move one row down."""
        if self.driver is not None:
            self.driver.widget.action_cursor_down()

    def do_up(self) -> None:
        """Move one row up."""
        if self.driver is not None:
            self.driver.widget.action_cursor_up()

    def do_top(self) -> None:
        """Move to the first row."""
        if self.driver is not None:
            self.driver.widget.action_top()

    def do_bottom(self) -> None:
        """Move to the last row."""
        if self.driver is not None:
            self.driver.widget.action_bottom()

    def do_page_down(self) -> None:
        """Move one page down."""
        if self.driver is not None:
            self.driver.widget.action_page_down()

    def do_page_up(self) -> None:
        """Move one page up."""
        if self.driver is not None:
            self.driver.widget.action_page_up()

    def do_mark(self) -> None:
        """Mark the row."""
        if self.driver is not None:
            self.driver.widget.action_mark()

    def clear_marks(self) -> bool:
        """Take all marks away; returns whether there were any."""
        marked = self.driver is not None and bool(self.driver.widget.marks)
        if marked and self.driver is not None:
            self.driver.widget.clear_marks()
        return marked

    def do_reorder(self) -> None:
        """Let held rows take their places."""
        if self.driver is not None:
            self.driver.release()

    def do_freeze(self) -> None:
        """Hold the display still, or let it go on."""
        if self.driver is not None:
            self.driver.freeze(self.console.clock.now())
            self.console.frozen_since = self.driver.frozen_at
            self.show_all()

    def do_sort_name(self) -> None:
        """Sort by name."""
        self._order_by("name")

    def do_sort_age(self) -> None:
        """Sort by age."""
        self._order_by("age")

    def do_sort_status(self) -> None:
        """Sort by status."""
        self._order_by("status")

    def do_sort_namespace(self) -> None:
        """Sort by namespace."""
        self._order_by("namespace")

    def do_sort_next(self) -> None:
        """Sort by the next order the view knows."""
        if self.driver is not None:
            self.quarterdeck.say(f"sorted by {self.driver.next_order()}")

    def _order_by(self, name: str) -> None:
        if self.driver is not None and not self.driver.order_by(name):
            self.quarterdeck.say(f"{self.driver.view.title} cannot be sorted by {name}")
