"""What everything costs, on the whole screen: by namespace, by team or by workload, sorted and filtered."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import structs

from cache.state.records import Place
from services.model.cost import CostBy, CostKind, CostLine
from services.model.source import SourceState
from tui.bindings import Command
from tui.console import Console
from tui.driver import TableDriver
from tui.presenters.costs import BY_TEAM, present_cost_table, present_sum, summary_of
from tui.presenters.freshness import Freshness, Reading, read
from tui.presenters.view import View
from tui.screens.table import TableScreen
from widgets.viewmodels import Row

SUM = "\x00sum"
"""The key of the row that adds the others up."""

ORDER = tuple(CostBy)
PLAIN = re.compile(r"[\w.-]+")


class CostsScreen(TableScreen):
    """The lines of one way of adding up; enter goes from a namespace or a team to its workloads, and on to one."""

    place = "costs"

    def __init__(self, console: Console, view: View, place: Place | None = None) -> None:
        subject = place.subject if place is not None else ""
        self.by = CostBy(subject) if subject in {one.value for one in CostBy} else CostBy.NAMESPACE
        super().__init__(console, view, place)
        self._driver = TableDriver(self.table, self._view(), console.lens, keep=self._kept, extra=self._sum)

    def _view(self) -> View:
        return BY_TEAM if self.by is CostBy.TEAM else self.view

    def _kept(self, line: CostLine) -> bool:
        return line.by is self.by

    def _sum(self) -> Mapping[str, Row]:
        ordering = self.driver.ordering
        lines = [line for key in ordering.order if (line := ordering.object(key)) is not None]
        return {SUM: present_sum(lines, SUM)} if len(lines) > 1 else {}

    def reading(self) -> Reading:
        """Return how far the estimate may be believed."""
        status = self.console.feed.snapshot().sources.get("costs")
        reading = read(status, self.console.clock.now())
        if status is not None and status.state is SourceState.LIVE and reading.age < 60:
            return structs.replace(reading, freshness=Freshness.FRESH)
        return reading

    def _show_pane(self) -> None:
        ordering, lens = self.driver.ordering, self.console.lens()
        summary = summary_of(self.console.feed.snapshot())
        total = sum(1 for line in self.driver.rows.values() if line.by is self.by)
        vm = present_cost_table(
            self.by,
            shown=len(ordering.order),
            total=total,
            summary=summary,
            narrowed=self._filter,
            reading=self.reading(),
            lens=lens,
        )
        self.pane.set_vm(vm)

    def do_cost_by(self) -> None:
        """Add up over something else: namespace, team, workload."""
        self._add_up_by(ORDER[(ORDER.index(self.by) + 1) % len(ORDER)])

    def _add_up_by(self, by: CostBy, narrowed: str = "") -> None:
        self.by = by
        self._filter = narrowed
        self.driver.change_view(self._view())
        self.driver.ordering.release()
        self.driver.reconsider()
        self._apply_filter()
        self.table.action_top()
        self._show_pane()
        self.show_footer()

    def do_open(self) -> None:
        """Go from a namespace or a team to its workloads; open a workload."""
        target = self.target()
        if target is None:
            return
        line: CostLine = target[1]
        if line.kind is not CostKind.WORKLOAD:
            self.quarterdeck.say("what is idle or flat belongs to no workload")
        elif line.by is CostBy.NAMESPACE:
            self._add_up_by(CostBy.WORKLOAD, f"^{line.name}/" if PLAIN.fullmatch(line.name) else f"ns:{line.name}")
        elif line.by is CostBy.TEAM:
            self._add_up_by(CostBy.WORKLOAD, f"team={line.name}" if line.name else "!label:team")
        else:
            rollouts = self.console.feed.snapshot().tables.get("rollouts", {})
            row = rollouts.get(f"{line.workload}/{line.namespace}/{line.name}")
            if row is None:
                name = self.console.lens().text(f"{line.workload} {line.namespace}/{line.name}")
                self.quarterdeck.say(f"{name} is not watched as a workload")
            else:
                self.quarterdeck.open_workload(row.ref)

    def do_explain(self) -> None:
        """Open what costs it."""
        self.do_open()

    def why_not(self, command: Command) -> str | None:
        """Opening and explaining fit every line."""
        if command.id == "explain":
            return "" if self.target() is not None else self.no_target(command)
        return super().why_not(command)

    def where(self) -> Place:
        """Return the view, what it adds up over and what is narrowed in it."""
        return structs.replace(super().where(), subject=self.by.value)
