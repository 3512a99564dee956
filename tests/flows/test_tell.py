"""Shift+T: what is shown is told in words that can be changed, previewed as they are sent, and never lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from cache.ledger.outbox_reader import OutboxReader
from services.config_schema import Config
from services.model.actor import Actor
from services.model.message import OUTBOX, Message, OutboxRow, OutboxState
from services.model.workload import Rollout
from services.notifications.registry import CHANNELS
from services.ports import Replace
from tests.flows.conftest import Deck, Open
from tests.unit.notifications.telling import HOOK, MAIL, ROOM
from tui.outgoing import Outgoing
from widgets.dialog import MessageDialog
from widgets.draft_dialog import DraftDialog
from widgets.prompt import LineInput

CONFIG = Config(notify={"room": ROOM, "mail": MAIL, "hook": structs.replace(HOOK, contexts=("staging-*",))})


class Room:
    """A console with an outbox of its own."""

    def __init__(self, deck: Deck, folder: Path, config: Config = CONFIG) -> None:
        self.deck = deck
        self.folder = folder
        self.outgoing = Outgoing(folder, deck.clock, Actor("duty1", "bastion-2", "c"), config)
        deck.app.console_state.outgoing = lambda: self.outgoing

    @property
    def dialog(self) -> DraftDialog:
        assert isinstance(self.deck.app.screen, DraftDialog), self.deck.app.screen
        return self.deck.app.screen

    def rollout(self) -> Rollout:
        """Return the row under the cursor."""
        assert self.deck.app.front is not None
        subject = self.deck.app.front.subject()
        assert isinstance(subject, Rollout)
        return subject

    async def type(self, text: str) -> None:
        await self.deck.press(*("space" if letter == " " else letter for letter in text))

    async def confirm(self) -> None:
        """Go to the answers, wait until the key is live, and press it."""
        while not self.dialog.answers.has_focus:
            await self.deck.press("tab")
        self.dialog.answers._since = -1.0
        await self.deck.press("y")

    def queued(self) -> list[OutboxRow]:
        return sorted(OutboxReader(self.folder).look().rows.values(), key=lambda row: row.number)

    async def show(self, rows: Sequence[OutboxRow]) -> None:
        """Let the screen see the outbox as it is."""
        self.deck.live.apply(OUTBOX, Replace(OUTBOX, {row.id: row for row in rows}))
        self.deck.live.publish()
        await self.deck.settle()

    def sent(self) -> list[Message]:
        rows = self.outgoing._box.claim("test", 9, 60.0, ("room", "mail", "hook"))
        return [one.message for one in rows]


OpenRoom = Callable[..., AbstractAsyncContextManager[Room]]


def drawn(deck: Deck) -> list[str]:
    """Return the lines within the dialog."""
    lines = deck.text.splitlines()
    at = next(line.index("Tell  of") for line in lines if "Tell  of" in line)
    return [line[at : at + 70] for line in lines if "Tell  of" in line or "│ " in line[at - 3 : at]]


@pytest.fixture
def open_room(open_deck: Open, tmp_path: Path) -> OpenRoom:
    @asynccontextmanager
    async def opened(size: tuple[int, int] = (120, 40), config: Config = CONFIG) -> AsyncIterator[Room]:
        async with open_deck(size) as deck:
            room = Room(deck, tmp_path / "state", config)
            yield room
            room.outgoing.close()

    return opened


async def test_what_is_previewed_is_what_is_sent_to_those_who_are_ticked(open_room: OpenRoom) -> None:
    async with open_room() as room:
        deck = room.deck
        subject = room.rollout()
        await deck.press("T")
        name = f"deployment {subject.ref.key}"
        assert f"Tell  of {name}" in deck.text
        assert room.dialog.answers.has_focus, "Cancel stands focused"
        assert "[x] 1 room" in deck.text
        assert "[ ] 3 hook" in deck.text, "it does not hear of this context"
        assert f"{name} needs somebody: 0 of" in deck.text
        await deck.press("y")
        assert isinstance(deck.app.screen, DraftDialog), "not live yet"
        await deck.press("t", "2", "w")
        await room.type("we look into it")
        assert f"update: {name}" in deck.text
        assert "we look into it" in deck.text
        assert "From:" not in deck.text, "the mail is not ticked any more"
        shown = deck.text
        await room.confirm()
        assert "told: 1 message on the way" in deck.footer
        [message] = room.sent()
        assert (message.channel, message.by, message.kind) == ("room", "duty1@bastion-2", "updated")
        for line in CHANNELS["slack"].render(message, ROOM).shown:
            assert line.strip() in shown, "to the letter"
        [row] = room.queued()
        await room.show([structs.replace(row, state=OutboxState.SENDING)])
        await room.show([structs.replace(row, state=OutboxState.DEAD, next_at=0.0, reason="refused with 404")])
        assert "not told  #incidents: dead (refused with 404); :outbox" in deck.footer


async def test_what_changes_under_the_dialog_changes_nothing_in_it(open_room: OpenRoom) -> None:
    async with open_room() as room:
        deck = room.deck
        subject = room.rollout()
        await deck.press("T")
        before = drawn(deck)
        rows = dict(deck.live.snapshot().tables["rollouts"])
        key = f"Deployment/{subject.ref.key}"
        rows[key] = structs.replace(rows[key], what="all is well", severity=4, cause="")
        deck.live.apply("scene", Replace("rollouts", rows))
        deck.live.publish()
        await deck.settle()
        assert drawn(deck) == before
        await room.confirm()
        assert all(subject.ref.name in one.subject and "well" not in one.subject for one in room.sent())


async def test_enter_answers_cancel_and_what_was_typed_is_there_again(open_room: OpenRoom) -> None:
    async with open_room((80, 24)) as room:
        deck = room.deck
        await deck.press("T", "w")
        await room.type("help")
        await deck.press("escape", "T")
        assert "help" in deck.text
        room.dialog.answers._since = -1.0
        await deck.press("enter")
        assert not isinstance(deck.app.screen, DraftDialog)
        assert room.queued() == []


async def test_a_ledger_that_refuses_is_said_and_nothing_is_lost(
    open_room: OpenRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_room() as room:
        deck = room.deck
        await deck.press("T", "e")
        line = room.dialog._inputs["subject"]
        assert isinstance(line, LineInput)
        line.put("the till is broken")
        await deck.settle()
        with monkeypatch.context() as full:
            full.setattr(
                "cache.ledger.ledger.open_ledger", lambda _: (_ for _ in ()).throw(OSError(28, "No space left"))
            )
            await room.confirm()
            assert "Not told:" in deck.text
            assert "free some space" in deck.text
        await room.confirm()
        assert [one.subject for one in room.sent()] == ["the till is broken"] * 2
        assert len(room.queued()) == 2, "confirmed twice, told once"


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_it_fits_and_every_place_has_it(open_room: OpenRoom, size: tuple[int, int]) -> None:
    async with open_room(size) as room:
        deck = room.deck
        for way, said in ((("2", "T"), "Tell  of "), (("X", "T"), "Tell  of deployment")):
            await deck.press("escape", "escape", "1", *way)
            assert said in deck.text
            assert "[ Cancel ]" in deck.text
            assert "y tell" in deck.text
            assert "pgdn more" in deck.text
            await deck.press("pagedown", "pageup", "escape")


async def test_where_no_channel_is_configured_it_says_how_to_make_one(open_room: OpenRoom) -> None:
    async with open_room(config=Config()) as room:
        await room.deck.press("T")
        assert isinstance(room.deck.app.screen, MessageDialog)
        assert "[notify.NAME]" in room.deck.text
