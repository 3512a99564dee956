from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal_client import PATIENCE, Client

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp
from services.rehearsal.estate.journal import KEPT, Journal
from services.rehearsal.estate.speech import CHATTY_RATE, voice_of

if TYPE_CHECKING:
    from services.rehearsal.clock import ManualClock
    from services.rehearsal.server import Rehearsal
    from services.rehearsal.store import Entry

Json = dict[str, Any]


def pods_of(estate: Rehearsal, name: str) -> list[Entry]:
    entries = estate.store.collection(resources.PODS).ordered()
    return [one for one in entries if one.labels.get("app.kubernetes.io/name") == name]


def log_of(entry: Entry) -> str:
    return f"/api/v1/namespaces/{entry.namespace}/pods/{entry.name}/log"


def plain_pod(estate: Rehearsal) -> Entry:
    app = next(one for one in estate.plan.deployments() if not one.chatty and not one.sidecar)
    return pods_of(estate, app.name)[0]


def crashing_pod(estate: Rehearsal) -> Entry:
    for entry in estate.store.collection(resources.PODS).ordered():
        for status in entry.read()["status"].get("containerStatuses", ()):
            if status["lastState"].get("terminated", {}).get("exitCode") == 1 and status["restartCount"] > 3:
                return entry
    raise AssertionError("nothing crashes")


