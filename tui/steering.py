"""What an operator may do to the watch itself: another cluster, another scope, one more kind, a login."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs

from services.model.ref import Resource
from tui.commands.setup import FIRST_TABLES, fill, retarget, saved_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cache.live import LiveState
    from cache.state.records import SavedTable
    from services.clock import Clock
    from services.engine import Desired
    from services.ports import Interest
    from tui.commands.setup import Setup
    from tui.console import Console, Scope
    from tui.runtime import Runtime


class Steers:
    """The part of the assembly that answers screens which ask for another watch; see `tui.console.Steering`."""

    setup: Setup
    live: LiveState
    clock: Clock
    console: Console
    interest: Interest
    runtime: Runtime

    if TYPE_CHECKING:

        def saved_scope(self) -> Scope:
            """Return the scope that the configuration has for the cluster that is watched."""

        def _desired(self) -> Desired: ...

    def contexts(self) -> tuple[str, ...]:
        """Return the names of the contexts there are. Raises Problem."""
        from services.kubernetes.kubeconfig import contexts

        return contexts(self.setup.identity.paths or None)

    def find_context(self, name: str) -> Callable[[], None]:
        """Read what there is of another cluster; what is returned leaves this one for it, and reads nothing.

        Blocks for the disk. Raises Problem where the kubeconfig cannot say which.
        """
        found = retarget(self.setup, name)
        saved, _ = saved_of(found, FIRST_TABLES)
        return partial(self._move_to, found, saved)

    def _move_to(self, found: Setup, saved: Mapping[str, SavedTable]) -> None:
        self.setup = structs.replace(self.setup, identity=found.identity, key=found.key)
        self.interest = structs.replace(self.interest, namespaces=(), generic=())
        self.console.scope = self.saved_scope()
        self.console.login = self.setup.loaded.config.context(found.identity.context).login
        self.live.clear()
        fill(self.live, saved, self.clock)
        self.runtime.move(self._desired)

    def want(self, resource: Resource) -> None:
        """Watch one more kind, through the server's own Table."""
        if all(one.table != resource.table for one in self.interest.generic):
            self.interest = structs.replace(self.interest, generic=(*self.interest.generic, resource))
            self.runtime.reconcile(self._desired)

    def widen(self, namespaces: tuple[str, ...]) -> None:
        """Watch these namespaces (empty: all) where so far only others were."""
        watched = self.interest.namespaces
        if watched and not (namespaces and set(namespaces) <= set(watched)):
            self.interest = structs.replace(self.interest, namespaces=namespaces)
            self.runtime.reconcile(self._desired)

    def login_command(self) -> tuple[tuple[str, ...], dict[str, str]] | None:
        """Return the words and the environment of the login to run with the terminal, None when there is none."""
        if self.console.login:
            return self.console.login, {}
        command = self.runtime.engine.login_command() if self.runtime.engine is not None else None
        return (command.argv, dict(command.env)) if command is not None else None

    def logged_in(self) -> None:
        """Ask everything again with what the login left behind."""
        engine = self.runtime.engine
        if engine is not None:
            self.runtime.call(engine.logged_in)
