"""Incidents on the screen: declared from a row, noted, changed, resolved, exported; on a real ledger."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from cache.ledger.incident_watch import IncidentWatch
from cache.ledger.incidents import IncidentReader
from screenshots import scene
from services.incidents.happenings import Told
from services.model.actor import Actor
from services.model.incident import Incident, IncidentSeverity, IncidentStatus
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.ports import Replace
from services.sanitize import safe_text
from tests.flows.conftest import Deck, Open
from tests.flows.test_timeline import recorded
from tui.cli import main
from tui.incidents import Desk
from tui.screens.incident import IncidentScreen
from widgets.form import FormDialog

ARMED = 1.0


class Room:
    """A console with a ledger of its own."""

    def __init__(self, deck: Deck, folder: Path) -> None:
        self.deck = deck
        self.reader = IncidentReader(folder)
        self.watch = IncidentWatch(self.reader, deck.live, deck.clock, news=Told("prod-eu-1").news)
        self.desk = Desk(folder, deck.clock, Actor("duty1", "bastion-2", "c1"))
        deck.app.console_state.desk = lambda: self.desk

    @property
    def form(self) -> FormDialog:
        assert isinstance(self.deck.app.screen, FormDialog)
        return self.deck.app.screen

    async def confirm(self, key: str) -> None:
        """Go to the last row, wait until the key is live, and press it."""
        while not self.form.answers.has_focus:
            await self.deck.press("enter")
        self.form.answers._since = -ARMED
        await self.deck.press(key)
        await self.look()

    async def look(self) -> None:
        await self.watch.look()
        self.deck.live.publish()
        await self.deck.settle()

    async def type(self, text: str) -> None:
        await self.deck.press(*("space" if letter == " " else letter for letter in text))

    def incident(self, number: int = 1) -> Incident:
        found = self.reader.look().rows[f"INC-{number}"]
        assert isinstance(found, Incident)
        return found


@asynccontextmanager
async def room(open_deck: Open, folder: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Room]:
    live = scene.live()
    live.apply("scene", Replace("incidents", {}))
    live.publish()
    async with open_deck(size, live) as deck:
        made = Room(deck, folder)
        await made.look()
        yield made
        made.desk.close()
        made.reader.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "quarterdeck"


async def test_an_incident_is_declared_from_a_workload_and_opens(open_deck: Open, folder: Path) -> None:
    async with room(open_deck, folder) as desk:
        await desk.deck.press("I")
        assert desk.form.values["title"] == "shop/cart CrashLoop exit 1, x7"
        assert desk.form.values == {**desk.form.values, "severity": "P1", "owner": "duty1"}
        assert not (folder / "ledger.db").exists(), "opening a form writes nothing"
        await desk.type("!")
        await desk.confirm("I")
        declared = desk.incident()
        assert (declared.title, declared.severity) == ("shop/cart CrashLoop exit 1, x7!", IncidentSeverity.P1)
        assert declared.started_at == scene.NOW - 360
        assert [link.ref.name for link in declared.links if link.ref] == ["cart"]
        assert "INC-1  shop/cart CrashLoop" in desk.deck.text
        assert "INC-1 is declared" in desk.deck.footer
        await desk.deck.press("escape")
        assert "declared" not in desk.deck.footer
        await desk.deck.press("4", "enter")
        assert "rev 17" in desk.deck.text, "what happened to its workload before is in its timeline"


async def test_noted_changed_and_resolved(open_deck: Open, folder: Path) -> None:
    async with room(open_deck, folder) as desk:
        await desk.deck.press("I")
        await desk.confirm("I")
        await desk.deck.press("n")
        await desk.type("asked for more quota")
        await desk.confirm("n")
        assert desk.incident().events[-1].text == "asked for more quota"
        assert "asked for more quota" in desk.deck.text
        await desk.deck.press("v", "0")
        await desk.confirm("v")
        assert desk.incident().severity is IncidentSeverity.P0
        await desk.deck.press("s", *["right"] * 5)
        await desk.confirm("s")
        assert desk.incident().status is IncidentStatus.RESOLVED
        assert "P0 resolved" in desk.deck.text
        assert "P0 resolved  lasted" in desk.deck.text
        told = len(desk.incident().events)
        await desk.deck.press("v")
        await desk.confirm("v")
        assert "that is how it is already" in desk.deck.text
        assert len(desk.incident().events) == told, "what changes nothing is not written down"
        await desk.deck.press("escape")
        await desk.deck.press("w", *["backspace"] * 5)
        await desk.confirm("w")
        assert desk.incident().owner == ""
        await desk.deck.press("u")
        await desk.type("told everybody")
        await desk.confirm("u")
        assert desk.incident().events[-1].kind == "update"
        await desk.deck.press("escape", "4")
        assert "No open incident; 1 incident over" in desk.deck.text


async def test_enter_alone_declares_nothing_and_what_was_typed_is_still_there(open_deck: Open, folder: Path) -> None:
    async with room(open_deck, folder) as desk:
        await desk.deck.press("I")
        await desk.type("xyz")
        await desk.deck.press("enter", "enter", "enter", "enter")
        assert not isinstance(desk.deck.app.screen, FormDialog)
        assert not (folder / "ledger.db").exists()
        await desk.deck.press("I")
        assert desk.form.values["title"].endswith("xyz")
        assert "as you left it" in desk.deck.text


async def test_a_ledger_that_cannot_be_written_keeps_the_form_open(
    open_deck: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cache.ledger.database.BUSY_SECONDS", 0.01)
    async with room(open_deck, folder) as desk:
        await desk.deck.press("I")
        await desk.confirm("I")
        holder = sqlite3.connect(folder / "ledger.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        await desk.deck.press("n")
        await desk.type("precious")
        await desk.confirm("n")
        assert "Not written" in desk.deck.text
        assert "held by another program" in " ".join(desk.deck.text.replace("│", " ").split())
        assert desk.form.values["text"] == "precious"
        holder.execute("ROLLBACK")
        holder.close()
        desk.form.answers._since = -ARMED
        await desk.deck.press("n")
        await desk.look()
        assert [event.text for event in desk.incident().events[1:]] == ["precious"]


async def test_another_console_sees_it_and_answers(open_deck: Open, folder: Path) -> None:
    async with room(open_deck, folder) as mine:
        await mine.deck.press("I")
        await mine.confirm("I")
        other = Desk(folder, mine.deck.clock, Actor("ana", "bastion-1", "c2"))
        from cache.ledger.incidents import Said
        from services.model.incident import IncidentEventKind

        await other.tell(1, Said(IncidentEventKind.NOTE, other.actor, "I have the database"))
        await mine.look()
        assert "ana  I have the database" in mine.deck.text
        other.close()


async def test_it_is_exported_and_the_path_can_be_copied(open_deck: Open, folder: Path) -> None:
    async with room(open_deck, folder, (200, 60)) as desk:
        await desk.deck.press("I")
        await desk.confirm("I")
        await desk.deck.press("E")
        (path,) = (folder / "exports").iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        assert "# INC-1 - shop/cart CrashLoop exit 1, x7" in path.read_text()
        assert path.name in desk.deck.text
        await desk.deck.press("c")
        assert path.name in desk.deck.text


async def test_what_was_recorded_is_in_it_on_screen_on_paper_and_without_a_screen(
    open_deck: Open, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with room(open_deck, folder, (200, 60)) as desk:
        cart = desk.deck.live.snapshot().tables["rollouts"]["Deployment/shop/cart"]
        at, other = cart.since - 60, structs.replace(cart.ref, name="other", uid="other")
        told = [
            Event(
                "1", at, at, EventKind.CONFIG, cart.ref, safe_text("key TAX changed, long forgotten"), Severity.NOTICE
            ),
            Event("2", at, at, EventKind.CONFIG, other, safe_text("of another"), Severity.NOTICE),
        ]
        past = recorded(folder, *told)
        desk.deck.app.console_state.past = lambda: past
        await desk.deck.press("I")
        await desk.confirm("I")
        await desk.deck.app.workers.wait_for_complete()
        await desk.deck.settle()
        assert "key TAX changed, long forgotten" in desk.deck.text
        await desk.deck.press("E")
        (path,) = (folder / "exports").iterdir()
    monkeypatch.setenv("QUARTERDECK_STATE_DIR", str(folder))
    assert await asyncio.to_thread(main, ["incidents", "INC-1", "-o", "markdown"]) == 1
    printed = capsys.readouterr().out
    for text in (path.read_text(), printed):
        assert text.count("| shop/cart key TAX changed, long forgotten | cluster |") == 1
        assert "of another" not in text


async def test_what_people_say_stands_on_the_timeline_and_leads_to_the_incident(open_deck: Open, folder: Path) -> None:
    async with room(open_deck, folder) as desk:
        await desk.deck.press("I")
        await desk.confirm("I")
        await desk.deck.press("n")
        await desk.type("eu only")
        await desk.confirm("n")
        await desk.deck.press("escape", "t")
        noted = next(line for line in desk.deck.text.splitlines() if "eu only" in line)
        assert ("note" in noted, "INC-1" in noted, "duty1" in noted) == (True, True, True)
        assert desk.deck.text.count("declared P1: shop/cart") == 1
        await desk.deck.press("enter")
        assert isinstance(desk.deck.app.screen, IncidentScreen)
        assert desk.deck.text.count("eu only") == 1, "its own timeline has it once"


async def test_the_control_room_shows_it_with_its_next_update(open_deck: Open, folder: Path) -> None:
    async with room(open_deck, folder, (160, 48)) as desk:
        await desk.deck.press("I")
        await desk.confirm("I")
        await desk.deck.press("escape")
        assert "4 Incidents ─ 1 open" in desk.deck.text
        assert "P1 INC-1 shop/cart" in desk.deck.text
        assert "next update due in 30m" in desk.deck.text
        await desk.deck.tick(31 * 60)
        assert "update 1m late" in desk.deck.text
        await desk.deck.press("4", "enter")
        assert "Timeline" in desk.deck.text


HOSTILE = "[bold]x[/] \u202e\u200b漢字 | # <b>"


async def test_hostile_words_stay_words(open_deck: Open, folder: Path) -> None:
    async with room(open_deck, folder) as desk:
        from cache.ledger.incidents import Said
        from services.model.incident import IncidentEventKind

        hostile = f"\x1b]0;evil\x07{HOSTILE}\n\x9b31m"
        await desk.desk.tell(0, Said(IncidentEventKind.DECLARED, desk.desk.actor, "", hostile, owner=hostile))
        await desk.desk.tell(1, Said(IncidentEventKind.NOTE, desk.desk.actor, hostile))
        await desk.look()
        for keys in (("4",), ("enter",), ("escape",)):
            await desk.deck.press(*keys)
            shown = desk.deck.text
            assert "[bold]x[/]" in shown
            assert not any(sign in shown for sign in "\x1b\x07\x9b\u202e\u200b")
        desk.deck.app.open_view("incidents")
        await desk.deck.settle()
        assert "[bold]x[/]" in desk.deck.text


async def test_without_a_ledger_it_is_said(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("I")
        assert "there is no ledger" in deck.footer
