"""A canary that waits is aborted and its spec rolled back, from the screen, on the rehearsal's Argo Rollouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.rehearsal.estate.delivery import CANARY
from tests.flows.program import Program, estate_served, kubeconfig_of, program
from widgets.dialog import ChoiceMenu


async def confirmed(console: Program, *said: str) -> None:
    """Confirm the plan that comes up once it is live, and close its result when it has these words."""
    await console.until(lambda: getattr(console.app.screen, "armed", False))
    await console.press("y")
    await console.until_seen("OK", *said)
    await console.press("escape")


async def test_an_abort_is_followed_by_the_undo_that_the_screen_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("QUARTERDECK_CONFIG", raising=False)
    with estate_served("bad-canary") as estate:
        name = f"{next(iter(estate.plan.teams))}/{CANARY}"
        async with program(
            "open", f"{name.replace('/', '/rollout/')}", "--kubeconfig", kubeconfig_of(estate)
        ) as console:
            await console.until_seen(name, "Canary", "Paused: CanaryPauseStep", "step 1/4, 20 %", "→ pause")
            await console.press("x")
            await console.until(lambda: isinstance(console.app.screen, ChoiceMenu))
            for words in ("promote", "promote in full", "abort", "it is not aborted"):
                assert words in console.text, words
            menu = console.app.screen
            assert isinstance(menu, ChoiceMenu)
            menu.answer("abort")
            await console.until_seen(f"Abort {name}", "the spec still names", "kubectl argo rollouts -", "retry")
            await confirmed(console, "serves everything", "roll it back to revision 1")
            await console.until_seen("Degraded: RolloutAborted", "undo to revision 1   R undoes it", "x retry")
            await console.press("R")
            await console.until_seen("Roll back", "v1.0.0", "it is the stable version")
            await confirmed(console, "runs what revision 1 was")
            await console.until(lambda: "ABORTED" not in console.text)
            await console.until_seen("Healthy")
