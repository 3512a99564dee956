"""How the outbox looks: what came to nothing first, long reasons cut in the list and whole on the message's page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import structs
from textual.pilot import Pilot

from screenshots import scene
from screenshots.scene_alerts import whole
from screenshots.stage import console_app, settle
from services.clock import ManualClock
from services.config_schema import Config
from services.model.actor import Actor
from services.model.message import Message, OutboxRow, OutboxState
from services.sanitize import safe_text
from tests.snapshots.screens.test_screen_snapshots import SIZES, Compare
from tests.unit.notifications.telling import ROOM, message
from tui.app import QuarterdeckApp
from tui.outgoing import Outgoing, Shown

REASON = "gave up after 12 tries: upstream connect error or disconnect before headers, delayed connect error: 111. "
HOSTILE = "\x1b]0;owned\x07[red]bold[/red] \u202egnp.exe\u202c <b>x</b> 日本語"
STATES = (
    (OutboxState.ACCEPTED, "", 1),
    (OutboxState.DEAD, REASON * 3, 12),
    (OutboxState.UNKNOWN, "the server broke the connection off; it may have arrived", 2),
    (OutboxState.DEAD, HOSTILE, 1),
    (OutboxState.QUEUED, "failed with 500", 3),
    (OutboxState.SENDING, "", 1),
)


def rows(now: float) -> Mapping[str, OutboxRow]:
    """Return many messages, of every state and with words of every kind."""
    found = {}
    for number in range(60):
        state, reason, attempts = STATES[number % len(STATES)]
        said = message(number, subject=HOSTILE if number % 9 == 3 else f"shop/cart-{number} was rolled back")
        row = OutboxRow(said.id, number, "room", "#incidents", said.subject, said.thread, state, reason, attempts)
        over = state not in (OutboxState.QUEUED, OutboxState.SENDING)
        settled, due = (now - 30.0, 0.0) if over else (0.0, now + 40.0)
        found[said.id] = structs.replace(
            row, created_at=now - 60.0 * number, settled_at=settled, next_at=due, by="mina@bastion-1", folded=number % 2
        )
    return found


class Kept(Outgoing):
    """Has every message that is asked for."""

    async def said(self, row: OutboxRow) -> Message | None:
        return message(row.number, subject=row.subject)


@pytest.mark.parametrize(
    ("size", "opened"),
    [*((size, False) for size in SIZES), (SIZES[0], True)],
    ids=[*(f"list-{columns}x{lines}" for columns, lines in SIZES), "message-80x24"],
)
def test_outbox(snap_compare: Compare, tmp_path: Path, size: tuple[int, int], opened: bool) -> None:
    live = whole()
    Shown(live, ManualClock(scene.NOW)).take(rows(scene.NOW), safe_text(""))
    live.publish()
    app, runtime = console_app(live)
    assert isinstance(app, QuarterdeckApp)
    clock = app.console_state.clock
    outgoing = Kept(tmp_path / "state", clock, Actor("duty1", "bastion-2", "c"), Config(notify={"room": ROOM}))
    app.console_state.outgoing = lambda: outgoing

    async def looked(pilot: Pilot[None]) -> None:
        await settle(pilot, runtime)
        app.open_view("outbox")
        await settle(pilot, runtime)
        if opened:
            await pilot.press("j", "enter")
            await settle(pilot, runtime)

    assert snap_compare(app, run_before=looked, terminal_size=size)
