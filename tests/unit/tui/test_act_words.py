"""What `act` says instead of acting: the target it cannot read, the flags that confirm, that nothing was changed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec import structs

from services.actions.guard import Allow
from services.actions.registry import BY_ID
from services.config_policy import Policy
from services.errors import Problem
from services.model.action import Plan, Tier
from tests.unit.actions.stage import CART
from tui.acting import Acting, Planned
from tui.commands import act
from tui.outgoing import Outgoing


@pytest.mark.parametrize(
    ("action", "target", "said"),
    [
        ("drain", "worker-04", "write KIND/NAME, KIND one of node"),
        ("restart", "cart", "write NAMESPACE/KIND/NAME, KIND one of deployment, statefulset, daemonset, rollout"),
        ("resume-gitops", "shop/deploy/cart", "is an undo alone"),
    ],
)
def test_a_target_that_cannot_be_read(action: str, target: str, said: str) -> None:
    with pytest.raises(Problem) as problem:
        act.read_target(target, "", BY_ID[action])
    assert said in problem.value.sentence


@pytest.mark.parametrize(
    ("tier", "policy", "flags"),
    [
        (Tier.KEY, Policy(), "--yes"),
        (Tier.TYPED, Policy(), "--yes=cart"),
        (Tier.REASON, Policy(), "--yes --reason TEXT"),
        (
            Tier.KEY,
            Policy(reason=("*",), ticket="INC-[0-9]+"),
            "--yes --reason TEXT (which names a ticket: INC-[0-9]+)",
        ),
        (Tier.TYPED, Policy(reason=("restart",)), "--yes=cart --reason TEXT"),
    ],
)
def test_the_flags_that_confirm_a_plan_are_those_that_it_wants(tier: Tier, policy: Policy, flags: str) -> None:
    plan = structs.replace(Plan("restart", CART, "Restart shop/cart"), tier=tier)
    acting = cast(Acting, SimpleNamespace(policy=policy))
    assert act._wanted(acting, Planned(plan, Allow(tier))) == flags


def test_that_nothing_was_changed_is_said_once() -> None:
    assert act._unchanged("The server is silent.") == "The server is silent. Nothing was changed."
    for sentence in ("Refused: no role.", "It is gone: nothing was changed.", "Nothing was changed: why?"):
        assert act._unchanged(sentence) == sentence


async def test_ctrl_c_while_it_is_told_takes_nothing_from_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    async def forever(_seconds: float) -> Any:
        telling.set()
        await asyncio.Event().wait()

    telling = asyncio.Event()
    task = asyncio.ensure_future(act._deliver(cast(Outgoing, SimpleNamespace(deliver=forever)), 1.0))
    await telling.wait()
    task.cancel()
    assert await task == ()
    assert "waits in the outbox" in capsys.readouterr().err
