"""What answers behind the monitoring ports, put together when the first request comes."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import TYPE_CHECKING

from services.rehearsal.clock import sleep_until
from services.rehearsal.monitoring.alerting import INTERVAL, Alerting
from services.rehearsal.monitoring.alertmanager import Peer, Sent, lives_until, resent
from services.rehearsal.monitoring.catalogue import EstateCatalogue
from services.rehearsal.monitoring.estate import Estate
from services.rehearsal.monitoring.families import edge, kube, machines, objects
from services.rehearsal.monitoring.prometheus import Prometheus
from services.rehearsal.monitoring.promql.tree import Matcher, QueryError
from services.rehearsal.monitoring.rulebook import RuleBook
from services.rehearsal.monitoring.silences import Silence, Silences

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.clock import Clock
    from services.rehearsal.estate.blueprint import Blueprint
    from services.rehearsal.jsonic import Json
    from services.rehearsal.monitoring.chronicle import Chronicle
    from services.rehearsal.scenarios.registry import Hush
    from services.rehearsal.simulation.world import World

_RAN_BEFORE = 9 * 86400.0


class Station:
    """Series, rules, Prometheus and its Alertmanagers over one estate."""

    def __init__(self, world: World, plan: Blueprint, clock: Clock, chronicle: Chronicle, hushes: list[Hush]) -> None:
        self._clock = clock
        self._preparing = asyncio.Lock()
        self._cluster = plan.cluster
        self._rewrite = world.rewrite
        self.estate = Estate(world, plan, chronicle)
        families = [*edge.FAMILIES, *machines.FAMILIES, *kube.FAMILIES, *objects.FAMILIES]
        self.catalogue = EstateCatalogue(self.estate, families, clock.now)
        self.alerting = Alerting(self.estate, self.catalogue, RuleBook(plan).groups())
        for family in self.alerting.families():
            self.catalogue.families[family.name] = family
        self.catalogue.more = self.alerting.version
        self.prometheus = Prometheus(self.catalogue, self.alerting, clock.now, plan.cluster, world.rewrite)
        self.prometheus.prepare = self.prepare
        self.prometheus.work = self._work
        self.slow: dict[str, float] = {}
        """Seconds that a query takes whose text contains this."""
        self.prometheus.started = chronicle.since - _RAN_BEFORE
        self.alerting.always("Watchdog", self.prometheus.started + INTERVAL)
        self.silences = Silences()
        for hush in hushes:
            self._hush(hush)
        self.peers = [
            Peer(number, _peer_name(plan.seed, number), self.silences, clock.now, self._sent) for number in range(2)
        ]
        for peer in self.peers:
            peer.begin(chronicle.since - _RAN_BEFORE + peer.number * 40)
        self._sent_at: tuple[float, list[Sent]] = (-1.0, [])

    def place(self, urls: dict[str, str], runs: Callable[[int], bool]) -> None:
        """Tell everyone where it is found, and who runs."""
        self.prometheus.url = urls.get("prometheus", "")
        hosts = {number: urls.get(f"alertmanager-{number}", "") for number in range(len(self.peers))}

        def cluster() -> list[Json]:
            there = [peer for peer in self.peers if runs(peer.number)]
            return [{"name": peer.name, "address": f"127.0.0.1:{9094 + peer.number}"} for peer in there]

        def alertmanagers() -> tuple[list[str], list[str]]:
            return [hosts[number] for number in hosts], []

        for peer in self.peers:
            peer.cluster = cluster
        self.prometheus.peers = alertmanagers

    async def prepare(self) -> None:
        """Bring series and alerts up to the present, letting other servers answer between two rules."""
        async with self._preparing:
            self.estate.refresh()
            for _ in self.alerting.catch_up(self._clock.now()):
                await asyncio.sleep(0)

    async def _work(self, query: str, most: float) -> None:
        """Take as long as a query does that is said to be slow; raise QueryError where that is too long."""
        takes = max((seconds for text, seconds in self.slow.items() if text in query), default=0.0)
        if takes:
            await sleep_until(self._clock, self._clock.now() + min(takes, most))
        if takes > most:
            raise QueryError("query timed out in expression evaluation", "timeout")

    def _sent(self) -> list[Sent]:
        """Return the firing alerts as Prometheus has last sent them."""
        now = self._clock.now()
        if self._sent_at[0] != now:
            found = []
            for one in self.alerting.active():
                if one.fired_at == math.inf:
                    continue
                updated = resent(one.fired_at, now)
                labels = {**dict(one.labels), "cluster": self._cluster}
                link = self.prometheus.generator(one.rule.expr)
                ends = lives_until(updated)
                found.append(Sent(labels, one.annotations(self._rewrite), one.fired_at, ends, updated, link))
            self._sent_at = (now, found)
        return self._sent_at[1]

    def _hush(self, hush: Hush) -> None:
        matchers = tuple(Matcher(name, op, value) for name, op, value in hush.matchers)
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{hush.author}/{hush.comment}/{matchers}"))
        ends = hush.start + hush.seconds
        author, comment = self._rewrite(hush.author), self._rewrite(hush.comment)
        self.silences.plant(Silence(identity, matchers, hush.start, ends, author, comment, hush.start))


def _peer_name(seed: int, number: int) -> str:
    """Return a peer's name: an ULID, as the mesh makes them."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    value = uuid.uuid5(uuid.NAMESPACE_URL, f"peer/{seed}/{number}").int
    return "01" + "".join(digits[value >> shift & 31] for shift in range(115, -5, -5))
