"""The table in a running app: what is painted, what a key press acts on, and what repaints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip

from widgets.live_table import LiveTable
from widgets.viewmodels import Column, Row, Span, TableVM, Tone

COLUMNS = (Column("name", "NAME", 8), Column("n", "N", 4, right=True), Column("what", "WHAT", 10, weight=1))


class WatchedTable(LiveTable):
    """Remembers what was painted on each line, and which regions were asked to be."""

    def __init__(self) -> None:
        super().__init__()
        self.painted: dict[int, Strip] = {}
        self.refreshed: list[Region] = []

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        self.painted[y] = strip
        return strip

    def refresh(self, *regions: Region, **options: bool) -> WatchedTable:
        self.refreshed.extend(regions)
        return super().refresh(*regions, **options)

    @property
    def lit(self) -> str | None:
        """The first word of the painted line that is highlighted."""
        backgrounds = {y: next(iter(strip)).style.bgcolor for y, strip in self.painted.items() if y < self.size.height}
        lit = [y for y, background in backgrounds.items() if background != backgrounds[0]]
        assert len(lit) <= 1
        return self.painted[lit[0]].text.split()[0] if lit else None


class TableApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.table = WatchedTable()
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_live_table_opened(self, message: LiveTable.Opened) -> None:
        self.heard.append(("opened", message.key))

    def on_live_table_cursor_moved(self, message: LiveTable.CursorMoved) -> None:
        self.heard.append(("moved", message.key, message.lost))

    def on_live_table_marked(self, message: LiveTable.Marked) -> None:
        self.heard.append(("marked", set(message.keys)))


def vm(
    order: str | list[str],
    values: Callable[[str], str] = lambda key: "1",
    identity: Callable[[str], str] = lambda key: "",
) -> TableVM:
    def row(key: str) -> Row:
        return Row(key, (Span(key), Span(values(key)), Span("steady")), identity=identity(key))

    return TableVM(COLUMNS, list(order), row)


async def test_keys_move_open_and_mark_by_key() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 6)) as pilot:
        app.table.set_vm(vm("abcdefgh"))
        app.table.focus()
        await pilot.pause()
        app.heard.clear()
        await pilot.press("down", "down")
        app.table.action_mark()
        app.table.set_vm(vm("hgfedcba"))
        await pilot.pause()
        app.table.action_open()
        await pilot.press("home")
        await pilot.pause()
    assert app.heard == [
        ("moved", "b", None),
        ("moved", "c", None),
        ("marked", {"c"}),
        ("opened", "c"),
        ("moved", "h", None),
    ]


async def test_a_row_that_goes_away_is_told_and_its_mark_goes_too() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 6)) as pilot:
        app.table.set_vm(vm("abc"))
        app.table.focus()
        await pilot.press("down")
        app.table.action_mark()
        await pilot.pause()
        app.heard.clear()
        app.table.set_vm(vm("ac"))
        await pilot.pause()
        assert app.table.cursor_lost == "b"
    assert app.heard == [("moved", "c", "b"), ("marked", set())]


async def test_a_key_pressed_before_the_repaint_acts_on_what_was_seen() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 6)) as pilot:
        app.table.set_vm(vm("abc"))
        app.table.focus()
        await pilot.pause()
        app.heard.clear()
        app.table.set_vm(vm("bc"))
        app.table.action_open()
        await pilot.pause()
        assert app.table.lit == "b"
        app.table.action_open()
        await pilot.pause()
    assert [message for message in app.heard if message[0] == "opened"] == [("opened", "a"), ("opened", "b")]


OPERATION = st.one_of(
    st.tuples(st.just("show"), st.lists(st.sampled_from("abcdefghij"), unique=True)),
    st.tuples(st.just("press"), st.sampled_from(["cursor_down", "cursor_up", "page_down", "page_up", "top", "bottom"])),
    st.tuples(st.just("paint"), st.none()),
    st.tuples(st.just("open"), st.none()),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(OPERATION, max_size=15))
def test_what_is_opened_is_what_is_painted_under_the_cursor(operations: list[tuple[str, object]]) -> None:
    """Or what the operator moved to since; nothing is opened that was never seen or chosen."""

    async def run() -> None:
        app = TableApp()
        async with app.run_test(size=(30, 5)) as pilot:
            app.table.set_vm(vm("abcdefghij"))
            app.table.focus()
            await pilot.pause()
            chosen: str | None = None
            for what, value in operations:
                if what == "show":
                    app.table.set_vm(vm(list(value)))  # type: ignore[call-overload]
                elif what == "press":
                    getattr(app.table, f"action_{value}")()
                    chosen = app.table.cursor_key or chosen
                elif what == "paint":
                    await pilot.pause()
                    chosen = None
                else:
                    expected = chosen or app.table.lit
                    app.heard.clear()
                    app.table.action_open()
                    assert app.table.target_key == expected

    asyncio.run(run())


async def test_a_changed_cell_repaints_that_cell_and_nothing_else() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 6)) as pilot:
        values = {"b": "1"}
        app.table.set_vm(vm("abc", lambda key: values.get(key, "1")))
        app.table.focus()
        await pilot.pause()
        app.table.refreshed.clear()
        values["b"] = "7"
        app.table.set_vm(vm("abc", lambda key: values.get(key, "1")), frozenset("b"))
        assert app.table.refreshed == [Region(12, 2, 1, 1)]


@pytest.mark.parametrize("changed", [None, frozenset(), frozenset("abc"), frozenset("z")])
async def test_equal_rows_repaint_nothing(changed: frozenset[str] | None) -> None:
    app = TableApp()
    async with app.run_test(size=(30, 6)) as pilot:
        app.table.set_vm(vm("abc"))
        app.table.focus()
        await pilot.pause()
        app.table.refreshed.clear()
        app.table.set_vm(vm("abc"), changed)
        assert app.table.refreshed == []


async def test_a_move_repaints_the_two_lines_of_it() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 9)) as pilot:
        app.table.set_vm(vm("abcdef"))
        app.table.focus()
        await pilot.press("down")
        await pilot.pause()
        app.table.refreshed.clear()
        app.table.action_cursor_down()
        assert {region.y for region in app.table.refreshed} == {2, 3}


async def test_the_cursor_is_shown_where_keys_go_only() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 6)) as pilot:
        app.table.set_vm(vm("abc"))
        app.table.focus()
        await pilot.pause()
        assert app.table.lit == "a"
        app.screen.set_focus(None)
        await pilot.pause()
        assert app.table.lit is None


async def test_another_theme_repaints_in_its_colours() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 6)) as pilot:
        app.table.set_vm(TableVM(COLUMNS, ["a"], lambda key: Row(key, (Span("a", Tone.CRIT),))))
        await pilot.pause()
        before = next(iter(app.table.painted[1])).style
        app.theme = "textual-light"
        await pilot.pause()
        assert next(iter(app.table.painted[1])).style != before


async def test_a_resize_keeps_the_cursor_in_sight() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 12)) as pilot:
        app.table.set_vm(vm("abcdefghijkl"))
        app.table.focus()
        await pilot.press("end")
        await pilot.resize_terminal(24, 5)
        await pilot.pause()
        assert app.table.lit == "l"
        assert app.table.visible_keys == tuple("ijkl")


async def test_a_row_that_was_made_anew_is_another_thing_once_it_is_painted() -> None:
    app = TableApp()
    async with app.run_test(size=(30, 6)) as pilot:
        born = {"a": "1"}

        def again() -> TableVM:
            return vm("abc", lambda key: born.get(key, "1"), lambda key: f"{key}-{born.get(key, '1')}")

        app.table.set_vm(again())
        app.table.focus()
        await pilot.pause()
        assert app.table.target_identity == "a-1"
        born["a"] = "2"
        app.table.set_vm(again())
        assert app.table.target_identity == "a-1", "what was seen is the one before"
        await pilot.pause()
        assert app.table.target_identity == "a-2"
