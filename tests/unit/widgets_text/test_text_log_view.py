"""The log view under an operator's fingers: following, searching, filtering, and a burst that must not stall it."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from tests.fixtures.text_widgets import HOSTILE, Clock, Stage, entries, entry
from widgets.log_state import LogState
from widgets.log_view import LogView
from widgets.viewmodels import LogEntry, Tone


class LogStage(Stage):
    """A stage with one log, which notes what the log tells."""

    def __init__(self, view: LogView, *, plain: bool = False) -> None:
        super().__init__(view, plain=plain)
        self.view = view
        self.told: list[LogState] = []

    def on_log_view_state_changed(self, message: LogView.StateChanged) -> None:
        self.told.append(message.state)


async def settled(view: LogView, pilot: Pilot[None]) -> None:
    """Wait until every line was laid out and searched."""
    for _ in range(2_000):
        await pilot.pause()
        if not view.state.busy:
            return
    pytest.fail("the log never came to rest")


def stage(**options: int) -> LogStage:
    return LogStage(LogView(period=0.0, **options))


async def test_follows_until_the_operator_moves_up_and_again_at_the_end() -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append(entries(100))
        await pilot.pause()
        assert "GET /cart/97" in app.lines()[21]
        assert app.view.state.following
        await pilot.press("k")
        app.view.append(entries(50, 100))
        await pilot.pause()
        assert not app.view.state.following
        assert app.view.state.unseen == 50
        assert "GET /cart/97" in app.lines()[22], "the lines stay where they are"
        await pilot.press("G")
        await pilot.pause()
        assert app.view.state.following
        assert app.view.state.unseen == 0
        assert app.told[-1] == app.view.state
        assert "GET /cart/149" in app.lines()[23]


@pytest.mark.parametrize("key", ["up", "pageup", "ctrl+b", "g", "home"])
async def test_every_way_up_stops_following(key: str) -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append(entries(100))
        await pilot.press(key)
        assert not app.view.following


async def test_a_short_log_goes_on_following_when_there_is_nothing_above() -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append(entries(5))
        await pilot.press("k")
        assert app.view.following


async def test_lines_that_go_from_the_old_end_do_not_move_what_is_read() -> None:
    app = stage(max_lines=200)
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append(entries(200))
        await pilot.press("pageup")
        await pilot.pause()
        read = app.lines()[:24]
        for batch in range(5):
            app.view.append(entries(20, 200 + batch * 20))
            await pilot.pause()
            assert [line[:79] for line in app.lines()[:24]] == [line[:79] for line in read]
        await pilot.press("g")
        await pilot.pause()
        assert app.lines()[0].split("▐")[0].split() == ["…", "100", "older", "lines", "dropped"]
        assert "older lines dropped" not in app.lines()[1]


async def test_paints_at_most_once_a_period_but_takes_all_lines() -> None:
    clock = Clock()
    view = LogView(period=60.0, clock=clock)
    app = LogStage(view)
    async with app.run_test(size=(80, 24)) as pilot:
        clock.at += 60
        view.append(entries(1))
        assert view.rows == 1, "the first lines after quiet are painted at once"
        for number in range(1, 500):
            view.append([entry(number)])
        assert (view.rows, len(view.book.ring)) == (1, 500)
        clock.at += 60
        view.flush()
        await pilot.pause()
        assert view.rows == 500
        assert "ms" in app.lines()[23]


async def test_filter_shows_context_and_clearing_it_shows_what_was_around() -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append([*entries(300), LogEntry("", "s", "the needle"), *entries(300, 300)])
        assert app.view.set_filter("needle", context=2) == ""
        await settled(app.view, pilot)
        assert [line for line in app.lines() if "needle" in line]
        assert app.view.state.shown == 5
        await pilot.press("n")
        app.view.set_search("needle")
        await settled(app.view, pilot)
        await pilot.press("n")
        row = next(number for number, line in enumerate(app.lines()) if "needle" in line)
        assert app.view.set_filter("") == ""
        await settled(app.view, pilot)
        assert "needle" in app.lines()[row], "the line looked at stays at its place"
        assert "GET" in app.lines()[row + 5], "and what was around it is there again"
        assert app.view.state.shown == 601


async def test_inverse_filter_and_context_of_a_running_filter() -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append(entries(77))
        app.view.set_filter("ERROR|WARN", regex=True, inverse=True)
        await settled(app.view, pilot)
        assert app.view.state.shown == 77 - 11 - 6
        app.view.set_filter("ERROR")
        await settled(app.view, pilot)
        assert app.view.state.shown == 11
        app.view.append(entries(7, 77))
        app.view.set_context(3)
        await settled(app.view, pilot)
        assert app.view.state.shown == 11 * 7 + 4
        assert app.view.state.context == 3


async def test_a_wrong_pattern_says_so_and_changes_nothing() -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append(entries(50))
        app.view.set_filter("ERROR")
        app.view.set_search("vat")
        await settled(app.view, pilot)
        before = app.view.state
        assert "character 1" in app.view.set_filter("(", regex=True)
        assert "repetition" in app.view.set_search("(a+)+", regex=True)
        await settled(app.view, pilot)
        assert app.view.state == before


async def test_search_counts_goes_round_and_stops_following() -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append(entries(100))
        app.view.set_search("no such column")
        await settled(app.view, pilot)
        assert (app.view.state.matches, app.view.state.match) == (15, 0)
        await pilot.press("N")
        assert (app.view.state.match, app.view.following) == (11, False)
        await pilot.press("n")
        await pilot.press("n")
        assert app.view.state.match == 13
        await pilot.press("n", "n", "n")
        assert app.view.state.match == 1, "round the end"
        assert app.view.name_at(app.view.top) is not None
        app.view.append([LogEntry("", "", "no such column again")])
        await settled(app.view, pilot)
        assert app.view.state.matches == 16, "new lines are searched as they come"
        await pilot.press("N")
        assert app.view.state.match == 16


async def test_search_moves_sideways_to_its_match() -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append([LogEntry("", "", "x" * 500 + "needle" + "y" * 500)])
        app.view.set_search("needle", jump=True)
        await settled(app.view, pilot)
        assert "needle" in app.lines()[0]


async def test_a_match_that_is_forgotten_is_no_longer_the_current_one() -> None:
    app = stage(max_lines=50)
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append(entries(50))
        app.view.set_search("ERROR")
        await settled(app.view, pilot)
        await pilot.press("g", "n")
        assert app.view.match == 0
        app.view.append(entries(60, 50))
        await settled(app.view, pilot)
        assert (app.view.match, app.view.state.match) == (None, 0)
        await pilot.press("n")
        assert app.view.state.match == 1


async def test_wrapping_keeps_the_line_and_shows_all_of_it() -> None:
    app = stage()
    async with app.run_test(size=(60, 20)) as pilot:
        app.view.append([LogEntry("", "", f"{number} " + "word " * 40) for number in range(50)])
        app.view.move_to(20)
        await pilot.pause()
        first = app.lines()[0].split()[0]
        app.view.action_wrap()
        await settled(app.view, pilot)
        assert app.lines()[0].split()[0] == first
        assert app.view.rows == 50 * 4
        assert "word" in app.lines()[1]
        app.view.action_wrap()
        await settled(app.view, pilot)
        assert app.lines()[0].split()[0] == first


async def test_stamps_and_sources_come_and_go() -> None:
    app = stage()
    async with app.run_test(size=(100, 20)) as pilot:
        app.view.append(entries(3))
        await pilot.pause()
        assert "03:00:01.037 checkout-7d9f8c-9qd/app GET" in app.lines()[1]
        app.view.action_stamps()
        await pilot.pause()
        assert app.lines()[1].startswith("  checkout-7d9f8c-9qd/app GET")
        app.view.action_sources()
        await pilot.pause()
        assert app.lines()[1].startswith("  GET")
        assert app.view.state.stamps is app.view.state.sources is False


async def test_marks_and_losses_stand_in_the_stream() -> None:
    app = stage()
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.append([*entries(2), LogEntry("", "checkout-1/app", "", dropped=1204)])
        app.view.append([LogEntry("", "checkout-1/app", "", dropped=1)])
        app.view.mark("03:14:07 mark")
        await pilot.pause()
        assert app.lines()[2].split("▐")[0].strip() == "… 1,205 lines dropped from checkout-1/app"
        assert app.lines()[3].startswith("── 03:14:07 mark ────")
        assert app.view.state.lost == 1205
        app.view.set_filter("nowhere to be found")
        await settled(app.view, pilot)
        assert "1,205 lines dropped" in app.lines()[0]
        assert "03:14:07 mark" in app.lines()[1]
        assert app.view.visible_text() == ""


async def test_clear_begins_anew_under_the_same_filter() -> None:
    app = stage()
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.append(entries(50))
        app.view.set_filter("ERROR")
        await settled(app.view, pilot)
        app.view.clear()
        await settled(app.view, pilot)
        assert (app.view.rows, app.view.state.lines, app.view.state.filter) == (0, 0, "ERROR")
        app.view.append(entries(14))
        await settled(app.view, pilot)
        assert app.view.state.shown == 2


@pytest.mark.parametrize("size", [(80, 24), (20, 5), (3, 2), (200, 60)])
@pytest.mark.parametrize("wrap", [True, False])
async def test_hostile_lines_are_drawn_in_their_cells(size: tuple[int, int], wrap: bool) -> None:
    app = stage()
    async with app.run_test(size=size) as pilot:
        app.view.show(wrap=wrap)
        app.view.append([LogEntry(text[:40], text[:99], text, Tone.CRIT) for text in HOSTILE])
        app.view.append([LogEntry("", text, "", dropped=1) for text in HOSTILE])
        app.view.append([LogEntry("", "", text, marker=True) for text in HOSTILE])
        app.view.set_search("e")
        for key in ("g", "n", "right", "right", "right", "n", "G", "N", "left"):
            await pilot.press(key)
        for row in range(0, app.view.rows, 1 + app.view.rows // 300):
            assert app.view.row_strip(row, app.view.room).cell_length == app.view.room


async def test_ascii_draws_nothing_else() -> None:
    app = LogStage(LogView(period=0.0, max_lines=40), plain=True)
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.append([*entries(60), LogEntry("", "", "", dropped=2)])
        app.view.mark("now")
        app.view.set_filter("ERROR", context=1)
        app.view.set_search("vat")
        await settled(app.view, pilot)
        await pilot.press("g", "n")
        assert app.text().isascii()
        assert "!>" in app.text(), "level and current match have a shape each"


async def test_a_burst_stays_within_its_bounds() -> None:
    app = stage(max_lines=2_000, max_bytes=100_000)
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.set_search("vat")
        app.view.set_filter("ERROR", context=1)
        for batch in range(40):
            app.view.append(entries(500, batch * 500))
        await settled(app.view, pilot)
        assert len(app.view.book.ring) <= 2_000
        assert app.view.book.ring.text_bytes <= 100_000
        assert app.view.state.lines + app.view.state.evicted == 20_000
        assert app.view.state.matches == app.view.state.shown - sum(
            1 for serial in app.view.names() if "ERROR" not in app.view.text_of(serial)
        )
