"""Whatever a cluster puts into its texts, every screen opens and nothing unsafe reaches the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cache.ledger.incidents import Said
from screenshots import scene, scene_alerts
from services.clock import ManualClock
from services.model.actor import Actor
from services.model.incident import IncidentEventKind
from tests.budgets.pty import TRUECOLOR, Terminal
from tests.flows.conftest import Deck, Open
from tests.flows.mishap import run
from tests.flows.spoilt import TRICKS, SpoiltSession, nasty
from tests.flows.spoilt_monitoring import LINKS, SpoiltMetrics, spoilt_monitoring
from tui.glyphs import ASCII, UNICODE, Glyphs
from tui.incidents import Desk
from tui.presenters.views import VIEWS
from tui.screens.alert import AlertScreen
from tui.screens.deck import DeckScreen
from tui.screens.document import ReadingScreen
from tui.screens.explain import ExplainScreen
from tui.screens.incident import IncidentScreen
from tui.screens.logs import LogScreen
from tui.screens.timeline import TimelineScreen
from tui.screens.workload import WorkloadScreen

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
COMMANDS = re.compile("\x1b\\].*?(?:\x07|\x1b\\\\)", re.DOTALL)
"""Commands to the terminal's program: title, clipboard, links, colours."""
POINTER = "\x1b]22;default\x07"
"""The mouse pointer's shape, which Textual sends."""
FORBIDDEN = re.compile("\x1b[P^_X]|[\x80-\x9f]|\x00|\u202e|\u2066")
"""Device strings, C1, NUL and bidi marks: the screen itself sends none of them."""
VISIBLE = ("FAKE", "[bold", "[/]", "[@click", "AAAAAAAA", "宽字", "{{7", "all clear", "\U0001f469", "nul", "e\u0301")
"""What is left of the tricks where one has arrived."""


SEEN: list[str] = []
"""The screens that `assert_safe` has looked at in the test that runs."""


def assert_safe(deck: Deck, where: str) -> None:
    """Look at every segment that would be painted."""
    SEEN.append(deck.text)
    width, height = deck.app.size
    strips = deck.app.screen._compositor.render_strips()
    assert len(strips) == height, where
    for strip in strips:
        for segment in strip:
            assert not UNSAFE.search(segment.text), (where, segment.text[:80])
            assert segment.style is None or not segment.style.link, where
            assert segment.style is None or not any("click" in key for key in segment.style.meta), where
        assert strip.cell_length <= width, where


async def _control_room(deck: Deck) -> None:
    for key in ("j", "j", "2", "3", "4", "1", "e", "e"):
        await deck.press(key)
        assert_safe(deck, f"control room, {key}")


async def _tables(deck: Deck) -> None:
    for name in (*(view.id for view in VIEWS), "ingresses"):
        deck.app.open_view(name)
        await deck.settle()
        assert_safe(deck, name)
        await deck.press("d")
        assert_safe(deck, f"{name}, described")
        await deck.press("escape", "escape")
    assert isinstance(deck.app.screen, DeckScreen)


async def _workload(deck: Deck) -> None:
    await deck.press("enter")
    assert isinstance(deck.app.screen, WorkloadScreen)
    assert_safe(deck, "workload")
    await deck.press("D")
    assert isinstance(deck.app.screen, ReadingScreen)
    assert_safe(deck, "diff")
    await deck.press("w")
    assert_safe(deck, "diff, wrapped")
    await deck.press("escape", "escape")


async def _logs_and_documents(deck: Deck) -> None:
    await deck.press("l")
    assert isinstance(deck.app.screen, LogScreen)
    for key in ("w", "s", "t", "w"):
        await deck.press(key)
        assert_safe(deck, f"logs, {key}")
    await deck.press("escape", "y")
    assert isinstance(deck.app.screen, ReadingScreen)
    assert_safe(deck, "yaml")
    await deck.press("w", "escape", "d")
    assert_safe(deck, "describe")
    await deck.press("escape", "colon")
    assert_safe(deck, "palette")
    await deck.press("escape", "question_mark")
    assert_safe(deck, "help")
    await deck.press("escape", "c")
    assert_safe(deck, "copied")


