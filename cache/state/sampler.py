"""Takes samples of live state while a console watches, and notes that somebody did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cache.samples import COST_RATE, FIRING, STEP, count_of, cpu_of, memory_of, value_of
from cache.state.store import StateStore
from services.clock import Clock
from services.model.alert import Alert, AlertState
from services.model.cluster import Usage
from services.model.cost import COST_SUMMARY, MICRO, WHOLE, CostSummary
from services.model.ref import PODS, REPLICASETS
from services.model.severity import Severity
from services.model.source import CONNECTION, SourceState
from services.model.workload import Pod, ReplicaSetInfo
from services.ports import Key, Snapshot, StateFeed

USAGE_OF_PODS = "usage.pods"
USAGE_OF_NODES = "usage.nodes"
ROLLOUTS = "rollouts"
ALERTS = "alerts"

YOUNG = 45.0
"""Seconds up to which what a source said counts as a measurement of now."""

MOST = 6000
"""Values that one moment may have: with more, memory and disk would go to what nobody looks at."""

_COUNTED = (Severity.CRIT, Severity.WARN, Severity.NOTICE, Severity.OK)


class Sampler:
    """Hands a picture's numbers to the store at every full half minute; on the service thread."""

    def __init__(self, feed: StateFeed, store: StateStore, identity: str, clock: Clock) -> None:
        self._feed = feed
        self._store = store
        self._identity = identity
        self._clock = clock

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            now = self._clock.now()
            await self._clock.sleep(STEP - now % STEP)
            self.sample()

    def sample(self) -> None:
        """Take one sample of what is known now; what is old is no measurement."""
        now = self._clock.now()
        snapshot = self._feed.snapshot()
        if not _fresh(snapshot, CONNECTION, now):
            return
        self._store.watched(self._identity, now, now)
        self._store.keep_samples(self._identity, now, measure(snapshot, now))


def measure(snapshot: Snapshot, now: float) -> Mapping[str, float]:
    """Return what a picture says in numbers, by the name of the series (`cache.samples`), at most `MOST` of them."""
    values: dict[str, float] = {}
    for name, value in _numbers(snapshot, now):
        values[name] = values.get(name, 0.0) + value
        if len(values) >= MOST:
            break
    return values


def _numbers(snapshot: Snapshot, now: float) -> Iterator[tuple[str, float]]:
    yield from _counts(snapshot)
    alerts: Mapping[Key, Alert] = snapshot.tables.get(ALERTS, {})
    for alert in alerts.values():
        if alert.value is not None and alert.state is not AlertState.ENDED:
            yield value_of(alert.key), alert.value
    summary: CostSummary | None = snapshot.tables.get(COST_SUMMARY, {}).get(WHOLE)
    if summary is not None:
        yield COST_RATE, summary.rate / MICRO
    yield from _usage(snapshot, now)


def _counts(snapshot: Snapshot) -> Iterator[tuple[str, float]]:
    if ROLLOUTS in snapshot.tables:
        yield from ((count_of(severity), 0.0) for severity in _COUNTED)
        for table in (ROLLOUTS, "symptoms"):
            for row in snapshot.tables.get(table, {}).values():
                yield count_of(row.severity), 1.0
    if ALERTS in snapshot.tables:
        firing = [alert for alert in snapshot.tables[ALERTS].values() if alert.state is AlertState.FIRING]
        yield FIRING, float(sum(not alert.heartbeat for alert in firing))


def _usage(snapshot: Snapshot, now: float) -> Iterator[tuple[str, float]]:
    if _fresh(snapshot, f"{CONNECTION}/{USAGE_OF_NODES}", now):
        nodes: Mapping[Key, Usage] = snapshot.tables.get(USAGE_OF_NODES, {})
        for usage in nodes.values():
            yield from _used(f"Node/{usage.ref.name}", usage)
    if not _fresh(snapshot, f"{CONNECTION}/{USAGE_OF_PODS}", now):
        return
    owners = _deployments(snapshot.tables.get(REPLICASETS.table, {}))
    pods: Mapping[Key, Pod] = snapshot.tables.get(PODS.table, {})
    used: Mapping[Key, Usage] = snapshot.tables.get(USAGE_OF_PODS, {})
    for key, usage in used.items():
        pod = pods.get(key)
        if pod is None or pod.owner is None:
            continue
        of = owners.get(pod.owner.uid) or f"{pod.owner.kind}/{pod.ref.namespace}/{pod.owner.name}"
        yield from _used(of, usage)


def _used(key: str, usage: Usage) -> Iterator[tuple[str, float]]:
    yield cpu_of(key), usage.cpu / 1000
    yield memory_of(key), float(usage.memory)


def _deployments(replicasets: Mapping[Key, ReplicaSetInfo]) -> dict[str, str]:
    """Return the workload that each ReplicaSet belongs to, by the ReplicaSet's uid."""
    return {
        one.ref.uid: f"{one.owner.kind}/{one.ref.namespace}/{one.owner.name}"
        for one in replicasets.values()
        if one.owner is not None
    }


def _fresh(snapshot: Snapshot, source: str, now: float) -> bool:
    status = snapshot.sources.get(source)
    return status is not None and status.state is SourceState.LIVE and now - status.last_byte <= YOUNG
