"""Documents: the place is kept, long ones are no burden, hostile ones no danger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from tests.fixtures.text_widgets import HOSTILE, Stage
from widgets.kept_place import relocated
from widgets.text_view import TextState, TextView
from widgets.viewmodels import Line, Span, TextVM, Tone

LINES = st.lists(st.sampled_from("abcde"), max_size=12)


def document(*texts: str) -> TextVM:
    return TextVM((), tuple((Span("key: ", Tone.MUTED), Span(text)) for text in texts))


async def settled(view: TextView, pilot: Pilot[None]) -> None:
    for _ in range(2_000):
        await pilot.pause()
        if view.scanned:
            return
    pytest.fail("the search never ended")


@pytest.mark.parametrize(
    ("old", "new", "line", "place"),
    [
        ("abc", "abc", 1, 1),
        ("abc", "xxabc", 1, 3),
        ("xxabc", "abc", 3, 1),
        ("abcabc", "abcabc", 4, 4),
        ("abab", "xabab", 2, 3),
        ("abc", "abc", 9, 2),
        ("abc", "", 1, 0),
        ("abcd", "axcd", 1, 1),
        ("abcd", "xxacd", 1, 2),
        ("abc", "xyz", 2, 2),
        ("", "abc", 0, 0),
    ],
)
def test_the_place_is_found_again(old: str, new: str, line: int, place: int) -> None:
    assert relocated(old, new, line) == place


@given(old=LINES, new=LINES, line=st.integers(0, 15))
def test_the_place_is_always_in_the_document(old: list[str], new: list[str], line: int) -> None:
    place = relocated(old, new, line)
    assert 0 <= place < max(1, len(new))
    if line < len(old) and old[line] in new:
        assert new[place] == old[line]


@given(old=LINES, line=st.integers(0, 11))
def test_an_equal_document_moves_nothing(old: list[str], line: int) -> None:
    if line < len(old):
        assert relocated(old, list(old), line) == line


async def test_keeps_its_place_and_its_match_when_lines_come_and_go() -> None:
    view = TextView(document(*(f"line {number}" for number in range(200))))
    async with Stage(view).run_test(size=(80, 20)) as pilot:
        view.set_search("line 12", jump=True)
        await settled(view, pilot)
        await pilot.press("n", "n")
        assert (view.match, view.state.match, view.state.matches) == (121, 3, 11)
        first = view.text_of(view.top)
        view.set_vm(document("new", "newer", *(f"line {number}" for number in range(200))))
        await settled(view, pilot)
        assert view.text_of(view.top) == first
        assert (view.match, view.state.match) == (123, 3)
        view.set_vm(document("other"))
        await settled(view, pilot)
        assert (view.top, view.match, view.state.lines, view.state.matches) == (0, None, 1, 0)


async def test_one_changed_line_repaints_that_line_alone() -> None:
    view = TextView(document(*(f"line {number}" for number in range(200))))
    app = Stage(view)
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        drawn: list[int] = []
        draw = view.render_line
        view.render_line = lambda y: (drawn.append(y), draw(y))[1]  # type: ignore[method-assign]
        texts = [f"line {number}" for number in range(200)]
        view.set_vm(document(*texts))
        await pilot.pause()
        assert drawn == []
        view.set_vm(document(*texts[:5], "changed", *texts[6:]))
        await pilot.pause()
        assert set(drawn) == {5}
        assert "changed" in app.lines()[5]


async def test_scrolls_sideways_or_wraps_and_keeps_the_line() -> None:
    view = TextView(document(*(f"{number} " + "word " * 60 for number in range(80))))
    app = Stage(view)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("right", "right", "left")
        assert view.left == 8
        await pilot.press("G")
        assert view.name_at(view.top + view.page - 1) == 79
        await pilot.press("g", "pagedown")
        first = view.name_at(view.top)
        view.action_wrap()
        await pilot.pause()
        assert (view.left, view.name_at(view.top)) == (0, first)
        assert view.rows > 80 * 5
        assert "word" in app.lines()[1]
        view.action_wrap()
        assert view.top == first


async def test_is_as_high_as_its_document_when_asked_to() -> None:
    view = TextView(document("one", "two"), wrap=True)
    view.styles.height = "auto"
    async with Stage(view).run_test(size=(40, 20)) as pilot:
        await pilot.pause()
        assert view.size.height == 2
        view.set_vm(document("one", "two", "x" * 100))
        await pilot.pause()
        assert view.size.height == 5


async def test_fifty_thousand_lines_are_read_and_searched() -> None:
    lines: tuple[Line, ...] = tuple((Span("key: ", Tone.MUTED), Span(f"value {number}")) for number in range(50_000))
    view = TextView()
    app = Stage(view)
    async with app.run_test(size=(80, 20)) as pilot:
        view.set_vm(TextVM((), lines))
        await pilot.press("G")
        assert "value 49999" in app.lines()[19]
        view.set_search("VALUE 4999", regex=False)
        assert view.state.matches == 0, "capitals are meant"
        view.set_search("value 4999", jump=True)
        await settled(view, pilot)
        assert (view.state.matches, view.state.match) == (11, 2), "from the top of the screen on"
        await pilot.press("N", "N")
        assert view.match == 49999, "round the end"


@pytest.mark.parametrize("size", [(80, 24), (20, 5), (3, 2)])
@pytest.mark.parametrize("wrap", [True, False])
async def test_hostile_documents_are_drawn_in_their_cells(size: tuple[int, int], wrap: bool) -> None:
    view = TextView(TextVM((), tuple((Span(text, Tone.CRIT), Span(text)) for text in HOSTILE)), wrap=wrap)
    app = Stage(view)
    async with app.run_test(size=size) as pilot:
        view.set_search("e")
        await pilot.press("n", "right", "right", "n", "G", "N", "g", "left")
        for row in range(0, view.rows, 1 + view.rows // 200):
            assert view.row_strip(row, view.room).cell_length == view.room


async def test_tells_its_state_once_a_change() -> None:
    told: list[TextState] = []

    class Told(Stage):
        def on_text_view_state_changed(self, message: TextView.StateChanged) -> None:
            told.append(message.state)

    view = TextView(document(*map(str, range(100))))
    async with Told(view).run_test(size=(80, 20)) as pilot:
        await pilot.press("j", "k", "k")
        await pilot.pause()
        assert [state.line for state in told][-2:] == [2, 1]
        assert told[-1] == view.state
