"""A drain evicts these very pods, at their budgets' pace, and says of each how it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from services.clock import ManualClock, settle
from services.errors import Halted, Problem
from services.kubernetes.drain import PodVerdict, Verdict
from services.kubernetes.draining import Going, Phase, drain, eviction
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Write
from services.model.ref import Resource
from services.model.text import SafeText

Answer = WriteProblem | None


def row(name: str) -> PodVerdict:
    return PodVerdict("shop", name, f"u-{name}", Verdict.EVICT)


class World:
    """A node whose pods leave one second after their eviction; `answers` are what evictions get first."""

    def __init__(self, *names: str) -> None:
        self.clock = ManualClock()
        self.pods = {name: {"uid": f"u-{name}", "node": "n1", "leaving": 0.0} for name in names}
        self.answers: dict[str, list[Answer]] = {}
        self.sent: list[tuple[float, str]] = []
        self.stays: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.find_fails = False
        self.on_read: Callable[[str], None] = lambda _: None

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> dict[str, Any]:
        self.on_read(name)
        if name not in self.pods:
            raise Problem(SafeText("not found"), 404)
        return self._document(name)

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[dict[str, Any]]:
        assert params == {"fieldSelector": "spec.nodeName=n1"}
        if self.find_fails:
            raise Problem(SafeText("no answer"))
        now = self.clock.monotonic()
        for name, kept in list(self.pods.items()):
            if kept["leaving"] and now > kept["leaving"] and name not in self.stays:
                del self.pods[name]
        return [self._document(name) for name, kept in self.pods.items() if kept["node"] == "n1"]

    async def send(self, write: Write, *, dry_run: bool = False) -> dict[str, Any]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        name = json.loads(write.body)["metadata"]["name"]
        assert write.uid == f"u-{name}"
        self.sent.append((self.clock.monotonic(), name))
        answer = self.answers.get(name, [None]).pop(0) if self.answers.get(name) else None
        if answer is not None:
            raise answer
        self.pods[name]["leaving"] = self.clock.monotonic() or 0.001
        return {}

    def _document(self, name: str) -> dict[str, Any]:
        kept = self.pods[name]
        metadata = {"name": name, "uid": kept["uid"]}
        metadata |= {"deletionTimestamp": "2026-01-01T00:00:00Z"} if kept["leaving"] else {}
        return {"metadata": metadata, "spec": {"nodeName": kept["node"]}}


def refusal(kind: WriteFault, words: str = "no", retry_after: float = 0.0, cause: str = "", said: str = "") -> Answer:
    problem = WriteProblem(SafeText(f"Could not evict: {words}"), kind, 429)
    problem.words, problem.retry_after = words, retry_after
    problem.causes = ({"reason": cause, "message": said},) if cause else ()
    return problem


async def drained(
    world: World, *names: str, seconds: float = 700, within: float = 600, chance: float = 0.5
) -> tuple[dict[str, Going], list[Sequence[Going]]]:
    """Run a drain to its end, moving the clock by quarter seconds."""
    told: list[Sequence[Going]] = []

    async def report(rows: Sequence[Going]) -> None:
        told.append(rows)

    task = asyncio.ensure_future(
        drain("n1", [row(name) for name in names], world, report, within=within, chance=lambda: chance)
    )
    await settle()
    for _ in range(int(seconds * 4)):
        if task.done():
            break
        await world.clock.advance(0.25)
    assert task.done()
    return {one.pod.name: one for one in task.result()}, told


async def test_pods_are_evicted_and_waited_for() -> None:
    world = World("a", "b")
    found, told = await drained(world, "a", "b")
    assert {one.phase for one in found.values()} == {Phase.GONE}
    phases = [one.phase for rows in told for one in rows if one.pod.name == "a"]
    assert [phase for phase, before in zip(phases, [None, *phases], strict=False) if phase != before] == [
        Phase.LEAVING,
        Phase.GONE,
    ]
    assert world.clock.monotonic() < 5


async def test_no_pods_are_no_work() -> None:
    assert await drained(World()) == ({}, [])


async def test_eight_requests_at_once_at_the_most() -> None:
    names = [f"p{number}" for number in range(40)]
    world = World(*names)
    found, _ = await drained(world, *names)
    assert len(found) == 40
    assert world.most_at_once == 8


async def test_a_budget_is_asked_again_with_its_sentence() -> None:
    world = World("a")
    sentence = "The disruption budget web needs 2 healthy pods and has 2 currently"
    budget = refusal(WriteFault.BUDGET, "Cannot evict pod", cause="DisruptionBudget", said=sentence)
    world.answers["a"] = [budget, budget]
    found, told = await drained(world, "a", chance=0.0)
    refused = [one for rows in told for one in rows if one.phase is Phase.REFUSED]
    assert {one.text for one in refused} == {sentence}
    assert list(dict.fromkeys(one.again_at for one in refused)) == [4.0, 8.0]  # 5 s less 20 %
    assert [at for at, _ in world.sent] == [0.0, 4.0, 8.0]
    assert (found["a"].phase, found["a"].attempts) == (Phase.GONE, 3)


async def test_the_server_s_own_wait_wins_and_the_others_do_not_wait_for_it() -> None:
    names = [f"p{number}" for number in range(9)]
    world = World(*names)
    for name in names[:8]:
        world.answers[name] = [refusal(WriteFault.BUSY, retry_after=17)]
    await drained(world, *names)
    assert sorted(at for at, name in world.sent if name != "p8") == [0.0] * 8 + [17.0] * 8
    assert "p8" in {name for at, name in world.sent if at < 1}


@pytest.mark.parametrize(
    ("answer", "phase", "attempts"),
    [
        (refusal(WriteFault.BUDGET, "This pod has more than one PodDisruptionBudget, which"), Phase.FAILED, 1),
        (refusal(WriteFault.FORBIDDEN), Phase.FAILED, 1),
        (refusal(WriteFault.DENIED), Phase.FAILED, 1),
        (refusal(WriteFault.INVALID), Phase.FAILED, 1),
        (refusal(WriteFault.GONE), Phase.GONE, 1),
        (refusal(WriteFault.DENIED, cause="NamespaceTerminating"), Phase.GONE, 2),
        (refusal(WriteFault.UNKNOWN), Phase.GONE, 2),
        (refusal(WriteFault.UNSENT), Phase.GONE, 2),
        (refusal(WriteFault.CONFLICT), Phase.GONE, 2),
    ],
)
async def test_what_is_tried_again_and_what_is_not(answer: Answer, phase: Phase, attempts: int) -> None:
    world = World("a", "other")
    world.answers["a"] = [answer]
    found, _ = await drained(world, "a", "other")
    assert (found["a"].phase, found["a"].attempts) == (phase, attempts)
    assert found["other"].phase is Phase.GONE  # one that fails keeps no other
    assert not found["a"].text or phase is Phase.FAILED


async def test_another_pod_of_that_name_is_never_evicted() -> None:
    world = World("a", "b", "c")
    world.answers["a"] = [refusal(WriteFault.BUDGET)]

    def moved(name: str) -> None:
        if name == "a" and world.sent:
            world.pods["a"] |= {"uid": "u-new"}
        if name == "b":
            world.pods["b"] |= {"node": "n2"}
        if name == "c":
            world.pods.pop("c", None)

    world.on_read = moved
    found, _ = await drained(world, "a", "b", "c")
    assert {one.phase for one in found.values()} == {Phase.GONE}
    assert world.sent == [(0.0, "a")]


async def test_a_pod_that_is_leaving_already_is_only_waited_for() -> None:
    world = World("a")
    world.pods["a"]["leaving"] = 0.001
    found, _ = await drained(world, "a")
    assert (found["a"].phase, world.sent) == (Phase.GONE, [])


async def test_what_is_not_done_in_time_is_said() -> None:
    world = World("stuck", "slow", "fine")
    world.answers["stuck"] = [refusal(WriteFault.BUDGET, "needs 2") for _ in range(99)]
    world.stays.add("slow")
    found, _ = await drained(world, "stuck", "slow", "fine", within=60, chance=0.5)
    assert {name: one.phase for name, one in found.items()} == {
        "stuck": Phase.LATE,
        "slow": Phase.LATE,
        "fine": Phase.GONE,
    }
    assert (found["stuck"].text, found["slow"].text) == ("needs 2", "it is still shutting down")
    assert 60 <= world.clock.monotonic() < 63
    assert all(at < 60 for at, _ in world.sent)


async def test_a_server_that_hides_for_a_while_stops_nothing() -> None:
    world = World("a")
    world.find_fails = True
    asyncio.get_running_loop().call_soon(lambda: None)

    def heal(_: str) -> None:
        world.find_fails = False

    world.on_read = heal
    found, _ = await drained(world, "a")
    assert found["a"].phase is Phase.GONE


async def test_a_cancelled_drain_can_be_taken_up_again() -> None:
    world = World("a", "b")
    world.answers["b"] = [refusal(WriteFault.BUDGET)]

    async def report(_: Sequence[Going]) -> None:
        return

    task = asyncio.ensure_future(drain("n1", [row("a"), row("b")], world, report))
    await world.clock.advance(2.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    sent = len(world.sent)
    await world.clock.advance(30)
    assert len(world.sent) == sent
    found, _ = await drained(world, "a", "b")
    assert {one.phase for one in found.values()} == {Phase.GONE}
    assert [name for _, name in world.sent].count("a") == 1


async def test_a_halt_asks_nobody_any_more_and_ends_at_once() -> None:
    world = World("a", "b")
    world.stays.add("a")
    world.answers["b"] = [refusal(WriteFault.BUDGET) for _ in range(9)]

    def halt(_: str) -> None:
        if len(world.sent) >= 3:
            raise Halted(SafeText("the lock was lost"))

    world.on_read = halt
    found, _ = await drained(world, "a", "b")
    assert (found["a"].phase, found["b"].phase, found["b"].text) == (Phase.LEAVING, Phase.STOPPED, "the lock was lost")
    assert [name for _, name in world.sent] == ["a", "b", "b"]
    assert world.clock.monotonic() < 12


async def test_who_waits_is_told_every_second() -> None:
    world = World("a")
    world.answers["a"] = [refusal(WriteFault.BUDGET, retry_after=8)]
    _, told = await drained(world, "a")
    assert sum(rows[0].phase is Phase.REFUSED for rows in told) >= 8


def test_the_grace_is_the_pods_own_unless_told() -> None:
    assert "deleteOptions" not in json.loads(eviction(row("a")).body)
    assert json.loads(eviction(row("a"), 5).body)["deleteOptions"] == {"gracePeriodSeconds": 5}
    assert (eviction(row("a")).path, eviction(row("a")).uid) == ("/api/v1/namespaces/shop/pods/a/eviction", "u-a")
