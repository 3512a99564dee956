"""Pane 2 of the control room once a server is asked for alerts: groups worst first, and what they stand on below."""

from __future__ import annotations

from typing import Any

from services.model.alert import Alert
from services.model.change import Suspect
from services.ports import Changes, Snapshot
from tui.console import Console
from tui.driver import TableDriver
from tui.presenters.alert_detail import present_alert_in_short, present_alert_title
from tui.presenters.alert_sources import ALERTS, GROUPS, SILENCES, TABLES, AlertCounts, Evidence, present_evidence
from tui.presenters.alerts import (
    GROUPS_VIEW,
    PANE_COLUMNS,
    GroupRow,
    detail_lines,
    group_rows,
    listed,
    present_alerts_pane,
    present_group_row,
)
from tui.presenters.lens import Lens, plural
from tui.presenters.view import picture_of
from widgets.bars import LastPartsBar
from widgets.live_table import LiveTable
from widgets.pane import Pane
from widgets.viewmodels import BarVM, Row, Span, TextVM, Tone

FEEDS = frozenset({*TABLES, "rollouts", "replicasets.apps"})
"""Tables whose changes may change the pane."""


class AlertPane:
    """Drives the alerts pane of one control room; made when there is something to ask, and not before."""

    def __init__(self, console: Console, pane: Pane) -> None:
        self._console = console
        self._pane = pane
        self.table = LiveTable(id="alerts")
        self.bar = LastPartsBar(id="evidence")
        self.driver = TableDriver(
            self.table,
            GROUPS_VIEW,
            console.lens,
            columns=PANE_COLUMNS,
            row=self._row,
            keep=listed,
            tall=detail_lines,
        )
        self._rows: dict[str, GroupRow] = {}
        self.driver.filter(None, console.scope.test)
        pane.put(self.table, self.bar)
        self._take_rows(console.feed.snapshot(), None)

    def _row(self, key: str, row: GroupRow, lens: Lens) -> Row:
        silences = self._console.feed.snapshot().tables.get(SILENCES, {})
        return present_group_row(key, row, lens, silences, self._suspect(row))

    def _suspect(self, row: GroupRow) -> Suspect | None:
        found = self._console.suspicion().of(row.lead)
        return found[0] if found else None

    def take(self, changes: Changes) -> None:
        """Take what has changed, where it concerns alerts."""
        if {ALERTS, GROUPS, SILENCES} & changes.keys.keys():
            self._take_rows(changes.snapshot, changes.keys.get(SILENCES, frozenset()))
        elif (changes.events or FEEDS & changes.keys.keys()) and self._console.suspicion().look():
            self.driver.show(None)

    def _take_rows(self, snapshot: Snapshot, silences: frozenset[str] | None) -> None:
        before, self._rows = self._rows, group_rows(snapshot)
        changed: frozenset[str] | None = frozenset(
            key for key in before.keys() | self._rows.keys() if before.get(key) != self._rows.get(key)
        )
        if silences is None or silences:
            changed = None
        if changed is None or changed:
            self.driver.take(picture_of(GROUPS, self._rows), changed, self._console.clock.now())

    def leave(self) -> None:
        """Leave the pane to others."""
        self.bar.display = False

    def come_back(self) -> None:
        """Take the pane again."""
        self.bar.display = True
        self._pane.put(self.table, self.bar)
        self.driver.filter(None, self._console.scope.test)
        self._rows = {}
        self._take_rows(self._console.feed.snapshot(), None)

    def show_all(self) -> None:
        """Show everything anew."""
        self._rows = {}
        self._take_rows(self._console.feed.snapshot(), None)
        self.show()

    def show(self) -> None:
        """Bring the frame and the line below up to date."""
        summary, lens = self._console.summary(), self._console.lens()
        counts, evidence = summary.alerts or AlertCounts(), summary.evidence or Evidence()
        shown = len(self.driver.ordering.order)
        self._pane.set_vm(present_alerts_pane(self._rows, counts, evidence, shown, lens))
        parts = present_evidence(evidence, counts, lens)
        if summary.symptoms:
            parts = (*parts, (Span(plural(len(summary.symptoms), "symptom"), Tone.NOTICE),))
        self.bar.set_vm(BarVM(parts))

    def detail(self, alert: Any) -> TextVM | None:  # noqa: ANN401 - whatever is under the cursor
        """Return what the detail says of an alert under the cursor, None for anything else."""
        if not isinstance(alert, Alert):
            return None
        lens = self._console.lens()
        suspects = self._console.suspicion().of(alert)
        lines = present_alert_in_short(alert, self._console.feed.snapshot(), suspects, lens)
        return TextVM(present_alert_title(alert, lens), lines)

    def lead(self, row: Any) -> Alert | None:  # noqa: ANN401 - rows of every table are asked
        """Return the alert that a row of the pane stands for."""
        return row.lead if isinstance(row, GroupRow) else None
