"""What `quarterdeck act` finds by the words that are typed: alerts by name, fingerprint or matchers, silences by id."""

from __future__ import annotations

import pytest
from msgspec import structs

from services.actions.registry import BY_ID, action
from services.errors import Problem
from services.model.action import Target
from services.model.ref import ALERTS, SILENCES, Ref
from tests.unit.actions.silencer import Silencer, held
from tests.unit.actions.test_silences import planned, run
from tui.commands.act_alerts import acts_on_alerts, find, given_of

SLOW = held("Slow", pod="cart-1", app="cart")
TWIN = held("Slow", pod="cart-2", app="cart")
DOWN = held("Down", app="pay")


@pytest.mark.parametrize(
    ("words", "name", "alerts", "matchers"),
    [
        (["Slow"], "Slow", "Slow/cart-1 Slow/cart-2", ""),
        (["Slow/cart-2"], "Slow", "Slow/cart-2", ""),
        (["Slow", "Down"], "Slow", "Slow/cart-1 Slow/cart-2 Down/", ""),
        (['app=~"ca.*"'], "Slow", "Slow/cart-1 Slow/cart-2", 'app=~"ca.*"'),
    ],
)
async def test_alerts_are_found(words: list[str], name: str, alerts: str, matchers: str) -> None:
    hands = Silencer(SLOW, TWIN, DOWN)
    target, given = await find(words, BY_ID["silence"], hands, "c")
    assert (target.resource, target.ref.name) == (ALERTS, name)
    assert given["alerts"] == alerts
    assert given.get("matchers", "") == matchers
    plan = await action("silence").plan(target, {**given, "comment": "INC-42", "for": "1h"}, hands)
    assert len(plan.edits) == len(alerts.split())


async def test_a_silence_is_found_by_the_beginning_of_its_id() -> None:
    hands = Silencer(SLOW)
    await run(hands, await planned(hands))
    name = "0123456789-abcd"
    hands.silences = {name: structs.replace(hands.silences["id-1"], id=name)}
    target, _ = await find(["01234567"], BY_ID["expire"], hands, "c")
    assert target == Target(Ref("c", "", "Silence", "am-1", "Slow", name), SILENCES)
    with pytest.raises(Problem, match="is a silence"):
        await find(["01234567"], BY_ID["ack"], hands, "c")
    with pytest.raises(Problem, match="No alert is '0123'"):
        await find(["0123"], BY_ID["expire"], hands, "c")


async def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(Problem, match=r"No alert is 'Sloow'.*\(Down, Slow\)"):
        await find(["Sloow"], BY_ID["ack"], Silencer(SLOW, DOWN), "c")


def test_the_reason_is_the_comment_where_none_is_given() -> None:
    silence = BY_ID["silence"]
    assert given_of(silence, {}, "INC-42") == {"for": "1h", "comment": "INC-42"}
    assert given_of(silence, {"comment": "why", "for": "2h"}, "INC-42") == {"for": "2h", "comment": "why"}
    assert given_of(BY_ID["expire"], {}, "INC-42") == {}
    assert acts_on_alerts(silence)
    assert not acts_on_alerts(BY_ID["rollback"])
