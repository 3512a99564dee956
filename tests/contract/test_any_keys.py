"""Whatever is typed, clicked and resized on a rehearsed estate, the program neither stops nor loses its screen."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.budgets.pty import Terminal
from tests.flows.mishap import PATIENCE, console

pytestmark = pytest.mark.contract

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/?!,.-=+[]{}<>@#$%^&*()'\"|\\`~_ ;"
OFTEN = ["\r", "\x1b", "\t"] * 9 + ["\x1b[Z", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~", "\x1b[6~"] * 2
SELDOM = ["\x1b[H", "\x1b[F", "\x7f", "\x04", "\x05", "\x0c", "\x0e", "\x12", "\x15", "\x17", "\x18", "\x19", "\x1bOP"]
WORDS = [
    ":pods\r",
    ":rs\r",
    ":ing\r",
    ":ev\r",
    ":timeline\r",
    ":costs\r",
    ":outbox\r",
    "/!cart\r",
    "\x1b[200~a\nb\x1b[201~",
]
SIZES = [(80, 24), (120, 40), (200, 60), (20, 5), (40, 10), (300, 80)]
SEED = 3
SECONDS = 20.0


def disturb(terminal: Terminal, chance: random.Random) -> None:
    """Do one thing: a key, words, a click, or another size."""
    what = chance.random()
    if what < 0.03:
        terminal.resize(*chance.choice(SIZES))
    elif what < 0.08:
        terminal.send(chance.choice(WORDS))
    elif what < 0.12:
        x, y = chance.randint(1, terminal.screen.columns), chance.randint(1, terminal.screen.lines)
        terminal.send(f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m")
    else:
        terminal.send(chance.choice([*LETTERS, *OFTEN, *SELDOM]))
    terminal.pump(chance.choice([0, 0.005, 0.02, 0.08]))


@pytest.mark.parametrize("scenario", ["bad-deploy", "bad-canary"])
def test_nothing_that_is_typed_stops_the_program(tmp_path: Path, scenario: str) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a test's dice
    with console(tmp_path, "demo", "--scenario", scenario) as terminal:
        terminal.until("Rollouts", PATIENCE)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            disturb(terminal, chance)
            assert terminal.process.poll() is None, terminal.text
        terminal.resize(120, 40)
        terminal.until_quiet(deadline=PATIENCE)
        clock = terminal.screen.display[0]
        terminal.until_true(lambda: terminal.screen.display[0] != clock, PATIENCE, "the next second")
    assert not list((tmp_path / "state").glob("crash-*"))
