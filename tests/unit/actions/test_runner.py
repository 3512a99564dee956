"""The order in which an action happens, and what is said when any step of it goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest
from msgspec import structs

from services.actions.guard import Circumstances, Consent
from services.actions.halting import HaltingHands
from services.actions.ordinary import Ordinary
from services.actions.runner import Orders, Runner, recorded, remembered, resolve
from services.actions.spec import Document, Hands
from services.config_policy import Policy
from services.errors import Halted, Problem
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Edit, Ended, Outcome, Plan, Progress, Stage, Target, Write
from services.model.ref import DEPLOYMENTS
from services.sanitize import safe_text
from tests.unit.actions.stage import CART, Mend, StageHands, StageLocks, StageTrail, World

FULL = Problem(safe_text("The disk is full: free some space and try again."))
BEFORE = ["intent", "lock", "step lease", "dry run", "step rehearse", "step execute"]
WHOLE = [*BEFORE, "send", "step verify", "unlock", "outcome ok"]


def written(kind: WriteFault) -> WriteProblem:
    return WriteProblem(safe_text(f"it is {kind}"), kind)


class Bench:
    """A runner over a world, with a plan that has been read."""

    def __init__(self, policy: Policy | None = None, **found: object) -> None:
        self.world = World()
        self.hands = StageHands(self.world)
        self.seen: list[Progress] = []
        self.found = Circumstances(now=0.0, **found)  # type: ignore[arg-type]
        trail, locks = StageTrail(self.world), StageLocks(self.world)
        self.runner = Runner(self.hands, trail, locks, policy or Policy(), lambda _: self.found)
        self.plan: Plan = asyncio.run(Mend().plan(CART, {}, self.hands))
        self.world.log.clear()

    def run(self, consent: Consent = Consent()) -> Ended:  # noqa: B008 - frozen
        return asyncio.run(self.runner.run(Mend(), Orders(self.plan, consent), self._note))

    async def _note(self, progress: Progress) -> None:
        self.seen.append(progress)


def test_every_step_in_its_order_and_once() -> None:
    bench = Bench()
    ended = bench.run()
    assert (ended.outcome, ended.intent, bench.world.spec) == (Outcome.OK, "i-1", "good")
    assert bench.world.log == WHOLE
    assert ended.undo is not None
    stages = list(dict.fromkeys(one.stage for one in bench.seen))
    assert stages == [Stage.GUARD, Stage.INTENT, Stage.LEASE, Stage.REHEARSE, Stage.EXECUTE, Stage.VERIFY]


@pytest.mark.parametrize(
    ("point", "outcome", "log"),
    [
        ("intent", Outcome.CANCELLED, ["intent"]),
        ("lock", Outcome.CANCELLED, ["intent", "lock", "outcome cancelled"]),
        ("step lease", Outcome.CANCELLED, ["intent", "lock", "step lease", "unlock", "outcome cancelled"]),
        ("dry run", Outcome.CANCELLED, [*BEFORE[:4], "unlock", "outcome cancelled"]),
        ("step execute", Outcome.CANCELLED, [*BEFORE, "unlock", "outcome cancelled"]),
        ("outcome ok", Outcome.OK, WHOLE),
    ],
)
def test_a_fault_before_the_send_sends_nothing(point: str, outcome: Outcome, log: list[str]) -> None:
    bench = Bench()
    bench.world.faults[point] = FULL
    ended = bench.run()
    assert ended.outcome is outcome
    assert "disk is full" in ended.text
    assert bench.world.log == log
    assert (bench.world.spec == "bad") is (outcome is Outcome.CANCELLED)
    assert ("nothing was changed" in ended.text) is (outcome is Outcome.CANCELLED)


@pytest.mark.parametrize("kind", [WriteFault.CHANGED, WriteFault.FORBIDDEN, WriteFault.INVALID, WriteFault.UNSENT])
def test_what_the_server_refused_has_failed_and_is_not_watched(kind: WriteFault) -> None:
    bench = Bench()
    bench.world.faults["send"] = written(kind)
    ended = bench.run()
    assert (ended.outcome, ended.undo) == (Outcome.FAILED, None)
    assert bench.world.log == [*BEFORE, "send", "unlock", "outcome failed"]


@pytest.mark.parametrize(("spec", "outcome"), [("good", Outcome.OK), ("bad", Outcome.FAILED)])
def test_a_lost_answer_is_found_out_by_looking(spec: str, outcome: Outcome) -> None:
    bench = Bench()
    bench.world.faults["send"] = written(WriteFault.UNKNOWN)
    bench.world.spec = "bad"
    plan = bench.plan
    if spec == "good":

        async def arrived(*_: object) -> None:
            bench.world.spec = "good"
            raise written(WriteFault.UNKNOWN)

        action = Mend()
        action.execute = arrived  # type: ignore[method-assign]
        ended = asyncio.run(bench.runner.run(action, Orders(plan), bench._note))
    else:
        ended = bench.run()
    assert ended.outcome is outcome
    assert bench.world.log.count("send") <= 1


def test_what_cannot_be_looked_at_stays_unknown() -> None:
    bench = Bench()
    bench.world.faults["step verify"] = Problem(safe_text("The server does not answer."))
    ended = bench.run()
    assert ended.outcome is Outcome.UNKNOWN
    assert bench.world.log[-1] == "outcome unknown"


def test_a_plan_that_no_longer_holds_is_not_carried_out() -> None:
    bench = Bench()
    bench.world.spec = "worse"
    ended = bench.run()
    assert ended.outcome is Outcome.CANCELLED
    assert "somebody changed the object since the plan was shown" in ended.text
    assert "send" not in bench.world.log


def test_a_fault_of_the_program_before_the_send_is_no_unknown() -> None:
    bench = Bench()
    bench.world.faults["intent"] = TypeError("no such thing")  # type: ignore[assignment]
    ended = bench.run()
    assert (ended.outcome, bench.world.spec) == (Outcome.CANCELLED, "bad")
    assert "nothing was changed" in ended.text


@pytest.mark.parametrize("point", ["send", "step verify"])
def test_a_fault_of_the_program_after_the_lock_is_unknown_and_settled_so(point: str) -> None:
    bench = Bench()
    bench.world.faults[point] = KeyError("password=hunter2hunter2")  # type: ignore[assignment]
    ended = bench.run()
    assert ended.outcome is Outcome.UNKNOWN
    assert ended.text == "a fault of this program (KeyError) stopped it: look at the object"
    assert bench.world.log[-2:] == ["unlock", "outcome unknown"]


def test_another_operator_holds_the_lock() -> None:
    bench = Bench()
    bench.world.held_by = "bob@bastion-1"
    ended = bench.run()
    assert (ended.outcome, bench.world.spec) == (Outcome.CANCELLED, "bad")
    assert "bob@bastion-1 is acting on it" in ended.text


class Twice(Mend):
    """An action of two requests, one after the other; the world may lose its lock between them."""

    execute = Ordinary.execute

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        plan = await super().plan(target, given, hands)
        return structs.replace(plan, writes=plan.writes * 2)


@pytest.mark.parametrize(("after", "sent", "undo"), [(0, 0, False), (1, 1, True), (2, 2, True)])
@pytest.mark.parametrize("why", ["lost", "stopped"])
def test_nothing_is_sent_once_the_lock_is_lost_or_a_stop_was_asked_for(
    after: int, sent: int, undo: bool, why: str
) -> None:
    bench = Bench()
    bench.plan = asyncio.run(Twice().plan(CART, {}, bench.hands))
    bench.world.log.clear()

    def stopped() -> str:
        over = "step execute" in bench.world.log and bench.world.log.count("send") >= after
        bench.world.lost = "bob has the lock" if over and why == "lost" else ""
        return "stopped, as asked" if over and why == "stopped" else ""

    ended = asyncio.run(bench.runner.run(Twice(), Orders(bench.plan), bench._note, stopped))
    assert bench.world.log.count("send") == sent
    assert (ended.outcome is Outcome.OK, ended.undo is not None) == (after == 2, undo)
    if after < 2:
        assert ("bob has the lock" if why == "lost" else "stopped, as asked") in ended.text
        assert ("nothing was changed" if not sent else "1 of 2 requests were sent") in ended.text
        assert bench.world.log[-1] == "outcome failed"


def test_who_is_halted_neither_reads_nor_writes_and_rehearsals_are_no_requests() -> None:
    bench, why = Bench(), [""]
    hands = HaltingHands(bench.hands, lambda: why[0])
    (write,) = bench.plan.writes

    async def dealt() -> None:
        await hands.send(write, dry_run=True)
        assert hands.sent == 0
        await hands.send(write)
        assert hands.sent == 1
        why[0] = "bob has the lock"
        for asked in (hands.get(DEPLOYMENTS, "shop", "cart"), hands.find(DEPLOYMENTS, "shop"), hands.send(write)):
            with pytest.raises(Halted, match="bob has the lock"):
                await asked
        assert (hands.sent, hands.halted, bench.world.log) == (1, "bob has the lock", ["dry run", "send"])

    asyncio.run(dealt())


@pytest.mark.parametrize(("taken", "outcome", "undo"), [(0, Outcome.FAILED, False), (1, Outcome.OK, True)])
def test_what_was_refused_after_a_part_of_it_was_done_is_looked_at(taken: int, outcome: Outcome, undo: bool) -> None:
    bench = Bench()
    bench.plan = asyncio.run(Twice().plan(CART, {}, bench.hands))
    bench.world.log.clear()

    class Refusing(StageHands):
        async def send(self, write: Write, *, dry_run: bool = False) -> Document:
            if not dry_run and bench.world.log.count("send") == taken:
                bench.world.log.append("refused")
                raise written(WriteFault.FORBIDDEN)
            return await super().send(write, dry_run=dry_run)

    trail, locks = StageTrail(bench.world), StageLocks(bench.world)
    runner = Runner(Refusing(bench.world), trail, locks, Policy(), lambda _: bench.found)
    ended = asyncio.run(runner.run(Twice(), Orders(bench.plan), bench._note))
    assert (ended.outcome, ended.undo is not None) == (outcome, undo)
    assert ("nothing was changed" in ended.text) is not taken, ended.text
    assert ("step verify" in bench.world.log) is bool(taken)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"blocked": "a pod may not go"}, "a pod may not go"),
        ({"edits": (Edit("spec.image", "a", "b"), Edit("spec.more", "", "x"))}, "now also: spec.more"),
        ({"edits": ()}, "no longer: spec.image"),
        ({"edits": (Edit("spec.image", "a", "c"),)}, "otherwise: spec.image"),
        ({"parameters": {"at": "another time"}}, "what it would do is no longer what was shown"),
    ],
)
def test_a_plan_that_came_out_otherwise_is_not_carried_out(changes: dict[str, Any], said: str) -> None:
    bench = Bench()
    bench.plan = structs.replace(bench.plan, edits=(Edit("spec.image", "a", "b"),))
    action, planned = Mend(), bench.plan

    async def again(*_: object) -> Plan:
        return structs.replace(planned, **changes)

    action.plan = again  # type: ignore[method-assign]
    ended = asyncio.run(bench.runner.run(action, Orders(planned), bench._note))
    assert ended.outcome is Outcome.CANCELLED
    assert said in ended.text
    assert "send" not in bench.world.log


@pytest.mark.parametrize(("spec", "outcome"), [("good", Outcome.OK), ("bad", Outcome.FAILED)])
def test_what_a_dead_console_did_can_be_undone_where_it_was_done(spec: str, outcome: Outcome) -> None:
    bench = Bench()
    bench.world.spec = spec
    found = asyncio.run(resolve(Mend(), bench.plan, bench.hands, bench._note))
    assert found.outcome is outcome
    assert found.undo == (bench.plan.undo if outcome is Outcome.OK else None)
    assert bench.world.log == []


@pytest.mark.parametrize(
    ("policy", "found", "consent", "said"),
    [
        (Policy(deny=("mend",)), {}, Consent(), "denies mend"),
        (Policy(), {"data_age": 40.0}, Consent(), "data is 40 s old"),
        (Policy(reason=("*",)), {}, Consent(), "a reason is needed"),
    ],
)
def test_what_the_guard_refuses_leaves_no_trace(
    policy: Policy, found: dict[str, object], consent: Consent, said: str
) -> None:
    bench = Bench(policy, **found)
    ended = bench.run(consent)
    assert ended.outcome is Outcome.CANCELLED
    assert said in ended.text
    assert bench.world.log == []


def test_rights_are_asked_anew() -> None:
    bench = Bench()
    bench.world.allowed = False
    assert "you may not patch deployments in shop (no role)" in bench.run().text
    assert bench.world.log == []


def test_a_console_that_closes_leaves_the_outcome_unknown() -> None:
    bench = Bench()

    async def closing() -> None:
        task: asyncio.Task[Ended] = asyncio.ensure_future(bench.runner.run(action, Orders(bench.plan), bench._note))
        await watching.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def forever(*_: object) -> Ended:
        watching.set()
        await asyncio.Event().wait()
        raise AssertionError

    action, watching = Mend(), asyncio.Event()
    action.verify = forever  # type: ignore[method-assign]
    asyncio.run(closing())
    assert bench.world.log[-1] == "outcome unknown"
    assert bench.world.spec == "good"


def test_what_is_kept_can_be_read_again_and_holds_no_secret() -> None:
    plan = Bench().plan
    told = b'{"comment":"tried ghp_0123456789abcdefghijABCDEFGHIJ012345",' + plan.writes[0].body[1:]
    plan = structs.replace(plan, writes=(structs.replace(plan.writes[0], body=told),))
    body = json.loads(json.dumps(recorded(plan, Consent("INC-42"), "INC-42")))
    assert "hunter2" not in json.dumps(body)
    (sent,) = [b64decode(one["body"]).decode() for one in body["plan"]["writes"]]
    assert "DB_PASSWORD" in sent
    assert not {"hunter2", "ghp_0123456789abcdefghijABCDEFGHIJ012345"} & set(re.split(r"\W+", sent)), sent
    assert body["requests"] == [sha256(one.body).hexdigest() for one in plan.writes]
    again = remembered(body)
    assert (again.action, again.target, again.undo, again.parameters) == (
        plan.action,
        plan.target,
        plan.undo,
        plan.parameters,
    )
    with pytest.raises(Problem):
        remembered({"plan": {"action": 1}})


def test_a_console_that_closes_before_anything_was_sent_leaves_nothing_to_find_out() -> None:
    bench = Bench()

    async def closing() -> None:
        task: asyncio.Task[Ended] = asyncio.ensure_future(bench.runner.run(action, Orders(bench.plan), bench._note))
        await rehearsing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def forever(*_: object) -> Plan:
        rehearsing.set()
        await asyncio.Event().wait()
        raise AssertionError

    action, rehearsing = Mend(), asyncio.Event()
    action.plan = forever  # type: ignore[method-assign]
    asyncio.run(closing())
    assert bench.world.log[-1] == "outcome cancelled"
    assert "nothing was changed" in bench.world.done["i-1"].text
    assert bench.world.spec == "bad"
