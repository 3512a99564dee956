"""One incident: how it stands, and everything that was said and happened, in one order."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.worker import Worker

from cache.state.records import Place
from services.model.incident import INCIDENTS, Incident
from services.model.timeline import Event
from services.ports import Changes
from tui import incidents
from tui.bindings import Command
from tui.console import Console
from tui.incident_past import query_around, whole_timeline
from tui.presenters.incidents import present_incident_head, present_incident_title, present_moments
from tui.screens.document import ReadingScreen
from widgets.pane import Pane
from widgets.text_view import TextView
from widgets.viewmodels import LABEL_CELLS, Face, PaneVM, Span, TextVM, Tone

CHANGES = frozenset(
    {"incident_note", "incident_update", "incident_severity", "incident_status", "incident_owner", "incident_export"}
)


class IncidentScreen(ReadingScreen):
    """The facts above, the timeline below; its end is in sight until the reader goes elsewhere."""

    place: ClassVar[str] = "incident"
    CSS_PATH = "../styles/pages.tcss"

    def __init__(self, console: Console, number: int) -> None:
        super().__init__(console)
        self.number = number
        self.exported = ""
        self.head = TextView(id="head", wrap=True, hang=LABEL_CELLS, focusable=False)
        self.head_pane = Pane(self.head, id="pane-head")
        self.told = TextView(id="told", wrap=True, focusable=False)
        self.told_pane = Pane(self.told, id="pane")
        self._lines = 0
        self._recorded: tuple[Event, ...] = ()
        self._reading: Worker[None] | None = None

    @property
    def viewport(self) -> TextView:
        """The timeline."""
        return self.told

    def topic(self) -> object | None:
        """Return the incident: it is what people are told of."""
        return self.incident

    @property
    def incident(self) -> Incident | None:
        """The incident as it is now."""
        return incidents.incident_named(self.quarterdeck, self.number)

    def compose(self) -> ComposeResult:
        """Lay out header, facts, timeline and footer."""
        yield self.header
        yield self.head_pane
        yield self.told_pane
        yield self.footer

    def begin(self) -> None:
        """Show what is known, the newest in sight."""
        super().begin()
        self.call_after_refresh(self._go_to_the_end)

    def show_all(self) -> None:
        """Show everything anew."""
        super().show_all()
        self._show()

    def take(self, changes: Changes) -> None:
        """Take what has changed."""
        super().take(changes)
        if INCIDENTS in changes.keys or changes.events:
            self._show()
            self.show_footer()

    def tick(self) -> None:
        """Let a second pass: it lasts longer, and the next update comes nearer."""
        super().tick()
        self._show_head()

    def _show(self) -> None:
        self._show_head()
        incident, lens = self.incident, self.console.lens()
        if incident is None:
            sentence = f"INC-{self.number} is not in the ledger, or the ledger has not been read yet."
            self.told_pane.set_vm(PaneVM("", (Span("Timeline", Tone.STRONG),), (), Face.WAITING, sentence))
            return
        self._read()
        moments = whole_timeline(incident, self._recorded, self.console.feed.snapshot().events)
        lines = present_moments(moments, lens)
        at_end = self.told.top >= self.told.last_top
        self.told.set_vm(TextVM((), tuple(lines)))
        if len(lines) > self._lines and at_end:
            self._go_to_the_end()
        self._lines = len(lines)
        title = (Span("Timeline", Tone.STRONG), lens.dash(), Span(f"{len(lines):,}"), Span("  UTC", Tone.MUTED))
        self.told_pane.set_vm(PaneVM("", title))

    def _read(self) -> None:
        """Read what was recorded around the incident, once: what came since is known."""
        past = self.console.past() if self.console.past is not None else None
        incident = self.incident
        if past is None or incident is None or self._reading is not None or not self.is_attached:
            return
        query = query_around(incident)

        async def ask() -> None:
            page = await asyncio.to_thread(past.events, query)
            self._recorded = page.events
            if self.is_attached:
                self._show()

        self._reading = self.run_worker(ask, group="history", exclusive=True, exit_on_error=False)

    def _show_head(self) -> None:
        incident, lens = self.incident, self.console.lens()
        if incident is None:
            self.head_pane.set_vm(PaneVM("", (Span(f"INC-{self.number}", Tone.STRONG),)))
            return
        lines = present_incident_head(incident, self.exported, lens)
        self.head.set_vm(TextVM((), tuple(lines)))
        self.head_pane.set_vm(PaneVM("", present_incident_title(incident, lens)))

    def _go_to_the_end(self) -> None:
        self.told.action_bottom()

    def why_not(self, command: Command) -> str | None:
        """Say that nothing can be said of an incident that is not known."""
        if command.id in CHANGES and self.incident is None:
            return "the ledger has not been read yet"
        return super().why_not(command)

    def anew(self) -> IncidentScreen:
        """Return the incident's screen."""
        made = IncidentScreen(self.console, self.number)
        made.exported = self.exported
        return made

    def where(self) -> Place:
        """Return the way back here."""
        return Place(view="incident", subject=f"INC-{self.number}")

    def do_incident_note(self) -> None:
        """Add a note."""
        if (incident := self.incident) is not None:
            incidents.note(self.quarterdeck, incident)

    def do_incident_update(self) -> None:
        """Note that people have been told."""
        if (incident := self.incident) is not None:
            incidents.update(self.quarterdeck, incident)

    def do_incident_severity(self) -> None:
        """Change the severity."""
        if (incident := self.incident) is not None:
            incidents.change_severity(self.quarterdeck, incident)

    def do_incident_status(self) -> None:
        """Change the status."""
        if (incident := self.incident) is not None:
            incidents.change_status(self.quarterdeck, incident)

    def do_incident_owner(self) -> None:
        """Hand it over."""
        if (incident := self.incident) is not None:
            incidents.change_owner(self.quarterdeck, incident)

    def do_incident_export(self) -> None:
        """Write it down as Markdown."""
        if (incident := self.incident) is not None:
            incidents.write_down(self.quarterdeck, incident, self._recorded, self._exported)

    def _exported(self, path: str) -> None:
        self.exported = path
        if self.is_attached:
            self._show_head()
            self.quarterdeck.say(f"exported; {self.console.keymap.key('copy')} copies the path")

    def do_copy(self) -> None:
        """Copy the path of the last export, else id and title."""
        incident = self.incident
        if self.exported:
            self.quarterdeck.copy(self.exported)
        elif incident is not None:
            self.quarterdeck.copy(f"{incident.id} {incident.title}")
