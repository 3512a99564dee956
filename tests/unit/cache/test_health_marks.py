"""A revision is called healthy where a console of this machine saw it so, from when to when, and for how much of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from cache.live import LiveState
from cache.state.history import HistoryReader
from cache.state.past import Past, observed_healthy
from cache.state.recorder import Recorder
from cache.state.store import StateStore
from services.clock import ManualClock
from services.model.source import SourceState, SourceStatus
from services.model.workload import Healthy, Rollout
from services.ports import Delta, Replace
from tests.unit.cache.estate import ALICE, rollout

NOW = 1_800_000_000.0
CART = rollout("cart").ref


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    made = StateStore(tmp_path, ManualClock(NOW))
    made.start()
    yield made
    made.close()


class Watch:
    """A console whose server vouches for its rows when a test says so."""

    def __init__(self, store: StateStore, folder: Path) -> None:
        self.live = LiveState(ManualClock(NOW))
        self.store = store
        self.recorder = Recorder(self.live, store, ALICE, ManualClock(NOW))
        self.past = Past(HistoryReader(folder), lambda: ALICE)

    def see(self, at: float, **rows: Rollout) -> None:
        self.live.apply(
            "k", Delta("rollouts", dict(rows)) if self.live.snapshot().tables else Replace("rollouts", rows)
        )
        for kind in ("deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "pods"):
            source = f"kubernetes/{kind}"
            self.live.status(SourceStatus(source, SourceState.LIVE, last_ok=at, last_byte=at))
        self.live.status(SourceStatus("kubernetes", SourceState.LIVE, last_ok=at, last_byte=at))
        self.live.publish()
        self.recorder.save()

    def leave(self, until: float = 0.0) -> None:
        if until:
            self.store.watched(ALICE, NOW, until)
        self.recorder.close()
        assert self.store.flush()

    def observed(self, now: float) -> dict[int, Healthy]:
        return dict(observed_healthy(self.past, CART, now))


def revised(number: int, **more: object) -> Rollout:
    return structs.replace(rollout("cart"), revision=number, **more)


def scaled_to_nothing() -> Rollout:
    return structs.replace(revised(3), workload=structs.replace(rollout("cart").workload, available=0, desired=0))


def test_it_lasts_until_the_next_revision_begins_and_the_bad_one_gets_no_mark(
    store: StateStore, tmp_path: Path
) -> None:
    watch = Watch(store, tmp_path)
    watch.see(NOW, cart=revised(16))
    watch.see(NOW + 590)
    watch.see(NOW + 600, cart=revised(17, done=False, cause="image pull failed"))
    watch.see(NOW + 3000)
    watch.leave(NOW + 3000)
    assert watch.observed(NOW + 3000) == {16: Healthy(NOW, NOW + 590, 590)}


def test_a_way_back_makes_it_last_longer(store: StateStore, tmp_path: Path) -> None:
    watch = Watch(store, tmp_path)
    watch.see(NOW, cart=revised(16))
    watch.see(NOW + 100, cart=revised(16, done=False, cause="CrashLoop"))
    watch.see(NOW + 900, cart=revised(16))
    watch.leave(NOW + 900)
    assert watch.observed(NOW + 900) == {16: Healthy(NOW, NOW + 900, 900)}


def test_what_nobody_watched_is_not_counted(store: StateStore, tmp_path: Path) -> None:
    store.attend(ALICE)
    store.mark_healthy(ALICE, CART.uid, 16, NOW)
    store.watched(ALICE, NOW, NOW + 1000)
    store.mark_healthy(ALICE, CART.uid, 16, NOW + 86400)
    store.watched(ALICE, NOW + 86000, NOW + 86400)
    assert store.flush()
    past = Past(HistoryReader(tmp_path), lambda: ALICE)
    assert observed_healthy(past, CART, NOW + 90000) == {16: Healthy(NOW, NOW + 86400, 1400)}


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ([(0, revised(3)), (50, revised(3, done=False, cause="CrashLoop"))], "a bad one may live so long"),
        ([(0, revised(3, cause="unschedulable")), (900, revised(3, cause="unschedulable"))], "something was wrong"),
        ([(0, revised(0)), (900, revised(0))], "no number, no revision"),
        ([(0, scaled_to_nothing()), (900, scaled_to_nothing())], "no pod has shown anything"),
    ],
)
def test_what_is_not_called_healthy(
    store: StateStore, tmp_path: Path, seen: list[tuple[float, Rollout]], why: str
) -> None:
    watch = Watch(store, tmp_path)
    for at, row in seen:
        watch.see(NOW + at, cart=row)
    watch.leave()
    assert watch.observed(NOW + 1000) == {}, why


def test_a_killed_console_loses_ten_minutes_at_most(store: StateStore, tmp_path: Path) -> None:
    watch = Watch(store, tmp_path)
    for at in range(0, 4000, 10):
        watch.see(NOW + at, cart=revised(16)) if not at else watch.see(NOW + at)
    assert store.flush()
    [(number, healthy)] = watch.observed(NOW + 4000).items()
    assert (number, healthy.since) == (16, NOW)
    assert healthy.until >= NOW + 3990 - 600


def test_a_workload_that_is_gone_and_made_anew_has_no_past(store: StateStore, tmp_path: Path) -> None:
    watch = Watch(store, tmp_path)
    watch.see(NOW, cart=revised(16))
    watch.see(NOW + 600)
    watch.leave()
    anew = structs.replace(CART, uid="another")
    assert observed_healthy(watch.past, anew, NOW + 700) == {}
    assert observed_healthy(watch.past, structs.replace(CART, uid=""), NOW + 700) == {}
    assert observed_healthy(Past(HistoryReader(tmp_path / "none"), lambda: ALICE), CART, NOW) == {}
