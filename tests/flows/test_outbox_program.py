"""The outbox in the whole program: delivered beside the screen, seen, tried again and dropped by keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Outbox
from cache.ledger.outbox_reader import OutboxReader
from services.clock import SystemClock
from services.model.message import OutboxState
from services.rehearsal.server import Rehearsal
from tests.flows.program import kubeconfig_of, program
from tests.unit.notifications.telling import MINA, message
from tests.unit.notifications.vendor import OK, said, vendor
from tui import beside, reload

PATH = "/services/T0CANARY/B0CANARY/canarypath"


@pytest.fixture
def folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own with a channel; returns its state folder, in which three messages wait."""
    state = home / "state"
    monkeypatch.setattr(beside, "AFTER", 0.05)
    monkeypatch.setattr(reload, "EVERY", 0.05)
    path = home / "config" / "quarterdeck" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('[notify.room]\nto = ["#incidents"]\nurl = "env:CANARY_SLACK_URL"\n')
    ledger = Ledger(state, SystemClock())
    ledger.open()
    told = [message(1, subject="cart is down"), message(2, "hook", subject="cart is up")]
    Outbox(ledger, state, SystemClock()).tell(MINA, told)
    ledger.close()
    return state


def kept(folder: Path) -> bytes:
    """Return everything that was written to the state folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_a_message_is_delivered_tried_again_and_dropped(
    folder: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendor() as slack:
        monkeypatch.setenv("CANARY_SLACK_URL", slack.url + PATH)
        slack.answers = [said("404 Not Found", f"no_service {PATH}"), OK]
        async with program("--kubeconfig", kubeconfig_of(estate), "--view", "outbox") as console:
            await console.until_seen("cart is down", "dead", "refused the message with 404", "no such channel")
            await console.until_seen("1 not told :outbox")
            await console.press("g", "enter")
            await console.until_seen("dead   after 1 try", "refused the message with 404", "#incidents", "INC-7")
            await console.until_seen("Slack room", "Reason: <500s> & more")
            assert "canarypath" not in console.text
            await console.press("escape")
            await console.until_seen("no such channel")
            await console.press("g", "r")
            await console.until_seen("accepted")
            assert [path for path, _, _ in slack.got] == [PATH, PATH]
            await console.until(lambda: "not told" not in console.header)
            await console.until(lambda: "sending" not in console.text)
            await console.press("slash", "u", "p", "enter")
            await console.until(lambda: "cart is down" not in console.text)
            await console.press("g", "K")
            await console.until_seen("dropped by")
            assert "canarypath" not in console.text
            await console.press("escape")
            rows = {row.channel: row for row in OutboxReader(folder).look().rows.values()}
            assert (rows["room"].state, rows["hook"].state) == (OutboxState.ACCEPTED, OutboxState.DEAD)
    assert b"canarypath" not in kept(folder)


async def test_a_channel_that_is_configured_while_it_runs_is_used_at_once(
    folder: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendor() as slack:
        monkeypatch.setenv("CANARY_SLACK_URL", slack.url + PATH)
        monkeypatch.setenv("CANARY_HOOK_KEY", "canary-signing-key")
        config = folder.parent / "config" / "quarterdeck" / "config.toml"
        async with program("--kubeconfig", kubeconfig_of(estate), "--view", "outbox") as console:
            await console.until_seen("accepted", "no such channel")
            hook = f'[notify.hook]\ntype = "webhook"\nurl = "{slack.url}/hook"\nsecret = "env:CANARY_HOOK_KEY"\n'
            await asyncio.to_thread(config.write_text, config.read_text() + hook)
            await console.until(lambda: console.text.count("accepted") == 2)
        assert "/hook" in [path for path, _, _ in slack.got]
