"""What commands without a screen know: what consoles kept on this machine, or what the servers say when asked."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from cache.live import LiveState
from cache.state.first_paint import FirstPaint
from cache.state.packing import ALERT_SOURCES, ALERTING, NARROWED
from services.clock import Clock
from services.errors import Problem
from services.kubernetes.kubeconfig import NO_CLUSTER
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.ports import Interest, Replace, Snapshot
from services.sanitize import safe_text
from tui.commands.setup import FIRST_TABLES, Setup, saved_of, seed
from tui.presenters.alert_sources import PEERS, evidence_of
from tui.presenters.freshness import Freshness
from tui.presenters.lens import moment
from tui.presenters.summary import ROLLOUT_SOURCES, overall

if TYPE_CHECKING:
    from services.engine import Engine
    from services.monitoring import Monitoring

OLDEST = 60.0
"""Seconds up to which cached data may still be spoken of as the present."""

JOINED_AFTER = 0.5
"""Seconds after the last server's answer at which all answers are joined and published."""

KNOWN_WITHIN = 5.0
"""Seconds for which alerts wait to learn which cluster they may speak of; then they are asked for without."""

ADVICE = "run with --live, or keep a console open that watches all of it"


def alert_servers(setup: Setup) -> tuple[str, ...]:
    """Return the sources that alerts come from in this context, () where none is configured."""
    return setup.loaded.config.alert_sources(setup.identity.context)


def recall(setup: Setup, live: LiveState, clock: Clock) -> None:
    """Fill live state with what was kept; what is older than `OLDEST` counts as not known, with the reason."""
    if setup.identity == NO_CLUSTER:
        _leave_out_cluster(live)
    else:
        _, as_of = seed(live, setup, FIRST_TABLES, clock)
        _vouch(live, as_of, clock)
        _recall_rights(setup, live)
    recall_alerts(setup, live, clock)


def _recall_rights(setup: Setup, live: LiveState) -> None:
    """Say of which kinds this user saw nothing, or not all, when the rows were kept."""
    saved, _ = saved_of(setup, (NARROWED,))
    known = live.publish().sources
    for name, kept in saved[NARROWED].rows.items() if NARROWED in saved else ():
        now = known.get(name, known[CONNECTION])
        state = SourceState.FORBIDDEN if kept.state is SourceState.FORBIDDEN else now.state
        live.status(structs.replace(now, source=name, state=state, error=kept.error, scope=kept.scope))


def recall_alerts(setup: Setup, live: LiveState, clock: Clock) -> None:
    """Fill live state with the alerts that were kept, and with how their servers stood."""
    servers = alert_servers(setup)
    if not servers:
        return
    with FirstPaint(setup.folder) as paint:
        saved = paint.tables(setup.key, ALERTING)
    for name, table in saved.items():
        if name != ALERT_SOURCES:
            live.apply("cache", Replace(name, table.rows))
    stood = saved[ALERT_SOURCES].rows if ALERT_SOURCES in saved else {}
    for name in servers:
        live.status(_remembered(name, stood.get(name), clock.now()))


def _remembered(name: str, kept: SourceStatus | None, now: float) -> SourceStatus:
    """Return how a server stands by what was kept of it: as it was while that is young, else as not known."""
    if kept is not None and kept.state is SourceState.FAILED:
        return kept
    if kept is not None and kept.state is SourceState.LIVE and now - kept.last_byte <= OLDEST:
        return kept
    known = f"the cache is of {moment(kept.last_ok, now)}" if kept is not None and kept.last_ok else "nothing is cached"
    last = kept.last_ok if kept is not None else 0.0
    error = safe_text(f"{known}; {ADVICE}")
    return SourceStatus(name, SourceState.FAILED, last_ok=last, last_byte=last, since=last, error=error)


def _vouch(live: LiveState, as_of: float, clock: Clock) -> None:
    """Take the cache for the present while it is young; say why not when it is older."""
    now = clock.now()
    if as_of and now - as_of <= OLDEST:
        for name in (CONNECTION, *ROLLOUT_SOURCES):
            live.status(SourceStatus(name, SourceState.LIVE, last_ok=as_of, last_byte=now, since=as_of))
        return
    known = f"the cache is of {moment(as_of, now)}" if as_of else "nothing is cached for this cluster and user"
    error = f"{known}; {ADVICE}"
    live.status(SourceStatus(CONNECTION, SourceState.FAILED, last_ok=as_of, last_byte=as_of, since=as_of, error=error))


