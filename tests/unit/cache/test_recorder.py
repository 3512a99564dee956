from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from cache.live import LiveState
from cache.state.first_paint import FirstPaint
from cache.state.history import HistoryReader
from cache.state.packing import NARROWED, PACKED
from cache.state.recorder import Recorder, vouched_at
from cache.state.records import EventQuery, narrowed_key
from cache.state.store import StateStore
from services.clock import ManualClock, settle
from services.model.alert import Alert, AlertState
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.ports import Delta, Replace, Snapshot
from services.sanitize import safe_text
from tests.unit.cache.estate import ALICE, BOB, NOW, QUICK, happening, pod, rollout


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    store = StateStore(tmp_path, ManualClock(), QUICK)
    store.start()
    yield store
    assert store.close()


def heard(live: LiveState, source: str, at: float, state: SourceState = SourceState.LIVE) -> None:
    live.status(SourceStatus(source, state, last_ok=at, last_byte=at))


def ages(folder: Path, identity: str = ALICE) -> dict[str, tuple[float, int]]:
    with FirstPaint(folder) as paint:
        tables = paint.tables(identity, PACKED)
    return {name: (saved.as_of, saved.count) for name, saved in tables.items() if name != NARROWED}


def test_rows_are_saved_once_they_are_whole(store: StateStore, tmp_path: Path) -> None:
    live = LiveState(ManualClock())
    recorder = Recorder(live, store, ALICE, ManualClock())
    live.apply("cache", Replace("pods", {"shop/old": pod("old")}))
    heard(live, "kubernetes/pods", 0, SourceState.LOADING)
    live.apply("kubernetes/pods", Delta("pods", {"shop/a": pod("a")}))
    recorder.save()
    assert store.flush()
    assert ages(tmp_path) == {}, "half a list is not what the cluster has"
    live.apply("kubernetes/pods", Replace("pods", {"shop/a": pod("a"), "shop/b": pod("b")}))
    heard(live, "kubernetes/pods", NOW)
    recorder.save()
    assert store.flush()
    assert ages(tmp_path) == {"pods": (NOW, 2)}


def test_what_some_namespaces_hold_does_not_pass_for_the_cluster(store: StateStore, tmp_path: Path) -> None:
    live, watched = LiveState(ManualClock()), ["shop"]
    recorder = Recorder(live, store, ALICE, ManualClock(), namespaces=lambda: tuple(watched))
    live.apply("kubernetes/pods", Replace("pods", {"shop/a": pod("a")}))
    heard(live, "kubernetes/pods", NOW)
    recorder.save()
    assert store.flush()
    assert ages(tmp_path) == {}
    assert ages(tmp_path, narrowed_key(ALICE, watched)) == {"pods": (NOW, 1)}
    watched.clear()
    live.apply("kubernetes/pods", Replace("pods", {"shop/a": pod("a"), "shop/b": pod("b")}))
    heard(live, "kubernetes/pods", NOW + 5)
    recorder.save()
    assert store.flush()
    assert ages(tmp_path) == {"pods": (NOW + 5, 2)}


def test_what_the_user_may_not_see_is_kept_until_they_may(store: StateStore, tmp_path: Path) -> None:
    def kept() -> dict[str, tuple[SourceState, str, float]] | None:
        assert store.flush()
        with FirstPaint(tmp_path) as paint:
            saved = paint.tables(ALICE, (NARROWED,)).get(NARROWED)
        rows = saved.rows if saved is not None else None
        return {name: (one.state, one.scope, one.last_ok) for name, one in rows.items()} if rows is not None else None

    live = LiveState(ManualClock())
    recorder = Recorder(live, store, ALICE, ManualClock())
    heard(live, "kubernetes", NOW)
    heard(live, "kubernetes/nodes", 0, SourceState.FORBIDDEN)
    heard(live, "kubernetes/pods", 0, SourceState.LOADING)
    recorder.save()
    assert kept() is None, "a kind may still be refused"
    live.status(SourceStatus("kubernetes/pods", SourceState.LIVE, NOW, NOW, scope="4 namespaces"))
    recorder.save()
    narrow = {
        "kubernetes/nodes": (SourceState.FORBIDDEN, "", 0.0),
        "kubernetes/pods": (SourceState.LIVE, "4 namespaces", 0.0),
    }
    assert kept() == narrow
    heard(live, "kubernetes/nodes", NOW + 9)
    heard(live, "kubernetes/pods", NOW + 9)
    recorder.save()
    assert kept() == {}


