from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cache.live import LiveState
from cache.samples import COST_RATE, FIRING, STEP, count_of, cpu_of, memory_of, value_of
from cache.state.cost_shelf import CostShelf
from cache.state.history import HistoryReader
from cache.state.sampler import MOST, Sampler, measure
from cache.state.store import StateStore
from services.clock import ManualClock, settle
from services.model.alert import Alert, AlertState
from services.model.cluster import Symptom, Usage
from services.model.cost import COST_SUMMARY, WHOLE, CostHour, CostSummary
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.workload import Owner, Pod, ReplicaSetInfo
from services.ports import Replace
from tests.unit.cache.estate import ALICE, CLUSTER, NOW, opened, pod, rollout

CART = "Deployment/shop/cart"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    made = opened(tmp_path)
    yield made
    made.close()


def usage(name: str, cpu: int, memory: int, kind: str = "Pod") -> Usage:
    return Usage(Ref(CLUSTER, "", kind, "shop" if kind == "Pod" else "", name), cpu, memory, NOW)


def owned(name: str, owner: Owner) -> Pod:
    made = pod(name)
    return Pod(made.ref, made.status, made.severity, 1, 1, 0, made.created_at, owner=owner)


def replicaset(name: str, of: str) -> ReplicaSetInfo:
    ref = Ref(CLUSTER, "apps", "ReplicaSet", "shop", name, f"uid-{name}")
    return ReplicaSetInfo(
        ref, Owner("Deployment", of, f"uid-{of}"), 1, "", desired=1, replicas=1, ready=1, images=(), created_at=NOW
    )


def alive(live: LiveState, at: float, *sources: str) -> None:
    for source in ("kubernetes", *(f"kubernetes/{one}" for one in sources)):
        live.status(SourceStatus(source, SourceState.LIVE, last_ok=at, last_byte=at))
    live.publish()


def filled() -> LiveState:
    live = LiveState(ManualClock(NOW))
    sets = {"shop/cart-7d9": replicaset("cart-7d9", "cart"), "shop/cart-5c4": replicaset("cart-5c4", "cart")}
    pods = {
        "shop/cart-7d9-a": owned("cart-7d9-a", Owner("ReplicaSet", "cart-7d9", "uid-cart-7d9")),
        "shop/cart-5c4-b": owned("cart-5c4-b", Owner("ReplicaSet", "cart-5c4", "uid-cart-5c4")),
        "shop/db-0": owned("db-0", Owner("StatefulSet", "db", "uid-db")),
        "shop/lonely": pod("lonely"),
    }
    used = {key: usage(key.partition("/")[2], 250, 1 << 20) for key in (*pods, "shop/unknown")}
    alert = Alert("k1", "f1", "CartDown", Severity.CRIT, AlertState.FIRING, (), value=3.5)
    beat = Alert("k2", "f2", "Watchdog", Severity.OK, AlertState.FIRING, (), heartbeat=True)
    ended = Alert("k3", "f3", "DiskFull", Severity.WARN, AlertState.ENDED, (), value=1.0)
    tables = {
        "replicasets.apps": sets,
        "pods": pods,
        "usage.pods": used,
        "usage.nodes": {"worker-1": usage("worker-1", 3500, 2 << 30, "Node")},
        "rollouts": {"a": rollout("a"), "b": rollout("b", cause="crash")},
        "symptoms": {"nodes": Symptom("nodes", Severity.WARN, "2 nodes not ready")},
        "alerts": {alert.key: alert, beat.key: beat, ended.key: ended},
        COST_SUMMARY: {WHOLE: CostSummary(NOW, 4_100_000, 0, ())},
    }
    for table, rows in tables.items():
        live.apply("test", Replace(table, rows))
    alive(live, NOW, "usage.pods", "usage.nodes")
    return live


def test_what_is_known_is_measured_by_workload() -> None:
    values = measure(filled().snapshot(), NOW + 10)
    assert values[cpu_of(CART)] == 0.5
    assert values[memory_of(CART)] == 2 << 20
    assert values[cpu_of("StatefulSet/shop/db")] == 0.25
    assert values[cpu_of("Node/worker-1")] == 3.5
    assert values[count_of(Severity.CRIT)] == 1
    assert values[count_of(Severity.WARN)] == 1
    assert values[count_of(Severity.OK)] == 1
    assert values[FIRING] == 1
    assert values[COST_RATE] == pytest.approx(4.1)
    assert {name for name in values if name.startswith("alert/")} == {value_of("k1")}
    assert len([name for name in values if name.startswith("cpu/")]) == 3


def test_what_a_source_said_long_ago_is_no_measurement() -> None:
    live = filled()
    values = measure(live.snapshot(), NOW + 60)
    assert not [name for name in values if name.startswith(("cpu/", "memory/"))]
    live.status(SourceStatus("kubernetes/usage.pods", SourceState.FAILED, last_ok=NOW, last_byte=NOW))
    assert cpu_of(CART) not in measure(live.snapshot(), NOW)


def test_a_monstrous_estate_is_measured_in_part() -> None:
    live = LiveState(ManualClock(NOW))
    live.apply("test", Replace("usage.nodes", {f"n{one}": usage(f"n{one}", 1, 1, "Node") for one in range(MOST)}))
    alive(live, NOW, "usage.nodes")
    assert len(measure(live.snapshot(), NOW)) == MOST


async def test_it_samples_at_each_half_minute_and_notes_that_somebody_watched(
    store: StateStore, tmp_path: Path
) -> None:
    clock = ManualClock(NOW + 7)
    live = filled()
    running = asyncio.ensure_future(Sampler(live, store, ALICE, clock).run())
    await settle()
    for _ in range(6):
        alive(live, clock.now() + 23, "usage.pods")
        await clock.advance(STEP)
    # the server is silent for three minutes, then answers again
    await clock.advance(180)
    alive(live, clock.now(), "usage.pods")
    await clock.advance(STEP)
    running.cancel()
    assert store.flush()
    reader = HistoryReader(tmp_path)
    series = reader.series(ALICE, cpu_of(CART), NOW, NOW + 420, 14)
    known = [value == 0.5 for value in series.values]
    assert known[1:7] == [True] * 6
    assert known[8:12] == [False] * 4
    assert known[13]
    [before, gap] = reader.gaps(ALICE, NOW - 200, NOW + 400)
    assert before.ended == NOW + STEP
    assert (gap.ended - gap.began) > 120


def test_costs_are_kept_and_read_again(store: StateStore, tmp_path: Path) -> None:
    kept = CostShelf(HistoryReader(tmp_path), store, ALICE)
    hour = CostHour(int(NOW), 60.0, ())
    kept.keep(hour)
    assert store.flush()
    assert kept.hours(NOW, NOW + 1) == (hour,)


def test_an_hour_that_was_told_afterwards_is_known_as_such_and_gives_way_only_to_one_watched_as_long(
    store: StateStore, tmp_path: Path
) -> None:
    kept = CostShelf(HistoryReader(tmp_path), store, ALICE)
    told = CostHour(int(NOW), 3600.0, (), measured=True)
    for hour in (told, CostHour(int(NOW), 60.0, ())):
        kept.keep(hour)
        assert store.flush()
        assert kept.hours(NOW, NOW + 1) == (told,)
    watched = CostHour(int(NOW), 3600.0, ())
    kept.keep(watched)
    assert store.flush()
    assert kept.hours(NOW, NOW + 1) == (watched,)
