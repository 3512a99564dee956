"""Acknowledge, silence, extend and end: what their plans say, what they send, and how they are told to have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from cache.ledger.altered import AlteredReader
from services.actions.guard import Circumstances, Consent
from services.actions.registry import action
from services.actions.runner import Orders, Runner, recorded, remembered, resolve
from services.actions.silencing import default_matchers, seconds_of, span_words
from services.actions.spec import Refused
from services.alerts.matchers import spelled_all
from services.clock import ManualClock
from services.config_policy import Policy
from services.errors import Problem
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Ended, Outcome, Plan, Progress, Target, Tier
from services.model.actor import Actor
from services.model.alert import Alert, AlertState
from services.model.ref import ALERTS, SILENCES, Ref
from services.model.severity import Severity
from services.ports import Snapshot
from services.sanitize import safe_text
from tests.unit.actions.silencer import Silencer, held
from tests.unit.actions.stage import StageLocks, StageTrail, World
from tui.trail import LedgerTrail

SLOW = held("Slow", ("chat",), app="cart", pod="cart-1", namespace="shop")
TWIN = held("Slow", ("chat", "pager"), app="cart", pod="cart-2", namespace="shop", severity="critical")
PAY = held("Slow", ("pager",), app="pay", pod="pay-1", namespace="pay", severity="critical")
BEAT = held("Watchdog", ("beat",))


def alert(name: str = "Slow/cart-1") -> Target:
    return Target(Ref("c", "", "Alert", "", name.partition("/")[0], name), ALERTS)


async def quiet(_progress: Progress) -> None:
    return


async def planned(hands: Silencer, what: str = "silence", target: Target | None = None, **given: str) -> Plan:
    wanted = {name.rstrip("_"): text for name, text in given.items()}
    if what == "silence" and "wanted" not in wanted:
        wanted.setdefault("comment", "known")
    return await action(what).plan(target or alert(), wanted, hands)


def facts(plan: Plan) -> dict[str, str]:
    return {one.label: one.text for one in plan.facts}


async def run(hands: Silencer, plan: Plan) -> Ended:
    world = World()
    found = Circumstances(now=hands.clock.now())
    runner = Runner(hands, StageTrail(world), StageLocks(world), Policy(), lambda _: found)
    return await runner.run(action(plan.action), Orders(plan, Consent("tried", plan.typed)), quiet)


async def undone(hands: Silencer, ended: Ended) -> Ended:
    assert ended.undo is not None
    target = Target(ended.undo.ref, ended.undo.resource)
    return await run(hands, await planned(hands, ended.undo.action, target, **ended.undo.parameters))


async def test_the_plan_names_all_that_is_hidden_and_whom_it_mutes() -> None:
    hands = Silencer(SLOW, TWIN, PAY, BEAT)
    plan = await planned(hands, matchers="alertname=Slow app=cart")
    assert facts(plan)["hides"] == "2 alerts now: 2 Slow"
    assert facts(plan)["besides"] == "1 alert now: 1 Slow not chosen by you"
    assert facts(plan)["mutes"] == "chat, pager: told nothing of them until it ends"
    assert "none" in facts(plan)["dry run"]
    assert [(one.before, one.after) for one in plan.edits] == [("firing", "silenced")] * 2
    assert plan.tier is Tier.KEY
    assert plan.undo is not None
    assert plan.command.startswith("amtool --alertmanager.url=http://am-1 silence add ")


@pytest.mark.parametrize(
    ("matchers", "label"),
    [
        ("alertname=Slow", "theirs"),  # a critical alert of another namespace
        ('alertname=~"Slo." app!=pay', "any name"),
        ("namespace=shop", "any name"),
    ],
)
async def test_what_hides_more_than_one_would_think_wants_its_name_typed(matchers: str, label: str) -> None:
    plan = await planned(Silencer(SLOW, TWIN, PAY, BEAT), matchers=matchers)
    assert label in facts(plan)
    assert (plan.tier, plan.typed) == (Tier.TYPED, "Slow")


async def test_a_heartbeat_that_would_fall_silent_is_named() -> None:
    row = Alert("Watchdog/", "f", "Watchdog", Severity.OK, AlertState.FIRING, (), heartbeat=True)
    hands = Silencer(SLOW, BEAT, snapshot=Snapshot(0, {"alerts": {"Watchdog/": row}}, {}))
    plan = await planned(hands, matchers='alertname=~"Slow|Watch.*"')
    assert "Watchdog shows that alerting works" in facts(plan)["heartbeat"]
    assert plan.tier is Tier.TYPED


async def test_a_storm_wants_its_name_typed() -> None:
    storm = [held("Slow", pod=f"p{number}", namespace="shop") for number in range(26)]
    plan = await planned(Silencer(*storm), target=alert("Slow/p0"), matchers="alertname=Slow")
    assert facts(plan)["hides"] == "26 alerts now: 26 Slow"
    assert plan.tier is Tier.TYPED


def test_by_default_a_pod_that_comes_next_is_hidden_too_but_no_alert_that_was_not_chosen() -> None:
    alone = default_matchers([SLOW.labels], [SLOW.labels, PAY.labels])
    assert spelled_all(alone) == 'alertname="Slow" app="cart" namespace="shop"'
    beside = default_matchers([SLOW.labels], [SLOW.labels, TWIN.labels])
    assert spelled_all(beside) == 'alertname="Slow" app="cart" namespace="shop" pod="cart-1"'
    both = default_matchers([SLOW.labels, TWIN.labels], [SLOW.labels, TWIN.labels, PAY.labels])
    assert spelled_all(both) == 'alertname="Slow" app="cart" namespace="shop"'
    mixed = default_matchers([SLOW.labels, PAY.labels], [SLOW.labels, PAY.labels])
    assert spelled_all(mixed) == 'alertname="Slow" app=~"cart|pay" namespace=~"pay|shop"'


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"comment": " "}, "needs a comment"),
        ({"for_": "soon"}, "no duration"),
        ({"for_": "31d"}, "too long"),
        ({"for_": "0h"}, "no duration"),
        ({"matchers": "alertname"}, "no matcher"),
        ({"matchers": 'team=""'}, "must not match an empty value"),
    ],
)
async def test_what_cannot_be_silenced_is_refused(given: dict[str, str], why: str) -> None:
    hands = Silencer(SLOW)
    with pytest.raises(Refused, match=why):
        await planned(hands, **given)
    with pytest.raises(Refused, match="holds Gone any more"):
        await planned(hands, target=alert("Gone/x"))
    assert not hands.sent


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("1h30m", 5400), ("2d", 172800), ("90s", 90), ("1 h", 3600)]
)
def test_durations_are_read_as_they_are_written(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    assert seconds_of(span_words(seconds)) == seconds


async def test_it_is_set_read_back_extended_ended_and_set_again() -> None:
    hands = Silencer(SLOW, TWIN)
    ended = await run(hands, await planned(hands, for_="1h"))
    assert ended.outcome is Outcome.OK, ended.text
    assert "hides 1 alert" in ended.text
    (mine,) = hands.silences.values()
    assert (mine.created_by, mine.comment) == ("alice@bastion-2", "known")

    silence = Target(Ref("c", "", "Silence", "am-1", "Slow", mine.id), SILENCES)
    longer = await run(hands, await planned(hands, "extend", silence, for_="30m"))
    assert longer.outcome is Outcome.OK, longer.text
    assert hands.silences[mine.id].ends_at == pytest.approx(mine.ends_at + 1800, abs=0.01)
    assert (await undone(hands, longer)).outcome is Outcome.OK
    assert hands.silences[mine.id].ends_at == pytest.approx(mine.ends_at, abs=0.01)

    over = await undone(hands, ended)
    assert over.outcome is Outcome.OK, over.text
    assert over.undo is not None
    assert "a new silence, with another id" in over.undo.words
    again = await undone(hands, over)
    assert again.outcome is Outcome.OK, again.text
    assert [one.state for one in hands.silences.values()] == ["expired", "active"]
    assert [one.ends_at for one in hands.silences.values()][1] == pytest.approx(mine.ends_at, abs=0.01)


async def test_an_acknowledgement_follows_the_convention_and_is_given_once() -> None:
    hands = Silencer(SLOW)
    plan = await planned(hands, "ack")
    assert "a short silence" in facts(plan)["means"]
    assert facts(plan)["comment"] == "ACK! alice: looking at it"
    assert facts(await planned(hands, "ack", comment="INC-42"))["comment"] == "ACK! alice: INC-42"
    assert (await run(hands, plan)).outcome is Outcome.OK
    with pytest.raises(Refused, match="silenced already by alice@bastion-2 until"):
        await planned(hands, "ack")
    assert (await run(hands, await planned(hands, "expire"))).outcome is Outcome.OK


async def test_a_preview_that_no_longer_holds_stops_it_and_says_what_changed() -> None:
    hands = Silencer(SLOW)
    plan = await planned(hands, matchers="alertname=Slow")
    hands.alerts["am-1"] = [PAY, SLOW]
    ended = await run(hands, plan)
    assert ended.outcome is Outcome.CANCELLED
    assert 'now also: Slow{app="pay", namespace="pay", pod="pay-1"}' in ended.text
    hands.alerts["am-1"] = [TWIN]
    ended = await run(hands, plan)
    assert 'no longer: Slow{app="cart", namespace="shop", pod="cart-1"}' in ended.text
    assert not hands.sent


@pytest.mark.parametrize(("late", "outcome"), [(True, Outcome.OK), (False, Outcome.FAILED)])
async def test_an_answer_that_was_lost_is_found_out(late: bool, outcome: Outcome) -> None:
    hands = Silencer(SLOW)
    plan = await planned(hands)
    hands.faults, hands.late = [WriteProblem(safe_text("lost"), WriteFault.UNKNOWN)], late
    clock = hands.clock
    assert isinstance(clock, ManualClock)
    hands.before_send = lambda: None
    ended = await _while_time_passes(clock, run(hands, plan))
    assert ended.outcome is outcome, ended.text
    assert len(hands.sent) == 1


async def test_what_nobody_answers_for_is_unknown_until_somebody_does() -> None:
    hands = Silencer(SLOW)
    plan = await planned(hands)
    hands.faults, hands.late = [WriteProblem(safe_text("lost"), WriteFault.UNKNOWN)], True
    hands.before_send = lambda: setattr(hands, "silent", (("am-1", "refused the connection"),))
    clock = hands.clock
    assert isinstance(clock, ManualClock)
    ended = await _while_time_passes(clock, run(hands, plan))
    assert ended.outcome is Outcome.UNKNOWN
    assert "does not say whether it was done" in ended.text
    hands.silent = ()
    kept = remembered(recorded(plan, Consent(), ""))
    found = await resolve(action("silence"), kept, hands, quiet)
    assert found.outcome is Outcome.OK
    assert found.undo is not None
    assert found.undo.ref.uid == "id-1"


async def test_each_alertmanager_that_holds_it_is_told_and_the_undo_knows_all() -> None:
    hands = Silencer(SLOW)
    hands.alerts["am-2"] = [SLOW]
    hands.alerts["am-3"] = [PAY]
    ended = await run(hands, await planned(hands))
    assert ended.outcome is Outcome.OK, ended.text
    assert [one.path.split("/")[1] for one in hands.sent] == ["am-1", "am-2"]
    assert (await undone(hands, ended)).outcome is Outcome.OK
    assert {one.state for one in hands.silences.values()} == {"expired"}


async def test_a_peer_that_is_silent_is_named_and_one_that_is_alone_refuses() -> None:
    hands = Silencer(SLOW)
    hands.alerts["am-2"] = []
    hands.silent = (("am-1", "refused the connection"),)
    with pytest.raises(Problem, match="No Alertmanager answers"):
        await planned(hands)


async def test_what_was_silenced_stays_listed_until_it_ends_by_itself_or_is_ended(tmp_path: Path) -> None:
    clock = ManualClock()
    hands = Silencer(SLOW, TWIN, clock=clock)
    trail = LedgerTrail(tmp_path, clock, Actor("alice", "bastion-2", "c1"))
    found = Circumstances(now=clock.now())
    runner = Runner(hands, trail, StageLocks(World()), Policy(), lambda _: found)

    async def done(plan: Plan) -> Ended:
        ended = await runner.run(action(plan.action), Orders(plan, Consent("tried", plan.typed)), quiet)
        assert ended.outcome is Outcome.OK, ended.text
        return ended

    reader = AlteredReader(tmp_path, clock.now)
    await done(await planned(hands, for_="1h"))
    second = await done(await planned(hands, target=alert("Slow/cart-2"), for_="2h"))
    assert [one.title for one in reader.look().values()] == ["Silence Slow", "Silence Slow"]
    first = next(iter(reader.look().values()))
    target = Target(first.undo.ref, first.undo.resource)
    await done(await planned(hands, "extend", target, for_="2h"))
    await clock.advance(2.5 * 3600)
    assert [one.undo.ref.uid for one in reader.look().values()] == [first.undo.ref.uid], "the other has ended by itself"
    assert second.undo is not None
    assert not AlteredReader(tmp_path, clock.now, lambda _: True).look(), "somebody else has ended them"
    await done(await planned(hands, "expire", target))
    assert not reader.look()
    trail.close()


async def _while_time_passes(clock: ManualClock, running: Coroutine[Any, Any, Ended]) -> Ended:
    task = asyncio.ensure_future(running)
    while not task.done():
        await clock.advance(1.0)
    return task.result()
