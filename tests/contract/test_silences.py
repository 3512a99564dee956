"""Two real Alertmanagers that gossip: silences as the console sets, extends and ends them, and what it said before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from services.actions import silenced
from services.actions.registry import action
from services.actions.runner import resolve
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Outcome, Plan, Progress, Target
from services.model.ref import SILENCES, Ref
from tests.contract.alerting import posted
from tests.contract.operating import Operator, operator
from tests.controlplane.process import until
from tests.monitoring.fixtures import require_monitoring
from tests.monitoring.servers import Alertmanager, Monitoring
from tests.monitoring.tcp import Cutting

ROUTED = {
    "route": {
        "receiver": "chat",
        "group_wait": "1h",
        "routes": [{"receiver": "pager", "matchers": ["severity=critical"]}],
    },
    "receivers": [{"name": "chat"}, {"name": "pager"}],
}


class Pair:
    """Two peers of one cluster, with what they hold."""

    def __init__(self, monitoring: Monitoring) -> None:
        self.first = monitoring.alertmanager(ROUTED, clustered=True)
        self.second = monitoring.alertmanager(ROUTED, peers=[self.first])
        until(lambda: all(self.members(one) == 2 for one in (self.first, self.second)), 30, "both to know both")

    @staticmethod
    def members(peer: Alertmanager) -> int:
        return len(peer.get("/api/v2/status")["cluster"].get("peers", ()))

    def hold(self, *alerts: dict[str, Any]) -> None:
        """Let the first hold all of them, the second but the first one: alerts are not replicated."""
        self.first.post(alerts)
        self.second.post(alerts[:1])

    def hidden(self) -> set[str]:
        """Return the names of the alerts that are suppressed by a silence, at any peer."""
        return {
            one["labels"]["alertname"]
            for peer in (self.first, self.second)
            for one in peer.get("/api/v2/alerts")
            if one["status"]["silencedBy"]
        }

    def active(self, peer: Alertmanager) -> list[dict[str, Any]]:
        return [one for one in peer.get("/api/v2/silences") if one["status"]["state"] == "active"]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    require_monitoring()
    with Monitoring() as monitoring:
        yield Pair(monitoring)


async def test_a_silence_hides_what_its_preview_said_is_extended_ended_and_set_again(pair: Pair) -> None:
    pair.hold(
        posted("Slow", app="cart", pod="cart-1", severity="critical"),
        posted("Slow", app="cart", pod="cart-2", severity="warning"),
        posted("Slow", app="search", pod="search-1", severity="warning"),
        posted("Other", app="cart", severity="warning"),
    )
    async with operator({"am-1": pair.first.url, "am-2": pair.second.url}) as one:
        target = await one.alert("Slow")
        plan = await one.plan("silence", target, matchers='alertname="Slow" app=~"ca.t"', for_="1h", comment="INC-42")
        facts = {fact.label: fact.text for fact in plan.facts}
        assert facts["hides"] == "2 alerts now: 2 Slow"
        assert "1 alert now: 1 Slow not chosen by you" in facts["besides"]
        assert facts["mutes"].startswith("chat, pager: told nothing")
        assert "2 peers" in facts["at"]
        assert [edit.path for edit in plan.edits] == [
            'Slow{app="cart", pod="cart-1"}',
            'Slow{app="cart", pod="cart-2"}',
        ]
        assert len(plan.writes) == 1
        ended = await one.run(plan)
        assert ended.outcome is Outcome.OK, ended.text
        assert ended.undo is not None
        until(lambda: len(pair.active(pair.second)) == 1, 5, "the other peer to know it")
        hidden = [each for each in pair.first.get("/api/v2/alerts") if each["status"]["silencedBy"]]
        assert {each["labels"]["pod"] for each in hidden} == {"cart-1", "cart-2"}
        mine = pair.active(pair.first)[0]
        assert (mine["id"], mine["createdBy"], mine["comment"]) == (ended.undo.ref.uid, "alice@bastion-2", "INC-42")

        silence = Target(Ref("c", "", "Silence", "am-1", "Slow", mine["id"]), SILENCES)
        longer = await one.do("extend", silence, for_="30m")
        assert longer.outcome is Outcome.OK, longer.text
        (after,) = pair.active(pair.first)
        assert after["id"] == mine["id"], "same matchers, still active: the id stays"
        assert after["endsAt"] > mine["endsAt"]
        assert (await one.undo(longer)).outcome is Outcome.OK
        assert pair.active(pair.first)[0]["endsAt"] == mine["endsAt"]

        over = await one.undo(ended)
        assert over.outcome is Outcome.OK, over.text
        until(lambda: not pair.hidden(), 5, "nothing to be hidden")
        again = await one.undo(over)
        assert again.outcome is Outcome.OK, again.text
        (anew,) = pair.active(pair.first)
        assert anew["id"] != mine["id"]
        assert (anew["endsAt"], anew["comment"]) == (mine["endsAt"], "INC-42")
        assert (await one.undo(again)).outcome is Outcome.OK


async def test_an_acknowledgement_is_a_short_silence_that_says_so_and_is_given_once(pair: Pair) -> None:
    pair.hold(posted("Ack", app="cart", pod="cart-1"))
    async with operator({"am-1": pair.first.url, "am-2": pair.second.url}) as one:
        target = await one.alert("Ack")
        plan = await one.plan("ack", target)
        facts = {fact.label: fact.text for fact in plan.facts}
        assert "short silence" in facts["means"]
        assert facts["matches"] == 'alertname="Ack" app="cart"'
        assert (await one.run(plan)).outcome is Outcome.OK
        (mine,) = pair.active(pair.first)
        assert mine["comment"] == "ACK! alice: looking at it"
        with pytest.raises(Exception, match="silenced already by alice@bastion-2"):
            await one.plan("ack", target)
        assert (await one.do("expire", target)).outcome is Outcome.OK


async def test_what_came_after_the_confirmation_stops_it_and_is_named(pair: Pair) -> None:
    pair.hold(posted("Storm", app="cart", pod="a"))
    async with operator({"am-1": pair.first.url, "am-2": pair.second.url}) as one:
        plan = await one.plan("silence", await one.alert("Storm"), matchers="alertname=Storm", comment="known")
        pair.second.post([posted("Storm", app="pay", pod="b")])
        ended = await one.run(plan)
        assert ended.outcome is Outcome.CANCELLED
        assert 'now also: Storm{app="pay", pod="b"}' in ended.text
        assert not pair.active(pair.first)


@pytest.mark.parametrize("what", ["extend", "expire"])
async def test_a_silence_that_another_ended_meanwhile_is_neither_extended_nor_ended(pair: Pair, what: str) -> None:
    name = f"Over{what}"
    pair.hold(posted(name, app="cart"))
    async with operator({"am-1": pair.first.url, "am-2": pair.second.url}) as one:
        ended = await one.do(
            "silence", await one.alert(name), matchers=f"alertname={name}", for_="1h", comment="INC-42"
        )
        assert ended.undo is not None
        silence = Target(ended.undo.ref, SILENCES)
        given = {"for_": "30m"} if what == "extend" else {}
        plan = await one.plan(what, silence, **given)
        assert (await one.do("expire", silence)).outcome is Outcome.OK
        before = pair.first.get("/api/v2/silences")
        late = await one.run(plan)
        assert late.outcome is Outcome.CANCELLED, late.text
        assert "nothing was changed" in late.text
        assert not pair.active(pair.first)
        assert pair.first.get("/api/v2/silences") == before


async def test_one_peer_down_another_takes_it_once(pair: Pair) -> None:
    pair.hold(posted("Down", app="cart"))
    async with operator({"gone": "http://127.0.0.1:9", "am-2": pair.second.url}) as one:
        plan = await one.plan("ack", await one.alert("Down"))
        assert any("gone does not answer" in fact.text for fact in plan.facts)
        ended = await one.run(plan)
        assert ended.outcome is Outcome.OK, ended.text
        assert len(pair.active(pair.second)) == 1
        assert (await one.undo(ended)).outcome is Outcome.OK


@pytest.mark.parametrize("at", ["before", "after"])
async def test_a_connection_that_breaks_leaves_nothing_unknown(pair: Pair, at: str) -> None:
    """The request reaches the server, or its answer is lost: what became of it is read from the silences."""
    name = f"Reset{at}"
    pair.hold(posted(name, app="cart"))
    with Cutting(pair.first.url, cut_answers=at == "after") as cutting:
        async with operator({"am-1": cutting.url, "am-2": pair.second.url}) as one:
            plan = await one.plan("ack", await one.alert(name))
            cutting.arm()
            ended = await one.run(plan)
            if at == "after":
                assert ended.outcome is Outcome.OK, ended.text
                assert len(pair.active(pair.second)) == 1, "sent once, though two peers were there"
                assert (await one.undo(ended)).outcome is Outcome.OK
            else:
                assert ended.outcome is Outcome.FAILED, ended.text
                assert "never set" in ended.text
                assert not pair.active(pair.second)


async def test_a_stalled_server_is_unknown_and_found_out_later(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silenced, "PATIENCE", 0.5)
    pair.hold(posted("Stalled", app="cart"))
    async with operator({"am-1": pair.first.url}, timeout=3) as one:
        plan = await one.plan("ack", await one.alert("Stalled"))
        pair.first.stall()
        try:
            hung = asyncio.create_task(_send(one, plan))
            await hung
            ended = await action("ack").verify(plan, one.hands, _quiet)
            assert ended.outcome is Outcome.UNKNOWN
            assert "does not say whether it was done" in ended.text
        finally:
            pair.first.resume()
        until(lambda: len(pair.active(pair.first)) == 1, 60, "what was under way to arrive")
        one.endpoints["am-1"].circuit.answered()
        found = await resolve(action("ack"), plan, one.hands, _quiet)
        assert found.outcome is Outcome.OK
        assert found.undo is not None
        assert (await one.undo(found)).outcome is Outcome.OK


async def _send(one: Operator, plan: Plan) -> None:
    with pytest.raises(WriteProblem) as raised:
        await action(plan.action).execute(plan, one.hands, _quiet)
    assert raised.value.kind is WriteFault.UNKNOWN


async def _quiet(_progress: Progress) -> None:
    return
