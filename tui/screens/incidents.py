"""All incidents of the ledger, open ones first; what was declared from another console is there too."""

from __future__ import annotations

from services.model.incident import INCIDENTS, Incident
from tui.presenters.freshness import Reading, read_ledger
from tui.screens.table import TableScreen


class IncidentsScreen(TableScreen):
    """The list; enter opens one."""

    def reading(self) -> Reading:
        """Return whether the ledger can be read: its words do not age."""
        return read_ledger(self.console.feed.snapshot().sources.get(INCIDENTS))

    def do_explain(self) -> None:
        """Open the incident: its timeline is the explanation."""
        self.do_open()

    def do_describe(self) -> None:
        """Open the incident."""
        self.do_open()

    def subject(self) -> object | None:
        """Return nothing: another incident is about something else."""
        target = self.target()
        return target[1] if target is not None and not isinstance(target[1], Incident) else None
