"""What is on screen follows the server through every fault: nothing missing, nothing twice, nothing from the past."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from fake_collection import Collection
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, QuickClock, Recorder, Request, ScriptedServer, status, transport

from services.clock import ManualClock
from services.kubernetes.backoff import Backoff
from services.kubernetes.codecs import TypedCodec
from services.kubernetes.tablewatch import TableWatch, Wiring
from services.model.cluster import Namespace
from services.model.ref import NAMESPACES
from services.model.source import SourceState
from services.ports import Delta, Replace
from tests.examples import share

SOURCE = "kubernetes/namespaces"


def shown(rows: dict[str, Namespace]) -> dict[str, str]:
    return {key: row.labels[0].removeprefix("v=") for key, row in rows.items()}


class Watched:
    """A collection, watched into a recorder."""

    def __init__(self, collection: Collection, clock: QuickClock, sink: Recorder, watch: TableWatch) -> None:
        self.collection = collection
        self.clock = clock
        self.sink = sink
        self.watch = watch

    @property
    def rows(self) -> dict[str, str]:
        return shown(self.sink.tables.get("namespaces", {}))

    @property
    def state(self) -> SourceState | None:
        said = self.sink.statuses.get(SOURCE)
        return said.state if said is not None else None

    async def until_equal(self) -> None:
        await self.sink.until(lambda: self.rows == self.collection.content and self.state is SourceState.LIVE)

    async def until_watched(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.collection.watches) < count:
                self.collection.opened.clear()
                await self.collection.opened.wait()

    def check_order(self) -> None:
        """No key may go back, nor come twice, between one list and the next."""
        newest: dict[str, int] = {}
        for _, change in self.sink.changes:
            rows = change.rows if isinstance(change, Replace) else change.upserts
            for key, row in rows.items():
                version = int(row.labels[0].removeprefix("v="))
                least = newest.get(key, 0) + isinstance(change, Delta)
                assert version >= least, f"{key} went from {newest[key]} to {version}"
                newest[key] = version


@contextlib.asynccontextmanager
async def watched(prepare: Callable[[Collection], None] = lambda _: None) -> AsyncIterator[Watched]:
    collection, clock, sink = Collection(), QuickClock(), Recorder()
    prepare(collection)
    async with ScriptedServer(collection.handle) as server:
        client = transport(server.url, clock)
        wiring = Wiring(client, sink, clock, lambda: 0.5, asyncio.Semaphore(3), lambda: None)
        watch = TableWatch(NAMESPACES, TypedCodec("namespaces", "c"), wiring, ())
        task = asyncio.ensure_future(watch.run())
        try:
            yield Watched(collection, clock, sink, watch)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()


def five(collection: Collection) -> None:
    for name in "abcde":
        collection.put(name)


faults = st.sampled_from(["bookmark", "garbage", "compact", "end", "cut", "nudge", "500", "429", "continue"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcd"), st.booleans()),
        st.tuples(st.just("delete"), st.sampled_from("abcd"), st.booleans()),
        st.tuples(faults, st.just(""), st.booleans()),
    ),
    min_size=5,
    max_size=30,
)


def perform(world: Watched, step: str, name: str) -> None:
    collection = world.collection
    match step:
        case "put":
            collection.put(name)
        case "delete":
            collection.delete(name)
        case "bookmark":
            collection.bookmark()
        case "garbage":
            collection.garbage()
        case "compact":
            collection.compact()
        case "end" | "cut":
            collection.order(step)
        case "500" | "429":
            collection.refusals.append((int(step), {"Retry-After": "1"}))
        case "continue":
            collection.expire_continues = 1
        case "nudge":
            world.watch.nudge()


@share(0.4)
@given(script=steps)
def test_rows_follow_the_server_through_any_faults(script: list[tuple[str, str, bool]]) -> None:
    async def run() -> None:
        async with watched(five) as world:
            await world.until_watched(1)
            for step, name, seen in script:
                perform(world, step, name)
                if seen:
                    await world.until_equal()
            world.collection.put("last")
            await world.until_equal()
            world.check_order()

    asyncio.run(run())


async def test_a_paged_list_is_one_replacement_with_progress() -> None:
    async with watched(five) as world:
        await world.until_equal()
        assert [type(change) for _, change in world.sink.changes] == [Replace]
        progress = [(said.loaded, said.total) for said in world.sink.said if said.state is SourceState.LOADING]
        assert (3, 5) in progress


async def test_a_watch_asks_for_bookmarks_and_starts_at_the_list() -> None:
    async with watched(five) as world:
        await world.until_watched(1)
        asked = world.collection.watches[0]
        assert asked["allowWatchBookmarks"] == "true"
        assert asked["resourceVersion"] == "15"
        assert 240 <= int(asked["timeoutSeconds"]) <= 300


async def test_a_bookmark_moves_the_place_from_which_a_watch_goes_on() -> None:
    async with watched(five) as world:
        await world.until_watched(1)
        world.collection.version = 40
        world.collection.bookmark()
        await asyncio.sleep(0.02)
        world.collection.order("end")
        await world.until_watched(2)
        assert world.collection.watches[1]["resourceVersion"] == "40"
        assert world.collection.listed == 1


async def test_a_cut_watch_goes_on_without_a_new_list() -> None:
    async with watched(five) as world:
        await world.until_watched(1)
        world.collection.put("a")
        world.collection.order("cut")
        await world.until_watched(2)
        world.collection.delete("b")
        await world.until_equal()
        assert world.collection.listed == 1


async def test_a_watch_that_is_cut_after_a_while_is_no_news_unless_the_server_is_gone() -> None:
    async with watched(five) as world:
        await world.until_watched(1)
        world.collection.put("a")
        await world.until_equal()
        await world.clock.sleep(90)
        world.collection.order("cut")
        await world.until_watched(2)
        assert world.clock.slept == [90], "it was opened again at once"
        assert not [status for status in world.sink.said if status.state is SourceState.FAILED]
        world.collection.order("cut")
        await world.sink.until(lambda: world.state is SourceState.FAILED)
        await world.until_equal()


async def test_an_expired_version_lists_again_and_equal_rows_are_one_replacement() -> None:
    async with watched(five) as world:
        await world.until_watched(1)
        world.collection.compact()
        await world.until_watched(2)
        assert world.collection.listed == 2
        assert [type(change) for _, change in world.sink.changes] == [Replace, Replace]


async def test_an_expired_continue_begins_again_and_at_last_asks_for_everything() -> None:
    def prepare(collection: Collection) -> None:
        five(collection)
        collection.expire_continues = 2

    async with watched(prepare) as world:
        await world.until_equal()
        assert world.collection.listed == 3
        assert world.collection.whole_lists == 1


async def test_one_bad_object_costs_itself_and_is_counted() -> None:
    def prepare(collection: Collection) -> None:
        five(collection)
        collection.objects["c"]["metadata"]["labels"] = "nonsense"

    async with watched(prepare) as world:
        await world.sink.until(lambda: len(world.sink.tables.get("namespaces", {})) == 4)
        assert world.sink.statuses[SOURCE].quarantined == 1
        await world.until_watched(1)
        world.collection.garbage()
        world.collection.put("f")
        await world.sink.until(lambda: "f" in world.rows)
        assert world.sink.statuses[SOURCE].quarantined == 2


async def test_what_arrives_together_is_applied_together() -> None:
    async with watched() as world:
        await world.until_watched(1)
        for number in range(400):
            world.collection.put(f"n{number}")
        await world.until_equal()
        deltas = [change for _, change in world.sink.changes if isinstance(change, Delta)]
        assert len(deltas) < 40


async def test_what_comes_and_goes_in_one_batch_is_gone() -> None:
    async with watched(five) as world:
        await world.until_watched(1)
        world.collection.put("x")
        world.collection.delete("x")
        world.collection.delete("a")
        world.collection.put("a")
        await world.sink.until(lambda: world.rows == world.collection.content)
        assert "x" not in world.rows


async def test_a_server_that_ends_every_watch_is_not_asked_in_a_tight_loop() -> None:
    async with watched(five) as world:
        for count in range(1, 6):
            await world.until_watched(count)
            world.collection.order("end")
        await world.until_watched(6)
        pauses = world.clock.slept[:5]
        assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0]


async def test_failures_are_said_and_forgotten_with_the_next_success() -> None:
    def prepare(collection: Collection) -> None:
        five(collection)
        collection.refusals = [(500, {}), (429, {"Retry-After": "17"})]

    async with watched(prepare) as world:
        await world.until_equal()
        assert world.clock.slept[:2] == [0.25, 17.0]
        said = [status.error for status in world.sink.said if status.state is SourceState.FAILED]
        assert "refused with 500" in said[0]
        assert world.sink.statuses[SOURCE].error == ""


async def test_a_refused_kind_is_forbidden_and_asked_again_after_a_minute() -> None:
    def prepare(collection: Collection) -> None:
        collection.refusals = [(403, {})]

    async with watched(prepare) as world:
        await world.until_equal()
        assert any(status.state is SourceState.FORBIDDEN for status in world.sink.said)
        assert world.clock.slept[0] == 60.0


async def test_a_kind_that_cannot_be_watched_is_polled() -> None:
    lists = 0

    async def handler(request: Request, answer: Answer) -> None:
        nonlocal lists
        if "watch" in request.params:
            await answer.json(status(405, "the server does not allow this method"), 405)
            return
        lists += 1
        await answer.json({"kind": "NamespaceList", "metadata": {"resourceVersion": "1"}, "items": []})

    clock, sink = ManualClock(), Recorder()
    async with ScriptedServer(handler) as server:
        client = transport(server.url, clock)
        wiring = Wiring(client, sink, clock, lambda: 0.5, asyncio.Semaphore(3), lambda: None)
        watch = TableWatch(NAMESPACES, TypedCodec("namespaces", "c"), wiring, ())
        task = asyncio.ensure_future(watch.run())
        for expected in (1, 2, 3):
            async with asyncio.timeout(30):
                while lists < expected:
                    await asyncio.sleep(0.002)
                    await clock.advance(0.0 if lists == 0 else 5.0)
        assert sink.statuses[SOURCE].state is SourceState.LIVE
        assert clock.monotonic() >= 30.0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


async def test_a_nudge_opens_the_watch_again_from_where_it_was() -> None:
    async with watched(five) as world:
        await world.until_watched(1)
        world.collection.put("z")
        await world.until_equal()
        world.watch.nudge()
        await world.until_watched(2)
        assert world.collection.watches[1]["resourceVersion"] == str(world.collection.version)
        assert world.collection.listed == 1


def test_waits_double_up_to_a_ceiling_with_full_jitter_and_are_forgotten_after_a_healthy_minute() -> None:
    longest = Backoff(lambda: 1.0)
    assert [longest.after_failure(0.0) for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert longest.after_failure(59.0) == 30.0
    assert longest.after_failure(60.0) == 0.5
    assert Backoff(lambda: 0.0).after_failure(0.0) == 0.0
    assert Backoff(lambda: 0.0).after_failure(0.0, at_least=9.0) == 9.0


@pytest.mark.parametrize("body", [b"<html>proxy login</html>", b"{}", b'{"items": 5}'])
async def test_an_answer_that_is_no_list_is_said(body: bytes) -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.whole(200, body)

    clock, sink = ManualClock(), Recorder()
    async with ScriptedServer(handler) as server:
        client = transport(server.url, clock)
        wiring = Wiring(client, sink, clock, lambda: 0.5, asyncio.Semaphore(3), lambda: None)
        task = asyncio.ensure_future(TableWatch(NAMESPACES, TypedCodec("namespaces", "c"), wiring, ()).run())
        await sink.until(lambda: SOURCE in sink.statuses and sink.statuses[SOURCE].state is SourceState.FAILED)
        assert "Could not read the server's list of namespaces" in sink.statuses[SOURCE].error
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
