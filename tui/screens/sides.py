"""Fills panes 3 and 4 of the control room; loaded once there is something to show in them."""

from __future__ import annotations

from collections.abc import Callable

from services.incidents.timeline import timeline
from services.model.action import ALTERED
from services.model.incident import INCIDENTS, Incident
from tui.console import Console
from tui.driver import TableDriver
from tui.presenters import costs, incidents
from tui.presenters.altered import present_altered
from tui.presenters.detail import labelled
from widgets.live_table import LiveTable
from widgets.pane import Pane
from widgets.text_view import TextView
from widgets.viewmodels import Line, TextVM

LATEST = 8
"""Lines of an incident's timeline in the detail."""


class CostText(TextView):
    """The lines of the costs pane, which are laid out for a width."""

    def __init__(self, resized: Callable[[], object]) -> None:
        super().__init__(id="costs", wrap=False, focusable=False)
        self._resized = resized

    def on_resize(self) -> None:
        """Have the lines laid out for the width there is now."""
        super().on_resize()
        self._resized()


class Sides:
    """Costs and incidents as the control room shows them; a table of incidents joins its `drivers` as "4"."""

    def __init__(
        self, console: Console, costs_pane: Pane, incidents_pane: Pane, drivers: dict[str, TableDriver]
    ) -> None:
        self._console = console
        self._costs_pane = costs_pane
        self._incidents_pane = incidents_pane
        self._drivers = drivers
        self._text: CostText | None = None
        self._table: LiveTable | None = None

    def show(self) -> tuple[Line, Line]:
        """Bring both panes up to date; returns their entries of the strip."""
        return self._show_costs(), self._show_incidents()

    def _show_costs(self) -> Line:
        snapshot, lens = self._console.feed.snapshot(), self._console.lens()
        summary = costs.summary_of(snapshot)
        if summary is not None:
            if self._text is None:
                self._text = CostText(self._show_costs)
                self._costs_pane.frame(self._text)
            width = self._text.size.width or self._costs_pane.size.width or 40
            self._text.set_vm(TextVM((), costs.present_cost_lines(summary, width - 1, lens)))
        self._costs_pane.set_vm(costs.present_cost_pane(summary, snapshot.sources.get(costs.SOURCE), lens))
        return costs.present_cost_strip(summary, lens)

    def _show_incidents(self) -> Line:
        snapshot, lens = self._console.feed.snapshot(), self._console.lens()
        table = snapshot.tables.get(INCIDENTS, {})
        if table and self._table is None:
            self._table = LiveTable(id="incidents")
            driver = TableDriver(
                self._table,
                incidents.VIEW,
                self._console.lens,
                columns=incidents.PANE_COLUMNS,
                row=incidents.present_pane_row,
                keep=lambda incident: incident.open,
                tall=lambda _: 1,
            )
            self._drivers["4"] = driver
            self._incidents_pane.frame(self._table)
            driver.take(snapshot, None, self._console.clock.now())
        status = snapshot.sources.get(incidents.SOURCE)
        key = self._console.keymap.key("incident")
        left = present_altered(snapshot.tables.get(ALTERED, {}), lens)
        self._incidents_pane.set_vm(incidents.present_incident_pane(table, status, key, left, lens))
        return incidents.present_incident_strip(table, lens)

    def cost_detail(self) -> TextVM | None:
        """Return what the detail says of the costs, None while there is no estimate."""
        snapshot = self._console.feed.snapshot()
        summary = costs.summary_of(snapshot)
        if summary is None:
            return None
        return costs.present_cost_detail(summary, snapshot.tables.get(costs.VIEW.table, {}), self._console.lens())

    def detail(self, obj: object) -> TextVM | None:
        """Return what the detail says of an incident, None for anything else."""
        if not isinstance(obj, Incident):
            return None
        lens = self._console.lens()
        lines = incidents.present_incident_head(obj, "", lens)
        told = timeline(obj, self._console.feed.snapshot().events)[-LATEST:]
        lines += [
            labelled("LATELY" if not at else "", *line) for at, line in enumerate(incidents.present_moments(told, lens))
        ]
        return TextVM(incidents.present_incident_title(obj, lens), tuple(lines))
