"""Polls one server that alerts come from: an Alertmanager, or a Prometheus with its rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from services.alertmanager.client import AlertmanagerClient, Getter
from services.alerts.answers import (
    decode_alertmanagers,
    decode_config,
    decode_past,
    decode_rules,
    decode_started_at,
    decode_version,
)
from services.alerts.backfill import FIRING, HOW_MANY, ONSETS, WINDOW, Past, asked_until, step_for
from services.alerts.ceilings import Ceilings
from services.alerts.observed import AlertmanagerSeen, PrometheusSeen, Rule, Scope
from services.alerts.relabel import UNKNOWN, Outgoing, outgoing_of
from services.endpoint import Endpoint
from services.errors import Problem
from services.model.alert import Pairs

ALERTMANAGER, PROMETHEUS = "alertmanager", "prometheus"

CONFIG_EVERY = 20
"""Polls between two looks at what changes rarely: configuration, version, where alerts are sent."""

Answer = TypeVar("Answer")


class Peer(Struct, frozen=True):
    """One server that is asked for alerts.

    `kind` is "alertmanager" or "prometheus"; `interval` and `deadline` are seconds; `scope` is the identity of the
    cluster it belongs to, "" where it may serve several; `cluster` the word that Alertmanagers of one cluster bear.
    `reopens_in` says for how many seconds it is left alone. `configured` is its name in the configuration, where one of
    another kind bears it too and `name` tells them apart.
    """

    name: str
    kind: str
    url: str
    getter: Getter
    interval: float = 15.0
    deadline: float = 10.0
    scope: Scope = ""
    cluster: str = ""
    reopens_in: Callable[[], float] = float
    configured: str = ""

    @property
    def source(self) -> str:
        """The name of its `SourceStatus`."""
        return f"{self.kind}/{self.configured or self.name}"


class AlertmanagerPoller:
    """Asks an Alertmanager."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.polls = 0
        self._client = AlertmanagerClient(peer.getter)

    async def poll(self) -> AlertmanagerSeen:
        """Ask once. Raises Problem where the alerts cannot be had."""
        answer = await self._client.poll()
        self.polls += 1
        return AlertmanagerSeen(
            name=self.peer.name,
            poll=self.polls,
            alerts=answer.alerts.items,
            status=answer.status,
            silences=answer.silences.items,
            silences_error=answer.silences_error,
            scope=self.peer.scope,
            url=self.peer.url,
            quarantined=answer.alerts.quarantined + answer.silences.quarantined,
            cluster=self.peer.cluster,
        )


class _Standing(Struct, frozen=True):
    """What of a Prometheus changes rarely."""

    outgoing: Outgoing = UNKNOWN
    version: str = ""
    sends_to: Sequence[str] | None = None


