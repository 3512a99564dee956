from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.live import LiveState
from services.clock import ManualClock, settle
from services.model.source import SourceState, SourceStatus
from services.model.text import SafeText
from services.ports import Changes, Delta, Replace, Snapshot
from tests.unit.cache.estate import happening, pod

Tables = dict[str, dict[str, Any]]


def replay(tables: Tables, changes: Changes) -> Tables:
    """What a reader does who holds only an old copy: touch the named keys and nothing else."""
    copy = {table: dict(rows) for table, rows in tables.items()}
    for table, keys in changes.keys.items():
        new = changes.snapshot.tables.get(table)
        if new is None:
            copy.pop(table, None)
        elif keys is None:
            copy[table] = dict(new)
        else:
            for key in keys:
                if key in new:
                    copy[table][key] = new[key]
                else:
                    copy[table].pop(key, None)
    return copy


def copied(snapshot: Snapshot) -> Tables:
    return {table: dict(rows) for table, rows in snapshot.tables.items()}


tables = st.sampled_from(["pods", "nodes"])
keys = st.sampled_from(["a", "b", "c", "d"])
rows = st.dictionaries(keys, st.integers(0, 2), max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("replace"), tables, rows),
        st.tuples(st.just("delta"), tables, rows, st.lists(keys, max_size=3)),
        st.tuples(st.just("clear"), st.none() | st.lists(tables, max_size=2)),
        st.tuples(st.just("status"), st.sampled_from(["k", "m"]), st.integers(0, 2)),
        st.tuples(st.just("event"), st.integers(0, 5)),
        st.tuples(st.just("publish")),
    ),
    max_size=40,
)


async def play(live: LiveState, step: tuple[Any, ...]) -> None:
    match step:
        case ("replace", table, content):
            live.apply("test", Replace(table, content))
        case ("delta", table, upserts, removals):
            live.apply("test", Delta(table, upserts, removals))
        case ("clear", which):
            live.clear(which)
        case ("status", source, at):
            live.status(SourceStatus(source, SourceState.LIVE, last_ok=float(at)))
        case ("event", number):
            live.happened([happening(number)])
        case _:
            live.publish()


@given(steps, st.integers(1, 6))
def test_changes_lead_from_any_old_picture_to_the_new_one(script: list[tuple[Any, ...]], history: int) -> None:
    async def scenario() -> None:
        live = LiveState(ManualClock(), history=history)
        pictures = [live.snapshot()]
        copies: list[Tables] = [{}]
        for step in [*script, ("publish",)]:
            await play(live, step)
            if live.snapshot() is not pictures[-1]:
                pictures.append(live.snapshot())
                copies.append(copied(live.snapshot()))
        latest = live.snapshot()
        for picture, copy in zip(pictures, copies, strict=True):
            assert copied(picture) == copy, "a picture changed after it was published"
            changes = live.changes(picture.revision)
            if picture.revision == latest.revision:
                assert changes is None
                continue
            assert changes is not None
            assert changes.snapshot is latest
            assert replay(copy, changes) == copied(latest)
            assert changes.events or picture.events == latest.events
            told = {name for name in {*picture.sources, *latest.sources} if name in changes.sources}
            assert all(
                picture.sources.get(name) == latest.sources.get(name)
                for name in {*picture.sources, *latest.sources} - told
            )
        for before, after in pairwise(pictures):
            for table in before.tables.keys() & after.tables.keys():
                if before.tables[table] != after.tables[table]:
                    assert before.tables[table] is not after.tables[table]
        await live.close()

    asyncio.run(scenario())


@given(steps)
def test_the_newest_step_names_only_what_really_differs(script: list[tuple[Any, ...]]) -> None:
    async def scenario() -> None:
        live = LiveState(ManualClock())
        before = live.snapshot()
        for step in [*script, ("publish",)]:
            await play(live, step)
            after = live.snapshot()
            if after is before:
                continue
            assert after.revision == before.revision + 1
            changes = live.changes(before.revision)
            assert changes is not None
            for table, names in changes.keys.items():
                if names is not None:
                    old, new = before.tables[table], after.tables[table]
                    assert names == {key for key in {*old, *new} if old.get(key) != new.get(key)} != set()
            for table in after.tables.keys() - changes.keys.keys():
                assert after.tables[table] is before.tables[table]
            before = after
        await live.close()

    asyncio.run(scenario())


async def test_the_first_change_after_quiet_is_published_at_once_then_once_a_tick() -> None:
    clock = ManualClock()
    live = LiveState(clock, tick=0.1)
    live.apply("k", Delta("pods", {"a": 1}))
    assert live.snapshot().revision == 0, "several changes of one turn go out together"
    live.apply("k", Delta("pods", {"b": 1}))
    await settle()
    assert live.snapshot().revision == 1
    live.apply("k", Delta("pods", {"a": 2}))
    live.apply("k", Delta("pods", {"a": 3}))
    await clock.advance(0.09)
    assert live.snapshot().revision == 1
    await clock.advance(0.02)
    assert live.snapshot().revision == 2
    assert live.snapshot().tables["pods"]["a"] == 3
    await clock.advance(5)
    live.apply("k", Delta("pods", {"a": 4}))
    await live.idle()
    assert live.snapshot().revision == 3
    await live.close()


