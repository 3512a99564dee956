"""A table with a bar below it on a real terminal; keys make the changes whose cost the budgets count.

Arguments: the number of rows; a file descriptor to write a byte to after the next paint for the key `h`; "churn" for
1,000 changes a second, handed over ten times a second.
"""

from __future__ import annotations

import os
import sys
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from widgets.bars import HeaderBar
from widgets.frugal_app import FrugalApp
from widgets.live_table import LiveTable
from widgets.pane import Pane
from widgets.viewmodels import BarVM, Column, PaneVM, Row, Span, TableVM, Tone

COLUMNS = (
    Column("state", "", 1),
    Column("name", "WORKLOAD", 24, weight=2),
    Column("ready", "READY", 7, right=True),
    Column("up", "UP", 5, right=True, priority=2),
    Column("image", "IMAGE", 16, priority=2),
    Column("what", "WHAT", 24, weight=3, priority=1),
    Column("node", "NODE", 10, priority=3),
    Column("age", "AGE", 5, right=True),
)


class TableApp(FrugalApp[None]):
    """Ten thousand rows; every key below changes something."""

    CSS = """
    HeaderBar { dock: bottom; }
    Screen { layers: default over; }
    .over { layer: over; dock: bottom; height: 1; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"make('{change}')")
            for key, change in {
                "1": "one",
                "2": "offscreen",
                "3": "all",
                "4": "tick",
                "5": "same",
                "6": "reorder",
                "7": "ready",
                "8": "insert",
                "9": "remove",
                "0": "tick_at_once",
                "c": "cover",
                "h": "alive",
                "q": "leave",
            }.items()
        ),
        Binding("j", "table('cursor_down')"),
        Binding("k", "table('cursor_up')"),
        Binding("G", "table('bottom')"),
        Binding("g", "table('top')"),
    ]

    def __init__(self, size: int = 10_000, alive: int = -1, churns: bool = False) -> None:
        super().__init__()
        self.alive = alive
        self.asked = False
        self.churns = churns
        self.order = [f"k{index}" for index in range(size)]
        self.ready: dict[str, int] = {}
        self.failing: frozenset[str] = frozenset()
        self.second = 7

    def compose(self) -> ComposeResult:
        yield HeaderBar()
        with Pane():
            yield LiveTable()

    def on_mount(self) -> None:
        self.animation_level = "none"
        self.show_clock(self.second)
        self.query_one(Pane).set_vm(PaneVM("1", (Span("Rollouts"),), (Span("live 2s"),)))
        self.show()
        if self.churns:
            self.set_interval(0.1, self.churn)

    def churn(self) -> None:
        """Change 100 rows, five of them on screen, none near the top where the cursor is."""
        some = [*range(25, 30), *(100 + self.second * 95 % (len(self.order) - 200) + index for index in range(95))]
        self.second += 1
        keys = frozenset(f"k{index}" for index in some)
        for key in keys:
            self.ready[key] = (self.ready.get(key, 3) + 1) % 6
        self.show(keys)

    def row(self, key: str) -> Row:
        index = int(key[1:])
        bad = key in self.failing
        return Row(
            key,
            (
                Span("▲" if bad else "·", Tone.CRIT if bad else Tone.MUTED),
                Span(f"payments/checkout-{index}", Tone.STRONG if bad else Tone.PLAIN),
                Span(f"{self.ready.get(key, 3)}/5"),
                Span(f"{index % 7}"),
                Span(f"v1.{index % 9}.{index % 11}"),
                Span("CrashLoop exit 1" if bad else "ok", Tone.CRIT if bad else Tone.MUTED),
                Span(f"node-{index % 40:03}"),
                Span(f"{index % 60}m"),
            ),
        )

    def show(self, changed: frozenset[str] | None = None) -> None:
        self.query_one(LiveTable).set_vm(TableVM(COLUMNS, self.order, self.row, sort=("state", True)), changed)

    def show_clock(self, second: int, *, at_once: bool = False) -> None:
        self.second = second
        self.query_one(HeaderBar).set_vm(
            BarVM(
                ((Span("◉ prod-eu-1 ", Tone.STRONG), Span("PROD", Tone.PROD)), (Span("live 2s"),)),
                ((Span("duty1@bastion-2"),), (Span(f"Sat 03:14:{self.second:02}Z"),)),
            ),
            at_once=at_once,
        )

    def post_display_hook(self) -> None:
        """Say that the loop is past painting."""
        if self.asked:
            self.asked = False
            os.write(self.alive, b".")

    def action_table(self, name: str) -> None:
        getattr(self.query_one(LiveTable), f"action_{name}")()

    def action_make(self, change: str) -> None:
        if change == "leave":
            self.exit()
            return
        if change == "alive":
            self.asked = True
            self.show_clock(self.second + 1)
            return
        if change in ("tick", "tick_at_once"):
            self.show_clock(self.second + 1, at_once=change == "tick_at_once")
            return
        if change == "cover":
            self.mount(Static("covered", classes="over"))
            return
        self.show(getattr(self, f"make_{change}")())

    def make_one(self) -> frozenset[str]:
        self.failing ^= {"k5"}
        return frozenset({"k5"})

    def make_ready(self) -> frozenset[str]:
        self.ready["k7"] = self.ready.get("k7", 3) + 1
        return frozenset({"k7"})

    def make_offscreen(self) -> frozenset[str]:
        self.failing ^= {"k5000"}
        return frozenset({"k5000"})

    def make_all(self) -> None:
        self.failing = frozenset() if self.failing else frozenset(self.order)

    def make_same(self) -> None:
        return

    def make_reorder(self) -> frozenset[str]:
        self.order = [*self.order[1:], self.order[0]]
        return frozenset()

    def make_remove(self) -> frozenset[str]:
        self.order = self.order[1:]
        return frozenset()

    def make_insert(self) -> frozenset[str]:
        self.order = [f"k{len(self.order)}", *self.order]
        return frozenset()


if __name__ == "__main__":
    TableApp(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["churn"]).run()
