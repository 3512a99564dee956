"""Whatever a cluster puts into its texts, every screen opens and nothing unsafe reaches the terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.budgets.pty import TRUECOLOR, Terminal
from tests.flows.conftest import Deck, Open
from tests.flows.spoilt import SpoiltSession, spoilt_scene
from tui.glyphs import ASCII, UNICODE, Glyphs
from tui.presenters.views import VIEWS
from tui.screens.deck import DeckScreen
from tui.screens.document import ReadingScreen
from tui.screens.logs import LogScreen
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


def assert_safe(deck: Deck, where: str) -> None:
    """Look at every segment that would be painted."""
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


@pytest.mark.parametrize(
    ("tour", "width", "height", "glyphs"),
    [
        (_control_room, 80, 24, ASCII),
        (_control_room, 200, 60, UNICODE),
        (_tables, 120, 40, UNICODE),
        (_workload, 80, 24, UNICODE),
        (_workload, 120, 40, ASCII),
        (_logs_and_documents, 120, 40, ASCII),
    ],
)
async def test_every_screen_opens_and_shows_nothing_unsafe(
    open_deck: Open, tour: Callable[[Deck], Awaitable[None]], width: int, height: int, glyphs: Glyphs
) -> None:
    settings = {"glyphs": glyphs, "ascii_only": glyphs is ASCII}
    async with open_deck((width, height), spoilt_scene(), **settings) as deck:
        deck.runtime.session = SpoiltSession()
        assert_safe(deck, "control room")
        await tour(deck)
        assert_safe(deck, "at the end")
        assert deck.app.is_running
        if glyphs is ASCII:
            assert deck.text.isascii()


def test_a_hostile_estate_writes_no_sequence_of_its_own_to_the_terminal(tmp_path: Path) -> None:
    """Run the program on a pty, on an estate full of tricks, and read every byte that it writes."""
    estate = subprocess.Popen(
        [sys.executable, "-m", "services.rehearsal", "--folder", tmp_path, "--scenario", "bad-deploy", "--hostile"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert estate.stdout is not None
        kubeconfig = json.loads(estate.stdout.readline())["kubeconfig"]
        words = [sys.executable, "-m", "tui.cli", "run", "--kubeconfig", kubeconfig]
        homes = {"HOME": str(tmp_path), "QUARTERDECK_STATE_DIR": str(tmp_path / "state"), "KUBECONFIG": ""}
        with Terminal(words, columns=120, lines=40, environment={**TRUECOLOR, **homes}) as terminal:
            with terminal.window() as window:
                terminal.until("live", 30)
                terminal.until("need you", 30)
                for view, title in (("pods", "Pods"), ("nodes", "Nodes"), ("events", "Events")):
                    terminal.send(":")
                    terminal.until("Go ─", 15)
                    terminal.send(f"{view}\r")
                    terminal.until(f"{title} ─", 15)
                terminal.until_quiet(0.3, 10)
            terminal.send("\x03")
            assert terminal.exit_code() == 0
    finally:
        estate.terminate()
        estate.wait(10)
    text = window.data.decode("utf-8")
    assert set(COMMANDS.findall(text)) <= {POINTER}
    assert not FORBIDDEN.search(text), FORBIDDEN.search(text)
    shown = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", text)
    assert any(trick in shown for trick in VISIBLE), "no trick has arrived"
