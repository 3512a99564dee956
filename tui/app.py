"""The app: it owns the screens, takes the keys, and hands the feed's changes to the screen in front."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from textual import events
from textual.app import SuspendNotSupported
from textual.binding import Binding, BindingType

from cache.state.records import Place
from services.errors import Problem
from services.model.ref import WORKLOAD_KINDS, Ref, Resource
from services.model.text import SafeText
from services.ports import Changes, ClusterSession
from services.sanitize import safe_text
from tui.bindings import COMMANDS, K9S, command_for, hint_for
from tui.bridge import Bridge
from tui.clipboard import copy_to_terminal
from tui.console import Console
from tui.crash import CrashHygiene
from tui.presenters.generic import INFO_TABLE, generic_view
from tui.presenters.view import View
from tui.presenters.views import view_named
from tui.screens.base import BaseScreen
from tui.screens.deck import DeckScreen
from tui.screens.table import TableScreen
from tui.signals import suspend_to_shell
from tui.themes import is_native, theme_name, themes
from widgets.frugal_app import FrugalApp
from widgets.tones import ASCII_CLASS
from widgets.viewmodels import Line

T = TypeVar("T")

SAID_FOR = 5.0
"""Seconds a sentence to the operator stands in the footer."""

HISTORY = 50
"""Places that `[` and `]` remember."""


def _keys() -> list[BindingType]:
    names = {key for command in COMMANDS for key in command.keys} | {cousin.key for cousin in K9S}
    return [Binding(name, f"press('{name}')", show=False) for name in sorted(names)]


class QuarterdeckApp(CrashHygiene, FrugalApp[None]):
    """One console on one cluster. Keys are looked up in the registry, for the place in front."""

    CSS_PATH = "styles/quarterdeck.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = _keys()

    def __init__(
        self,
        console: Console,
        place: Place | None = None,
        *,
        ascii_only: bool = False,
        theme: str = "dark",
        no_colour: bool = False,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        self._theme_name = theme_name(theme, no_colour)
        super().__init__(ansi_color=is_native(self._theme_name) or None)
        self.console_state = console
        self._place = place if place is not None and place.view else Place(view="deck")
        self._ascii = ascii_only
        self._bridge = Bridge(console.feed, self._take, slow=console.slow)
        self._on_ready = on_ready
        self._said_until = 0.0
        self._history: list[Place] = []
        self._at = -1
        self._asked: set[Future[Any]] = set()

    def on_mount(self) -> None:
        """Open the place that was left, then begin to watch."""
        for theme in themes():
            self.register_theme(theme)
        self.theme = self._theme_name
        self.set_class(self._ascii, ASCII_CLASS)
        self.animation_level = "none"
        self.push_screen(DeckScreen(self.console_state, self._place if self._place.view == "deck" else None))
        if self._place.view != "deck":
            self.go_to(self._place)
        self._remember()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._bridge.start()
        self.set_interval(1.0, self._tick)
        if self._on_ready is not None:
            self._on_ready()

    def on_unmount(self) -> None:
        """Pull no more, and let no answer arrive that nobody waits for."""
        self._bridge.stop()
        for asked in list(self._asked):
            asked.cancel()

    # Data

    @property
    def front(self) -> BaseScreen | None:
        """The full screen in front, below any dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, BaseScreen)), None)

    def _take(self, changes: Changes) -> None:
        if (front := self.front) is not None and front.is_attached:
            front.take(changes)

    def _tick(self) -> None:
        front = self.front
        if front is None or not front.is_attached:
            return
        if self._said_until and self.console_state.clock.monotonic() >= self._said_until:
            self._said_until = 0.0
            front.say("")
        front.tick()

    def ask(
        self,
        work: Callable[[ClusterSession], Awaitable[T]],
        arrived: Callable[[T | None, Problem | None], None],
    ) -> None:
        """Ask the cluster something on the service thread; `arrived` gets the answer or the problem, here."""
        runtime, loop = self.console_state.runtime, asyncio.get_running_loop()
        if runtime is None:
            arrived(None, Problem(safe_text("No cluster is connected.")))
            return

        async def run() -> T:
            session = runtime.session
            if session is None:
                raise Problem(safe_text("The cluster is not connected yet; wait for the header to say live."))
            return await work(session)

        def done(future: Future[T]) -> None:
            self._asked.discard(future)
            if future.cancelled():
                return
            error = future.exception()
            result = None if error is not None else future.result()
            problem = error if isinstance(error, Problem) or error is None else Problem(_sentence(error))
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(arrived, result, problem)

        future = runtime.submit(run())
        self._asked.add(future)
        future.add_done_callback(done)

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """Note each key before anything else: rows hold their places while the operator is at it."""
        if isinstance(event, events.Key) and (front := self.front) is not None:
            driver = getattr(front, "driver", None)
            if driver is not None:
                driver.ordering.hold(self.console_state.clock.now())
        await super().on_event(event)

    def action_press(self, key: str) -> None:
        """Answer a key, by the registry, in the place in front."""
        front = self.front
        if front is None or self.screen is not front:
            return
        command = command_for(front.place, key)
        if command is not None:
            own = getattr(self, f"do_{command.id}", None)
            if front.perform(command):
                return
            if own is not None:
                own()
                return
        hint = hint_for(front.place, key)
        if hint:
            self.say(hint)

    def say(self, sentence: str) -> None:
        """Show one sentence in the footer for a while."""
        if (front := self.front) is not None:
            front.say(safe_text(sentence))
            self._said_until = self.console_state.clock.monotonic() + SAID_FOR

    # Places

    def open_view(self, name: str, filter_text: str = "") -> bool:
        """Open a table by name; returns False when nothing is called that."""
        view = view_named(name)
        if view is None:
            return False
        self._open(TableScreen(self.console_state, view, Place(view=view.id, filter=filter_text)))
        return True

    def open_table(self, view: View, place: Place | None = None) -> None:
        """Open a table of any kind."""
        self._open(TableScreen(self.console_state, view, place))

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
        from tui.screens.document import TextScreen, plain_lines

        async def fetch(session: ClusterSession) -> Sequence[Line]:
            kind = resource or await resource_of(session, ref)
            return plain_lines(await session.describe(ref, kind))

        title = f"Describe {ref.kind} {ref.key}"
        self._open(TextScreen(self.console_state, title, fetch))

    def open_yaml(self, ref: Ref, resource: Resource | None) -> None:
        """Show an object as YAML."""
        from tui.screens.document import TextScreen, plain_lines

        async def fetch(session: ClusterSession) -> Sequence[Line]:
            kind = resource or await resource_of(session, ref)
            return plain_lines((await session.yaml(kind, ref.namespace, ref.name)).splitlines())

        self._open(TextScreen(self.console_state, f"YAML {ref.kind} {ref.key}", fetch))

    def open_lines(self, title: str, lines: Sequence[Line]) -> None:
        """Show a document that is at hand."""
        from tui.screens.document import TextScreen

        async def fetch(_: ClusterSession) -> Sequence[Line]:
            return lines

        self._open(TextScreen(self.console_state, title, fetch))

    def _open(self, screen: BaseScreen) -> None:
        self.console_state.frozen_since = 0.0
        self.push_screen(screen)
        self._remember(screen.where())

    def go_back(self) -> None:
        """Close the screen in front; the control room stays."""
        if len(self.screen_stack) > 2 or not isinstance(self.screen, DeckScreen):
            self.console_state.frozen_since = 0.0
            self.pop_screen()
            if (front := self.front) is not None:
                front.show_all()
                self._keep()

    def go_to(self, place: Place) -> None:
        """Go to a remembered place; one that is no more leads to the control room."""
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if place.view == "workload":
            found = self.console_state.feed.snapshot().tables.get("rollouts", {}).get(place.subject)
            if found is not None:
                self.open_workload(found.ref)
            return
        view = view_named(place.view)
        if view is not None:
            self.push_screen(TableScreen(self.console_state, view, place))
        elif place.view not in ("", "deck"):
            from tui.palette import go
            from tui.presenters.goto import Going

            go(self, Going(place.view, filter=place.filter))

    def _remember(self, place: Place | None = None) -> None:
        place = place or Place(view="deck")
        del self._history[self._at + 1 :]
        if not self._history or (self._history[-1].view, self._history[-1].subject) != (place.view, place.subject):
            self._history.append(place)
        self._history = self._history[-HISTORY:]
        self._at = len(self._history) - 1
        self._keep()

    def _keep(self) -> None:
        if self.console_state.on_place is not None and (front := self.front) is not None:
            where = front.where() if front.is_attached else None
            if where is not None:
                self.console_state.on_place(where)

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

    def do_palette(self) -> None:
        """Open the palette."""
        from tui.palette import open_palette

        open_palette(self)

    def do_help(self) -> None:
        """Show the keys that work here."""
        from tui.palette import open_help

        open_help(self)

    def begin_filter(self) -> None:
        """Open the filter of the screen in front."""
        if isinstance(self.front, TableScreen):
            self.front.do_filter()

    def enter_namespace(self, namespace: str) -> None:
        """Show this namespace only; "" shows all again."""
        console = self.console_state
        console.scope = replace(console.scope, namespaces=(namespace,) if namespace else ())
        if console.steering is not None:
            console.steering.widen(console.scope.namespaces)
        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen | TableScreen) and screen.is_attached:
                screen.set_scope()
        self.say(f"namespace {namespace}; 0 shows all again" if namespace else "all namespaces")

    def open_kind(self, resource: Resource, filter_text: str = "") -> None:
        """Open any kind the server knows, through its own Table."""
        console = self.console_state
        if console.steering is not None:
            console.steering.want(resource)
        info = console.feed.snapshot().tables.get(INFO_TABLE, {}).get(resource.table)
        self.open_table(generic_view(resource, info), Place(view=resource.table, filter=filter_text))

    def go_to_context(self, name: str) -> None:
        """Leave this cluster for another, without a restart; places of the one before are forgotten."""
        steering = self.console_state.steering
        if steering is None:
            return
        try:
            steering.go_to_context(name)
        except Problem as problem:
            self.say(problem.sentence)
            return
        self.console_state.kinds = ()
        self._history, self._at = [], -1
        self.go_home()
        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen):
                screen.set_scope()
        self.say(f"context {name}; this console stays on it")

    def go_home(self) -> None:
        """Go to the control room."""
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if (front := self.front) is not None:
            front.show_all()
        self._remember()

    def show_banner(self) -> None:
        """Show or hide what needs a person now, on every screen."""
        for screen in self.screen_stack:
            if isinstance(screen, BaseScreen) and screen.is_attached:
                screen.show_banner()

    def do_login(self) -> None:
        """Give the terminal to the login, and come back in place when it is done."""
        steering = self.console_state.steering
        command = steering.login_command() if steering is not None else None
        if steering is None or command is None:
            self.say("no login is configured for this context; set contexts.NAME.login in the configuration")
            return
        words, environment = command
        try:
            with self.suspend():
                subprocess.run(words, env=os.environ | environment, check=False)  # noqa: S603 - the operator's own words
        except (SuspendNotSupported, OSError) as error:
            self.say(f"the login could not be run: {error}")
            return
        steering.logged_in()
        self.refresh(layout=True)

    def do_namespaces(self) -> None:
        """Show all namespaces."""
        self.enter_namespace("")

    # The program

    def copy(self, text: str) -> None:
        """Send a text to the terminal's clipboard, and show it, since nothing tells whether it arrived."""
        self.say(copy_to_terminal(self, text, self.console_state.mask))

    def do_redraw(self) -> None:
        """Paint the screen anew."""
        self.action_redraw()

    def do_suspend(self) -> None:
        """Go back to the shell; the place is kept."""
        self._keep()
        refused = suspend_to_shell(self)
        if refused is not None:
            self.say(refused)

    def do_quit(self) -> None:
        """Keep the place and leave."""
        self._keep()
        self.exit()


async def resource_of(session: ClusterSession, ref: Ref) -> Resource:
    """Return the kind of a reference as the API serves it; raises Problem when the server does not know it."""
    for kind in WORKLOAD_KINDS:
        if (kind.kind, kind.group) == (ref.kind, ref.group):
            return kind
    for found in await session.resources():
        if found.resource.kind == ref.kind and (not ref.group or found.resource.group == ref.group):
            return found.resource
    raise Problem(safe_text(f"The server knows no kind {ref.kind}."))


def _sentence(error: BaseException) -> SafeText:
    return safe_text(f"{type(error).__name__}: {error}")
