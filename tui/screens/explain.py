"""Why is it broken, what changed, what can I do: one workload, explained on one screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs
from textual.containers import Container
from textual.widget import Widget

from cache.state.records import Place
from services.errors import Problem
from services.model.alert import Alert
from services.model.change import Suspect
from services.model.metric import Golden
from services.model.ref import Ref
from services.model.workload import Pod, Revision, Rollout
from services.ports import Changes
from tui.bindings import Command
from tui.console import Console
from tui.lastlog import LastLog
from tui.measurements import NOT_YET
from tui.presenters.alert_detail import LastWords, Links
from tui.presenters.chart import WINDOWS, golden_charts
from tui.presenters.explain import (
    Known,
    alerts_of,
    present_explanation,
    present_measured,
    told_links,
    trouble_of,
    with_asked,
)
from tui.presenters.lens import Lens
from tui.screens.workload import WorkloadScreen
from widgets.bars import HeaderBar
from widgets.chart import TimeSeries
from widgets.chart_layout import ChartVM
from widgets.viewmodels import BarVM, Line

CHARTS = ("errors", "p95", "rate", "cpu", "memory")
KEYS = ("rollback", "actions", "logs", "previous_logs", "diff", "incident", "copy_runbook", "copy_dashboard")
REFRESH = 30.0
"""Seconds between two looks at the values while the screen is open."""

SOON = 2.0
"""Seconds after which is asked again what could not be asked yet."""


class ExplainScreen(WorkloadScreen):
    """The workload's screen with its causes and its charts; `alert` is what was asked about, where it was one."""

    def __init__(self, console: Console, ref: Ref, alert: Alert | None = None) -> None:
        super().__init__(console, ref)
        self.alert = alert
        self.charts = {name: TimeSeries(id=f"chart-{name}") for name in CHARTS}
        self.rows = Container(*self.charts.values(), id="charts")
        self.measured = HeaderBar(id="measured")
        self._log: LastLog | None = None
        self._window = 0
        self._golden: Golden | None = None
        self._missing = ""
        self._measured_at = 0.0

    def between(self) -> Iterable[Widget]:
        """Put the charts between the facts and the tables."""
        yield self.measured
        yield self.rows

    def begin(self) -> None:
        """Show what is known, and ask for what was measured, and for the end of the log of what crashed."""
        self._log = LastLog(self.quarterdeck, self._log_came)
        super().begin()
        self._show_charts()
        self._measure()

    def show_all(self) -> None:
        """Show everything anew."""
        super().show_all()
        self._show_charts()

    def take(self, changes: Changes) -> None:
        """Take what has changed; what comes before the screen is laid out is shown with all else when it is."""
        if not self.head.is_attached:
            return
        super().take(changes)
        if "alerts" in changes.keys or changes.events:
            self._show_head()

    def tick(self) -> None:
        """Let a second pass; now and then measure again."""
        super().tick()
        if self.console.clock.monotonic() - self._measured_at > REFRESH:
            self._measure()

    def _take_pods(self) -> None:
        super()._take_pods()
        if self._log is not None:
            self._log.look(tuple(self._content["pods"].values()))
        if self._golden is not None:
            self._show_charts()

    def _log_came(self) -> None:
        if self.is_attached:
            self._show_head()

    def head_lines(self, rollout: Rollout | None, lens: Lens) -> list[Line]:
        """Return the explanation."""
        known = structs.replace(self._known(rollout), delivery=self.delivery_lines(rollout, lens))
        return present_explanation(rollout, known, lens)

    def _known(self, rollout: Rollout | None) -> Known:
        if rollout is None:
            return Known()
        alerts = self._alerts(rollout)
        keymap = self.console.keymap
        revisions: Sequence[Revision] = tuple(self._content["revisions"].values())
        return Known(
            alerts=alerts,
            suspects=self._suspects(rollout, alerts),
            changes=self.console.suspicion().changes,
            revisions=revisions,
            kubectl=self.console.scope.kubectl(self.ref.namespace),
            keys={name: keymap.key(name) for name in KEYS},
            words=self._log.words if self._log is not None else LastWords(),
        )

    def _alerts(self, rollout: Rollout) -> list[Alert]:
        """Return the alerts that fire about the workload, the one that was asked about first."""
        asked = self.alert.key if self.alert is not None else ""
        return sorted(alerts_of(rollout, self.console.feed.snapshot()), key=lambda one: one.key != asked)

    def _suspects(self, rollout: Rollout, alerts: Sequence[Alert]) -> Sequence[Suspect]:
        """Return the suspects of the alert that was asked about, else of the alerts there are, else of the trouble."""
        suspicion = self.console.suspicion()
        if self.alert is not None:
            now = next((one for one in alerts if one.key == self.alert.key), self.alert)
            return suspicion.of(now)
        if alerts:
            return suspicion.of_group(alerts)
        trouble = trouble_of(rollout)
        return suspicion.of_trouble(trouble) if trouble is not None else ()

    def _measure(self) -> None:
        self._measured_at = self.console.clock.monotonic()
        until, window = self.console.clock.now(), self._window
        since = until - WINDOWS[window][1]
        pods: list[Pod] = list(self._content["pods"].values())
        names, columns = [pod.ref.name for pod in pods], max(60, self.size.width)

        def arrived(golden: Golden | None, problem: Problem | None) -> None:
            if not self.is_attached or window != self._window:
                return
            self._golden = golden
            self._missing = problem.sentence if problem is not None else ""
            if golden is not None and NOT_YET in golden.missing:
                self._measured_at -= REFRESH - SOON
            self._show_charts()

        async def ask() -> Golden:
            return await self.console.measurements().of_workload(self.ref, names, since, until, columns)

        self.quarterdeck.work(ask, arrived)

    def _show_charts(self) -> None:
        lens = self.console.lens()
        own = [
            change
            for change in self.console.suspicion().changes
            if (change.ref.namespace, change.ref.name) == (self.ref.namespace, self.ref.name)
        ]
        missing = self._missing or ("asking for what was measured" if self._golden is None else "")
        pods: Sequence[Pod] = tuple(self._content["pods"].values())
        golden = with_asked(self._golden, pods) if self._golden is not None else None
        drawn: dict[str, ChartVM] = dict(golden_charts(golden, lens, own, missing))
        self.rows.set_class(len(drawn) == 1, "-alone")
        for name, chart in self.charts.items():
            chart.set_class(name not in drawn, "-unknown")
            if name in drawn:
                chart.set_vm(drawn[name])
        self.measured.set_vm(BarVM((present_measured(self._golden, WINDOWS[self._window][0], lens),)))

    def do_window(self) -> None:
        """Look further back, then start anew."""
        self._window = (self._window + 1) % len(WINDOWS)
        self._golden = None
        self._show_charts()
        self._measure()

    def _links(self) -> Links:
        return told_links(self._alerts(row)) if (row := self.rollout) is not None else Links()

    def why_not(self, command: Command) -> str | None:
        """Say why a command is off here; links that no alert names are nothing to copy."""
        if command.id in ("copy_runbook", "copy_dashboard"):
            links = self._links()
            return "" if (links.runbook if command.id == "copy_runbook" else links.dashboard) else None
        return super().why_not(command)

    def do_copy_runbook(self) -> None:
        """Copy the link of the runbook."""
        self.quarterdeck.copy(self._links().runbook)

    def do_copy_dashboard(self) -> None:
        """Copy the link of the dashboard."""
        self.quarterdeck.copy(self._links().dashboard)

    def do_explain(self) -> None:
        """Say that this is it."""
        self.quarterdeck.say(f"this is the explanation; {self.console.keymap.key('window')} looks further back")

    def anew(self) -> ExplainScreen:
        """Return the same explanation."""
        made = ExplainScreen(self.console, self.ref, self.alert)
        made._window = self._window
        return made

    def where(self) -> Place:
        """Return the way back here."""
        return self.console.kept(Place(view="explain", subject=f"{self.ref.kind}/{self.ref.key}"))
