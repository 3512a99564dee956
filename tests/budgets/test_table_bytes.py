"""What changes cost on a real terminal, 160x48 in true colour: bytes, not milliseconds: no machine is too slow.

Every window ends with a tick of the clock on the last line, whose cost is known: frames are written from the top,
so that when it is on screen, all before it has been written.
"""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.budgets.pty import TRUECOLOR, Terminal

TICK = 30
"""Most bytes of a second passing: cursor movement, pen and a digit or two."""


class TableTerminal(Terminal):
    """The table app with its clock as the sign that everything before was painted."""

    def __init__(self, *, columns: int = 160, lines: int = 48, environment: Mapping[str, str] = TRUECOLOR) -> None:
        self.alive, theirs = os.pipe()
        super().__init__(
            [sys.executable, "-m", "tests.budgets.table_app", "10000", str(theirs)],
            columns=columns,
            lines=lines,
            environment=environment,
            pass_fds=[theirs],
        )
        os.close(theirs)
        self.until("03:14:07")
        self.until("checkout-0 ")
        self.second = 7
        self.until_quiet()
        self.cost("")  # what is left of the first frames on a busy machine

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        os.close(self.alive)

    def cost(self, keys: str) -> int:
        """Type keys and return the bytes until a tick typed after them is on screen, the tick's own included."""
        self.second += 1
        with self.window() as window:
            self.send(keys + "4")
            self.until(f"03:14:{self.second:02}Z")
        return window.count

    def row(self, y: int) -> str:
        """The text of a line of the screen."""
        return self.screen.display[y]


@pytest.fixture
def terminal() -> Iterator[TableTerminal]:
    with TableTerminal() as table:
        yield table


def test_a_second_passing_costs_a_digit(terminal: TableTerminal) -> None:
    assert terminal.cost("") <= TICK
    assert terminal.cost("") <= 11  # the pen is still the clock's; two digits at most


def test_a_second_that_is_painted_at_once_costs_as_much_and_hides_nothing(terminal: TableTerminal) -> None:
    assert terminal.cost("") <= TICK
    with terminal.window() as window:
        terminal.send("0")
        terminal.second += 1
        terminal.until(f"03:14:{terminal.second:02}Z")
        terminal.until_quiet()
    assert 0 < window.count <= 11
    assert terminal.cost("") <= 11
    terminal.send("c")
    terminal.until("covered")
    terminal.until_quiet()
    before = terminal.text
    terminal.send("0")
    terminal.until_quiet()
    assert terminal.text == before


def test_nothing_changing_writes_nothing(terminal: TableTerminal) -> None:
    assert not terminal.pump(1.0)


def test_equal_rows_write_nothing(terminal: TableTerminal) -> None:
    assert terminal.cost("5") <= TICK


def test_a_change_off_screen_writes_nothing(terminal: TableTerminal) -> None:
    assert terminal.cost("2") <= TICK


def test_one_changed_cell_on_screen(terminal: TableTerminal) -> None:
    assert terminal.cost("7") - TICK <= 70
    assert " 4/5 " in terminal.row(2 + 7)


def test_one_changed_row_on_screen(terminal: TableTerminal) -> None:
    """Its shape, its bold name and its sentence: three cells of eight."""
    assert terminal.cost("1") - TICK <= 150
    assert "▲ payments/checkout-5 " in terminal.row(2 + 5)
    assert "CrashLoop exit 1" in terminal.row(2 + 5)


def test_all_rows_changing_their_status_is_bounded(terminal: TableTerminal) -> None:
    assert terminal.cost("3") <= 6_000
    assert sum("CrashLoop" in line for line in terminal.screen.display) == 44


def test_a_cursor_move_repaints_two_lines(terminal: TableTerminal) -> None:
    assert terminal.cost("j") <= 600


def test_scrolling_by_a_line_costs_no_more_than_what_is_in_sight(terminal: TableTerminal) -> None:
    terminal.cost("j" * 43)
    assert "checkout-0 " in terminal.row(2)
    assert terminal.cost("j") <= 44 * 160
    assert "checkout-1 " in terminal.row(2)


def test_a_reorder_above_the_cursor_leaves_its_line_in_place(terminal: TableTerminal) -> None:
    terminal.cost("G")
    line = next(y for y, text in enumerate(terminal.screen.display) if "checkout-9999 " in text)
    assert terminal.cost("8") <= TICK
    assert "checkout-9999 " in terminal.row(line)


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "xterm-256color"}, {"TERM": "xterm"}, {"TERM": "xterm-256color", "NO_COLOR": "1"}],
    ids=["256", "16", "no-color"],
)
def test_other_terminals_cost_no_more(environment: dict[str, str]) -> None:
    with TableTerminal(columns=80, lines=24, environment={"COLORTERM": "", **environment}) as terminal:
        assert terminal.cost("") <= TICK
        assert terminal.cost("1") <= 150
        assert terminal.cost("2") <= TICK


def test_the_screen_after_many_changes_is_the_screen_drawn_afresh(terminal: TableTerminal) -> None:
    """Differences add up to what the program means: shrinking and growing repaints every cell."""
    terminal.cost("1jj7" + "3" + "jG" + "8" * 5 + "g" + "9" * 3 + "6" + "g")
    before = list(terminal.screen.display)
    for columns, lines in ((140, 40), (160, 48)):
        terminal.resize(columns, lines)
        terminal.until_true(
            lambda: terminal.row(0).endswith("╮") and terminal.row(terminal.screen.lines - 1).endswith("Z ")
        )
    assert list(terminal.screen.display) == before


def test_a_stalled_terminal_stalls_nothing_and_shows_the_newest_state_afterwards() -> None:
    with TableTerminal() as terminal:
        # 4 KB each, unread: far more than a pty and the driver's queue of thirty writes hold.
        for _ in range(61):
            terminal.second += 1
            terminal.send("3h")
            ready, _, _ = select.select([terminal.alive], [], [], 60)
            assert ready, "the loop waits for the terminal"
            os.read(terminal.alive, 1)
        terminal.until("CrashLoop")
        terminal.until_quiet()
        assert sum("CrashLoop" in line for line in terminal.screen.display) == 44
        assert terminal.cost("3") <= 6_000


def test_leaving_gives_the_terminal_its_own_pen_back(terminal: TableTerminal) -> None:
    with terminal.window() as window:
        terminal.send("q")
        assert terminal.exit_code() == 0
    assert re.search(rb"\x1b\[0?m$", window.data)
