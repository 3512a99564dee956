"""Dialogs: the right key answers, the wrong one does nothing, and none of them reaches the screen below."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.screen import Screen

from tests.fixtures.text_widgets import HOSTILE, Clock, Stage
from widgets.dialog import ChoiceMenu, ConfirmDialog, CopyDialog, MessageDialog, TextDialog
from widgets.help_layout import balanced, help_lines
from widgets.help_screen import HelpScreen
from widgets.ink import line_cells
from widgets.viewmodels import Choice, HelpEntry, HelpSection, KeyHint, Span, Tone

TITLE = (Span("Roll back shop/cart", Tone.STRONG),)
LINES = ((Span("from  rev 17   v2.0.1   0 of 3 ready"),), (Span("to    rev 16   v2.0.0"),))
ACTIONS = (
    Choice("roll-back", "Roll back", "rev 17 to 16", "R"),
    Choice("restart", "Restart", "", "B", "would not help: the same image"),
    Choice("logs", "Logs", "", "j"),
)
SECTIONS = (
    HelpSection("Move", tuple(HelpEntry(key, "move", f"move with {key}") for key in "jkgG")),
    HelpSection("Find", (HelpEntry("/", "filter", "filter: text, !not, app=label, is:crit, ns:shop"),)),
    HelpSection("Empty", ()),
)


def confirm(clock: Clock) -> ConfirmDialog:
    return ConfirmDialog(TITLE, LINES, key="R", label="Roll back", clock=clock)


@pytest.mark.parametrize("key", ["enter", "escape", "q"])
async def test_confirm_answers_no(key: str) -> None:
    clock, app = Clock(), Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(confirm(clock), app.answers.append)
        await pilot.pause()
        clock.at += 10
        await pilot.press(key)
        await pilot.pause()
        assert (app.answers, app.unused) == ([False], [])


async def test_the_confirm_key_is_dead_for_600_ms() -> None:
    clock, app = Clock(), Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(confirm(clock), app.answers.append)
        await pilot.pause()
        await pilot.press("R")
        clock.at += 0.599
        await pilot.press("R", "R")
        assert (app.answers, app.unused) == ([], [])
        clock.at += 0.001
        await pilot.press("r", "y", "space", "x", "1")
        assert app.answers == [], "only the key as it is printed"
        await pilot.press("R")
        await pilot.pause()
        assert (app.answers, app.unused) == ([True], [])


async def test_what_is_typed_ahead_cannot_confirm() -> None:
    clock, app = Clock(), Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(confirm(clock), app.answers.append)
        app.type_ahead("R", "R", "R")
        await pilot.pause()
        await pilot.pause()
        assert (app.answers, app.unused) == ([], [])
        app.type_ahead("enter", "R")
        await pilot.pause()
        await pilot.pause()
        assert app.answers == [False]
        assert app.unused in ([], ["R"]), "a key after the answer may reach the screen below, the answer never"


async def test_the_time_runs_from_when_it_can_be_seen() -> None:
    clock, app = Clock(), Stage()
    dialog = confirm(clock)
    clock.at += 100
    assert not dialog.armed, "a dialog that was not painted is never live"
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(dialog, app.answers.append)
        await pilot.pause()
        await pilot.press("R")
        assert app.answers == []


async def test_confirm_shows_cancel_and_its_one_key() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(confirm(Clock()), app.answers.append)
        await pilot.pause()
        answers = next(line for line in app.lines() if "[ Cancel ]" in line)
        assert answers.rstrip(" │b").endswith("R Roll back")


async def test_a_message_is_closed_or_answered_by_its_keys() -> None:
    app = Stage()
    keys = (KeyHint("r", "retry"), KeyHint("d", "details", "nothing more is known"))
    async with app.run_test(size=(80, 24)) as pilot:
        for pressed in (["enter"], ["escape"], ["r"], ["d", "q"]):
            app.push_screen(MessageDialog(TITLE, LINES, keys), app.answers.append)
            await pilot.pause()
            await pilot.press(pressed[0])
            await pilot.pause()
            if len(pressed) > 1:
                assert "details: nothing more is known" in app.text()
                await pilot.press(*pressed[1:])
                await pilot.pause()
        assert (app.answers, app.unused) == ([None, None, "r", None], [])


async def test_a_long_message_scrolls_in_a_small_terminal() -> None:
    app = Stage()
    async with app.run_test(size=(40, 10)) as pilot:
        app.push_screen(TextDialog(TITLE, [(Span(f"line {number}"),) for number in range(50)]), app.answers.append)
        await pilot.press("G")
        await pilot.pause()
        assert "line 49" in app.text()
        assert "esc" in app.text()
        await pilot.press("q")
        assert app.answers == [None]


async def test_copy_shows_the_text_with_nothing_beside_it() -> None:
    app = Stage()
    command = "kubectl --context prod-eu-1 -n shop rollout undo deployment/cart --to-revision=16 --dry-run=server"
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(CopyDialog(command), app.answers.append)
        await pilot.pause()
        shown = [line.rstrip() for line in app.lines()]
        row = next(number for number, line in enumerate(shown) if line.startswith("kubectl"))
        assert shown[row] + shown[row + 1] == command
        assert "sent to the terminal" in shown[row - 1]
        await pilot.press("enter")
        assert app.unused == []


MENU_ANSWERS: tuple[tuple[list[str], str | None], ...] = (
    (["R"], "roll-back"),
    (["enter"], "roll-back"),
    (["down", "down", "enter"], "logs"),
    (["j"], "logs"),
    (["B", "escape"], None),
    (["down", "enter", "q"], None),
    (["G", "up", "up", "up", "enter"], "roll-back"),
)


async def test_a_menu_answers() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        for keys, answer in MENU_ANSWERS:
            app.push_screen(ChoiceMenu(TITLE, ACTIONS), app.answers.append)
            await pilot.press(*keys)
            await pilot.pause()
            assert (keys, app.answers.pop()) == (keys, answer)
        assert (app.answers, app.unused) == ([], [])


async def test_a_menu_opens_on_what_is_chosen_and_says_why_not() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ChoiceMenu(TITLE, ACTIONS, chosen="restart"), app.answers.append)
        await pilot.press("enter")
        await pilot.pause()
        assert "Restart: would not help: the same image" in app.text()
        assert app.answers == []


async def test_help_is_searched_and_closed() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = HelpScreen((Span("Keys"),), SECTIONS)
        app.push_screen(screen, app.answers.append)
        await pilot.pause()
        assert "Find" in app.text()
        assert "Empty" not in app.text()
        await pilot.press("/", *"label", "enter")
        await pilot.pause()
        assert screen.text.state.matches == 1
        await pilot.press("escape")
        assert screen.text.search is None
        await pilot.press("?")
        await pilot.pause()
        assert app.answers == [None]


@given(
    heights=st.lists(st.integers(1, 20), max_size=10),
    columns=st.integers(1, 4),
)
def test_columns_are_filled_in_order_and_as_evenly_as_can_be(heights: list[int], columns: int) -> None:
    stacks = balanced(heights, columns)
    assert [place for stack in stacks for place in stack] == list(range(len(heights)))
    assert len(stacks) <= columns
    highest = max((sum(heights[place] for place in stack) for stack in stacks), default=0)
    assert highest == _lowest(heights, columns)


def _lowest(heights: list[int], columns: int) -> int:
    """Return the height of the best arrangement, by trying where the first column ends."""
    if columns == 1 or len(heights) <= 1:
        return sum(heights)
    return min(max(sum(heights[:end]), _lowest(heights[end:], columns - 1)) for end in range(1, len(heights) + 1))


@given(width=st.integers(1, 200))
def test_help_fits_its_width_and_leaves_nothing_out(width: int) -> None:
    lines = help_lines(SECTIONS, width)
    assert all(line_cells(line) <= max(width, 12) for line in lines)
    if width >= 40:
        text = " ".join(span.text for line in lines for span in line)
        assert all(word in text for entry in SECTIONS[0].entries for word in entry.text.split())


DIALOGS = {
    "message": lambda text: MessageDialog((Span(text),), [(Span(text),)], [KeyHint("r", text, text)]),
    "copy": lambda text: CopyDialog(text, sent=text),
    "menu": lambda text: ChoiceMenu((Span(text),), [Choice(text, text, text, "r", text)]),
    "confirm": lambda text: ConfirmDialog((Span(text),), [(Span(text),)], key="r", label=text),
    "help": lambda text: HelpScreen((Span(text),), [HelpSection(text, (HelpEntry(text[:20], text, text),))]),
}


@pytest.mark.parametrize("name", list(DIALOGS))
@pytest.mark.parametrize("size", [(80, 24), (5, 3)])
async def test_hostile_words_in_dialogs(name: str, size: tuple[int, int]) -> None:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        for text in HOSTILE:
            before: Screen[object] = app.screen
            app.push_screen(DIALOGS[name](text[:300]))
            await pilot.press("r", "escape")
            await pilot.pause()
            assert app.screen is before


@pytest.mark.parametrize("name", ["message", "copy"])
async def test_a_line_of_ten_thousand_characters(name: str) -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(DIALOGS[name]("漢e" * 5_000), app.answers.append)
        await pilot.press("pagedown", "G", "escape")
        await pilot.pause()
        assert app.answers == [None]


@pytest.mark.parametrize("name", list(DIALOGS))
async def test_ascii_draws_nothing_else(name: str) -> None:
    app = Stage(plain=True)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(DIALOGS[name]("plain words " * 40))
        await pilot.pause()
        assert app.text().isascii()