async def test_idle_waits_for_the_tick() -> None:
    clock = ManualClock()
    live = LiveState(clock)
    live.apply("k", Delta("pods", {"a": 1}))
    assert (await live.idle()).revision == 1
    live.apply("k", Delta("pods", {"a": 2}))
    waiting = asyncio.ensure_future(live.idle())
    await settle()
    assert not waiting.done()
    await clock.advance(0.1)
    assert (await waiting).tables["pods"]["a"] == 2
    await live.close()


def test_equal_data_makes_no_change() -> None:
    live = LiveState(ManualClock())
    live.apply("k", Replace("pods", {"shop/cart-1": pod(), "shop/cart-2": pod("cart-2")}))
    live.status(SourceStatus("k", SourceState.LIVE, last_ok=5.0))
    before = live.snapshot()
    told: list[int] = []
    live.subscribe(lambda: told.append(live.snapshot().revision))
    live.apply("k", Replace("pods", {"shop/cart-2": pod("cart-2"), "shop/cart-1": pod()}))
    live.apply("k", Delta("pods", {"shop/cart-1": pod()}, ["shop/unknown"]))
    live.apply("k", Delta("nodes"))
    live.status(SourceStatus("k", SourceState.LIVE, last_ok=5.0))
    assert live.snapshot() is before
    assert told == []


def test_a_relist_is_diffed_and_keeps_the_equal_rows_as_they_are() -> None:
    live = LiveState(ManualClock())
    live.apply("k", Replace("pods", {"a": pod("a"), "b": pod("b"), "c": pod("c")}))
    before = live.snapshot()
    live.apply("k", Replace("pods", {"a": pod("a"), "b": pod("b", restarts=1), "d": pod("d")}))
    changes = live.changes(before.revision)
    assert changes is not None
    assert changes.keys == {"pods": frozenset("bcd")}
    assert changes.snapshot.tables["pods"]["a"] is before.tables["pods"]["a"]
    assert set(before.tables["pods"]) == set("abc")


async def test_a_row_that_changed_back_within_the_tick_is_no_change() -> None:
    live = LiveState(ManualClock())
    live.apply("k", Replace("pods", {"a": 1}))
    before = await live.idle()
    live.apply("k", Delta("pods", {"a": 2, "b": 1}))
    live.apply("k", Delta("pods", {"a": 1}, ["b"]))
    assert live.publish() is before
    await live.close()


def test_a_reader_too_far_behind_is_told_to_take_the_tables_whole() -> None:
    live = LiveState(ManualClock(), history=3)
    live.apply("k", Replace("nodes", {"n": 1}))
    at_nodes = live.snapshot().revision
    for number in range(5):
        live.apply("k", Delta("pods", {"a": number}))
    changes = live.changes(at_nodes)
    assert changes is not None
    assert changes.keys == {"pods": None}, "nodes did not change since"
    assert live.changes(live.snapshot().revision + 7) is None


def test_many_keys_do_not_pile_up_in_the_history() -> None:
    live = LiveState(ManualClock(), history=256)
    content = {str(key): 0 for key in range(20_000)}
    live.apply("k", Replace("pods", content))
    first = live.snapshot().revision
    for number in range(1, 6):
        live.apply("k", Delta("pods", dict.fromkeys(content, number)))
    assert live.changes(first).keys == {"pods": None}  # type: ignore[union-attr]
    newest = live.changes(live.snapshot().revision - 1)
    assert newest is not None
    assert newest.keys["pods"] == frozenset(content)


def test_pictures_cannot_be_written() -> None:
    live = LiveState(ManualClock())
    live.apply("k", Replace("pods", {"a": 1}))
    tables: Any = live.snapshot().tables
    with pytest.raises(TypeError):
        tables["pods"]["a"] = 2
    with pytest.raises(TypeError):
        tables["nodes"] = {}
    with pytest.raises(AttributeError):
        live.snapshot().revision = 9  # type: ignore[misc]


async def test_hooks_flush_their_rows_into_the_same_publication() -> None:
    clock = ManualClock()
    live = LiveState(clock)
    moments: list[float] = []

    def derive(now: float) -> None:
        moments.append(now)
        pods: Mapping[str, Any] = {"total": sum(1 for _ in ("a", "b"))}
        live.apply("derived", Replace("rollouts", pods))

    leave = live.add_hook(derive)
    live.apply("k", Replace("pods", {"a": 1, "b": 1}))
    snapshot = await live.idle()
    assert snapshot.revision == 1
    assert snapshot.tables["rollouts"] == {"total": 2}
    await clock.advance(60)
    live.nudge()
    assert await live.idle() is snapshot, "nothing new came of it"
    assert moments == [clock.now() - 60, clock.now()]
    leave()
    live.nudge()
    await clock.advance(1)
    assert len(moments) == 2
    await live.close()


