"""What runs beside the watch of a cluster, once its first rows are on screen: costs, incidents, messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cache.live import LiveState
from services.clock import Clock
from services.model.source import CONNECTION, SourceState
from services.model.text import SafeText

if TYPE_CHECKING:
    from cache.ledger.incident_watch import IncidentWatch
    from cache.state.store import StateStore
    from services.alerts.alertmanagers import Alertmanagers
    from services.config_schema import Config
    from services.costs.watch import CostWatch
    from services.engine import Engine
    from services.kubernetes.kubeconfig import Identity
    from services.kubernetes.transport import Transport
    from services.model.action import Altered
    from services.model.actor import Actor
    from services.monitoring import Monitoring
    from services.ports import MetricsSession
    from tui.incidents import Desk
    from tui.outgoing import Outgoing

KNOWN_WITHIN = 15.0
"""Seconds for which the alerts wait to learn which cluster they may speak of; then they are shown without."""

LOST_AFTER = 4.0
"""Seconds of failure after which alerts wait no longer for the API server: they may say why it fails."""

ALERTS_AFTER = 1.0
"""Seconds after a cluster is entered at which alerts are asked for: they are looked at first."""

AFTER = 3.0
"""Seconds after a cluster is entered: what is loaded here must not be in the way of the first rows."""


class Beside:
    """Made once for a console; its runs are begun anew for each stay in a cluster, on the service loop."""

    def __init__(self, folder: Path, clock: Clock, who: Actor, config: Config) -> None:
        self._folder = folder
        self._clock = clock
        self._who = who
        self._config = config
        self._estimate: CostWatch | None = None
        self._incidents: IncidentWatch | None = None
        self._desk: Desk | None = None
        self._outgoing: Outgoing | None = None
        self._monitoring: Monitoring | None = None
        self.call: Callable[[Callable[[], None]], None] = lambda act: act()
        self.on_ledger: Callable[[SafeText], None] = lambda _: None

    def desk(self) -> Desk:
        """Return where incidents are written; loaded when it is wanted first."""
        if self._desk is None:
            from tui.incidents import Desk

            self._desk = Desk(self._folder, self._clock, self._who, self._written)
        return self._desk

    def _written(self) -> None:
        if self._incidents is not None:
            self._incidents.nudge()

    def use(self, config: Config) -> None:
        """Estimate and deliver by other settings from now on; any thread."""
        before, self._config = self._config, config
        if (estimate := self._estimate) is not None and config.costs != before.costs:
            self.call(lambda: estimate.use(config.costs))
        if (outgoing := self._outgoing) is not None:
            self.call(lambda: outgoing.use(config))

    async def costs(self, live: LiveState, store: StateStore | None, key: str) -> None:
        """Estimate the costs of the cluster until cancelled; its hours go to `store` under `key`."""
        await self._clock.sleep(AFTER)
        from services.costs.watch import CostWatch

        shelf = None
        if store is not None:
            from cache.state.cost_shelf import CostShelf
            from cache.state.history import HistoryReader

            shelf = CostShelf(HistoryReader(self._folder), store, key)
        self._estimate = watch = CostWatch(
            live, live.sink(), self._clock, self._config.costs, history=shelf, metrics=self.metrics
        )
        try:
            await watch.run()
        finally:
            self._estimate = None
            watch.close()

    async def incidents(self, live: LiveState, cluster: str) -> None:
        """Bring the ledger's incidents to the screen until cancelled, and those of this cluster to its timeline."""
        await self._clock.sleep(AFTER)
        from cache.ledger.altered import AlteredReader
        from cache.ledger.incident_watch import IncidentWatch
        from cache.ledger.incidents import IncidentReader
        from cache.ledger.ledger import look_over
        from services.incidents.happenings import Told
        from tui.undone import put_back

        if wrong := await asyncio.to_thread(look_over, self._folder):
            self.on_ledger(wrong)

        def elsewhere(one: Altered) -> bool:
            return (bool(cluster) and one.ref.cluster != cluster) or put_back(one, live.snapshot())

        altered = AlteredReader(self._folder, self._clock.now, elsewhere)
        reader = IncidentReader(self._folder)
        self._incidents = IncidentWatch(reader, live.sink(), self._clock, altered, Told(cluster).news)
        try:
            await self._incidents.run()
        finally:
            self._incidents = None
            reader.close()

    def outgoing(self) -> Outgoing:
        """Return where messages to people outside are written; loaded when it is wanted first."""
        if self._outgoing is None:
            from tui.outgoing import Outgoing

            self._outgoing = Outgoing(self._folder, self._clock, self._who, self._config)
        return self._outgoing

    async def ledger(self, live: LiveState, cluster: str) -> None:
        """Bring what the ledger holds to the screen, and deliver what is told to people outside, until cancelled."""
        await asyncio.gather(self.incidents(live, cluster), self._outbox(live))

    async def _outbox(self, live: LiveState) -> None:
        await self._clock.sleep(AFTER)
        await self.outgoing().run(live.sink())

    def metrics(self) -> MetricsSession | None:
        """Return what may be asked of the Prometheis; on the service loop."""
        return self._monitoring.metrics if self._monitoring is not None else None

    def alertmanagers(self, cluster: str) -> Alertmanagers | None:
        """Return what silences are set at, None while no Alertmanager is asked; on the service loop."""
        return self._monitoring.alertmanagers(cluster) if self._monitoring is not None else None

    async def alerts(
        self, live: LiveState, config: Config, identity: Identity, engine: Callable[[], Engine | None]
    ) -> None:
        """Bring the alerts of the configured servers to the screen until cancelled."""
        context, names = identity.context, frozenset({identity.context, identity.cluster_name} - {""})
        if not config.prometheus and not config.alertmanager:
            return
        await self._clock.sleep(ALERTS_AFTER)
        from services.monitoring import Monitoring

        monitoring = Monitoring(config, context, self._clock, lambda: _transport_of(engine()))
        if not monitoring.configured:
            return
        self._monitoring = monitoring
        until = self._clock.monotonic() + KNOWN_WITHIN
        while not (cluster := _cluster_of(engine())) and identity.server and self._clock.monotonic() < until:
            if self._is_lost(live):
                break
            await self._clock.sleep(0.2)
        try:
            if identity.server and not cluster:
                await self._alerts_without_cluster(monitoring, live, engine, names)
                cluster = _cluster_of(engine())
            await monitoring.watch_alerts(live.sink(), live.snapshot, cluster, names)
        finally:
            self._monitoring = None
            await monitoring.close()

    def _is_lost(self, live: LiveState) -> bool:
        """Return whether the API server has failed for long enough that alerts cannot wait for it."""
        status = live.snapshot().sources.get(CONNECTION)
        failed = status is not None and status.state is SourceState.FAILED
        return failed and status is not None and self._clock.now() - status.since >= LOST_AFTER

    async def _alerts_without_cluster(
        self, monitoring: Monitoring, live: LiveState, engine: Callable[[], Engine | None], names: frozenset[str]
    ) -> None:
        """Bring alerts that may speak of any cluster, until it is known which one is watched."""
        watching = asyncio.create_task(monitoring.watch_alerts(live.sink(), live.snapshot, "", names))
        try:
            while not _cluster_of(engine()) and not watching.done():
                await self._clock.sleep(1.0)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def close(self) -> None:
        """Close the ledger."""
        if self._desk is not None:
            self._desk.close()
        if self._outgoing is not None:
            self._outgoing.close()


def _transport_of(engine: Engine | None) -> Transport | None:
    return engine.transport if engine is not None else None


def _cluster_of(engine: Engine | None) -> str:
    return engine.cluster if engine is not None else ""
