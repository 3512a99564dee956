"""One workload: why it is as it is, what changed, its revisions, its pods and its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from cache.state.records import Place
from services.model.cluster import Usage
from services.model.ref import Ref, Resource
from services.model.workload import Pod, Revision, Rollout
from services.ports import Changes
from tui.bindings import Command
from tui.console import Console
from tui.driver import TableDriver
from tui.presenters import rollouts
from tui.presenters.delivery import present_delivery, replicasets_of
from tui.presenters.detail import pods_of
from tui.presenters.freshness import present_state
from tui.presenters.lens import Lens
from tui.presenters.view import View, picture_of
from tui.presenters.workload import (
    EVENTS,
    PODS,
    REVISIONS,
    present_diff,
    present_head,
    present_usage,
)
from tui.screens.asked import Asked
from tui.screens.cursor import CursorScreen
from tui.screens.parts import Parts
from widgets.pane import Pane
from widgets.text_view import TextView
from widgets.viewmodels import LABEL_CELLS, Face, Line, PaneVM, Span, TextVM, Tone

REFRESH = 15.0
"""Seconds between two looks at the history and the events while the screen is open."""


class WorkloadScreen(CursorScreen):
    """Explains one workload, above its pods, revisions and events; tab goes on to the next of them.

    Where the facts do not fit, tab goes to them too, and gives them the room to be read to their end.
    """

    place: ClassVar[str] = "workload"
    CSS_PATH = "../styles/pages.tcss"
    AUTO_FOCUS = "#pods"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "turn(1)", show=False),
        Binding("shift+tab", "turn(-1)", show=False),
    ]

    def __init__(self, console: Console, ref: Ref) -> None:
        super().__init__(console)
        self.ref = ref
        self.head = TextView(id="head", wrap=True, hang=LABEL_CELLS)
        self.frame = Pane(self.head, id="pane-head")
        views: dict[str, View] = {"pods": PODS, "revisions": REVISIONS, "events": EVENTS}
        self.parts = Parts(views)
        self._drivers = {name: TableDriver(self.parts.tables[name], view, console.lens) for name, view in views.items()}
        self._content: dict[str, Mapping[str, Any]] = {"pods": {}, "revisions": {}, "events": {}}
        self._reads = False
        self.asked = Asked(self, ref, self._answered)

    def compose(self) -> ComposeResult:
        """Lay out header, facts, the three tables and footer."""
        yield self.header
        yield self.frame
        yield from self.between()
        yield self.parts
        yield self.footer

    def begin(self) -> None:
        """Show what is known, and ask for the history."""
        super().begin()
        self.parts.activate("pods")
        self._ask()

    def between(self) -> Iterable[Widget]:
        """Return what stands between the facts and the tables."""
        return ()

    @property
    def driver(self) -> TableDriver | None:
        """The table that has the keys; none while the facts are read."""
        return None if self._reads else self._drivers[self.parts.active]

    @property
    def rollout(self) -> Rollout | None:
        """The workload as it is now; None when it is gone."""
        found = self.console.feed.snapshot().tables.get("rollouts", {}).values()
        return next((one for one in found if one.ref.uid == self.ref.uid), None)

    def subject(self) -> object | None:
        """Return the workload: an incident declared here is about it."""
        return self.rollout

    def action_turn(self, step: int) -> None:
        """Go on to the next table, or to the facts."""
        stops = [*(["head"] if self._reads or self.head.last_top else []), *self.parts.tables]
        at = stops.index("head" if self._reads else self.parts.active)
        self._go_to(stops[(at + step) % len(stops)])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """What was clicked has the keys."""
        clicked = event.widget.id or ""
        if clicked == "head" or clicked in self.parts.tables:
            self._go_to(clicked)

    def _go_to(self, name: str) -> None:
        if name == ("head" if self._reads else self.parts.active):
            return
        self._reads = name == "head"
        self.set_class(self._reads, "-reads")
        if self._reads:
            self.head.focus()
        else:
            self.parts.activate(name)
        self._show_head()
        self.show_footer()

    def seen_identity(self) -> str:
        """Return the workload's uid: actions here are about it, whichever of its parts is under the cursor."""
        return self.ref.uid

    def _ask(self) -> None:
        self.asked.ask(self.rollout, pods_of(self.console.feed.snapshot(), self.ref))

    def _answered(self) -> None:
        if self.is_attached:
            self._content |= {"revisions": self.asked.revisions(self.rollout), "events": self.asked.events}
            self._show_head()
            self._show_tables()
            self.show_footer()

    def delivery_lines(self, rollout: Rollout | None, lens: Lens) -> list[Line]:
        """Return how a Rollout delivers, nothing for any other workload."""
        if rollout is None or rollout.workload.delivery is None:
            return []
        replicasets = replicasets_of(self.console.feed.snapshot(), self.ref)
        back = self.console.keymap.key("rollback")
        return present_delivery(rollout, replicasets, self.asked.analyses, lens, back)

    def show_all(self) -> None:
        """Show everything anew."""
        super().show_all()
        self._take_pods()
        self._show_head()
        self._show_tables()

    def take(self, changes: Changes) -> None:
        """Take what has changed; what comes before the screen is laid out is shown with all else when it is."""
        if not self.head.is_attached:
            return
        super().take(changes)
        if {"pods", "rollouts", "replicasets.apps", "usage.pods"} & changes.keys.keys():
            self._take_pods()
            self._show_head()
            self._show_tables()

    def tick(self) -> None:
        """Let a second pass; now and then ask for the history again."""
        super().tick()
        self._show_head()
        for driver in self._drivers.values():
            driver.refresh(self.console.clock.now())
        if self.asked.age > REFRESH:
            self._ask()

    def _take_pods(self) -> None:
        self._content["pods"] = {pod.ref.key: pod for pod in pods_of(self.console.feed.snapshot(), self.ref)}

    def _show_head(self) -> None:
        lens, rollout = self.console.lens(), self.rollout
        lines = self.head_lines(rollout, lens)
        self.head.set_vm(TextVM((), tuple(lines)))
        self._show_title()

    def on_text_view_state_changed(self, event: TextView.StateChanged) -> None:
        """Say in the title whether tab leads to more."""
        event.stop()
        self._show_title()

    def _show_title(self) -> None:
        lens = self.console.lens()
        kind = rollouts.SHORT_KIND.get(self.ref.kind, self.ref.kind)
        title = (Span(lens.text(f"{self.ref.namespace}/{self.ref.name}"), Tone.STRONG), Span(f"  {kind}", Tone.MUTED))
        more = (Span("tab", Tone.KEY), Span(" more  ", Tone.MUTED)) if self.head.state.cut and not self._reads else ()
        state = (*more, *present_state(self.console.summary().reading, lens))
        self.frame.set_vm(PaneVM("", title, state))

    def head_lines(self, rollout: Rollout | None, lens: Lens) -> list[Line]:
        """Return what is said of the workload: its facts, and what its pods ask for and use."""
        lines = [*present_head(rollout, lens), *self.delivery_lines(rollout, lens)]
        if rollout is not None:
            usage: Mapping[str, Usage] = self.console.feed.snapshot().tables.get("usage.pods", {})
            lines += present_usage(list(self._content["pods"].values()), usage, lens)
        return lines

    def _show_tables(self) -> None:
        now, lens = self.console.clock.now(), self.console.lens()
        for name, driver in self._drivers.items():
            rows = self._content[name]
            driver.take(picture_of(driver.view.table, rows), None, now)
            title = (Span(driver.view.title, Tone.STRONG), lens.dash(), Span(f"{len(rows):,}"))
            face, message, problem = Face.DATA, "", self.asked.problems.get(name, "")
            if not rows and name != "pods":
                face, message = (Face.FAILED, problem) if problem else (Face.WAITING, driver.view.empty + ".")
            state = (Span(problem, Tone.WARN),) if problem and rows else ()
            self.parts.show(name, PaneVM("", title, state, face, message))

    def target_ref(self) -> tuple[Ref, Resource | None] | None:
        """Return the pod under the cursor, else the workload itself: revisions and events belong to it."""
        target = self.target()
        if target is not None and isinstance(target[1], Pod):
            return target[0].ref(target[1]), target[0].resource_for(target[1])
        rollout = self.rollout
        return self.ref, rollouts.kind_of(rollout) if rollout is not None else None

    def why_not(self, command: Command) -> str | None:
        """Say why a command is off here."""
        if command.id == "diff" and len(self._content["revisions"]) < 2:
            return "there is one revision only" if self._content["revisions"] else "the history has not come yet"
        return super().why_not(command)

    def do_open(self) -> None:
        """Open a pod's logs, a revision's diff, or the object of an event."""
        target = self.target()
        if target is None:
            return
        if isinstance(target[1], Revision):
            self.do_diff()
        elif isinstance(target[1], Pod):
            self.quarterdeck.open_logs(target[1].ref)
        else:
            self.do_describe()

    def do_explain(self) -> None:
        """Explain the workload, whichever of its parts is under the cursor."""
        self.quarterdeck.explain(self.ref)

    def do_diff(self) -> None:
        """Show what changed between the revision under the cursor (else the newest) and the one before it."""
        newest_first = sorted(self._content["revisions"].values(), key=lambda one: -one.number)
        target = self.target()
        chosen = target[1] if target is not None and isinstance(target[1], Revision) else newest_first[0]
        older = [one for one in newest_first if one.number < chosen.number]
        if not older:
            self.quarterdeck.say(f"revision {chosen.number} is the oldest that is kept")
            return
        arrow = self.console.glyphs.right
        title = f"{self.ref.namespace}/{self.ref.name}  rev {older[0].number} {arrow} {chosen.number}"
        self.quarterdeck.open_lines(title, lambda lens: present_diff(older[0], chosen, lens))

    def do_logs(self) -> None:
        """Show the logs of the pod under the cursor, or of all pods when the cursor is on a revision."""
        target = self.target()
        self.quarterdeck.open_logs(target[1].ref if target is not None and isinstance(target[1], Pod) else self.ref)

    def anew(self) -> WorkloadScreen:
        """Return the workload's screen."""
        return WorkloadScreen(self.console, self.ref)

    def where(self) -> Place:
        """Return the way back here."""
        return self.console.kept(Place(view="workload", subject=f"{self.ref.kind}/{self.ref.key}"))