def _leave_out_cluster(live: LiveState) -> None:
    """Say that there is no cluster to ask: only the monitoring is configured."""
    for name in (CONNECTION, *ROLLOUT_SOURCES):
        live.status(SourceStatus(name, SourceState.NOT_CONFIGURED))


def rows_came(live: LiveState, clock: Clock) -> Callable[[], bool]:
    """Return whether the cluster has told all that a picture is made of, or does not answer."""
    done = (Freshness.FRESH, Freshness.FAILED, Freshness.NOT_CONFIGURED)
    return lambda: overall(live.snapshot(), clock.now()).freshness in done


class Asking:
    """Asks the cluster and the servers of the alerts, until all have answered or failed, or the time is over."""

    def __init__(self, setup: Setup, live: LiveState, clock: Clock, arguments: argparse.Namespace) -> None:
        self._setup = setup
        self._live = live
        self._clock = clock
        self._timeout = float(arguments.timeout)
        self._namespaces = (arguments.namespace,) if arguments.namespace else ()
        self._servers = alert_servers(setup)
        self._past_told = asyncio.Event()

    async def ask(self, tables: Sequence[str], came: Callable[[], bool], *, past: bool = False) -> None:
        """Ask for `tables` and for the alerts. `came` says whether the cluster has told enough.

        With `past` the last day of the alerts is waited for too. What did not answer in time is said by its source.
        """
        from services.engine import Engine
        from services.kubernetes.derivation import Derivation

        live, settled = self._live, asyncio.Event()
        derivation = Derivation(live, self._clock, self._setup.loaded.config.rollouts)
        forget = live.add_hook(derivation.flush)
        engine = Engine(derivation, self._clock)
        leave = live.subscribe(lambda: settled.set() if came() and self._heard() else None)
        monitoring: Monitoring | None = None
        watching: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self._timeout):
                await self._watch(engine, tables)
                if self._servers:
                    monitoring, watching = self._listen(engine, came)
                await settled.wait()
                if self._servers:
                    await self._clock.sleep(JOINED_AFTER)
                    if past:
                        await self._past_told.wait()
        except TimeoutError:
            pass
        finally:
            leave()
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            if monitoring is not None:
                await monitoring.close()
            await engine.close()
            live.publish()
            forget()
            self._say_late()

    async def _watch(self, engine: Engine, tables: Sequence[str]) -> None:
        from services.engine import Desired

        if self._setup.identity == NO_CLUSTER:
            _leave_out_cluster(self._live)
            return
        settings = self._setup.loaded.config.context(self._setup.identity.context)
        fallback = self._namespaces or settings.namespaces
        try:
            await engine.reconcile(Desired(self._setup.identity, Interest(tuple(tables), self._namespaces), fallback))
        except Problem as problem:
            if not self._servers:
                raise
            now = self._clock.now()
            self._live.status(SourceStatus(CONNECTION, SourceState.FAILED, since=now, error=problem.sentence))

    def _listen(self, engine: Engine, came: Callable[[], bool]) -> tuple[Monitoring, asyncio.Task[None]]:
        """Begin to ask for alerts once the cluster has told which it is and what runs in it, or takes too long."""
        from services.monitoring import Monitoring

        identity, live, clock = self._setup.identity, self._live, self._clock
        monitoring = Monitoring(self._setup.loaded.config, identity.context, clock, lambda: engine.transport)
        names = frozenset({identity.context, identity.cluster_name} - {""})

        async def listen() -> None:
            until = clock.monotonic() + KNOWN_WITHIN
            while not came() and clock.monotonic() < until:
                await clock.sleep(0.05)
            await monitoring.watch_alerts(live, live.snapshot, engine.cluster, names, self._past_told.set)

        return monitoring, asyncio.create_task(listen())

    def _heard(self) -> bool:
        """Return whether every server has answered or failed, and a first picture of their alerts is there."""
        if not self._servers:
            return True
        snapshot = self._live.snapshot()
        evidence = evidence_of(snapshot, self._clock.now(), self._servers)
        return not evidence.waiting and bool(snapshot.tables.get(PEERS))

    def _say_late(self) -> None:
        """Let what has not answered in time count as failed, with that as the reason."""
        snapshot: Snapshot = self._live.snapshot()
        for name in (CONNECTION, *self._servers):
            status = snapshot.sources.get(name) or SourceStatus(name, SourceState.NEVER)
            if status.state in (SourceState.NEVER, SourceState.LOADING):
                error = safe_text(f"no answer within {self._timeout:g} s")
                self._live.status(SourceStatus(name, SourceState.FAILED, since=self._clock.now(), error=error))
        self._live.publish()
