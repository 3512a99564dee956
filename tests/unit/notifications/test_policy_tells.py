"""What is told without being asked, by the policy of a context; also of what is found out later, and once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec import structs

from cache.ledger.ledger import Ledger
from cache.ledger.outbox_reader import OutboxReader
from services.actions.guard import Consent
from services.actions.runner import recorded
from services.config import ConfigProblem, load
from services.config_notify import TellSettings
from services.config_policy import Policy
from services.config_schema import Config
from services.model.action import Ended, Outcome
from services.model.actor import Actor
from services.model.message import OutboxRow
from services.notifications.tell import about_action, told_by_itself
from tests.unit.actions.stage import CART, Mend, StageHands, World
from tests.unit.notifications.telling import ROOM
from tests.unit.notifications.test_tell import CONFIG, ENDED, PLAN
from tui.outgoing import Outgoing
from tui.trail import LedgerTrail

ALICE, BOB = Actor("alice", "bastion-1", "console-1"), Actor("bob", "bastion-2", "console-2")
BOTH = structs.replace(CONFIG, tell=TellSettings(on=("rolled_back",)))


@pytest.mark.parametrize(
    ("policy", "outcome", "doubted", "told"),
    [
        (None, Outcome.OK, False, True),
        (None, Outcome.FAILED, False, False),
        ((), Outcome.OK, False, False),
        (("failed",), Outcome.FAILED, False, True),
        (("failed",), Outcome.OK, False, False),
        (("rollback",), Outcome.FAILED, False, True),
        (("roll*",), Outcome.OK, False, True),
        (("drain",), Outcome.OK, False, False),
        (("unknown",), Outcome.UNKNOWN, False, True),
        (("unknown",), Outcome.OK, True, True),
        (("failed",), Outcome.OK, True, False),
        (("*",), Outcome.CANCELLED, False, False),
    ],
)
def test_a_policy_says_what_is_told_on_its_cluster(
    policy: tuple[str, ...] | None, outcome: Outcome, doubted: bool, told: bool
) -> None:
    config = structs.replace(BOTH, policy={"prod-*": Policy(tell=policy)})
    ended = structs.replace(ENDED, outcome=outcome)
    about = about_action(PLAN, ended, "mina@bastion-1", "prod-eu", doubted=doubted)
    assert bool(told_by_itself(config, about)) is told


def test_what_a_policy_tells_is_held_to_words_and_actions_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[policy."prod-*"]\ntell = ["rolled_back", "drain", "delete-*"]\n')
    assert load(str(path), {}).config.policy_of("prod-1").tell == ("rolled_back", "drain", "delete-*")
    path.write_text('[policy."prod-*"]\ntell = ["rolledback"]\n')
    with pytest.raises(ConfigProblem, match=r"policy\.\"prod-\*\"\.tell must be among acted, rolled_back"):
        load(str(path), {})


def told(folder: Path) -> list[OutboxRow]:
    return sorted(OutboxReader(folder).look().rows.values(), key=lambda row: row.number)


@pytest.mark.parametrize("first", [Outcome.UNKNOWN, None])
async def test_an_unknown_outcome_is_told_and_what_is_found_out_later_too_once(
    tmp_path: Path, first: Outcome | None
) -> None:
    config = Config(notify={"room": ROOM}, policy={"prod": Policy(tell=("unknown",))})
    hands = StageHands(World())
    plan = await Mend().plan(CART, {}, hands)
    outgoings = [Outgoing(tmp_path, hands.clock, who, config) for who in (ALICE, BOB, BOB)]
    trails = [
        LedgerTrail(
            tmp_path, hands.clock, one.actor, lambda begun, ended, one=one: one.beside_outcome(begun, ended, "prod")
        )
        for one in outgoings
    ]
    intent = await trails[0].intent(plan, recorded(plan, Consent("INC-7 broken"), "INC-7"))
    unknown = Ended(Outcome.UNKNOWN, "the connection was lost", intent, hands.clock.now())
    if first is not None:
        await trails[0].outcome(intent, unknown, {})
        assert [row.by for row in told(tmp_path)] == ["alice@bastion-1"]
    trails[0].close()
    for found in (unknown, unknown, Ended(Outcome.OK, "it is there", intent, hands.clock.now())):
        [left] = await trails[1].unsettled()
        trails[1].take_up(left)
        await trails[1].outcome(intent, found, {})
    rows = told(tmp_path)
    assert [(row.by, row.thread) for row in rows] == [("alice@bastion-1", "INC-7")] * 2, "by whom it was begun"
    assert "UNKNOWN" in rows[0].subject
    assert rows[1].subject.endswith("done")
    with pytest.raises(Exception, match="was settled before"):
        await trails[2].outcome(intent, found, {})
    assert len(told(tmp_path)) == 2
    for one in (*trails, *outgoings):
        one.close()


async def test_where_the_outcome_is_not_written_it_is_told_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(notify={"room": ROOM}, tell=TellSettings(on=("acted",)))
    hands = StageHands(World())
    plan = await Mend().plan(CART, {}, hands)
    outgoing = Outgoing(tmp_path, hands.clock, ALICE, config)
    trail = LedgerTrail(
        tmp_path, hands.clock, ALICE, lambda begun, ended: outgoing.beside_outcome(begun, ended, "prod")
    )
    intent = await trail.intent(plan, {})
    ended = Ended(Outcome.OK, "it is there", intent, hands.clock.now())
    with monkeypatch.context() as broken:
        broken.setattr("cache.ledger.outbox_statements.PUT", "INSERT INTO nowhere VALUES (1)")
        with pytest.raises(Exception, match="nothing is done without"):
            await trail.outcome(intent, ended, {})
    assert told(tmp_path) == []
    await trail.outcome(intent, ended, {})
    assert [row.channel for row in told(tmp_path)] == ["room"]
    trail.close()
    outgoing.close()


def test_arming_stands_in_the_audit_trail(tmp_path: Path) -> None:
    hands = StageHands(World())
    trail = LedgerTrail(tmp_path, hands.clock, ALICE)
    asyncio.run(trail.note("arm", {"context": "prod", "minutes": 15}))
    ledger = Ledger(tmp_path, hands.clock)
    [entry] = ledger.entries()
    assert (entry.kind, entry.action, entry.actor.user, json.loads(entry.body)["minutes"]) == (
        "session",
        "arm",
        "alice",
        15,
    )
    assert ledger.verify().ok
    trail.close()
    ledger.close()