async def _alerts(deck: Deck) -> None:
    for number in range(7):
        await deck.press("2", "g", *["j"] * number)
        assert_safe(deck, f"alerts pane, row {number}")
    for view in ("alerts", "silences", "alert-peers"):
        deck.app.open_view(view)
        await deck.settle()
        assert_safe(deck, view)
        await deck.press("c", "escape", "escape")
    for key in scene_alerts.alerts():
        deck.app.open_alert(deck.live.snapshot().tables["alerts"][key])
        await deck.settle()
        assert isinstance(deck.app.screen, AlertScreen)
        assert_safe(deck, "one alert")
        await deck.press("G", "W", "c")
        assert_safe(deck, "one alert, at its end, a longer window")
        await deck.press("escape")


async def _explained(deck: Deck) -> None:
    for row in [row for row in deck.live.snapshot().tables["rollouts"].values() if row.what]:
        deck.app.explain(row.ref)
        await deck.settle()
        assert isinstance(deck.app.screen, ExplainScreen)
        assert_safe(deck, "explained")
        await deck.press("W", "G")
        assert_safe(deck, "explained, a longer window")
        await deck.press("escape")
    for alert in deck.live.snapshot().tables["alerts"].values():
        deck.app.explain_alert(alert)
        await deck.settle()
        assert_safe(deck, "an alert explained")
        await deck.press("escape")


async def _told(deck: Deck) -> None:
    deck.app.open_view("timeline")
    await deck.settle()
    assert isinstance(deck.app.screen, TimelineScreen)
    for _ in range(12):
        assert_safe(deck, "timeline")
        await deck.press("j")
    await deck.press("enter")
    assert_safe(deck, "from the timeline")
    await deck.press("escape")
    for what in (*TRICKS, *LINKS, "CheckoutErrorRate", "payments/deploy/checkout"):
        deck.app.open_what(what)
        await deck.settle()
        assert_safe(deck, "opened what somebody pasted")


async def _paid_and_declared(deck: Deck) -> None:
    deck.app.open_view("costs")
    await deck.settle()
    for key in ("b", "enter", "escape", "b", "G", "enter"):
        await deck.press(key)
        assert_safe(deck, f"costs, {key}")
    while not isinstance(deck.app.screen, DeckScreen):
        await deck.press("escape")
    deck.app.open_view("incidents")
    await deck.settle()
    assert_safe(deck, "incidents")
    await deck.press("g", "enter")
    assert isinstance(deck.app.screen, IncidentScreen)
    assert_safe(deck, "one incident")
    await deck.press("escape", "escape", "2", "g", "I")
    assert_safe(deck, "what would be declared")
    await deck.press("escape")


@pytest.mark.parametrize(
    ("tour", "width", "height", "glyphs"),
    [
        (_control_room, 80, 24, ASCII),
        (_control_room, 200, 60, UNICODE),
        (_tables, 120, 40, UNICODE),
        (_workload, 80, 24, UNICODE),
        (_workload, 120, 40, ASCII),
        (_logs_and_documents, 120, 40, ASCII),
        (_alerts, 80, 24, ASCII),
        (_explained, 80, 24, UNICODE),
        (_told, 80, 24, ASCII),
        (_told, 120, 40, UNICODE),
        (_paid_and_declared, 80, 24, UNICODE),
        (_paid_and_declared, 200, 60, ASCII),
    ],
)
async def test_every_screen_opens_and_shows_nothing_unsafe(
    open_deck: Open,
    tmp_path: Path,
    tour: Callable[[Deck], Awaitable[None]],
    width: int,
    height: int,
    glyphs: Glyphs,
) -> None:
    settings: dict[str, Any] = {"glyphs": glyphs, "ascii_only": glyphs is ASCII}
    spoilt = Actor(nasty("x"), nasty("x"), "c1")
    settings["console"] = {"metrics": SpoiltMetrics, "desk": lambda: Desk(tmp_path, ManualClock(scene.NOW), spoilt)}
    SEEN.clear()
    live = await asyncio.to_thread(spoilt_monitoring)
    async with open_deck((width, height), live, **settings) as deck:
        deck.runtime.session = SpoiltSession()
        assert_safe(deck, "control room")
        await tour(deck)
        assert_safe(deck, "at the end")
        arrived = {trick for trick in VISIBLE if any(trick in text for text in SEEN)}
        assert len(arrived) > 2, "too few tricks have come as far as the screen"
        assert deck.app.is_running
        if glyphs is ASCII:
            assert deck.text.isascii()


