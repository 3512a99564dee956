"""The filter line: every change told, nothing lost, nothing blinking."""

from __future__ import annotations

import pytest
from textual.events import Paste
from textual.widgets import Input

from tests.fixtures.text_widgets import HOSTILE, Stage
from widgets.prompt import FilterBar, printable
from widgets.text_view import TextView


class FilterStage(Stage):
    def __init__(self, *, plain: bool = False) -> None:
        self.bar = FilterBar()
        self.below = TextView()
        super().__init__(self.below, self.bar, plain=plain)
        self.told: list[tuple[str, str]] = []

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        self.told.append(("changed", message.text))

    def on_filter_bar_submitted(self, message: FilterBar.Submitted) -> None:
        self.told.append(("submitted", message.text))
        self.bar.close()
        self.below.focus()

    def on_filter_bar_cancelled(self) -> None:
        self.told.append(("cancelled", ""))
        self.bar.close()
        self.below.focus()


async def test_tells_each_change_and_how_it_was_left() -> None:
    app = FilterStage()
    async with app.run_test(size=(80, 24)) as pilot:
        assert not app.bar.display
        app.bar.open()
        await pilot.press("a", "b", "backspace", "enter")
        await pilot.pause()
        assert app.told == [("changed", "a"), ("changed", "ab"), ("changed", "a"), ("submitted", "a")]
        assert not app.bar.display
        app.bar.open("a")
        await pilot.press("b", "escape")
        await pilot.pause()
        assert app.told[4:] == [("changed", "ab"), ("cancelled", "")]
        assert app.unused == []


async def test_a_wrong_pattern_is_said_beside_the_text() -> None:
    app = FilterStage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.bar.open()
        await pilot.press(*"a(b")
        app.bar.set_error("missing ), unterminated subpattern at character 2 [/]")
        await pilot.pause()
        assert "/a(b" in app.lines()[23]
        assert "at character 2 [/]" in app.lines()[23]
        app.bar.set_error("x" * 300)
        await pilot.pause()
        assert "/a(b" in app.lines()[23], "the text stays in sight"
        app.bar.set_error("")
        await pilot.pause()
        assert "x" not in app.lines()[23]


async def test_walks_what_was_typed_before() -> None:
    app = FilterStage()
    async with app.run_test(size=(80, 24)) as pilot:
        for text in ("one", "two"):
            app.bar.open()
            await pilot.press(*text, "enter")
        app.bar.open("three")
        await pilot.press("up")
        assert app.bar.text == "two"
        await pilot.press("up", "up", "down")
        assert app.bar.text == "two"
        await pilot.press("down")
        assert app.bar.text == ""


async def test_the_cursor_does_not_blink() -> None:
    app = FilterStage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.bar.open()
        await pilot.pause()
        assert app.focused is app.bar.query_one(Input)
        assert app.bar.query_one(Input).cursor_blink is False


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_is_pasted_can_be_printed(text: str) -> None:
    app = FilterStage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.bar.open()
        await pilot.pause()
        app.post_message(Paste(text + "\x1b]52;c;eA==\x07\r\nsecond"))
        await pilot.pause()
        assert app.bar.text.isprintable() or not app.bar.text
        assert "\x1b" not in app.text()
        assert len(app.bar.text) <= 500


@pytest.mark.parametrize(
    ("pasted", "line"),
    [("a\tb", "a b"), ("\n\n one\ntwo", " one"), ("", ""), ("a\u202eb", "ab"), ("x" * 900, "x" * 500)],
)
def test_the_first_line_of_what_can_be_printed(pasted: str, line: str) -> None:
    assert printable(pasted) == line
