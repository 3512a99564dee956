"""Puts one console together: live state, history, service thread, screen; and takes it apart again in good order."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from cache.live import LiveState
from cache.state.records import Place
from services.clock import Clock
from services.ports import Interest
from services.redact import redact
from tui.announcing import Announcing
from tui.app import QuarterdeckApp
from tui.beside import Beside
from tui.commands.setup import Setup, actor, console_actor
from tui.console import Console, Scope
from tui.crash import CrashLog, loop_handler
from tui.glyphs import ASCII, UNICODE
from tui.keymap import keymap_of
from tui.masking import Masking
from tui.runtime import Runtime
from tui.signals import SignalWatch
from tui.steering import Steers
from tui.terminal import Terminal

if TYPE_CHECKING:
    from cache.state.past import Past
    from cache.state.store import StateStore
    from services.engine import Desired, Engine
    from services.ports import ClusterSession
    from tui.acting import Acting
    from tui.outgoing import Outgoing
    from tui.reload import Reload
    from tui.stay import Stay
    from tui.trail import LedgerTrail

STOP_WITHIN = 3.0
"""Seconds the service thread has to end once the screen is gone."""

HISTORY_AFTER = 4.0
"""Seconds after the first frame at which the database is opened for writing: not while the first rows are awaited."""


class Assembly(Announcing, Masking, Steers):
    """One run of the program, from the parsed command to the exit code. Implements `tui.console.Steering`.

    `wanted` is what a page is about, to be opened as soon as it is known.
    """

    def __init__(self, setup: Setup, terminal: Terminal, live: LiveState, clock: Clock, log: CrashLog) -> None:
        self.setup = setup
        self.live = live
        self.clock = clock
        self.log = log
        self.terminal = terminal
        self.interest = Interest()
        self.runtime = Runtime(self._enter, clock)
        self.runtime.on_login = self._login_needed
        self.runtime.on_fault = loop_handler(log)
        self.runtime.on_broken = self._stay_broke
        self.store: StateStore | None = None
        self.app: QuarterdeckApp | None = None
        self.wanted = ""
        self._history_begun = False
        self._reload: Reload | None = None
        self._hands: tuple[ClusterSession | None, Acting] | None = None
        self._notes: list[str] = list(setup.loaded.notes)
        settings = setup.loaded.config.context(setup.identity.context)
        self._actor = console_actor(actor())
        self._trail: LedgerTrail | None = None
        self.beside = Beside(setup.folder, clock, self._actor, setup.loaded.config)
        self.beside.call = self.runtime.call
        self.beside.on_ledger = self._ledger_wrong
        self.console = Console(
            clock=clock,
            feed=live,
            scope=self.saved_scope(),
            runtime=self.runtime,
            steering=self,
            actor=actor(),
            glyphs=ASCII if terminal.ascii_only else UNICODE,
            mask=redact,
            log_lines=setup.loaded.config.logs.lines,
            log_tail=setup.loaded.config.logs.tail,
            login=settings.login,
            slow=terminal.slow_link,
            keymap=keymap_of(setup.loaded),
            past=self._past,
            desk=self.beside.desk,
            outgoing=self.beside.outgoing,
            acting=self._acting,
            metrics=self.beside.metrics,
            alert_servers=lambda: self.setup.loaded.config.alert_sources(self.setup.identity.context),
            saved_scope=self.saved_scope,
            private=self._private,
            salt=self._salt if setup.loaded.config.ui.share_salt is not None else None,
            share_names=setup.loaded.config.ui.share_names,
            recovered_for=setup.loaded.config.rollouts.recovered_seconds,
            flapping_for=setup.loaded.config.rollouts.flapping_seconds,
        )
        if setup.loaded.config.ui.share:
            self._share_from_the_start()

    def saved_scope(self) -> Scope:
        """Return the scope that the configuration has for the cluster that is watched."""
        identity = self.setup.identity
        settings = self.setup.loaded.config.context(identity.context)
        return Scope(
            context=identity.context,
            cluster=identity.cluster_name or identity.context,
            environment=settings.word,
            namespaces=settings.namespaces,
            labels=settings.labels,
            colour=settings.colour,
        )

    # One run

    def open(self, place: Place | None, interest: Interest) -> QuarterdeckApp:
        """Return the screen, which begins to watch when it has painted; `close` is to be called after it."""
        self.interest = interest
        ui = self.setup.loaded.config.ui
        app = self.app = QuarterdeckApp(
            self.console,
            place,
            ascii_only=self.terminal.ascii_only,
            theme=ui.theme,
            no_colour=self.terminal.no_colour,
            on_ready=self._begin,
        )
        app.crash_log = self.log
        return app

    def run(self, place: Place | None, interest: Interest) -> int:
        """Show the screen until the operator leaves; returns the exit code."""
        app = self.open(place, interest)
        watch = SignalWatch(lambda _: self._leave(app))
        watch.start()
        try:
            app.run(mouse=self.terminal.mouse)
        finally:
            self.close()
            watch.stop()
        return watch.exit_code or app.return_code or 0

    def _begin(self) -> None:
        if self.setup.loaded.config.history.enabled and self.app is not None:
            self.app.set_timer(HISTORY_AFTER, self._begin_history)
            self.console.on_place = self._keep_place
        self.runtime.start(self._desired)
        self.runtime.submit(self._watch_config())
        if self.app is not None and self.wanted:
            self.app.open_what(self.wanted)
        if self.app is not None and self._notes:
            self.app.say(self._notes[0])

    async def _watch_config(self) -> None:
        await self.clock.sleep(HISTORY_AFTER)
        await self._reloading().run()

    def _reloading(self) -> Reload:
        if self._reload is None:
            from tui.reload import Reload

            self._reload = Reload(self)
        return self._reload

    def reload(self) -> None:
        """Read the configuration again now, on a thread of its own."""
        threading.Thread(target=self._reloading().look, args=(True,), name="reload", daemon=True).start()

    def rewatch(self) -> None:
        """Watch what is desired now; what stays the same goes on."""
        self.runtime.reconcile(self._desired)

    def _begin_history(self) -> None:
        if self.store is None:
            if self.app is not None:  # the service thread makes it, and takes longer than the start did
                self.app.set_timer(HISTORY_AFTER, self._begin_history)
        elif not self._history_begun:
            self._history_begun = True
            self.store.start(self._history_changed)
            if self.setup.lesson is not None:
                self.store.remember(*self.setup.lesson)

    def _leave(self, app: QuarterdeckApp) -> None:
        with contextlib.suppress(RuntimeError):
            app.call_from_thread(app.leave)

    def close(self) -> None:
        """End the service thread and write what is left to write."""
        self.runtime.stop(STOP_WITHIN)
        self.beside.close()
        if self._trail is not None:
            self._trail.close()
        if self.store is not None:
            self._begin_history()
            self.store.close()

    def _desired(self) -> Desired:
        from services.engine import Desired

        settings = self.setup.loaded.config.context(self.setup.identity.context)
        return Desired(self.setup.identity, self.interest, fallback=self.interest.namespaces or settings.namespaces)

    # The service thread's side

    def _enter(self, runtime: Runtime) -> Stay:
        from tui.stay import Stay

        if self.store is None and self.setup.loaded.config.history.enabled:
            self.store = self._new_store()
        thresholds = self.setup.loaded.config.rollouts
        beside, key, config, identity = self.beside, self.setup.key, self.setup.loaded.config, self.setup.identity
        return Stay(
            self.live,
            self.clock,
            self.store,
            key,
            session=lambda: runtime.session,
            settings=thresholds,
            namespaces=lambda: self.interest.namespaces,
            beside=(
                lambda: beside.alerts(self.live, config, identity, self._engine),
                lambda: beside.costs(self.live, self.store, key),
                lambda: beside.ledger(self.live, identity.cluster_name or identity.context),
            ),
        )

    def _engine(self) -> Engine | None:
        return self.runtime.engine

    def _acting(self) -> Acting | None:
        """Return what acts on the cluster that is watched now, made anew for each."""
        from tui.handing import make_acting, rule
        from tui.trail import LedgerTrail

        engine = self.runtime.engine
        if engine is None:
            return None
        if self._trail is None:
            self._trail = LedgerTrail(self.setup.folder, self.clock, self._actor)
        if self._hands is None or self._hands[0] is not engine.session:
            made = make_acting(
                engine,
                self.live,
                self.clock,
                self.setup,
                trail=self._trail,
                past=self._past(),
                outgoing=self._outgoing,
                alertmanagers=self.beside.alertmanagers,
            )
            if made is None:
                return None
            if self._hands is not None and self._hands[1].armed.holds(made.hands.context, self.clock.now()):
                made.armed = self._hands[1].armed
            self.console.armed_until = made.armed.until
            self._hands = (engine.session, made)
        rule(self._hands[1], self.setup.loaded.config)
        self._hands[1].arm_key = self.console.keymap.key("arm")
        return self._hands[1]

    def _outgoing(self) -> Outgoing | None:
        """Return where people are told, None where no channel is configured."""
        return self.beside.outgoing() if self.setup.loaded.config.notify else None

    def _new_store(self) -> StateStore:
        from cache.retention import Retention
        from cache.state.store import StateStore

        history = self.setup.loaded.config.history
        kept = Retention(
            events=history.events_days,
            samples=history.samples_days,
            thinned=history.thinned_days,
            most_bytes=history.max_megabytes << 20,
        )
        return StateStore(self.setup.folder, self.clock, retention=kept)

    def _past(self) -> Past | None:
        """Return what was recorded of the cluster that is watched, None where history is off."""
        from cache.state.history import HistoryReader
        from cache.state.past import Past

        if not self.setup.loaded.config.history.enabled:
            return None
        return Past(HistoryReader(self.setup.folder), lambda: self.setup.key)

    def _keep_place(self, place: Place) -> None:
        if self.store is not None:
            self.store.save_place(self.setup.key, place)
