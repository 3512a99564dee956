"""Keys that may not be used stand in brackets ahead of time; pressing one says why, and nobody waits for an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import tui.handing
from services.config_policy import Policy
from services.model.action import Target
from tests.flows.conftest import Deck, Open

REASON = "you may not patch deployments (no role)"


class Narrow:
    """Hands of a user who may roll nothing back."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.reason = REASON
        self.policy = Policy()

    async def forbidden(self, target: Target) -> Mapping[str, str]:
        self.asked.append((target.ref.kind, target.ref.namespace))
        return {"rollback": self.reason} if self.reason else {}

    def why_not(self, _action: str) -> str:
        return ""


async def test_a_key_that_may_not_be_used_is_grey_and_says_why(open_deck: Open) -> None:
    assert tui.handing, "the hands are there"
    acting = Narrow()
    async with open_deck(console={"acting": lambda: cast(Any, acting)}) as deck:
        assert " R roll back" in deck.footer, "nothing is known yet, and nothing waits"
        assert acting.asked == []
        await deck.tick()
        assert "(R roll back)" in deck.footer
        for _ in range(5):
            await deck.tick()
        assert len(acting.asked) == 1, "the answer is kept"
        await deck.press("R")
        assert REASON in deck.footer
        acting.reason = ""
        await deck.tick(6)
        assert len(acting.asked) == 2, "who wanted it asks anew"
        await check_restored(deck)
        await deck.press("j", "k", "j", "k")
        assert len(acting.asked) == 2, "rows in passing are not asked about"
        await deck.tick(60)
        assert len(acting.asked) == 3, "after a minute of use it is asked again"
        await deck.tick(60)
        assert len(acting.asked) == 3, "and not at rest"


async def check_restored(deck: Deck) -> None:
    """What was granted works from the next second on."""
    await deck.tick(6)
    assert " R roll back" in deck.footer
    assert "(R" not in deck.footer
