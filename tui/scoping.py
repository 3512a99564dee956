"""Which cluster and which part of it: namespaces, labels, contexts, and the login that a cluster may ask for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs
from textual.app import SuspendNotSupported

from services.errors import Problem
from tui.console import Scope
from tui.navigation import Navigation
from tui.screens.base import BaseScreen

if TYPE_CHECKING:
    _Base = Navigation
else:
    _Base = object


class Scoping(_Base):
    """Mixed into the app: what an operator chooses to look at. A chosen scope is kept, as the place is."""

    _awaited: object = None
    """Which choice of a context is being read; the last one counts."""

    def take_scope(self, scope: Scope, *, chosen: bool) -> None:
        """Show this part of the cluster from now on; `chosen` says whether it is to be there at the next start too."""
        console = self.console_state
        console.scope, console.scope_chosen = scope, chosen
        if console.steering is not None:
            console.steering.widen(scope.namespaces)
        self.rescope()
        self.keep_place()

    def enter_namespace(self, namespace: str) -> None:
        """Show this namespace only; "" shows all again."""
        console = self.console_state
        self.take_scope(structs.replace(console.scope, namespaces=(namespace,) if namespace else ()), chosen=True)
        again = f"{console.keymap.key('namespaces')} shows all again"
        left = f"; labels {console.scope.labels} still narrow it" if console.scope.labels else ""
        self.say(f"namespace {namespace}; {again}{left}" if namespace else f"all namespaces{left}")

    def enter_scope(self, namespaces: tuple[str, ...], labels: str) -> None:
        """Show these namespaces (none: all) and what has these labels ("": whatever they are)."""
        self.take_scope(structs.replace(self.console_state.scope, namespaces=namespaces, labels=labels), chosen=True)
        self.do_scope()

    def do_saved_scope(self) -> None:
        """Go back to the scope of the configuration."""
        saved = self.console_state.saved_scope
        if saved is not None:
            self.take_scope(saved(), chosen=False)
        self.do_scope()

    def do_scope(self) -> None:
        """Say what is shown of the cluster, and how to change that."""
        console = self.console_state
        said = f"scope: {', '.join(console.scope.namespaces) or 'all namespaces'}"
        if console.scope.labels:
            said += f" with {console.scope.labels}"
        go = console.keymap.key("palette")
        self.say(f"{said}; {go}scope NS,NS key=value sets it, {go}scope all, {go}scope saved")

    def rescope(self) -> None:
        """Let every screen take the console's scope."""
        for screen in self.screen_stack:
            if isinstance(screen, BaseScreen) and screen.is_attached:
                screen.set_scope()

    def go_to_context(self, name: str, then: Callable[[], None] | None = None) -> None:
        """Leave this cluster for another, without a restart; places of the one before are forgotten.

        What there is of it is read on a thread: until then all is as it was, and whoever has opened a dialog meanwhile
        stays, since it speaks of the cluster that was there. `then` is done when the other cluster is there.
        """
        console = self.console_state
        if console.steering is None:
            return
        awaited = self._awaited = object()

        def found(enter: Callable[[], None] | None, problem: Problem | None) -> None:
            if self._awaited is not awaited:
                return
            self._awaited = None
            shown = console.lens().name("cluster", name)
            if enter is None:
                self.say(problem.sentence if problem is not None else f"context {shown} could not be read")
            elif not isinstance(self.screen, BaseScreen):
                self.say(f"context {shown} was left alone: a dialog was opened meanwhile; choose it again")
            else:
                self._enter_context(name, enter)
                if then is not None:
                    then()

        self.say(f"reading context {console.lens().name('cluster', name)}; this cluster is shown until then")
        self.work(partial(asyncio.to_thread, console.steering.find_context, name), found)

    def _enter_context(self, name: str, enter: Callable[[], None]) -> None:
        console = self.console_state
        enter()
        console.kinds, console.scope_chosen = (), False
        console.learn_names()
        self.forget_places()
        self.go_home()
        self.rescope()
        self.say(f"context {name}; this console stays on it")

    def do_namespaces(self) -> None:
        """Show all namespaces."""
        self.enter_namespace("")

    def do_login(self) -> None:
        """Give the terminal to the login, and come back in place when it is done."""
        import subprocess

        steering = self.console_state.steering
        command = steering.login_command() if steering is not None else None
        if steering is None or command is None:
            self.say("no login is configured for this context; set contexts.NAME.login in the configuration")
            return
        words, environment = command
        try:
            with self.suspend():
                code = subprocess.run(  # noqa: S603 - the operator's own words
                    words, env=os.environ | environment, check=False
                ).returncode
        except (SuspendNotSupported, OSError) as error:
            self.say(f"the login could not be run: {error}")
            return
        steering.logged_in()
        self.refresh(layout=True)
        if code:
            how = f"with exit code {code}" if code > 0 else f"by signal {-code}"
            self.say(f"the login ended {how}: it may have failed; the cluster is asked again all the same")
