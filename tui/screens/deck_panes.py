"""What stands in the control room's panes: the feed's changes go in here, and the screen only lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from services.model.severity import Severity
from services.model.workload import Rollout
from services.ports import Changes
from tui.console import Console
from tui.driver import TableDriver
from tui.presenters import rollouts
from tui.presenters.deck import QUIET, present_quiet_pane, present_rollouts_pane, present_symptoms_pane
from tui.presenters.detail import present_detail
from tui.presenters.lens import Lens
from tui.presenters.summary import Summary
from tui.presenters.symptoms import SYMPTOMS_VIEW
from widgets.live_table import LiveTable
from widgets.pane import Pane
from widgets.viewmodels import Line, Row, Span, TextVM, Tone

if TYPE_CHECKING:
    from tui.screens.alert_pane import AlertPane
    from tui.screens.sides import Sides

HEALTHY = "\x00healthy"
"""The key of the row that stands for all healthy workloads; no object's key begins with NUL."""


class DeckPanes:
    """The four panes by their numbers, and the drivers of the tables in them.

    Alerts take pane 2 over, costs and incidents fill panes 3 and 4 once there is something of them: until then nothing
    of theirs is loaded.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.rollouts = LiveTable(id="rollouts")
        self.symptoms = LiveTable(id="symptoms")
        self.panes = {
            "1": Pane(self.rollouts, id="pane-1"),
            "2": Pane(self.symptoms, id="pane-2"),
            "3": Pane(id="pane-3"),
            "4": Pane(id="pane-4"),
        }
        self.drivers = {
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
        self._symptoms_driver = self.drivers["2"]
        self.alerts: AlertPane | None = None
        self._alert_pane: AlertPane | None = None
        self._sides: Sides | None = None

    def _listed(self, rollout: Rollout) -> bool:
        """Return whether a workload stands in the pane: in trouble, changing, flapping, or only just recovered."""
        if rollout.severity <= Severity.NOTICE or rollout.flapping:
            return True
        return bool(rollout.recovered_at) and rollouts.recovering(rollout, self._console.lens())

    def _healthy_row(self) -> Mapping[str, Row]:
        ordering = self.drivers["1"].ordering
        rest = ordering.total - sum(1 for key in ordering.order if key not in ordering.gone)
        if rest <= 0:
            return {}
        lens = self._console.lens()
        cells = (lens.badge(Severity.OK), Span(f"{rest:,} healthy", Tone.MUTED))
        return {HEALTHY: Row(HEALTHY, cells)}

    @property
    def on_healthy(self) -> bool:
        """Whether the row that stands for the healthy workloads is under the cursor of pane 1."""
        return self.rollouts.target_key == HEALTHY

    @property
    def needed(self) -> int:
        """The lines that the longer one of the upper tables takes."""
        return max(self.rollouts.needed, (self.symptoms if self.alerts is None else self.alerts.table).needed)

    def look_for_alerts(self) -> bool:
        """Give pane 2 to the alerts while a server is asked for them, else to symptoms; returns whether it changed."""
        if (self._console.summary().evidence is not None) is (self.alerts is not None):
            return False
        if self.alerts is None:
            self.drivers["2"] = self._stand_alerts().driver
        else:
            self.alerts.leave()
            self.alerts = None
            self.panes["2"].put(self.symptoms)
            self.drivers["2"] = self._symptoms_driver
            self.take_scope()
            self._symptoms_driver.take(self._console.feed.snapshot(), None, self._console.clock.now())
        if self.panes["2"].has_class("-active"):
            self.drivers["2"].widget.focus()
        return True

    def _stand_alerts(self) -> AlertPane:
        if self._alert_pane is None:
            from tui.screens.alert_pane import AlertPane

            self._alert_pane = AlertPane(self._console, self.panes["2"])
        else:
            self._alert_pane.come_back()
        self.alerts = self._alert_pane
        return self._alert_pane

    def take_scope(self) -> None:
        """Keep to the rows of the console's scope."""
        for driver in self.drivers.values():
            driver.filter(None, self._console.scope.test)

    def take_all(self) -> None:
        """Take all rows that there are, but the alerts, which are taken by their pane."""
        snapshot, now = self._console.feed.snapshot(), self._console.clock.now()
        for driver in self.drivers.values():
            if self.alerts is None or driver is not self.alerts.driver:
                driver.take(snapshot, None, now)

    def take(self, changes: Changes) -> None:
        """Take what has changed."""
        now = self._console.clock.now()
        if self.alerts is not None:
            self.alerts.take(changes)
        for driver in self.drivers.values():
            if driver.view.table in changes.keys and (self.alerts is None or driver is not self.alerts.driver):
                driver.take(changes.snapshot, changes.keys[driver.view.table], now)

    def tick(self) -> None:
        """Let a second pass."""
        now = self._console.clock.now()
        if int(now) % 10 == 0:
            self.drivers["1"].reconsider()
        for driver in self.drivers.values():
            driver.refresh(now)

    def show(self, summary: Summary, lens: Lens) -> tuple[Line, Line]:
        """Bring the frames of all panes up to date; returns the strip's entries of the costs and the incidents.

        Pane 2 stands for alerts where the summary counts them: the header counts by the same one.
        """
        self.look_for_alerts()
        shown = len(self.drivers["1"].ordering.order)
        self.panes["1"].set_vm(present_rollouts_pane(summary, summary.reading, shown, lens))
        if self.alerts is not None:
            self.alerts.show()
        else:
            self.panes["2"].set_vm(
                present_symptoms_pane(summary, self._unseen(), bool(self._console.alert_servers()), lens)
            )
        return self._show_sides()

    def _unseen(self) -> list[str]:
        """Return the tables that symptoms are read from and that cannot be read now."""
        sources = SYMPTOMS_VIEW.sources
        return [table for table in sources if not self._console.reading(f"kubernetes/{table}").trusted]

    def _show_sides(self) -> tuple[Line, Line]:
        if self._sides is None:
            sources = self._console.feed.snapshot().sources
            if "costs" not in sources and "incidents" not in sources:
                for number in ("3", "4"):
                    self.panes[number].set_vm(present_quiet_pane(number))
                return QUIET
            from tui.screens.sides import Sides

            self._sides = Sides(self._console, self.panes["3"], self.panes["4"], self.drivers)
        return self._sides.show()

    def detail(self, number: str, row: Any, lens: Lens) -> TextVM:  # noqa: ANN401 - rows of every pane
        """Return what there is to say of the row under the cursor of a pane; None where there is none."""
        found = None
        if isinstance(row, Rollout):
            return present_detail(row, self._console.feed.snapshot(), lens)
        if self.alerts is not None:
            found = self.alerts.detail(row)
        if found is None and self._sides is not None:
            found = self._sides.cost_detail() if number == "3" else self._sides.detail(row)
        return found if found is not None else TextVM((Span("Detail", Tone.MUTED),), ())
