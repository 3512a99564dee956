"""From an alert on the screen to a silence that is set, ended and listed: what is asked, said, sent and shown."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from screenshots import scene
from screenshots.scene_alerts import alerts
from services.config_policy import Policy
from services.model.source import SourceState
from tests.flows.conftest import Deck, Open
from tests.flows.silencing import Room, publish
from widgets.dialog import ChoiceMenu
from widgets.form import FormDialog
from widgets.plan_dialog import PlanDialog, RunDialog
from widgets.tick_form import TickForm


async def confirm(deck: Deck, key: str = "y") -> None:
    """Wait until the confirm key is live, then press it."""
    screen = deck.app.screen
    answers = screen.answers if isinstance(screen, FormDialog) else screen
    answers._armed_after = 1e-6  # type: ignore[union-attr]
    await deck.press(key)


async def test_an_alert_is_acknowledged_shown_as_such_and_undone(open_deck: Open) -> None:
    room = Room()
    async with open_deck(live=room.live, console={"acting": lambda: room.acting}) as deck:
        deck.app.open_view("alerts")
        await deck.settle()
        assert "CheckoutErrorRate" in deck.text
        assert "a acknowledge" in deck.footer
        await deck.press("a")
        assert isinstance(deck.app.screen, PlanDialog)
        for said in ("Acknowledge CheckoutErrorRate", "short silence", "ACK! alice", "mutes", "oncall", "amtool"):
            assert said in deck.text, said
        assert "hides    1 alert now: 1 CheckoutErrorRate" in deck.text
        assert not room.server.sent
        await confirm(deck)
        assert isinstance(deck.app.screen, RunDialog)
        assert "OK" in deck.text
        assert len(room.server.sent) == 1
        body = msgspec.json.decode(room.server.sent[0].body)
        assert {one["name"]: one["value"] for one in body["matchers"]}["alertname"] == "CheckoutErrorRate"
        await deck.press("escape")
        room.poll()
        await deck.settle()
        assert "ack alice" in deck.text.replace("ack  alice", "ack alice")
        await deck.press("x")
        assert isinstance(deck.app.screen, ChoiceMenu)
        assert "end the silence" in deck.text
        assert "roll back" in deck.text, "what the alert speaks of can be acted upon from the same menu"


async def test_a_form_says_what_is_hidden_while_it_is_ticked_and_wants_a_comment(open_deck: Open) -> None:
    room = Room(Policy(reason=("silence",), ticket="INC-[0-9]+"))
    async with open_deck(live=room.live, console={"acting": lambda: room.acting}) as deck:
        deck.app.open_view("alerts")
        await deck.settle()
        await deck.press("M")
        form = deck.app.screen
        assert isinstance(form, TickForm)
        assert "hides 1 alert now: CheckoutErrorRate" in deck.text
        await deck.press("space")  # the alert's name no longer counts: everything of the workload does
        assert "hides 3 alerts now, 2 not chosen by you: CheckoutErrorRate, CheckoutLatency" in deck.text
        form.answers.focus()
        await confirm(deck)
        assert "say something here first" in deck.text
        await deck.press(*"known")
        form.answers.focus()
        await confirm(deck)
        assert "must name a ticket" in deck.text
        form._inputs["comment"].focus()
        await deck.press(*" INC-42")
        form.answers.focus()
        await confirm(deck)
        assert isinstance(deck.app.screen, PlanDialog)
        for said in ("not chosen by you", "CheckoutLatency", "known INC-42", "Type Chec"):
            assert said in deck.text, said
        assert not room.server.sent


async def test_an_alert_that_comes_under_the_plan_takes_the_confirm_key_away(open_deck: Open) -> None:
    room = Room()
    async with open_deck(live=room.live, console={"acting": lambda: room.acting}) as deck:
        deck.app.open_view("alerts")
        await deck.settle()
        await deck.press("a")
        plan = deck.app.screen
        assert isinstance(plan, PlanDialog)
        rows = dict(alerts())
        lead = next(one for one in rows.values() if one.name == "CheckoutErrorRate")
        labels = tuple(sorted({**dict(lead.labels), "zone": "b"}.items()))
        publish(room.live, {**rows, "other": structs.replace(lead, key="other", labels=labels)})
        await deck.settle()
        assert plan.disarmed.startswith("it would now hide CheckoutErrorRate{")
        await confirm(deck)
        assert deck.app.screen is plan
        assert not room.server.sent


async def test_the_inventory_extends_and_ends_a_silence_and_names_what_is_told_again(open_deck: Open) -> None:
    room = Room()
    async with open_deck(live=room.live, console={"acting": lambda: room.acting}) as deck:
        deck.app.open_view("silences")
        await deck.settle()
        await deck.press("j", "x")
        assert isinstance(deck.app.screen, ChoiceMenu)
        for said in ("extend", "end the silence", "it is active: extend it instead"):
            assert said in deck.text, said
        deck.app.screen.answer("expire")
        await deck.settle()
        assert isinstance(deck.app.screen, PlanDialog)
        assert "a new silence, with another id" in deck.text
        await confirm(deck)
        assert "the silence has ended" in deck.text
        assert room.server.sent[0].method == "DELETE"
        ended = room.server.sent[0].path.rpartition("/")[2]
        await confirm(deck, "U")
        assert isinstance(deck.app.screen, PlanDialog)
        await confirm(deck)
        assert [one.method for one in room.server.sent] == ["DELETE", "POST"]
        assert room.server.silences[ended].state == "expired"


async def test_a_group_is_acknowledged_as_a_whole(open_deck: Open) -> None:
    room = Room()
    async with open_deck((160, 48), live=room.live, console={"acting": lambda: room.acting}) as deck:
        await deck.press("2", "a")
        assert isinstance(deck.app.screen, PlanDialog)
        assert "hides    3 alerts now" in deck.text
        assert "besides" not in deck.text
        await confirm(deck)
        (sent,) = room.server.sent
        matchers = {one["name"]: one for one in msgspec.json.decode(sent.body)["matchers"]}
        assert matchers["alertname"]["value"] == "CheckoutErrorRate|CheckoutLatency|KubeDeploymentReplicasMismatch"
        assert matchers["alertname"]["isRegex"]
        assert matchers["namespace"]["value"] == "payments"


async def test_where_the_policy_wants_a_reason_the_acknowledgement_asks_for_it_first(open_deck: Open) -> None:
    room = Room(Policy(reason=("ack",), ticket="INC-[0-9]+"))
    async with open_deck(live=room.live, console={"acting": lambda: room.acting}) as deck:
        deck.app.open_view("alerts")
        await deck.settle()
        await deck.press("a")
        form = deck.app.screen
        assert isinstance(form, FormDialog)
        form._inputs["comment"].focus()
        await deck.press(*"INC-42")
        form.answers.focus()
        await confirm(deck)
        assert isinstance(deck.app.screen, PlanDialog)
        assert "ACK! alice: INC-42" in deck.text
        await confirm(deck)
        assert len(room.server.sent) == 1, "the comment is the reason: it is not asked for twice"


async def test_while_its_servers_do_not_answer_a_key_says_at_once_why_it_is_refused(open_deck: Open) -> None:
    room = Room()
    servers = [one for one in room.live.publish().sources.values() if one.source.startswith("alertmanager/")]
    assert servers
    async with open_deck(live=room.live, console={"acting": lambda: room.acting}) as deck:
        deck.app.open_view("alerts")
        await deck.settle()
        for one in servers:
            last = scene.NOW - 17
            room.live.status(structs.replace(one, state=SourceState.FAILED, last_ok=last, last_byte=last, error="hung"))
        room.live.publish()
        for key, label in (("a", "acknowledge"), ("M", "silence")):
            screen = deck.app.screen
            await deck.press(key)
            assert deck.app.screen is screen
            assert f"{label}: data is 17 s old: wait until an Alertmanager answers" in deck.footer
        await deck.press("x")
        assert isinstance(deck.app.screen, ChoiceMenu)
        assert "wait until an Alertmanager answers" in deck.text
        assert not room.server.sent


async def test_no_action_begins_while_other_rows_are_marked(open_deck: Open) -> None:
    room = Room()
    async with open_deck(live=room.live, console={"acting": lambda: room.acting}) as deck:
        deck.app.open_view("alerts")
        await deck.settle()
        screen = deck.app.screen
        await deck.press("space", "j")
        for key in ("a", "x"):
            await deck.press(key)
            assert deck.app.screen is screen
            assert "1 other row is marked, and an action takes one row: esc takes the marks away" in deck.footer
        await deck.press("escape", "a")
        assert isinstance(deck.app.screen, PlanDialog)
        await deck.press("escape", "space", "x")
        assert isinstance(deck.app.screen, ChoiceMenu), "the one that is marked is the one under the cursor"


@pytest.mark.parametrize("key", ["a", "M"])
async def test_keys_of_alerts_do_nothing_elsewhere(open_deck: Open, key: str) -> None:
    room = Room()
    async with open_deck(live=room.live, console={"acting": lambda: room.acting}) as deck:
        deck.app.open_view("pods")
        await deck.settle()
        screen = deck.app.screen
        await deck.press(key)
        assert deck.app.screen is screen
        assert "not for" in deck.footer or "acknowledges an alert" in deck.footer
