"""How the widgets look, held still: clock text, sizes and themes are fixed."""

from __future__ import annotations

from typing import Any, Protocol

import pytest
from textual.app import App, ComposeResult
from textual.containers import Grid

from widgets.bars import FooterBar, HeaderBar, PaneStrip, TimelineStrip
from widgets.live_table import LiveTable
from widgets.pane import Pane
from widgets.viewmodels import (
    BarVM,
    Column,
    Face,
    FooterVM,
    KeyHint,
    PaneStripVM,
    PaneVM,
    Row,
    Span,
    TableVM,
    Tone,
)

COLUMNS = (
    Column("state", "", 1),
    Column("name", "WORKLOAD", 18, weight=1),
    Column("ready", "READY", 6, right=True),
    Column("what", "WHAT", 20, weight=2, priority=1),
    Column("age", "AGE", 4, right=True),
)
ROWS = {
    row.key: row
    for row in (
        Row(
            "checkout",
            (
                Span("▲", Tone.CRIT),
                Span("payments/checkout", Tone.STRONG),
                Span("3/5"),
                Span("quota: cpu exceeded", Tone.CRIT),
                Span("14m"),
            ),
            details=((Span("rev 42 ← 41  v1.8.3   "), Span("deadline in 2m50s", Tone.WARN)),),
        ),
        Row(
            "cart",
            (
                Span("▲", Tone.CRIT),
                Span("shop/cart", Tone.STRONG),
                Span("0/3"),
                Span("CrashLoop exit 1, x7", Tone.CRIT),
                Span("6m"),
            ),
            details=((Span('rev 17 ← 16  v2.0.1   "no such column: vat"'),),),
        ),
        Row(
            "search",
            (Span("◆", Tone.WARN), Span("shop/検索サービス"), Span("4/5"), Span("updating 3 of 5"), Span("40s")),
        ),
        Row(
            "mail",
            (Span("·", Tone.MUTED), Span("shop/mail"), Span("2/2"), Span("recovered 2m ago"), Span("3d")),
            dimmed=True,
        ),
        Row("rest", (Span("·", Tone.MUTED), Span("211 healthy", Tone.MUTED))),
    )
}
ROLLOUTS = TableVM(
    COLUMNS, tuple(ROWS), ROWS.__getitem__, tall={"checkout": 1, "cart": 1}, sort=("state", True), empty="no workloads"
)
HEADER = BarVM(
    (
        (Span("◉ prod-eu-1 ", Tone.STRONG), Span("PROD", Tone.PROD)),
        (Span("live 2s"),),
        (Span("▲2 CRIT", Tone.CRIT), Span(" "), Span("◆3 WARN", Tone.WARN), Span(" ·1 pending")),
        (Span("RO", Tone.STRONG), Span(" (! arms)", Tone.MUTED)),
    ),
    ((Span("duty1@bastion-2"),), (Span("Sat 03:14:07Z"),)),
)
STRIP = PaneStripVM(
    (
        (Span("1", Tone.KEY), Span(" Rollouts", Tone.MUTED), Span(" 2▲", Tone.CRIT)),
        (Span("2", Tone.KEY), Span(" Alerts", Tone.MUTED), Span(" 5 ▲2", Tone.CRIT)),
        (Span("3", Tone.KEY), Span(" Costs", Tone.MUTED), Span(" ◆ $61/50", Tone.WARN)),
        (Span("4", Tone.KEY), Span(" Incidents", Tone.MUTED), Span(" P1 16m", Tone.CRIT)),
    )
)
TIMELINE = BarVM(
    (
        (Span("03:08 ", Tone.MUTED), Span("▲ CartDown", Tone.CRIT), Span(" firing")),
        (Span("02:58 ", Tone.MUTED), Span("↻ shop/cart rev 17  v2.0.0→v2.0.1  ci")),
        (Span("02:41 ", Tone.MUTED), Span("┄ nobody watched for 31m ┄")),
    )
)
FOOTER = FooterVM(
    (
        KeyHint("enter", "open"),
        KeyHint("X", "explain"),
        KeyHint("x", "actions"),
        KeyHint("R", "roll back", reason="read only"),
        KeyHint("/", "filter"),
        KeyHint(":", "go"),
        KeyHint("?", "help"),
    ),
    (Span("3 moved "), Span("o", Tone.KEY)),
)