async def test_a_faulty_hook_or_reader_stops_nobody() -> None:
    faults: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(str(context["exception"])))
    live = LiveState(ManualClock())
    told: list[int] = []

    def fail(*_: object) -> None:
        raise ValueError("broken")

    live.add_hook(fail)
    live.subscribe(fail)
    live.add_event_listener(fail)
    leave = live.subscribe(lambda: told.append(live.snapshot().revision))
    live.apply("k", Delta("pods", {"a": 1}))
    live.happened([happening(1)])
    await live.idle()
    assert told == [1]
    assert faults == ["broken"] * 3
    leave()
    await live.close()


def test_events_are_kept_once_newest_first_and_bounded() -> None:
    live = LiveState(ManualClock(), most_events=3)
    heard: list[str] = []
    live.add_event_listener(lambda events: heard.extend(event.id for event in events))
    late, early, middle, newest = happening(1, 30.0), happening(2, 10.0), happening(3, 20.0), happening(4, 40.0)
    live.happened([late, early])
    live.happened([middle, late])
    assert live.snapshot().events == (late, middle, early)
    before = live.snapshot()
    live.happened([late, happening(5, 5.0)])
    assert live.snapshot() is before, "known, and too old to be kept"
    live.happened([newest])
    assert live.snapshot().events == (newest, late, middle)
    live.happened([early])
    assert live.snapshot().events == (newest, late, middle)
    assert heard == [late.id, early.id, middle.id, newest.id]


def test_event_text_is_made_safe() -> None:
    live = LiveState(ManualClock())
    raw = happening(1)
    live.happened([type(raw)(raw.id, raw.at, raw.seen_at, raw.kind, raw.ref, "\x1b[31mboo\u202e")])
    [event] = live.snapshot().events
    assert isinstance(event.text, SafeText)
    assert event.text == "boo"


async def test_clusters_never_mix() -> None:
    live = LiveState(ManualClock())
    left = live.sink()
    left.apply("k", Replace("pods", {"shop/cart": pod(cluster="one")}))
    left.apply("k", Replace("nodes", {"n": 1}))
    left.status(SourceStatus("k", SourceState.LIVE, last_ok=5.0))
    left.happened([happening(1, cluster="one")])
    old = await live.idle()
    live.clear()
    entered = live.sink()
    entered.apply("k", Delta("pods", {"shop/cart": pod(cluster="two")}))
    left.apply("k", Delta("pods", {"shop/late": pod("late", cluster="one")}))
    left.status(SourceStatus("k", SourceState.FAILED))
    left.happened([happening(2, cluster="one")])
    new = live.publish()
    assert new.tables == {"pods": {"shop/cart": pod(cluster="two")}}
    assert new.sources == {}
    assert new.events == ()
    changes = live.changes(old.revision)
    assert changes is not None
    assert changes.keys == {"pods": None, "nodes": None}
    assert changes.sources == {"k"}
    assert changes.events
    await live.close()


async def test_clearing_some_tables_keeps_the_rest() -> None:
    live = LiveState(ManualClock())
    sink = live.sink()
    sink.apply("k", Replace("pods", {"a": 1}))
    sink.apply("k", Replace("nodes", {"n": 1}))
    before = live.publish()
    live.clear(["pods", "unheard-of"])
    sink.apply("k", Delta("nodes", {"m": 1}))
    after = live.publish()
    assert after.tables == {"nodes": {"n": 1, "m": 1}}
    changes = live.changes(before.revision)
    assert changes is not None
    assert changes.keys == {"pods": None, "nodes": frozenset("m")}
    await live.close()


@pytest.mark.bench
async def test_cost_of_a_thousand_events_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    live = LiveState(ManualClock())
    names = [f"shop/pod-{number}" for number in range(10_000)]
    for table in ("pods", "rollouts", "events"):
        live.apply("k", Replace(table, {name: pod(name) for name in names}))
    live.publish()
    since = live.snapshot().revision
    began = time.process_time()
    for second in range(10):
        for turn in range(10):
            for number in range(100):
                key = names[(second * 1000 + turn * 100 + number) * 7 % 10_000]
                live.apply("k", Delta("pods", {key: pod(key, restarts=second + 1)}))
            live.apply("k", Delta("rollouts", {names[turn]: pod(names[turn], restarts=second + 1)}))
            live.apply("k", Delta("events", {names[turn]: pod(names[turn], restarts=second + 1)}))
            live.publish()
            changes = live.changes(since)
            assert changes is not None
            since = changes.snapshot.revision
    spent = (time.process_time() - began) / 10
    with capsys.disabled():
        sys.stdout.write(f"\nlive state, 3 tables of 10,000 rows, 1,000 events/s: {spent:.2%} of a core\n")