def test_unchanged_rows_are_vouched_for_and_not_written_again(store: StateStore, tmp_path: Path) -> None:
    live = LiveState(ManualClock())
    recorder = Recorder(live, store, ALICE, ManualClock())
    live.apply("k", Replace("pods", {"shop/a": pod("a")}))
    heard(live, "kubernetes", NOW)
    heard(live, "kubernetes/pods", NOW)
    recorder.save()
    assert store.flush()
    heard(live, "kubernetes", NOW + 30)
    recorder.save()
    assert not store._backlog._batch.identities or not store._backlog._batch.identities[ALICE].tables
    assert store.flush()
    assert ages(tmp_path) == {"pods": (NOW + 30, 1)}
    heard(live, "kubernetes/pods", NOW + 31, SourceState.FAILED)
    live.apply("k", Delta("pods", removals=["shop/a"]))
    recorder.save()
    assert store.flush()
    assert ages(tmp_path) == {"pods": (NOW + 31, 0)}


async def test_it_saves_as_time_goes_and_at_the_end(store: StateStore, tmp_path: Path) -> None:
    clock = ManualClock()
    live = LiveState(clock)
    recorder = Recorder(live, store, ALICE, clock)
    running = asyncio.ensure_future(recorder.run(every=10))
    await settle()
    live.apply("k", Replace("pods", {"shop/a": pod("a")}))
    heard(live, "kubernetes/pods", NOW)
    await clock.advance(9)
    assert store.flush()
    assert ages(tmp_path) == {}
    await clock.advance(2)
    assert store.flush()
    assert ages(tmp_path) == {"pods": (NOW, 1)}
    live.apply("k", Delta("pods", {"shop/b": pod("b")}))
    live.publish()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    recorder.close()
    assert store.flush()
    assert ages(tmp_path) == {"pods": (NOW, 2)}
    await live.close()


def test_a_switch_of_cluster_never_mixes(store: StateStore, tmp_path: Path) -> None:
    live = LiveState(ManualClock())
    old = Recorder(live, store, ALICE, ManualClock())
    live.apply("k", Replace("pods", {"shop/a": pod("a")}))
    heard(live, "kubernetes/pods", NOW)
    live.happened([happening(1)])
    old.close()
    live.clear()
    new = Recorder(live, store, BOB, ManualClock())
    live.apply("k", Replace("pods", {"shop/b": pod("b"), "shop/c": pod("c")}))
    heard(live, "kubernetes/pods", NOW + 5)
    live.happened([happening(2)])
    old.save()
    new.save()
    assert store.flush()
    assert ages(tmp_path, ALICE) == {"pods": (NOW, 1)}
    assert ages(tmp_path, BOB) == {"pods": (NOW + 5, 2)}
    reader = HistoryReader(tmp_path)
    assert [event.id for event in reader.events(EventQuery(ALICE, 0, NOW + 1)).events] == [happening(1).id]
    assert [event.id for event in reader.events(EventQuery(BOB, 0, NOW + 1)).events] == [happening(2).id]
    new.close()


def test_revisions_seen_complete_are_marked(store: StateStore, tmp_path: Path) -> None:
    live = LiveState(ManualClock())
    recorder = Recorder(live, store, ALICE, ManualClock())
    rows = {
        "a": rollout("a"),
        "b": rollout("b", cause="image pull failed"),
        "c": structs.replace(rollout("c"), revision=0),
    }
    live.apply("cache", Replace("rollouts", rows))
    recorder.save()
    assert store.flush()
    reader = HistoryReader(tmp_path)
    assert reader.healthy(ALICE, "uid-a") == (), "rows from the cache are not observed"
    for kind in ("deployments.apps", "statefulsets.apps", "pods"):
        heard(live, f"kubernetes/{kind}", NOW)
    recorder.save()
    assert store.flush()
    live.apply("k", Delta("rollouts", {"a": structs.replace(rollout("a"), revision=4)}))
    heard(live, "kubernetes", NOW + 90)
    recorder.close()
    assert store.flush()
    marks = {mark.revision: mark.first_seen for mark in reader.healthy(ALICE, "uid-a")}
    assert marks == {4: NOW + 90, 3: NOW}
    assert reader.healthy(ALICE, "uid-b") == ()
    assert reader.healthy(ALICE, "uid-c") == ()


