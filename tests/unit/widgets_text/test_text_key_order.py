"""Keys that arrive at once mean what they would have meant one after the other."""

from __future__ import annotations

import asyncio

import pytest
from textual import events
from textual.binding import Binding
from textual.widget import Widget

from tests.fixtures.text_widgets import BELOW, Clock, Stage
from widgets import key_order
from widgets.dialog import ConfirmDialog
from widgets.key_order import OrderedKeys
from widgets.palette import Palette
from widgets.prompt import FilterBar
from widgets.text_view import TextView
from widgets.viewmodels import Choice, Span, TextVM


class OrderedStage(OrderedKeys[None], Stage):
    """A stage whose letters are commands, as a table's are."""

    BINDINGS = [  # noqa: RUF012
        Binding("slash", "open", show=False),
        Binding("colon", "palette", show=False),
        Binding("X", "confirm", show=False),
        *(Binding(letter, f"note('{letter}')", show=False) for letter in "abcdefhioprstuvwxyz"),
    ]

    def __init__(self, *widgets: Widget) -> None:
        self.bar = FilterBar()
        self.view = TextView(TextVM((), BELOW))
        self.clock = Clock()
        super().__init__(*widgets, self.view, self.bar)

    def action_open(self) -> None:
        self.bar.open()

    def action_palette(self) -> None:
        self.push_screen(Palette([Choice("pods", "pods")]), self.answers.append)

    def action_confirm(self) -> None:
        dialog = ConfirmDialog((Span("Sure?"),), (), key="R", label="Do it", clock=self.clock)
        self.push_screen(dialog, self.answers.append)

    def on_filter_bar_submitted(self) -> None:
        self.bar.close()
        self.view.focus()


async def answered(app: OrderedStage) -> None:
    """Wait until no key is under way."""
    for _ in range(1_000):
        await asyncio.sleep(0)
        if not app._key_under_way and not app._waiting and not app.message_queue_size:
            return
    pytest.fail("a key was never answered")


async def test_a_filter_typed_in_one_burst() -> None:
    app = OrderedStage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.view.focus()
        await pilot.pause()
        app.type_ahead("slash", *"crash", "enter", "c", "slash", *"ed")
        await pilot.pause()
        await answered(app)
        await pilot.pause()
        assert (app.bar.text, app.unused) == ("ed", ["c"])
        assert app.bar.history.entries == ("crash",)


async def test_a_palette_typed_in_one_burst() -> None:
    app = OrderedStage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.type_ahead("colon", *"shop x", "enter", "s")
        for _ in range(5):
            await pilot.pause()
            await answered(app)
        assert (app.answers, app.unused) == (["shop x"], ["s"])


async def test_a_burst_confirms_nothing() -> None:
    app = OrderedStage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.type_ahead("X", "R", "R", "enter", "s")
        for _ in range(5):
            await pilot.pause()
            await answered(app)
        assert (app.answers, app.unused) == ([False], ["s"])


async def test_pasted_text_waits_for_its_turn() -> None:
    app = OrderedStage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.view.focus()
        await pilot.pause()
        app.type_ahead("slash")
        app.post_message(events.Paste("crash"))
        await pilot.pause()
        await answered(app)
        await pilot.pause()
        assert (app.bar.text, app.unused) == ("crash", [])


async def test_a_widget_that_goes_with_its_key_holds_nothing_up() -> None:
    class Leaving(Widget, can_focus=True):
        async def on_key(self) -> None:
            self.remove()

    leaving = Leaving()
    app = OrderedStage(leaving)
    async with app.run_test(size=(60, 12)) as pilot:
        leaving.focus()
        await pilot.pause()
        app.type_ahead("c", "d")
        await pilot.pause()
        await answered(app)
        await pilot.pause()
        assert app.unused[-1] == "d"


async def test_a_widget_that_never_answers_holds_keys_up_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_order, "PATIENCE", 0.01)
    noted, released = asyncio.Event(), asyncio.Event()

    class Stuck(Widget, can_focus=True):
        async def on_key(self, event: events.Key) -> None:
            event.stop()
            await released.wait()

    class Noting(OrderedStage):
        def action_note(self, key: str) -> None:
            super().action_note(key)
            noted.set()

    stuck = Stuck()
    app = Noting(stuck)
    async with app.run_test(size=(60, 12)) as pilot:
        stuck.focus()
        await pilot.pause()
        app.post_message(events.Key("c", "c"))
        app.call_later(app.view.focus)
        app.post_message(events.Key("d", "d"))
        await asyncio.wait_for(noted.wait(), 30)
        assert app.unused == ["d"]
        released.set()
