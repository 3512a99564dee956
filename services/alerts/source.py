"""Polls every server that alerts come from, and keeps live state's alerts joined, grouped and told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.alerts.backfill import Reading, episodes, rules_by_name
from services.alerts.evidence import Configured
from services.alerts.happenings import began_event, ended_event, is_told
from services.alerts.observed import AlertmanagerSeen, PrometheusSeen
from services.alerts.peers import AlertmanagerPoller, Peer, PrometheusPoller, poller_of
from services.alerts.picture import Observed, Painter, Picture, Surroundings
from services.clock import Clock
from services.errors import Problem, own_fault
from services.model.alert import Alert, AlertState, Pairs
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event
from services.ports import Change, Delta, Replace, Sink, Snapshot
from services.sanitize import safe_text

SOURCE = "alerting"
LONGEST_WAIT = 30.0
"""Seconds between two polls of a server that keeps failing."""
FIRST_PICTURE = 3.0
"""Seconds for which the first picture waits for servers that have not answered yet."""
TOGETHER = 0.2
"""Seconds for which answers are gathered before they are joined."""
IN_A_THREAD = 1000
"""Alerts from which on they are joined beside the loop, which has watches to serve."""
JITTER = 0.1

NO_STATE = Snapshot(0, {}, {})

Seen = AlertmanagerSeen | PrometheusSeen


class AlertingSource:
    """The alerts of all configured servers: tables "alerts", "alert-groups", "silences", "alert-peers", and events.

    `snapshot` gives live state, in which pods and workloads are looked up. One status for each server:
    "alertmanager/NAME", "prometheus/NAME". Nothing is raised; `run` ends when it is cancelled. `past_told` is set once
    every Prometheus was asked for the last day, or failed to answer at all.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        sink: Sink,
        clock: Clock,
        *,
        surroundings: Surroundings | None = None,
        snapshot: Callable[[], Snapshot] = lambda: NO_STATE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._peers = tuple(peers)
        self._sink = sink
        self._clock = clock
        self._surroundings = surroundings or Surroundings()
        self._snapshot = snapshot
        self._jitter = jitter
        self._pollers = [poller_of(peer) for peer in peers]
        self._seen: dict[str, Seen] = {}
        self._silent: set[str] = set()
        self._news, self._hurry = asyncio.Event(), asyncio.Event()
        self.past_told = asyncio.Event()
        self._without_past = {peer.name for peer in peers if peer.kind == "prometheus"}
        self._applied: dict[str, Mapping[str, Any]] = {}
        self._held: dict[str, SourceStatus] = {}
        configured = [Configured(peer.name, peer.kind, peer.url) for peer in peers]
        self._painter = Painter(configured, self._surroundings)

    async def run(self) -> None:
        """Poll until cancelled."""
        now = self._clock.now()
        for peer in self._peers:
            self._sink.status(SourceStatus(peer.source, SourceState.LOADING, since=now))
        async with asyncio.TaskGroup() as tasks:
            for poller in self._pollers:
                tasks.create_task(self._poll(poller))
            tasks.create_task(self._join())

    def poll_now(self) -> None:
        """Ask every server that is not being asked at once: somebody is looking, or has silenced something."""
        self._hurry.set()
        self._hurry = asyncio.Event()

    # Asking

    async def _poll(self, poller: AlertmanagerPoller | PrometheusPoller) -> None:
        peer = poller.peer
        status = SourceStatus(peer.source, SourceState.LOADING, since=self._clock.now())
        failures = 0
        told_past = peer.kind != "prometheus"
        while True:
            hurry = self._hurry
            error = ""
            try:
                async with asyncio.timeout(peer.deadline):
                    self._seen[peer.name] = seen = await poller.poll()
                self._silent.discard(peer.name)
                status, failures = _answered(status, seen, self._clock.now()), 0
            except Problem as problem:
                error = problem.sentence
            except TimeoutError:
                error = f"{peer.name} did not answer within {peer.deadline:.0f} s; it is asked again."
            except Exception as fault:  # noqa: BLE001 - a fault of ours is said where the answers would be
                error = f"The poll was stopped by {own_fault(fault)}; it is tried again."
            if error:
                failures += 1
                self._silent.add(peer.name)
                status = _failed(status, error, self._clock.now())
            self._say(status)
            self._news.set()
            if not told_past and not error and isinstance(poller, PrometheusPoller):
                told_past = True
                await self._tell_past(poller)
            self._without_past.discard(peer.name)
            if not self._without_past:
                self.past_told.set()
            await self._wait(peer, failures, hurry)

    def _say(self, status: SourceStatus) -> None:
        """Say how a server stands; until its alerts are shown, one that answered does not vouch that there are none."""
        if status.state is SourceState.LIVE and not self._applied:
            self._held[status.source] = status
            return
        self._held.pop(status.source, None)
        self._sink.status(status)

    async def _wait(self, peer: Peer, failures: int, hurry: asyncio.Event) -> None:
        """Wait for the next poll: longer after failures, unequally long for equal servers, shorter on demand."""
        longest = max(LONGEST_WAIT, peer.interval)
        wait = min(longest, peer.interval * 2.0 ** min(max(0, failures - 1), 6)) * (1 - JITTER * self._jitter())
        waiting: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(self._clock.sleep(max(wait, peer.reopens_in()))),
            asyncio.ensure_future(hurry.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    # Joining

    async def _join(self) -> None:
        await self._first_tries()
        while True:
            await self._news.wait()
            await self._clock.sleep(TOGETHER)
            self._news.clear()
            await self.join()

    async def _first_tries(self) -> None:
        """Wait until every server was asked once, for some seconds at most: what is missing may only be late."""
        deadline = asyncio.ensure_future(self._clock.sleep(FIRST_PICTURE))
        try:
            while self._untried() and not deadline.done():
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait([deadline, news], return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                if self._untried():
                    self._news.clear()
        finally:
            deadline.cancel()
        self._news.set()

    def _untried(self) -> list[Peer]:
        return [peer for peer in self._peers if peer.name not in self._seen and peer.name not in self._silent]

    async def join(self) -> None:
        """Join what is known now and apply it."""
        observed = self._observed()
        now, tables = self._clock.now(), self._snapshot().tables
        alerts = sum(len(seen.alerts) for seen in observed.alertmanagers)
        alerts += sum(len(rule.alerts) for seen in observed.prometheis for rule in seen.rules)
        if alerts >= IN_A_THREAD:
            picture = await asyncio.to_thread(self._painter.paint, observed, tables, now)
        else:
            picture = self._painter.paint(observed, tables, now)
        self._apply(picture)

    def _observed(self) -> Observed:
        """Return what the servers that answer said, each in the order of the configuration."""
        quiet = self._silent | {peer.name for peer in self._untried()}
        fresh = [self._seen[peer.name] for peer in self._peers if peer.name not in quiet]
        stale = [self._seen[peer.name] for peer in self._peers if peer.name in self._silent and peer.name in self._seen]
        silent = [poller for poller in self._pollers if poller.peer.name in quiet]
        return Observed(
            [seen for seen in fresh if isinstance(seen, AlertmanagerSeen)],
            [seen for seen in fresh if isinstance(seen, PrometheusSeen)],
            [(poller.peer.name, poller.peer.kind, poller.polls) for poller in silent],
            [seen for seen in stale if isinstance(seen, AlertmanagerSeen)],
        )

    def _apply(self, picture: Picture) -> None:
        for table, rows in picture.tables.items():
            change = _change(table, self._applied.get(table), rows)
            self._applied[table] = rows
            if change is not None:
                self._sink.apply(SOURCE, change)
        for status in self._held.values():
            self._sink.status(status)
        self._held.clear()
        if picture.events:
            self._sink.happened(picture.events)

    # The past

    async def _tell_past(self, poller: PrometheusPoller) -> None:
        """Put on the timeline what fired in the last day; where that cannot be had, the present is enough."""
        seen = self._seen.get(poller.peer.name)
        if not isinstance(seen, PrometheusSeen):
            return
        now = self._clock.now()
        try:
            async with asyncio.timeout(6 * poller.peer.deadline):
                onsets, firing, step = await poller.past(now)
        except (Problem, TimeoutError):
            return
        if not onsets:
            return
        entities = self._painter.entities([seen], [past.labels for past in onsets], self._snapshot().tables)
        reading = Reading(
            seen.outgoing,
            entities.of,
            poller.peer.scope,
            rules_by_name(seen.rules),
            self._painter.heartbeats,
            _active(seen),
        )
        rows = await asyncio.to_thread(episodes, onsets, firing, step, now, reading)
        self._sink.happened([event for row in rows for event in _past_events(row, now, known=seen.outgoing.known)])


def _active(seen: PrometheusSeen) -> frozenset[Pairs] | None:
    """Return the labels, as sent, of what is pending or fires; None while rules have yet to be evaluated."""
    if not seen.rules or any(not rule.evaluated_at for rule in seen.rules):
        return None
    sent = (seen.outgoing.labels(alert.labels) for rule in seen.rules for alert in rule.alerts)
    return frozenset(labels for labels in sent if labels is not None)


def _past_events(row: Alert, now: float, *, known: bool) -> list[Event]:
    """Return the begin and the end of an episode of the past.

    What is still on is told as of now, where its labels as sent are not known for sure: once, not under two names.
    """
    if not is_told(row):
        return []
    if row.state is AlertState.ENDED:
        return [began_event(row, now), ended_event(row, now)]
    return [began_event(row, now)] if known else []


def _answered(status: SourceStatus, seen: Seen, now: float) -> SourceStatus:
    since = status.since if status.state is SourceState.LIVE else now
    return SourceStatus(
        status.source, SourceState.LIVE, last_ok=now, last_byte=now, since=since, quarantined=seen.quarantined
    )


def _failed(status: SourceStatus, error: str, now: float) -> SourceStatus:
    since = status.since if status.state is SourceState.FAILED else now
    return SourceStatus(
        status.source,
        SourceState.FAILED,
        last_ok=status.last_ok,
        last_byte=status.last_byte,
        since=since,
        error=safe_text(error),
        quarantined=status.quarantined,
    )


def _change(table: str, before: Mapping[str, Any] | None, rows: Mapping[str, Any]) -> Change | None:
    """Return what to apply: a whole table where most of it is new, else what differs, None where nothing does."""
    if before is None:
        return Replace(table, rows)
    upserts = {key: row for key, row in rows.items() if (old := before.get(key)) is not row and old != row}
    removals = [key for key in before if key not in rows]
    if not upserts and not removals:
        return None
    if len(upserts) + len(removals) > max(100, len(rows) // 2):
        return Replace(table, rows)
    return Delta(table, upserts, removals)