class Deck(App[None]):
    """The widgets as a screen puts them together."""

    CSS = """
    Screen { layout: vertical; }
    Grid { grid-size: 2 2; height: 1fr; }
    .-small Grid { grid-size: 1 1; }
    .-small #others, PaneStrip { display: none; }
    .-small PaneStrip { display: block; }
    """

    def __init__(self, *, stale: bool = False, ascii_only: bool = False, small: bool = False) -> None:
        super().__init__()
        self.stale = stale
        self.set_class(ascii_only, "-ascii")
        self.set_class(small, "-small")

    def compose(self) -> ComposeResult:
        yield HeaderBar()
        yield PaneStrip()
        with Grid():
            with Pane(id="rollouts"):
                yield LiveTable()
            if not self.has_class("-small"):
                yield Pane(LiveTable(), id="alerts")
                yield Pane(LiveTable(), id="costs")
                yield Pane(LiveTable(), id="incidents")
        yield TimelineStrip()
        yield FooterBar()

    def on_mount(self) -> None:
        self.query_one(HeaderBar).set_vm(HEADER)
        self.query_one(PaneStrip).set_vm(STRIP)
        self.query_one(TimelineStrip).set_vm(TIMELINE)
        self.query_one(FooterBar).set_vm(FOOTER)
        table = self.query_one("#rollouts LiveTable", LiveTable)
        table.set_vm(ROLLOUTS)
        title = (Span("Rollouts ─ "), Span("2 of 214 need you", Tone.CRIT))
        self.query_one("#rollouts", Pane).set_vm(
            PaneVM(
                "1",
                title,
                (Span("as of 03:13:50", Tone.WARN),),
                Face.FAILED,
                "API server not answering since 03:13:52 (15 s); rows are as of 03:13:50",
            )
            if self.stale
            else PaneVM("1", title, (Span("live 2s"),))
        )
        for pane in self.query(Pane):
            if pane.id == "alerts":
                pane.set_vm(
                    PaneVM("2", (Span("Alerts"),), face=Face.WAITING, message="waiting for alertmanager-0:9093")
                )
            elif pane.id == "costs":
                pane.set_vm(
                    PaneVM(
                        "3",
                        (Span("Costs"),),
                        face=Face.NOT_CONFIGURED,
                        message="not configured: add [costs] to the config",
                    )
                )
            elif pane.id == "incidents":
                pane.set_vm(
                    PaneVM(
                        "4", (Span("Incidents"),), face=Face.FAILED, message="pagerduty answers 401: the token expired"
                    )
                )
        table.focus()
        table.action_cursor_down()
        table._view.cursor.painted()
        table.action_mark()


class Compare(Protocol):
    """The fixture of pytest-textual-snapshot."""

    def __call__(self, app: App[Any], *, terminal_size: tuple[int, int]) -> bool: ...


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"small": True}, (80, 24)),
        ({}, (120, 40)),
        ({}, (160, 48)),
        ({"stale": True}, (120, 30)),
        ({"ascii_only": True}, (120, 30)),
        ({"small": True, "stale": True}, (40, 16)),
    ],
    ids=["80x24", "120x40", "160x48", "stale", "ascii", "40x16"],
)
def test_deck(snap_compare: Compare, options: dict[str, bool], size: tuple[int, int]) -> None:
    assert snap_compare(Deck(**options), terminal_size=size)


def test_deck_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(Deck(), terminal_size=(120, 30))