async def test_tail_since_and_limit(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    path = log_of(plain_pod(calm))
    whole = (await client.get(path)).text.splitlines()
    assert len(whole) > 100
    assert (await client.get(path, tailLines=7)).text.splitlines() == whole[-7:]
    assert (await client.get(path, tailLines=0)).text == ""
    assert len((await client.get(path, limitBytes=100)).content) == 100
    recent = (await client.get(path, sinceSeconds=60, timestamps="true")).text.splitlines()
    moments = [parse_stamp(line.split(" ", 1)[0][:26] + "+00:00") for line in recent]
    assert moments == sorted(moments)
    assert clock.now() - 60 <= moments[0] <= moments[-1] <= clock.now()
    assert [line.split(" ", 1)[1] for line in recent] == whole[-len(recent) :]
    since = recent[3].split(" ", 1)[0]
    from_there = (await client.get(path, sinceTime=since, timestamps="true")).text.splitlines()
    assert from_there == recent[3:]


async def test_levels_and_shapes(calm: Rehearsal, client: Client) -> None:
    stacks = {}
    for app in calm.plan.deployments():
        if not app.chatty:
            stacks.setdefault(app.stack, app)
    lines = {}
    for stack, app in stacks.items():
        container = {"container": app.name}
        text = (await client.get(log_of(pods_of(calm, app.name)[0]), tailLines=400, **container)).text
        lines[stack] = text.splitlines()
        assert sum("error" in one.lower() for one in lines[stack]) > 0
        assert sum("warn" in one.lower() for one in lines[stack]) > 0
    if "go" in lines:
        assert {"ts", "level", "msg"} <= json.loads(lines["go"][-1]).keys()


async def test_a_crash_ends_in_its_reason(troubled: Rehearsal) -> None:
    client = Client(troubled)
    entry = crashing_pod(troubled)
    for query in ({}, {"previous": "true"}):
        lines = (await client.get(log_of(entry), **query)).text.splitlines()
        image = entry.read()["spec"]["containers"][0]["image"]
        words = troubled.engine.world.behaviours.of(image).last_words
        assert tuple(lines[-len(words) :]) == words
        assert lines[0].startswith("starting ")


async def test_what_is_not_there_is_said_in_the_kubelets_words(troubled: Rehearsal) -> None:
    client = Client(troubled)
    plain = plain_pod(troubled)
    answer = await client.get(log_of(plain), previous="true")
    assert answer.status_code == 400
    container = plain.read()["spec"]["containers"][0]["name"]
    said = answer.json()["message"]
    assert said == f'previous terminated container "{container}" in pod "{plain.name}" not found'
    answer = await client.get(log_of(plain), container="nobody")
    assert answer.json()["message"] == f"container nobody is not valid for pod {plain.name}"
    assert (await client.get(log_of(plain).replace(plain.name, "nobody"))).status_code == 404
    unpulled = next(
        entry
        for entry in troubled.store.collection(resources.PODS).ordered()
        if any(
            "waiting" in s["state"] and not s["lastState"] for s in entry.read()["status"].get("containerStatuses", ())
        )
    )
    answer = await client.get(log_of(unpulled))
    assert answer.status_code == 400
    assert "is waiting to start: " in answer.json()["message"]
    answer = await client.get(log_of(plain), sinceSeconds=5, sinceTime="2026-01-01T00:00:00Z")
    assert answer.status_code == 422


async def test_several_containers_must_be_told_apart(calm: Rehearsal, client: Client) -> None:
    app = next(one for one in calm.plan.deployments() if one.sidecar)
    entry = pods_of(calm, app.name)[0]
    names = [one["name"] for one in entry.read()["spec"]["containers"]]
    answer = await client.get(log_of(entry))
    assert answer.json()["message"].endswith(f"choose one of: [{' '.join(names)}]")
    own, side = [(await client.get(log_of(entry), container=name, tailLines=5)).text for name in names]
    assert own
    assert side
    assert own != side


async def test_following_goes_on_line_by_line(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    path = log_of(plain_pod(calm))
    async with client.http.stream("GET", path, params={"follow": "true", "tailLines": "2"}) as answer:
        lines = answer.aiter_lines()
        seen = [await anext(lines), await anext(lines)]
        for _ in range(30):
            clock.advance(1)
            await asyncio.sleep(0)
        expected = (await client.get(path, sinceSeconds=40)).text.splitlines()
        async with asyncio.timeout(PATIENCE):
            while len(seen) < 6:
                seen.append(await anext(lines))
    start = expected.index(seen[1])
    assert seen[1:] == expected[start : start + 5]


async def test_following_ends_with_the_container(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    entry = plain_pod(calm)
    async with client.http.stream("GET", log_of(entry), params={"follow": "true", "tailLines": "1"}) as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        assert calm.engine.kubelet.restart(entry.namespace, entry.name)
        clock.advance(1)
        async with asyncio.timeout(PATIENCE):
            assert len([line async for line in lines]) < 5


async def test_the_chatty_pod_writes_two_thousand_lines_a_second(
    calm: Rehearsal, client: Client, clock: ManualClock
) -> None:
    app = next(one for one in calm.plan.apps if one.chatty)
    entry = pods_of(calm, app.name)[0]
    query = {"follow": "true", "tailLines": "0", "container": app.name}
    async with client.http.stream("GET", log_of(entry), params=query) as answer:
        lines = answer.aiter_lines()
        for _ in range(20):
            clock.advance(0.05)
            await asyncio.sleep(0)
        count = 0
        async with asyncio.timeout(PATIENCE):
            while count < CHATTY_RATE * 0.9:
                await anext(lines)
                count += 1
    quiet = pods_of(calm, app.name)[1]
    few = (await client.get(log_of(quiet), sinceSeconds=10, container=app.name)).text.splitlines()
    assert len(few) < 50


@pytest.mark.parametrize("chatty", [False, True])
@given(start=st.floats(0, 1e6), length=st.floats(0, 1e5), words=st.lists(st.text(max_size=5), max_size=3))
def test_a_journal_is_in_order_and_complete(chatty: bool, start: float, length: float, words: list[str]) -> None:
    voice = voice_of(None, "c", "uid", "image:v1", chatty=chatty)
    journal = Journal(voice, start, start + length, tuple(words))
    total = journal.count(start + length)
    assert total == journal.count(start + length + 1000)
    tail = range(max(0, total - 30), total)
    moments = [journal.moment(index) for index in tail]
    assert all(start - 0.01 <= one <= start + length + 0.01 for one in moments)
    assert all(later >= earlier - 0.005 for earlier, later in itertools.pairwise(moments))
    assert [journal.text(index) for index in tail][len(tail) - len(words) :] == words
    first = journal.first_since(0, start + length)
    assert first == max(0, total - KEPT)


@given(st.floats(0, 5e4), st.floats(0, 100))
def test_lines_are_only_ever_added(elapsed: float, more: float) -> None:
    journal = Journal(voice_of(None, "c", "uid", "image:v1", chatty=False), 1000.0)
    before, after = journal.count(1000 + elapsed), journal.count(1000 + elapsed + more)
    assert 0 <= before <= after
    if after:
        assert journal.moment(after - 1) <= 1000 + elapsed + more + 1e-6
    assert journal.moment(after) > 1000 + elapsed + more - 2e-6