class PrometheusPoller:
    """Asks a Prometheus. Where it has no rules to show (a store of metrics), `ALERTS_FOR_STATE` gives the onsets."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.polls = 0
        self._standing = _Standing()
        self._looked_at = -CONFIG_EVERY
        self._started_at = 0.0
        self._ceilings = Ceilings(self._get)

    async def poll(self) -> PrometheusSeen:
        """Ask once. Raises Problem where neither rules nor metrics can be had."""
        known, unread, for_state = await self._rules()
        started_at = await self._or_none(self._started())
        restarted = started_at is not None and abs(started_at - self._started_at) > 1.0
        self._started_at = started_at or self._started_at
        if restarted or self.polls - self._looked_at >= CONFIG_EVERY:
            self._standing = await self._look()
            self._looked_at = self.polls
        standing = self._standing
        known = await self._ceilings.told(known, self.polls)
        self.polls += 1
        sent = ((standing.outgoing.labels(labels), value) for labels, value in for_state.items())
        return PrometheusSeen(
            name=self.peer.name,
            poll=self.polls,
            rules=known,
            outgoing=standing.outgoing,
            for_state={labels: value for labels, value in sent if labels is not None},
            sends_to=standing.sends_to,
            version=standing.version,
            started_at=self._started_at,
            scope=self.peer.scope,
            url=self.peer.url,
            quarantined=unread,
        )

    async def past(self, now: float) -> tuple[list[Past], list[Past], float]:
        """Return the onsets and the firing of the last day (`backfill.episodes`), and the step. Raises Problem."""
        counted = decode_past(await self._get("/api/v1/query", ("query", HOW_MANY), ("time", f"{now:.3f}")))
        series = counted[0].points[0][1] if counted and counted[0].points else 0.0
        step = step_for(series)
        if not series:
            return [], [], step
        until = asked_until(now, step)
        window = (("start", f"{until - WINDOW:.0f}"), ("end", f"{until:.0f}"), ("step", f"{step:.0f}"))
        onsets = await self._get("/api/v1/query_range", ("query", ONSETS.format(step=int(step))), *window)
        firing = await self._get("/api/v1/query_range", ("query", FIRING.format(step=int(step))), *window)
        return decode_past(onsets), decode_past(firing), step

    async def _rules(self) -> tuple[Sequence[Rule], int, dict[Pairs, float]]:
        try:
            rules, unread = decode_rules(await self._get("/api/v1/rules", ("type", "alert")))
        except Problem as problem:
            if problem.status not in (400, 404, 405, 501):
                raise
            states = decode_past(await self._get("/api/v1/query", ("query", "ALERTS_FOR_STATE")))
            return [], 0, {each.labels: each.points[-1][1] for each in states if each.points}
        return rules, unread, {}

    async def _look(self) -> _Standing:
        config, version, sends_to = await asyncio.gather(
            self._or_none(self._get("/api/v1/status/config")),
            self._or_none(self._get("/api/v1/status/buildinfo")),
            self._or_none(self._get("/api/v1/alertmanagers")),
        )
        before = self._standing
        try:
            return _Standing(
                outgoing=outgoing_of(decode_config(config)) if config is not None else before.outgoing,
                version=decode_version(version) if version is not None else before.version,
                sends_to=decode_alertmanagers(sends_to) if sends_to is not None else None,
            )
        except Problem:
            return before

    async def _started(self) -> float:
        return decode_started_at(await self._get("/api/v1/status/runtimeinfo"))

    async def _get(self, path: str, *query: tuple[str, str]) -> bytes:
        return await self.peer.getter.get(path, query)

    @staticmethod
    async def _or_none(asked: Awaitable[Answer]) -> Answer | None:
        try:
            return await asked
        except Problem:
            return None


def peers_of(
    prometheus: Mapping[str, Endpoint], alertmanager: Mapping[str, Endpoint], cluster: Scope = ""
) -> tuple[Peer, ...]:
    """Return the configured servers, by the names the configuration gives them.

    `cluster` is the identity of the cluster shown: servers that are configured for its context alone, or reached
    through it, speak of it. Two of different kinds and one name are told apart by their kind.
    """
    result = []
    for kind, endpoints in ((ALERTMANAGER, alertmanager), (PROMETHEUS, prometheus)):
        other = prometheus if kind == ALERTMANAGER else alertmanager
        for name, endpoint in endpoints.items():
            settings = endpoint.settings
            result.append(
                Peer(
                    name=f"{name} ({kind})" if name in other else name,
                    kind=kind,
                    url=endpoint.url,
                    getter=endpoint,
                    interval=float(settings.interval),
                    deadline=3.0 * settings.timeout,
                    scope=cluster if settings.contexts or settings.service else "",
                    cluster=settings.cluster,
                    reopens_in=_reopening(endpoint),
                    configured=name,
                )
            )
    return tuple(result)


def _reopening(endpoint: Endpoint) -> Callable[[], float]:
    return lambda: endpoint.circuit.reopens_in


def poller_of(peer: Peer) -> AlertmanagerPoller | PrometheusPoller:
    """Return what polls that kind of server."""
    return AlertmanagerPoller(peer) if peer.kind == ALERTMANAGER else PrometheusPoller(peer)
