"""A console's view of real alerting servers: the source with live state behind it, waited for and never slept for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from cache.live import LiveState
from services.alerts.peers import Peer, peers_of
from services.alerts.picture import Surroundings
from services.alerts.source import AlertingSource
from services.clock import SystemClock
from services.config_endpoints import EndpointSettings
from services.endpoint import Endpoint
from services.model.alert import Alert, AlertPeer, Silence
from services.model.source import SourceState
from services.model.timeline import Event

PATIENCE = 60.0
INTERVAL = 0.3


def stamp(seconds: float) -> str:
    """Return so many seconds from now in RFC 3339."""
    return datetime.fromtimestamp(SystemClock().now() + seconds, UTC).isoformat().replace("+00:00", "Z")


def posted(name: str, **labels: str) -> dict[str, Any]:
    """Return an alert for an Alertmanager that holds for an hour."""
    return {"labels": {"alertname": name, **labels}, "startsAt": stamp(-60), "endsAt": stamp(3600)}


class Seen:
    """What the console shows now."""

    def __init__(self, live: LiveState, source: AlertingSource) -> None:
        self.live, self.source = live, source
        self._published = asyncio.Event()
        live.subscribe(self._published.set)

    def alerts(self) -> dict[str, Alert]:
        """Return the alerts by name; of several with one name, any."""
        return {one.name: one for one in self._rows("alerts").values()}

    def states(self) -> dict[str, str]:
        """Return what each alert does, by name."""
        return {name: alert.state.value for name, alert in self.alerts().items()}

    def peers(self) -> Mapping[str, AlertPeer]:
        return self._rows("alert-peers")

    def silences(self) -> Mapping[str, Silence]:
        return self._rows("silences")

    def events(self) -> Sequence[Event]:
        return self.live.snapshot().events

    def status(self, source: str) -> SourceState:
        known = self.live.snapshot().sources.get(source)
        return known.state if known is not None else SourceState.NEVER

    def error(self, source: str) -> str:
        return self.live.snapshot().sources[source].error

    async def until(self, holds: Callable[[], object], what: str, within: float = PATIENCE) -> None:
        """Wait until what is published is as wanted; fail with what is shown."""
        try:
            async with asyncio.timeout(within):
                while not holds():
                    self._published.clear()
                    await self._published.wait()
        except TimeoutError:
            said = {name: one.error for name, one in self.live.snapshot().sources.items()}
            raise AssertionError(f"did not see {what} in {within:.0f} s: {self.states()}, {said}") from None

    async def polls(self, name: str, times: int) -> None:
        """Wait until a server has been polled so many times more, whatever it answered."""
        seen = 0
        before = self.live.snapshot().sources.get(name)
        async with asyncio.timeout(PATIENCE):
            while seen < times:
                self._published.clear()
                await self._published.wait()
                now = self.live.snapshot().sources.get(name)
                seen += now != before
                before = now

    def _rows(self, table: str) -> Mapping[str, Any]:
        return self.live.snapshot().tables.get(table, {})


@asynccontextmanager
async def shown(
    alertmanagers: Mapping[str, str | EndpointSettings],
    prometheis: Mapping[str, str | EndpointSettings] | None = None,
    interval: float = INTERVAL,
    **surroundings: Any,
) -> AsyncIterator[Seen]:
    """Watch these servers (by name: a URL, or settings) as a console does."""
    asked = [
        {
            name: Endpoint(
                f"{kind} {name}", EndpointSettings(url=one, timeout=2) if isinstance(one, str) else one, SystemClock()
            )
            for name, one in (servers or {}).items()
        }
        for kind, servers in (("alertmanager", alertmanagers), ("prometheus", prometheis))
    ]
    try:
        async with shown_at(*asked, interval, **surroundings) as seen:
            yield seen
    finally:
        for endpoint in (*asked[0].values(), *asked[1].values()):
            await endpoint.close()


@asynccontextmanager
async def shown_at(
    alertmanagers: Mapping[str, Endpoint],
    prometheis: Mapping[str, Endpoint] | None = None,
    interval: float = INTERVAL,
    **surroundings: Any,
) -> AsyncIterator[Seen]:
    """Watch what is behind these endpoints, which stay open."""
    clock = SystemClock()
    live = LiveState(clock, tick=0.02)
    asked = peers_of(prometheis or {}, alertmanagers)
    peers: list[Peer] = [structs.replace(peer, interval=interval) for peer in asked]
    source = AlertingSource(peers, live, clock, surroundings=Surroundings(**surroundings), snapshot=live.snapshot)
    seen = Seen(live, source)
    task = asyncio.ensure_future(source.run())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await live.close()