def test_a_hostile_estate_writes_no_sequence_of_its_own_anywhere(tmp_path: Path) -> None:
    """Run the program on a pty, on an estate full of tricks, and read every byte that it writes and keeps."""
    estate = subprocess.Popen(
        [sys.executable, "-m", "services.rehearsal", "--folder", tmp_path, "--scenario", "bad-deploy", "--hostile"],
        stdout=subprocess.PIPE,
        text=True,
    )
    homes = {"HOME": str(tmp_path), "QUARTERDECK_STATE_DIR": str(tmp_path / "state"), "KUBECONFIG": ""}
    try:
        assert estate.stdout is not None
        said = json.loads(estate.stdout.readline())
        kubeconfig = said["kubeconfig"]
        homes["QUARTERDECK_PROMETHEUS_URLS"] = said["prometheus"]
        homes["QUARTERDECK_ALERTMANAGER_URLS"] = ",".join(said["alertmanagers"])
        words = [sys.executable, "-m", "tui.cli", "run", "--kubeconfig", kubeconfig]
        with Terminal(words, columns=120, lines=40, environment={**TRUECOLOR, **homes}) as terminal:
            with terminal.window() as window:
                terminal.until("live")
                terminal.until("need you")
                terminal.until("firing in")
                for view, title in TABLES:
                    terminal.send(":")
                    terminal.until("Go ─")
                    terminal.send(f"{view}\r")
                    terminal.until(f"{title} ─")
                    terminal.send("\r")
                    terminal.until_quiet(0.2)
                terminal.until_quiet(0.3)
            terminal.send("\x03")
            assert terminal.exit_code() == 0
        for command in ("alerts", "timeline", "costs", "rollouts", "status"):
            for form in ("table", "json"):
                done = run(tmp_path, command, "--kubeconfig", kubeconfig, "-o", form, **homes)
                assert "Traceback" not in done.stderr
                assert_plain(done.stdout + done.stderr, f"{command} as {form}")
    finally:
        estate.terminate()
        estate.wait(60)
    text = window.data.decode("utf-8")
    assert set(COMMANDS.findall(text)) <= {POINTER}
    assert not FORBIDDEN.search(text), FORBIDDEN.search(text)
    shown = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", text)
    assert any(trick in shown for trick in VISIBLE), "no trick has arrived"
    assert_plain_files(tmp_path / "state")


TABLES = (
    ("pods", "Pods"),
    ("nodes", "Nodes"),
    ("events", "Events"),
    ("alerts", "Alerts"),
    ("silences", "Silences"),
    ("timeline", "Timeline"),
    ("costs", "Costs by namespace"),
)


def assert_plain(text: str, where: str) -> None:
    """Hold that a text is lines of plain words."""
    assert not (found := UNSAFE.search(text.replace("\n", ""))), (
        where,
        found,
        text[max(0, found.start() - 80) :][:160],
    )


def assert_plain_files(folder: Path) -> None:
    """Hold that nothing unsafe is in any text that was kept: logs, and every column of every database."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "state.db" for path in files)
    for path in files:
        if path.suffix in (".log", ".txt", ".md", ".json"):
            assert_plain(path.read_text(encoding="utf-8"), path.name)
    with contextlib.closing(sqlite3.connect(folder / "state.db")) as db:
        told = 0
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - its own tables' names
                for value in row:
                    if isinstance(value, str):
                        told += any(trick in value for trick in VISIBLE)
                        assert_plain(value, f"state.db, {table}")
        assert told, "no trick has been kept"


async def test_what_was_said_in_an_incident_is_exported_and_listed_as_plain_lines(tmp_path: Path) -> None:
    """Write tricks into a real ledger, as somebody who pastes them does, and read them back by every way out."""
    desk = Desk(tmp_path / "state", ManualClock(scene.NOW), Actor("duty1", "bastion-2", "c1"))
    kind = IncidentEventKind
    number = await desk.tell(
        0, Said(kind.DECLARED, desk.actor, value="".join(TRICKS)[:200], owner=TRICKS[0], cluster=TRICKS[1])
    )
    for trick in TRICKS:
        await desk.tell(number, Said(kind.NOTE, desk.actor, trick.replace("\ud800\udfff\udc80", "")))
    desk.close()
    homes = {"QUARTERDECK_STATE_DIR": str(tmp_path / "state")}
    for words in ([], ["--all"], [f"INC-{number}"]):
        for form in ("table", "json", "markdown"):
            done = await asyncio.to_thread(run, tmp_path, "incidents", *words, "-o", form, **homes)
            assert_plain(done.stdout + done.stderr, f"incidents {words} as {form}")
            assert "FAKE" in done.stdout
