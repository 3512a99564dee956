"""The places of one console: opening them, going back, and the history that `[` and `]` walk."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cache.state.records import Place
from services.errors import Problem
from services.model.incident import number_of
from services.model.ref import WORKLOAD_KINDS, Ref, Resource
from services.ports import ClusterSession
from services.sanitize import safe_text
from tui.console import Console
from tui.presenters.lens import Lens
from tui.presenters.view import View
from tui.screens.base import BaseScreen
from tui.screens.deck import DeckScreen
from widgets.viewmodels import Line

if TYPE_CHECKING:
    from textual.app import App

    from tui.app import QuarterdeckApp
    from tui.screens.table import TableScreen

    _Base = App[Any]
else:
    _Base = object

T = TypeVar("T")

HISTORY = 50
"""Places that `[` and `]` remember."""

HOME = Place(view="deck")


class Navigation(_Base):
    """Mixed into the app: the screens that stand over the control room."""

    console_state: Console
    _history: list[Place]
    _at: int

    @property
    def front(self) -> BaseScreen | None:
        """The full screen in front, below any dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, BaseScreen)), None)

    def say(self, sentence: str) -> None:
        """Show one sentence in the footer for a while."""
        raise NotImplementedError

    def work(
        self, task: Callable[[], Coroutine[Any, Any, T]], arrived: Callable[[T | None, Problem | None], None]
    ) -> None:
        """Do something on the service thread; `arrived` gets its result or the problem, here."""
        raise NotImplementedError

    def open_view(self, name: str, filter_text: str = "") -> bool:
        """Open a table by name; returns False when nothing is called that."""
        from tui.presenters.views import view_named

        view = view_named(name)
        if view is None:
            return False
        self.open_table(view, Place(view=view.id, filter=filter_text))
        return True

    def open_table(self, view: View, place: Place | None = None) -> None:
        """Open a table of any kind."""
        self._open(self._table(view, place))

    def _table(self, view: View, place: Place | None) -> TableScreen:
        """Return the screen that shows a view."""
        if view.id == "costs":
            from tui.screens.costs import CostsScreen

            return CostsScreen(self.console_state, view, place)
        if view.id == "incidents":
            from tui.screens.incidents import IncidentsScreen

            return IncidentsScreen(self.console_state, view, place)
        if view.id == "outbox":
            from tui.screens.outbox import OutboxScreen

            return OutboxScreen(self.console_state, view, place)
        if view.id in ("alerts", "silences", "peers"):
            from tui.screens.alert_table import AlertTableScreen

            return AlertTableScreen(self.console_state, view, place)
        if view.id == "timeline":
            from tui.screens.timeline import TimelineScreen

            return TimelineScreen(self.console_state, view, place)
        from tui.screens.table import TableScreen

        return TableScreen(self.console_state, view, place)

    def do_timeline(self) -> None:
        """Open the timeline."""
        self.open_view("timeline")

    def come_back_to(self, place: Place) -> None:
        """Open the alert or the explanation of a remembered place, where it is still known."""
        raise NotImplementedError

    def open_incident(self, number: int) -> None:
        """Open one incident."""
        from tui.screens.incident import IncidentScreen

        self._open(IncidentScreen(self.console_state, number))

    def open_kind(self, resource: Resource, filter_text: str = "") -> None:
        """Open any kind the server knows, through its own Table."""
        console = self.console_state
        if console.steering is not None:
            console.steering.want(resource)
        from tui.presenters.generic import INFO_TABLE, generic_view

        info = console.feed.snapshot().tables.get(INFO_TABLE, {}).get(resource.table)
        self.open_table(generic_view(resource, info), Place(view=resource.table, filter=filter_text))

    def open_workload(self, ref: Ref) -> None:
        """Open the workload's screen."""
        from tui.screens.workload import WorkloadScreen

        self._open(WorkloadScreen(self.console_state, ref))

    def open_logs(self, ref: Ref, previous: bool = False) -> None:
        """Open the logs of a pod or of all pods of a workload."""
        from tui.screens.logs import LogScreen

        self._open(LogScreen(self.console_state, ref, previous))

    def open_description(self, ref: Ref, resource: Resource | None) -> None:
        """Describe an object."""
        from tui.screens.document import Present, TextScreen, plain_lines

        async def fetch(session: ClusterSession) -> Present:
            lines = await session.describe(ref, resource or await resource_of(session, ref))
            return lambda lens: plain_lines(lines, lens)

        self._open(TextScreen(self.console_state, f"Describe {ref.kind} {ref.key}", fetch))

    def open_yaml(self, ref: Ref, resource: Resource | None) -> None:
        """Show an object as YAML."""
        from tui.screens.document import Present, TextScreen, plain_lines

        async def fetch(session: ClusterSession) -> Present:
            kind = resource or await resource_of(session, ref)
            text = await session.yaml(kind, ref.namespace, ref.name)
            return lambda lens: plain_lines(text.splitlines(), lens)

        self._open(TextScreen(self.console_state, f"YAML {ref.kind} {ref.key}", fetch))

    def open_lines(self, title: str, present: Callable[[Lens], Sequence[Line]], *, wrap: bool = False) -> None:
        """Show a document that is at hand; `wrap` where it is prose."""
        from tui.screens.document import TextScreen

        self._open(TextScreen(self.console_state, title, None, present, wrap=wrap))

    def _open(self, screen: BaseScreen) -> None:
        self.console_state.frozen_since = 0.0
        self.push_screen(screen.fit(*self.size))
        self.remember(screen.where())

    def go_back(self) -> None:
        """Close the screen in front; the control room stays."""
        if len(self.screen_stack) > 2 or not isinstance(self.screen, DeckScreen):
            self.console_state.frozen_since = 0.0
            self.pop_screen()
            if (front := self.front) is not None:
                front.show_all()
                self.keep_place()

    def go_home(self) -> None:
        """Go to the control room."""
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if (front := self.front) is not None:
            front.show_all()
        self.remember()

    def rebuild(self) -> None:
        """Make every screen anew, where it is: what was drawn in another way is nowhere any more. Dialogs close."""
        anew = [screen.anew() for screen in self.screen_stack if isinstance(screen, BaseScreen)]
        with self.batch_update():
            while len(self.screen_stack) > 1:
                self.pop_screen()
            for screen in anew:
                self.push_screen(screen.fit(*self.size))

    def go_to(self, place: Place) -> None:
        """Go to a remembered place; one that is no more leads to the control room."""
        from tui.presenters.views import view_named

        while len(self.screen_stack) > 2:
            self.pop_screen()
        if place.view == "workload":
            found = self.console_state.feed.snapshot().tables.get("rollouts", {}).get(place.subject)
            if found is not None:
                self.open_workload(found.ref)
        elif place.view in ("alert", "explain"):
            self.come_back_to(place)
        elif place.view == "incident":
            self.open_incident(number_of(place.subject))
        elif (view := view_named(place.view)) is not None:
            self.push_screen(self._table(view, place).fit(*self.size))
        elif place.view not in ("", HOME.view):
            from tui.palette import go
            from tui.presenters.goto import Going

            go(cast("QuarterdeckApp", self), Going(place.view, filter=place.filter))

    def remember(self, place: Place | None = None) -> None:
        """Put a place at the end of the history."""
        place = place or HOME
        del self._history[self._at + 1 :]
        last = self._history[-1] if self._history else Place()
        if (last.view, last.subject) != (place.view, place.subject):
            self._history.append(place)
        self._history = self._history[-HISTORY:]
        self._at = len(self._history) - 1
        self.keep_place()

    def keep_place(self) -> None:
        """Keep the place in front for the next start."""
        if self.console_state.on_place is not None and (front := self.front) is not None:
            where = front.where() if front.is_attached else None
            if where is not None:
                self.console_state.on_place(where)

    def forget_places(self) -> None:
        """Begin a new history: the places were another cluster's."""
        self._history, self._at = [], -1

    def do_history_back(self) -> None:
        """Go to the place before."""
        self._move_in_history(-1)

    def do_history_forward(self) -> None:
        """Go to the place after."""
        self._move_in_history(1)

    def do_last_view(self) -> None:
        """Go to the last place, and back."""
        self._move_in_history(-1 if self._at > 0 else 1)

    def _move_in_history(self, step: int) -> None:
        if 0 <= self._at + step < len(self._history):
            self._at += step
            self.go_to(self._history[self._at])
        else:
            self.say("there is no place further that way")


async def resource_of(session: ClusterSession, ref: Ref) -> Resource:
    """Return the kind of a reference as the API serves it; raises Problem when the server does not know it."""
    for kind in WORKLOAD_KINDS:
        if (kind.kind, kind.group) == (ref.kind, ref.group):
            return kind
    for found in await session.resources():
        if found.resource.kind == ref.kind and (not ref.group or found.resource.group == ref.group):
            return found.resource
    raise Problem(safe_text(f"The server knows no kind {ref.kind}."))