def test_alerts_are_saved_with_how_their_servers_stand(store: StateStore, tmp_path: Path) -> None:
    alert = Alert("f1", "f1", "CartDown", Severity.CRIT, AlertState.FIRING, (("alertname", "CartDown"),), value=0.0)
    live = LiveState(ManualClock())
    recorder = Recorder(live, store, ALICE, ManualClock())
    live.apply("alerting", Replace("alerts", {"f1": alert}))
    heard(live, "alertmanager/one", NOW)
    live.status(SourceStatus("alertmanager/two", FAILED, since=NOW, error=safe_text("two did not answer.")))
    recorder.save()
    assert store.flush()
    heard(live, "alertmanager/one", NOW + 15)
    recorder.save()
    assert store.flush()
    with FirstPaint(tmp_path) as paint:
        saved = paint.tables(ALICE, ["alerts", "silences", "alert-sources"])
    assert dict(saved["alerts"].rows) == {"f1": alert}
    assert {name: table.as_of for name, table in saved.items()} == {"alerts": NOW + 15, "alert-sources": NOW + 15}
    sources = saved["alert-sources"].rows
    assert sources["alertmanager/one"].last_ok == NOW + 15
    assert (sources["alertmanager/two"].state, sources["alertmanager/two"].error) == (FAILED, "two did not answer.")


LIVE, FAILED, LOADING, NEVER, FORBIDDEN = (
    SourceState.LIVE,
    SourceState.FAILED,
    SourceState.LOADING,
    SourceState.NEVER,
    SourceState.FORBIDDEN,
)


@pytest.mark.parametrize(
    ("sources", "table", "expected"),
    [
        ([], "pods", 0),
        ([("kubernetes", LIVE, 50)], "pods", 0),
        ([("kubernetes/pods", LIVE, 40)], "pods", 40),
        ([("kubernetes", LIVE, 50), ("kubernetes/pods", LIVE, 40)], "pods", 50),
        ([("kubernetes", FAILED, 45), ("kubernetes/pods", LIVE, 40)], "pods", 45),
        ([("kubernetes", LIVE, 50), ("kubernetes/pods", FAILED, 40)], "pods", 40),
        ([("kubernetes", LIVE, 50), ("kubernetes/pods", FAILED, 0)], "pods", 0),
        ([("kubernetes", LIVE, 50), ("kubernetes/pods", LOADING, 40)], "pods", 0),
        ([("kubernetes", NEVER, 50), ("kubernetes/pods", NEVER, 40)], "pods", 0),
        ([("kubernetes", LIVE, 50), ("kubernetes/pods", FORBIDDEN, 0)], "pods", 0),
        ([("kubernetes/deployments.apps", LIVE, 40), ("kubernetes/pods", LIVE, 30)], "rollouts", 30),
        ([("kubernetes/deployments.apps", LIVE, 40), ("kubernetes/pods", LOADING, 0)], "rollouts", 0),
        ([("kubernetes/deployments.apps", LIVE, 40), ("kubernetes/daemonsets.apps", FORBIDDEN, 0)], "rollouts", 40),
        ([("kubernetes", LIVE, 50)], "alerts", 0),
        ([("alertmanager/one", FAILED, 20), ("prometheus/main", LIVE, 40)], "alerts", 40),
        ([("alertmanager/one", LOADING, 0), ("kubernetes/alerts", LIVE, 50)], "alert-sources", 0),
    ],
)
def test_how_old_rows_are(sources: list[tuple[str, SourceState, float]], table: str, expected: float) -> None:
    statuses = {name: SourceStatus(name, state, last_ok=at, last_byte=at) for name, state, at in sources}
    assert vouched_at(Snapshot(1, {}, statuses), table) == expected
