"""The servers of the monitoring that belong to one context: asked for alerts steadily, for measurements on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from services.endpoint import Endpoint, called

if TYPE_CHECKING:
    from services.alerts.alertmanagers import Alertmanagers
    from services.alerts.source import AlertingSource
    from services.clock import Clock
    from services.config_schema import Config
    from services.kubernetes.transport import Transport
    from services.ports import MetricsSession, Sink, Snapshot


class Monitoring:
    """Prometheis and Alertmanagers of one stay in a context. Everything is called on the service loop.

    `transport` gives the way through the cluster's API server, None while there is none.
    """

    def __init__(
        self, config: Config, context: str, clock: Clock, transport: Callable[[], Transport | None] = lambda: None
    ) -> None:
        self._config = config
        self._clock = clock
        self._served = {
            (kind, name): Endpoint(called(kind, name), settings, clock, transport)
            for kind, servers in (("alertmanager", config.alertmanager), ("prometheus", config.prometheus))
            for name, settings in servers.items()
            if settings.belongs_to(context)
        }
        self._metrics: MetricsSession | None = None
        self._source: AlertingSource | None = None
        self._alertmanagers: tuple[str, Alertmanagers] | None = None

    @property
    def configured(self) -> bool:
        """Whether any server belongs to this context."""
        return bool(self._served)

    @property
    def metrics(self) -> MetricsSession | None:
        """What may be asked of the Prometheis; None where none is configured."""
        if self._metrics is None:
            prometheis = self._of("prometheus")
            if prometheis:
                from services.prometheus.session import PrometheusSession

                self._metrics = PrometheusSession([*prometheis.values()], self._config.metrics, self._clock)
        return self._metrics

    def alertmanagers(self, cluster: str) -> Alertmanagers | None:
        """Return what silences are set at, for the cluster of that identity; None where none is configured."""
        if not self._of("alertmanager"):
            return None
        if self._alertmanagers is None or self._alertmanagers[0] != cluster:
            from services.alerts.alertmanagers import Alertmanagers
            from services.alerts.peers import peers_of

            peers = peers_of(self._of("prometheus"), self._of("alertmanager"), cluster)
            self._alertmanagers = cluster, Alertmanagers(peers, cluster, self._look_again)
        return self._alertmanagers[1]

    def _look_again(self) -> None:
        if self._source is not None:
            self._source.poll_now()

    async def watch_alerts(
        self,
        sink: Sink,
        snapshot: Callable[[], Snapshot],
        cluster: str,
        names: frozenset[str],
        past_told: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep the alerts of all servers in live state until cancelled. `cluster` is its identity, `names` its names.

        A server that was named for some contexts only, or is reached through the cluster, speaks of that cluster.
        `past_told` is called once the last day is on the timeline, or cannot be had.
        """
        from services.alerts.peers import peers_of
        from services.alerts.picture import Surroundings
        from services.alerts.source import AlertingSource

        peers = peers_of(self._of("prometheus"), self._of("alertmanager"), cluster)
        surroundings = Surroundings(cluster=cluster, names=names, heartbeats=self._config.alerts.heartbeats)
        source = self._source = AlertingSource(peers, sink, self._clock, surroundings=surroundings, snapshot=snapshot)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(source.run())
            await source.past_told.wait()
            past_told()

    async def close(self) -> None:
        """Drop all connections."""
        for endpoint in self._served.values():
            await endpoint.close()

    def _of(self, kind: str) -> dict[str, Endpoint]:
        return {name: endpoint for (one, name), endpoint in self._served.items() if one == kind}
