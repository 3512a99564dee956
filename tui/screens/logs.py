"""The logs of all pods and containers of a workload, in one stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult

from services.model.ref import Ref
from services.model.workload import Pod
from services.ports import Changes, LogOptions
from tui.console import Console
from tui.logpump import LogPump
from tui.presenters.detail import pods_of
from tui.presenters.lens import age, plural
from tui.presenters.logs import present_log_state
from tui.screens.document import ReadingScreen
from widgets.log_view import LogView
from widgets.pane import Pane
from widgets.prompt import FilterBar
from widgets.viewmodels import LogEntry, PaneVM, Span, Tone
from widgets.viewport import SearchView

SPANS = (0, 60, 300, 900, 3600)
"""How far back, in seconds; 0 is as far as the tail goes."""
CONTEXTS = (0, 2, 5)


class LogScreen(ReadingScreen):
    """Follows, searches and filters the logs of one pod or workload."""

    place: ClassVar[str] = "logs"

    def __init__(self, console: Console, ref: Ref, previous: bool = False) -> None:
        super().__init__(console)
        self.ref = ref
        self.previous = previous
        self.view = LogView(id="log", max_lines=console.log_lines)
        self.pane = Pane(self.view, id="pane")
        self.bar = FilterBar(id="filter")
        self._pump: LogPump | None = None
        self._followed: set[str] = set()
        self._since = 0
        self._around = 0
        self._filter = ""

    @property
    def viewport(self) -> SearchView:
        """The log."""
        return self.view

    def compose(self) -> ComposeResult:
        """Lay out header, log, filter and footer."""
        yield self.header
        yield self.pane
        yield self.bar
        yield self.footer

    def begin(self) -> None:
        """Begin to stream."""
        self.bar.display = False
        super().begin()
        self._restart()
        self.view.focus()

    def on_unmount(self) -> None:
        """End the streams."""
        if self._pump is not None:
            self._pump.stop()

    def topic(self) -> object | None:
        """Return the workload as it is known, else the object the logs are of."""
        rows = self.console.feed.snapshot().tables.get("rollouts", {})
        found: object = rows.get(f"{self.ref.kind}/{self.ref.key}", self.ref)
        return found

    def anew(self) -> LogScreen:
        """Return the same logs, streamed again."""
        made = LogScreen(self.console, self.ref, self.previous)
        made._since = self._since
        return made

    def _pods(self) -> Mapping[str, Sequence[str]]:
        snapshot = self.console.feed.snapshot()
        if self.ref.kind == "Pod":
            pod = snapshot.tables.get("pods", {}).get(self.ref.key)
            return {self.ref.name: pod.container_names if isinstance(pod, Pod) else ()}
        return {pod.ref.name: pod.container_names for pod in pods_of(snapshot, self.ref)}

    def _restart(self) -> None:
        if self._pump is not None:
            self._pump.stop()
        self.view.clear()
        self._followed.clear()
        runtime = self.console.runtime
        if runtime is None:
            self.view.append([LogEntry("", "", "No cluster is connected.", Tone.NOTICE)])
            return
        self._pump = LogPump(runtime, self.console.lens, self.view.append)
        self._follow_new()
        if not self._followed:
            self.view.append(
                [LogEntry("", "", "No pod of it is running; its logs begin with the first one.", Tone.NOTICE)]
            )
        self._show_title()

    def _follow_new(self) -> None:
        new = {name: containers for name, containers in self._pods().items() if name not in self._followed}
        if not new or self._pump is None:
            return
        self._followed.update(new)
        options = LogOptions(
            follow=not self.previous, previous=self.previous, since=self._since, tail=self.console.log_tail
        )
        self._pump.stream(self.ref.namespace, new, options)

    def take(self, changes: Changes) -> None:
        """Follow pods that have come since."""
        super().take(changes)
        if "pods" in changes.keys and self.ref.kind != "Pod" and not self.previous:
            self._follow_new()
            self._show_title()

    def _show_title(self) -> None:
        lens = self.console.lens()
        state = self.view.state
        name = lens.text(f"{self.ref.namespace}/{self.ref.name}")
        pods = Span(plural(len(self._followed), "pod"))
        title = [Span("Logs ", Tone.STRONG), Span(name, Tone.STRONG), lens.dash(), pods]
        if self.previous:
            title.append(Span("  of the run before", Tone.NOTICE))
        if self._since:
            title.append(Span(f"  last {age(self._since)}"))
        if self._filter:
            context = f" with {self._around} lines around" if self._around else ""
            title.append(Span(f"  /{lens.text(self._filter)}{context}", Tone.KEY))
        self.pane.set_vm(PaneVM("", tuple(title), present_log_state(state)))

    def on_log_view_state_changed(self) -> None:
        """Say what the log does now."""
        self._show_title()

    def do_filter(self) -> None:
        """Open the filter."""
        self.bar.open(self._filter)

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """Filter as the operator types; `!` inverts."""
        text = message.text
        wrong = self.view.set_filter(
            text.removeprefix("!"), regex=True, inverse=text.startswith("!"), context=self._around
        )
        self.bar.set_error(wrong)
        if not wrong:
            self._filter = text
            self.view.set_search(text.removeprefix("!"), regex=True)
            self._show_title()

    def on_filter_bar_submitted(self) -> None:
        """Keep the filter."""
        self.bar.close()
        self.view.focus()

    def on_filter_bar_cancelled(self) -> None:
        """Drop the filter."""
        self.bar.close()
        self._clear_filter()
        self.view.focus()

    def _clear_filter(self) -> None:
        self._filter = ""
        self.view.set_filter("")
        self.view.set_search("")
        self._show_title()

    def do_back(self) -> None:
        """Clear the filter first, then leave."""
        if self._filter:
            self._clear_filter()
        else:
            super().do_back()

    def do_follow(self) -> None:
        """Follow the end, or stop."""
        self.view.action_follow()

    def do_wrap(self) -> None:
        """Wrap long lines, or not."""
        self.view.action_wrap()

    def do_stamps(self) -> None:
        """Show the times, or not."""
        self.view.action_stamps()

    def do_sources(self) -> None:
        """Show pod and container, or not."""
        self.view.action_sources()

    def do_log_previous(self) -> None:
        """Show the run before, or come back to this one."""
        self.previous = not self.previous
        self._restart()

    def do_since(self) -> None:
        """Look further back, or less far."""
        self._since = SPANS[(SPANS.index(self._since) + 1) % len(SPANS)]
        self._restart()

    def do_around(self) -> None:
        """Show more lines around each match, or none."""
        self._around = CONTEXTS[(CONTEXTS.index(self._around) + 1) % len(CONTEXTS)]
        self.view.set_context(self._around)
        self._show_title()

    def do_log_mark(self) -> None:
        """Draw a line across the log."""
        self.view.mark(self.console.lens().text("mark"))

    def do_copy(self) -> None:
        """Copy the lines on screen."""
        self.quarterdeck.copy(self.view.visible_text())
