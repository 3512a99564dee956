"""What was done from this console stays on screen with its exact command, and can be copied."""

from __future__ import annotations

import pytest

from services.model.action import Ended, Outcome, Plan, Target
from services.model.ref import DEPLOYMENTS, Ref
from services.sanitize import safe_text
from tests.flows.conftest import Open

COMMAND = "kubectl --context prod-eu-1 -n shop rollout undo deployment/cart --to-revision=16"
PLAN = Plan("rollback", Target(Ref("c", "apps", "Deployment", "shop", "cart", "u"), DEPLOYMENTS), "Roll back shop/cart")


async def test_the_last_command_is_shown_listed_and_copied(open_deck: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    async with open_deck((140, 30)) as deck:
        monkeypatch.setattr(deck.app, "copy", copied.append)
        assert "$" not in deck.text.splitlines()[-2]
        now = deck.clock.now()
        deck.app.log_action(PLAN, "kubectl first", Ended(Outcome.FAILED, safe_text("no"), at=now))
        deck.app.log_action(PLAN, COMMAND, Ended(Outcome.OK, safe_text("rev 16 is available"), at=now))
        await deck.settle()
        assert f"OK   $ {COMMAND}" in deck.text.splitlines()[-2]
        await deck.press("colon", *"done", "enter")
        shown = deck.text
        assert shown.index(COMMAND) < shown.index("kubectl first") < shown.rindex(COMMAND), "the newest first"
        await deck.press("enter")
        assert copied == [COMMAND]
        lost = Ended(Outcome.UNKNOWN, safe_text("nobody knows"), "i-1", at=deck.clock.now())
        deck.app.log_action(PLAN, "kubectl lost", lost)
        await deck.settle()
        assert "UNKNOWN   $ kubectl lost" in deck.text.splitlines()[-2]
        deck.app.log_settled([Ended(Outcome.OK, safe_text("found out"), "i-1", at=deck.clock.now())])
        await deck.settle()
        assert "OK   $ kubectl lost" in deck.text.splitlines()[-2]
        await deck.tick(601)
        assert COMMAND not in deck.text
