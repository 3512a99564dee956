"""A pane's frame and faces: rows stay, dimmed; there is always a sentence; an equal frame paints nothing."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from widgets.live_table import LiveTable
from widgets.pane import Pane, PaneSentence
from widgets.viewmodels import Column, Face, PaneVM, Row, Span, TableVM

COLUMNS = (Column("name", "NAME", 8, weight=1),)
TITLE = (Span("Rollouts"),)


class WatchedPane(Pane):
    def __init__(self, *children: LiveTable) -> None:
        super().__init__(*children)
        self.refreshed: list[Region] = []

    def refresh(self, *regions: Region, **options: bool) -> WatchedPane:
        self.refreshed.extend(regions)
        return super().refresh(*regions, **options)


class PaneApp(App[None]):
    def __init__(self, classes: str = "") -> None:
        super().__init__()
        self.table = LiveTable()
        self.pane = WatchedPane(self.table)
        self.add_class(*classes.split())

    def compose(self) -> ComposeResult:
        yield self.pane

    @property
    def text(self) -> list[str]:
        return [strip.text for strip in self.screen._compositor.render_strips()]


def rows(order: str) -> TableVM:
    return TableVM(COLUMNS, order, lambda key: Row(key, (Span(f"row {key}"),)), empty="no workloads")


async def test_the_edge_holds_title_and_freshness() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.table.set_vm(rows("ab"))
        app.pane.set_vm(PaneVM("1", TITLE, (Span("as of 03:13:50"),)))
        await pilot.pause()
        assert app.text[0] == "╭ 1 Rollouts ────────── as of 03:13:50 ╮"
        assert app.text[-1] == "╰" + "─" * 38 + "╯"
        assert app.text[2] == "│row a" + " " * 33 + "│"


async def test_ascii_all_around() -> None:
    app = PaneApp("-ascii")
    async with app.run_test(size=(40, 6)) as pilot:
        app.table.set_vm(rows("ab"))
        app.pane.set_vm(PaneVM("1", TITLE))
        await pilot.pause()
        assert "".join(app.text).isascii()


@pytest.mark.parametrize(
    ("face", "shape"), [(Face.WAITING, "·"), (Face.FAILED, "✕"), (Face.NOT_CONFIGURED, "·")], ids=str
)
async def test_no_data_says_why_in_a_sentence(face: Face, shape: str) -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 8)) as pilot:
        app.pane.set_vm(PaneVM("3", TITLE, face=face, message="prometheus does not answer; trying again at 03:15:00"))
        await pilot.pause()
        assert app.text[1] == f"│{shape} prometheus does not answer; trying".ljust(39) + "│"
        assert app.text[2] == "│  again at 03:15:00".ljust(39) + "│"
        assert "no workloads" not in "".join(app.text)


async def test_rows_stay_below_the_sentence_dimmed_and_come_back() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 8)) as pilot:
        app.table.set_vm(rows("ab"))
        app.pane.set_vm(PaneVM("1", TITLE))
        await pilot.pause()
        fresh = app.table.render_line(1)
        app.pane.set_vm(PaneVM("1", TITLE, face=Face.FAILED, message="the API server does not answer"))
        await pilot.pause()
        assert "does not answer" in app.text[1]
        assert "row a" in app.text[3]
        stale = app.table.render_line(1)
        assert stale.text == fresh.text
        assert next(iter(stale)).style != next(iter(fresh)).style
        assert not next(iter(stale)).style.dim
        app.pane.set_vm(PaneVM("1", TITLE))
        await pilot.pause()
        assert "row a" in app.text[2]
        assert app.table.render_line(1) == fresh


async def test_first_rows_under_a_failed_face_are_shown() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 8)) as pilot:
        app.pane.set_vm(PaneVM("1", TITLE, face=Face.WAITING, message="waiting for the API server"))
        await pilot.pause()
        assert not app.table.display
        app.table.set_vm(rows("a"))
        await pilot.pause()
        assert "row a" in "".join(app.text)


async def test_an_equal_frame_paints_nothing_and_a_changed_one_its_changed_cells() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.pane.set_vm(PaneVM("1", TITLE, (Span("live 2s"),)))
        await pilot.pause()
        app.pane.refreshed.clear()
        app.pane.set_vm(PaneVM("1", TITLE, (Span("live 2s"),)))
        assert app.pane.refreshed == []
        app.pane.set_vm(PaneVM("1", TITLE, (Span("live 3s"),)))
        assert app.pane.refreshed == [Region(35, -1, 1, 1)]
        await pilot.pause()
        assert "live 3s" in app.text[0]


async def test_loading_is_a_sentence_never_an_animation() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.pane.loading = True
        await pilot.pause()
        assert app.query(PaneSentence)
        assert not app.query("LoadingIndicator")
        assert all(widget.auto_refresh is None for widget in app.query("*"))


async def test_focus_shows_in_the_frame() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.table.set_vm(rows("a"))
        await pilot.pause()
        app.screen.set_focus(None)
        await pilot.pause()
        blurred = app.screen._compositor.render_strips()[0]
        app.table.focus()
        await pilot.pause()
        focused = app.screen._compositor.render_strips()[0]
        assert focused.text == blurred.text
        assert focused != blurred
