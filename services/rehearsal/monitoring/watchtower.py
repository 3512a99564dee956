"""One Prometheus and two Alertmanagers on ports of their own, and what a test may do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.monitoring.chronicle import Chronicle
from services.rehearsal.monitoring.promql.tree import QueryError
from services.rehearsal.monitoring.rulebook import Group
from services.rehearsal.wire.http1 import HttpServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.rehearsal.clock import Clock
    from services.rehearsal.estate.blueprint import Blueprint
    from services.rehearsal.monitoring.rulebook import Rule
    from services.rehearsal.monitoring.station import Station
    from services.rehearsal.scenarios.registry import Hush
    from services.rehearsal.simulation.world import World

PEERS = 2


class Watchtower:
    """Opens the ports; everything behind them is built when the first request comes."""

    def __init__(self, world: World, plan: Blueprint, clock: Clock) -> None:
        self._world = world
        self._plan = plan
        self._clock = clock
        self.chronicle = Chronicle(world)
        self.hushes: list[Hush] = []
        """Silences that somebody has set before the estate is shown."""
        self._station: Station | None = None
        self._closed: dict[str, bool] = {}
        self._hung: set[str] = set()
        self._servers: dict[str, HttpServer] = {}
        self.urls: dict[str, str] = {}

    @property
    def station(self) -> Station:
        """Return what answers, built now if need be."""
        if self._station is None:
            from services.rehearsal.monitoring.station import Station

            self._station = Station(self._world, self._plan, self._clock, self.chronicle, self.hushes)
            self._station.place(self.urls, lambda number: f"alertmanager-{number}" not in self._closed)
        return self._station

    def begin(self) -> None:
        """Listen to the world; it is at rest."""
        self.chronicle.begin()

    async def open(self, host: str) -> None:
        """Open the ports; raise OSError when none is free."""
        shown = f"[{host}]" if ":" in host else host
        for name in ("prometheus", *(f"alertmanager-{number}" for number in range(PEERS))):
            server = HttpServer(self._handler(name), self._gate)
            server.listen_anywhere(host)
            self._servers[name] = server
            self.urls[name] = f"http://{shown}:{server.port}"

    async def close(self) -> None:
        """Close the ports."""
        for server in self._servers.values():
            await server.close()

    async def _gate(self) -> None:
        """Let everything pass: a hung server waits in its handler, alone."""

    def _handler(self, name: str) -> Callable[[Request], Awaitable[Reply]]:
        async def handle(request: Request) -> Reply:
            return await self.answer(name, request)

        return handle

    async def answer(self, name: str, request: Request) -> Reply:
        """Answer a request to `prometheus` or `alertmanager-N`, however it came here."""
        if name in self._hung:
            from services.rehearsal.clock import sleep_until

            while name in self._hung:
                await sleep_until(self._clock, self._clock.now() + 0.1)
        station = self.station
        if name == "prometheus":
            return await station.prometheus.handle(request)
        await station.prepare()
        return await station.peers[int(name.rsplit("-", 1)[1])].handle(request)

    def answers(self, name: str) -> bool:
        """Tell whether a server is running."""
        return name not in self._closed

    async def stop(self, name: str) -> None:
        """Stop a server: its port refuses. Raise KeyError when there is none of that name."""
        server = self._servers[name]
        self._closed[name] = True
        if name.startswith("alertmanager"):
            self.station.estate.down_peers[int(name[-1])] = self._clock.now()
        await server.close()

    async def start(self, name: str) -> None:
        """Start a stopped server; an Alertmanager comes back without alerts. Raise KeyError when there is none."""
        server = self._servers[name]
        self._closed.pop(name, None)
        if name.startswith("alertmanager"):
            number = int(name[-1])
            self.station.estate.down_peers.pop(number, None)
            self.station.peers[number].begin(self._clock.now())
        await server.reopen()

    def hang(self, name: str, *, on: bool = True) -> None:
        """Let a server accept requests and answer none, or answer again. Raise KeyError when there is none."""
        if name not in self._servers:
            raise KeyError(name)
        (self._hung.add if on else self._hung.discard)(name)

    def flood(self, count: int) -> None:
        """Let so many alerts of a drill fire; 0 ends them."""
        self.station.estate.flood = count

    def slow(self, text: str, seconds: float) -> None:
        """Let every query that contains this text take so long; 0 ends that."""
        self.station.slow.pop(text, None)
        if seconds:
            self.station.slow[text] = seconds

    async def add_rule(self, rule: Rule) -> None:
        """Evaluate one more rule, in a group of its name; raise ValueError where its expression is none."""
        await self.station.prepare()
        try:
            self.station.alerting.add(Group(rule.name, [rule]))
        except QueryError as error:
            raise ValueError(error.message) from None

    def remove_rule(self, name: str) -> None:
        """Take such a rule back, which ends its alerts. Raise KeyError when there is none of that name."""
        self.station.alerting.remove(name)

    async def heal(self) -> None:
        """Take every fault back."""
        self._hung.clear()
        for name in list(self._closed):
            await self.start(name)
        if self._station is not None:
            self._station.estate.flood = 0
            self._station.slow.clear()
