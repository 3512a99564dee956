"""What the whole console writes while nothing happens and for one changed pod: bytes at 160x48, true colour."""

from __future__ import annotations

import os
import re
import sys

import pytest

from tests.budgets.pty import TRUECOLOR, Terminal

TICK = 60
"""Most bytes of a second passing on the header's clock."""


class SceneTerminal(Terminal):
    """The console on the scene, a minute on, where no age is young enough to count seconds; `cost` directs it."""

    def __init__(self, view: str) -> None:
        theirs, self._pipe = os.pipe()
        words = [sys.executable, "-m", "tests.budgets.scene_app", str(theirs), view]
        super().__init__(words, environment=TRUECOLOR, pass_fds=[theirs])
        os.close(theirs)
        self._second = 7
        self.until("03:14:07")
        self.until("checkout")
        self.until_quiet()
        os.write(self._pipe, b"m")
        self.until("03:15:07")
        self.until_quiet()
        self.cost("")  # what is left of the first frames on a busy machine

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        os.close(self._pipe)

    def cost(self, orders: str) -> int:
        """Give orders and let a second pass; return the bytes until its tick is on screen and nothing follows."""
        self._second += 1
        with self.window() as window:
            os.write(self._pipe, f"{orders}+".encode())
            self.until(f"03:15:{self._second:02}")
            self.until_quiet()
        return window.count


@pytest.mark.parametrize("view", ["deck", "pods"])
def test_a_screen_at_rest_writes_its_clock_and_nothing_beside(view: str) -> None:
    with SceneTerminal(view) as terminal:
        ticks = [terminal.cost("") for _ in range(3)]
        looked = [terminal.cost("t" * 10) for _ in range(3)]
    assert min(ticks) > 0
    assert max(ticks) <= TICK, ticks
    assert max(looked) <= TICK, looked


def test_one_changed_pod_writes_one_cell() -> None:
    with SceneTerminal("pods") as terminal:
        quiet = terminal.cost("")
        costs = [terminal.cost("r") - quiet for _ in range(3)]
        assert re.search(r" 3 ", terminal.text)
    assert min(costs) > 0, "the pod did not change on screen"
    assert max(costs) <= 70, costs
