"""One alert: what it says, what changed before it, which pods suffer, its value over time, and its links."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult

from cache.state.records import Place
from services.errors import Problem
from services.model.alert import Alert
from services.model.change import Change, Suspect
from services.model.ref import Ref, Resource
from services.model.workload import Pod
from services.ports import Changes
from tui.bindings import Command
from tui.console import Console
from tui.lastlog import LastLog
from tui.measurements import NOT_YET, AlertHistory
from tui.presenters.alert_detail import links_of, present_alert, present_alert_title
from tui.presenters.alert_past import PAST, span_of, told_firing
from tui.presenters.alert_sources import ALERTS, TABLES, evidence_of
from tui.presenters.alert_targets import target_of, workload_of
from tui.presenters.chart import WINDOWS, alert_plan, present_chart, window_for, window_words
from tui.presenters.detail import pods_of
from tui.presenters.freshness import present_state
from tui.screens.cursor import HAS_LOGS
from tui.screens.document import ReadingScreen
from tui.suspicion import Suspicion
from widgets.chart import TimeSeries
from widgets.pane import Pane
from widgets.text_view import TextView
from widgets.viewmodels import LABEL_CELLS, Line, PaneVM, Span, TextVM, Tone
from widgets.viewport import SearchView

REFRESH = 30.0
"""Seconds between two looks at the values while the screen is open."""

LIVE_KNOWS = 86400.0
"""Seconds of the past that live state tells of."""

SOON = 2.0
"""Seconds after which is asked again what could not be asked yet."""

FEEDS = frozenset({*TABLES, "rollouts", "pods", "replicasets.apps"})
OF_ITS_OBJECT = frozenset({"describe", "yaml", "logs", "previous_logs"})


class AlertScreen(ReadingScreen):
    """Shows one alert for as long as it is of interest, also after it has ended."""

    place: ClassVar[str] = "alert"
    CSS_PATH = "../styles/pages.tcss"

    def __init__(self, console: Console, alert: Alert) -> None:
        super().__init__(console)
        self.alert = alert
        self.text = TextView(id="alert-text", wrap=True, hang=LABEL_CELLS)
        self.chart = TimeSeries(id="values")
        self.pane = Pane(self.text, id="pane-alert")
        self.history = Pane(self.chart, id="pane-history")
        self._window = 0
        self._past: AlertHistory | None = None
        self._asked_at = 0.0
        self._log: LastLog | None = None
        self._is_past = alert.key.startswith(PAST)
        if self._is_past:
            self._window = window_for(alert)
        self._then: Suspicion | None = None
        self._unread = "what changed then is being read" if self._is_past else ""

    @property
    def viewport(self) -> SearchView:
        """What is said of the alert."""
        return self.text

    def compose(self) -> ComposeResult:
        """Lay out header, words, chart and footer."""
        yield self.header
        yield self.pane
        yield self.history
        yield self.footer

    def begin(self) -> None:
        """Show what is known, and ask for the values and the last log."""
        self._log = LastLog(self.quarterdeck, self._show_words)
        super().begin()
        self.text.focus()
        self._ask()
        if self._is_past:
            self._look_back()

    def show_all(self) -> None:
        """Show everything anew."""
        super().show_all()
        self._take_alert()
        self._show_words()
        self._show_history()

    def take(self, changes: Changes) -> None:
        """Take what has changed."""
        super().take(changes)
        if changes.events or FEEDS & changes.keys.keys():
            self._take_alert()
            self._show_words()

    def tick(self) -> None:
        """Let a second pass; now and then ask for the values again."""
        super().tick()
        self._show_words()
        settled = self._is_past and self._past is not None and self._past.missing != NOT_YET
        if not settled and self.console.clock.monotonic() - self._asked_at > REFRESH:
            self._ask()

    def _take_alert(self) -> None:
        now: Alert | None = self.console.feed.snapshot().tables.get(ALERTS, {}).get(self.alert.key)
        if now is not None:
            self.alert = now
        if self._log is not None:
            self._log.look(self._pods())

    def _pods(self) -> Sequence[Pod]:
        snapshot = self.console.feed.snapshot()
        row = workload_of(self.alert, snapshot)
        return pods_of(snapshot, row.ref) if row is not None else ()

    def _suspects(self) -> Sequence[Suspect]:
        return (self._then or self.console.suspicion()).of(self.alert)

    def _look_back(self) -> None:
        """Read what was recorded before the onset of an alert that is over: live state knows the last day alone."""
        from tui.recorded import Recorded, recorded_around, suspicion_then

        past = self.console.past() if self.console.past is not None else None

        def arrived(recorded: Recorded | None, problem: Problem | None) -> None:
            if not self.is_attached:
                return
            recorded = recorded or Recorded(reason=problem.sentence if problem is not None else "")
            self._then = suspicion_then(recorded, self.console.feed.snapshot(), self.alert)
            told_by_live = self.console.clock.now() - self.alert.onset < LIVE_KNOWS
            self._unread = "" if told_by_live else recorded.reason
            self._show_words()
            self._show_history()

        if past is None:
            arrived(Recorded(), None)
        else:
            self.quarterdeck.work(partial(asyncio.to_thread, recorded_around, past, self.alert), arrived)

    def _show_words(self) -> None:
        if self._log is None or not self.is_attached:
            return
        lens, snapshot = self.console.lens(), self.console.feed.snapshot()
        keys = {name: self.console.keymap.key(f"copy_{name}") for name in ("runbook", "dashboard")}
        lines: Sequence[Line] = present_alert(
            self.alert, snapshot, self._suspects(), words=self._log.words, keys=keys, lens=lens, unread=self._unread
        )
        self.text.set_vm(TextVM((), tuple(lines)))
        state = present_state(evidence_of(snapshot, lens.now).reading, lens)
        if self.alert.key not in snapshot.tables.get(ALERTS, {}):
            state = (Span("no longer shown by any server", Tone.NOTICE),)
        self.pane.set_vm(PaneVM("", present_alert_title(self.alert, lens), state))

    # Values over time

    def _ask(self) -> None:
        self._asked_at = self.console.clock.monotonic()
        alert, window = self.alert, self._window
        since, until = self._span()
        columns = max(60, 2 * self.size.width)

        def arrived(past: AlertHistory | None, problem: Problem | None) -> None:
            if not self.is_attached or window != self._window:
                return
            self._past = past or AlertHistory(missing=problem.sentence if problem is not None else "")
            if self._past.missing == NOT_YET:
                self._asked_at -= REFRESH - SOON
            self._show_history()

        async def ask() -> AlertHistory:
            return await self.console.measurements().of_alert(alert, since, until, columns)

        self.quarterdeck.work(ask, arrived)

    def _span(self) -> tuple[float, float]:
        """Return from when to when the chart shows values: up to now, or to soon after the end of what is over."""
        now, length = self.console.clock.now(), WINDOWS[self._window][1]
        return span_of(self.alert, length, now) if self._is_past else (now - length, now)

    def _changes(self) -> Sequence[Change]:
        return [suspect.change for suspect in self._suspects()]

    def _show_history(self) -> None:
        lens, past = self.console.lens(), self._past
        values = past.values if past is not None else ()
        missing = past.missing if past is not None else "asking for the values"
        firing = past.firing if past is not None else None
        if self._is_past and (firing is None or not any(value > 0 for value in firing.values)):
            firing = told_firing(self.alert, *self._span(), 2 * self.size.width) or firing
        plan = alert_plan(self.alert, firing, lens)
        self.chart.set_vm(present_chart(plan, values[0] if values else None, lens, self._changes(), missing))
        until = self._span()[1] if self._is_past else 0.0
        title = (Span("Value", Tone.STRONG), lens.dash(), Span(window_words(self._window, until, lens)))
        more = f"1 of {len(values)} series  " if len(values) > 1 else ""
        source = lens.text(past.source, 60) if past is not None else ""
        self.history.set_vm(PaneVM("", title, (Span(f"{more}{source}", Tone.MUTED),) if more or source else ()))

    def do_window(self) -> None:
        """Look further back, then start anew."""
        self._window = (self._window + 1) % len(WINDOWS)
        self._past = None
        self._show_history()
        self._ask()

    # What the keys are about

    def _target(self) -> tuple[Ref, Resource] | None:
        return target_of(self.alert, self.console.feed.snapshot())

    def why_not(self, command: Command) -> str | None:
        """Say why a command is off: the alert names no object, or no link."""
        if command.id in OF_ITS_OBJECT:
            target = self._target()
            if target is None:
                return "the alert's labels name no object that is known here"
            if command.id.endswith("logs") and target[0].kind not in HAS_LOGS:
                return f"a {target[0].kind} has no logs"
        if command.id == "explain" and workload_of(self.alert, self.console.feed.snapshot()) is None:
            return "the alert is about no workload that is known here"
        links = links_of(self.alert)
        if (command.id == "copy_runbook" and not links.runbook) or (
            command.id == "copy_dashboard" and not links.dashboard
        ):
            return "the alert has no such link"
        return super().why_not(command)

    def subject(self) -> object | None:
        """Return the alert: an incident that is declared here is about it."""
        return self.alert

    def do_explain(self) -> None:
        """Say why its workload is broken, and what changed."""
        self.quarterdeck.explain_alert(self.alert)

    def do_describe(self) -> None:
        """Describe the object it is about."""
        if (target := self._target()) is not None:
            self.quarterdeck.open_description(*target)

    def do_yaml(self) -> None:
        """Show that object as YAML."""
        if (target := self._target()) is not None:
            self.quarterdeck.open_yaml(*target)

    def do_logs(self) -> None:
        """Show its logs."""
        if (target := self._target()) is not None:
            self.quarterdeck.open_logs(target[0])

    def do_previous_logs(self) -> None:
        """Show the logs of the run before."""
        if (target := self._target()) is not None:
            self.quarterdeck.open_logs(target[0], previous=True)

    def do_copy(self) -> None:
        """Copy the alert as it would be told in a chat."""
        self.quarterdeck.copy_alert(self.alert)

    def do_copy_runbook(self) -> None:
        """Copy the runbook's link."""
        self.quarterdeck.copy(links_of(self.alert).runbook)

    def do_copy_dashboard(self) -> None:
        """Copy the dashboard's link."""
        self.quarterdeck.copy(links_of(self.alert).dashboard)

    def anew(self) -> AlertScreen:
        """Return the alert's screen."""
        made = AlertScreen(self.console, self.alert)
        made._window = self._window
        return made

    def where(self) -> Place:
        """Return the way back here."""
        return self.console.kept(Place(view="alert", subject=self.alert.key))
