"""Back from the shell: what changed while the program stood still is said once the servers have told it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

from services.model.severity import Severity
from services.model.source import CONNECTION
from services.ports import Delta
from tests.flows.conftest import Deck, Open
from tui import comeback
from tui.console import Scope


def gone_for(deck: Deck, seconds: float, monkeypatch: pytest.MonkeyPatch, refused: str | None = None) -> None:
    """Let the shell have the terminal for so long at the next ctrl-z."""

    def suspend(_: object) -> str | None:
        deck.clock._now += seconds
        return refused

    monkeypatch.setattr(comeback, "suspend_to_shell", suspend)
    monkeypatch.setattr(comeback, "SETTLED", 0.02)


def heard(deck: Deck) -> None:
    """Let the server answer now, and say that a workload that was well is broken."""
    row = next(one for one in deck.live.snapshot().tables["rollouts"].values() if one.severity is Severity.OK)
    broken = structs.replace(row, severity=Severity.CRIT, done=False, cause="no image", what="no image")
    deck.live.apply("scene", Delta("rollouts", {f"{row.ref.kind}/{row.ref.key}": broken}))
    now = deck.clock.now() + 0.001
    status = deck.live.snapshot().sources[CONNECTION]
    deck.live.status(structs.replace(status, last_ok=now, last_byte=now))
    deck.live.publish()
    deck.clock._now += 0.05


async def until(deck: Deck, true: Callable[[], bool]) -> bool:
    for _ in range(200):
        if true():
            return True
        await deck.pilot.pause(0.01)
        await deck.settle()
    return False


async def test_what_broke_meanwhile_is_said_when_the_servers_are_heard_again(
    open_deck: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_deck((160, 48)) as deck:
        gone_for(deck, 1980, monkeypatch)
        await deck.press("ctrl+z")
        assert "since 03:14" not in deck.text, "nothing has been heard yet"
        assert deck.places[-1].view == "deck", "the place is kept before"
        heard(deck)
        assert await until(deck, lambda: "since 03:14 (33m)" in deck.text)
        assert "broke" in next(line for line in deck.text.splitlines() if "since 03:14" in line)
        await deck.press("j")
        assert "since 03:14" not in deck.text, "the next key takes it away"


async def test_a_glance_at_the_shell_needs_no_word(open_deck: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck((160, 48)) as deck:
        gone_for(deck, 5, monkeypatch)
        await deck.press("ctrl+z")
        heard(deck)
        await deck.pilot.pause(0.1)
        assert "since 03:14" not in deck.text


async def test_what_lies_outside_the_scope_is_not_gone(open_deck: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = Scope("prod-eu-1", "prod-eu-1", "PROD", ("payments",))
    async with open_deck((160, 48), console={"scope": scope}) as deck:
        gone_for(deck, 1980, monkeypatch)
        await deck.press("ctrl+z")
        rows = deck.live.snapshot().tables["rollouts"]
        outside = [key for key, row in rows.items() if row.ref.namespace != "payments"]
        inside = [key for key, row in rows.items() if row.ref.namespace == "payments"]
        assert len(outside) > 1
        deck.live.apply("scene", Delta("rollouts", {}, [*outside, *inside[1:]]))
        now = deck.clock.now() + 0.001
        deck.live.status(structs.replace(deck.live.snapshot().sources[CONNECTION], last_ok=now, last_byte=now))
        deck.live.publish()
        deck.clock._now += 0.05
        assert await until(deck, lambda: "since 03:14 (33m)" in deck.text)
        said = next(line for line in deck.text.splitlines() if "since 03:14" in line)
        assert f" {len(inside) - 1} gone" in said


async def test_without_a_shell_the_reason_is_said(open_deck: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck((160, 48)) as deck:
        gone_for(deck, 60, monkeypatch, "There is no shell to go back to here; use q to leave.")
        await deck.press("ctrl+z")
        heard(deck)
        await deck.pilot.pause(0.1)
        assert "There is no shell" in deck.footer
        assert "since 03:14" not in deck.text
