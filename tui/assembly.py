"""Puts one console together: live state, history, service thread, screen; and takes it apart again in good order."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cache.live import LiveState
from cache.state.recorder import Recorder
from cache.state.records import Place
from cache.state.store import StateStore
from services.clock import Clock
from services.ports import Interest, Sink
from services.redact import redact
from tui.app import QuarterdeckApp
from tui.commands.setup import Setup, actor
from tui.console import Console, Scope
from tui.crash import CrashLog
from tui.glyphs import ASCII, UNICODE
from tui.runtime import Runtime
from tui.signals import SignalWatch
from tui.terminal import Terminal

if TYPE_CHECKING:
    from services.kubernetes.derivation import Derivation

STOP_WITHIN = 3.0
"""Seconds the service thread has to end once the screen is gone."""


class Assembly:
    """One run of the program, from the parsed command to the exit code."""

    def __init__(self, setup: Setup, terminal: Terminal, live: LiveState, clock: Clock, log: CrashLog) -> None:
        self.setup = setup
        self.live = live
        self.clock = clock
        self.log = log
        self.terminal = terminal
        self.runtime = Runtime(self._sink, clock)
        settings = setup.loaded.config.context(setup.identity.context)
        scope = Scope(
            context=setup.identity.context,
            cluster=setup.identity.cluster_name or setup.identity.context,
            environment=settings.word,
            namespaces=settings.namespaces,
            labels=settings.labels,
        )
        self.console = Console(
            clock=clock,
            feed=live,
            scope=scope,
            runtime=self.runtime,
            actor=actor(),
            glyphs=ASCII if terminal.ascii_only else UNICODE,
            mask=redact,
            log_lines=setup.loaded.config.logs.lines,
            log_tail=setup.loaded.config.logs.tail,
            login=settings.login,
            slow=terminal.slow_link,
        )
        self.store: StateStore | None = None
        self.recorder: Recorder | None = None

    def _sink(self) -> Sink:
        """Return the way into live state, derived tables included; on the service thread, before the first row."""
        from services.kubernetes.derivation import Derivation

        derivation = Derivation(self.live.sink(), self.clock)
        self.live.add_hook(derivation.flush)
        if self.store is not None:
            self.recorder = Recorder(self.live, self.store, self.setup.key, self.clock)
            self.runtime.keep(self.recorder.run())
        self.runtime.keep(self._let_time_pass(derivation))
        return derivation

    async def _let_time_pass(self, derivation: Derivation) -> None:
        """Publish when time alone changes something: a deadline that passes without an event."""
        while True:
            await self.clock.sleep(1.0)
            due = derivation.next_due()
            if due and self.clock.now() >= due:
                self.live.nudge()

    def run(self, place: Place | None, interest: Interest, namespaces: tuple[str, ...]) -> int:
        """Show the screen until the operator leaves; returns the exit code."""
        ui = self.setup.loaded.config.ui
        app = QuarterdeckApp(
            self.console,
            place,
            ascii_only=self.terminal.ascii_only,
            theme=ui.theme,
            no_colour=self.terminal.no_colour,
            on_ready=lambda: self._begin(interest, namespaces),
        )
        app.crash_log = self.log
        watch = SignalWatch(lambda _: self._leave(app))
        watch.start()
        try:
            app.run(mouse=self.terminal.mouse)
        finally:
            self._end()
            watch.stop()
        return watch.exit_code or app.return_code or 0

    def _leave(self, app: QuarterdeckApp) -> None:
        with contextlib.suppress(RuntimeError):
            app.call_from_thread(app.do_quit)

    def _begin(self, interest: Interest, namespaces: tuple[str, ...]) -> None:
        from services.engine import Desired

        if self.setup.loaded.config.history.enabled:
            self.store = StateStore(self.setup.folder, self.clock)
            self.store.start()
            self.console.on_place = self._keep_place
        settings = self.setup.loaded.config.context(self.setup.identity.context)
        self.runtime.start(Desired(self.setup.identity, interest, fallback=namespaces or settings.namespaces))

    def _keep_place(self, place: Place) -> None:
        if self.store is not None:
            self.store.save_place(self.setup.key, place)

    def _end(self) -> None:
        self.runtime.stop(STOP_WITHIN)
        if self.recorder is not None:
            self.recorder.close()
        if self.store is not None:
            self.store.close()
