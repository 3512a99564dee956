"""The cursor belongs to a key: where it goes when that key goes, and what a key press aims at, under any churn."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.examples import share
from widgets.ink import Layer
from widgets.table_cursor import KeyCursor, successor
from widgets.table_view import TableView
from widgets.viewmodels import Column, Row, Span, TableVM


@pytest.mark.parametrize(
    ("old", "key", "new", "goes_to"),
    [
        ("abcde", "c", "abcde", "c"),
        ("abcde", "c", "edcba", "c"),
        ("abcde", "c", "abde", "d"),
        ("abcde", "c", "eba", "e"),
        ("abcde", "c", "ab", "b"),
        ("abcde", "c", "ba", "b"),
        ("abcde", "e", "abcd", "d"),
        ("abcde", "a", "bcde", "b"),
        ("abcde", "c", "xyz", "x"),
        ("abcde", "c", "", None),
    ],
)
def test_successor(old: str, key: str, new: str, goes_to: str | None) -> None:
    assert successor(key, old, old.index(key), {name: index for index, name in enumerate(new)}) == goes_to


def test_a_row_that_left_is_remembered_until_the_next_move() -> None:
    cursor = KeyCursor()
    cursor.reorder("abc")
    cursor.choose("b")
    cursor.reorder("ac")
    assert (cursor.key, cursor.lost) == ("c", "b")
    cursor.reorder("abc")
    assert (cursor.key, cursor.lost) == ("c", "b"), "a row that comes back does not move the cursor again"
    cursor.step(-1)
    assert (cursor.key, cursor.lost) == ("b", None)


def test_an_emptied_table_puts_the_cursor_back_on_the_chosen_row() -> None:
    cursor = KeyCursor()
    cursor.reorder("abc")
    cursor.choose("b")
    cursor.reorder("")
    assert (cursor.key, cursor.index) == (None, -1)
    cursor.reorder("cba")
    assert (cursor.key, cursor.lost) == ("b", None)


def test_what_is_aimed_at_is_what_was_seen() -> None:
    cursor = KeyCursor()
    cursor.reorder("abc")
    assert cursor.aim is None, "nothing has been seen yet"
    cursor.painted()
    cursor.reorder("bc")
    assert (cursor.key, cursor.aim) == ("b", "a")
    cursor.painted()
    assert cursor.aim == "b"
    cursor.reorder("c")
    cursor.step(0)
    assert cursor.aim == "c", "the operator's own move counts at once"


def test_marks_go_with_their_rows() -> None:
    cursor = KeyCursor()
    cursor.reorder("abc")
    cursor.painted()
    assert cursor.mark()
    cursor.choose("c")
    assert cursor.mark()
    assert cursor.marks == {"a", "c"}
    cursor.reorder("bc")
    assert cursor.marks == {"c"}
    assert cursor.mark()
    assert cursor.marks == frozenset()
    assert not cursor.clear_marks()


KEYS = [f"k{index:02}" for index in range(24)]
COLUMNS = (Column("name", "NAME", 6, weight=1), Column("n", "N", 3))


class Churn(RuleBasedStateMachine):
    """Rows come, go, move and grow while an operator presses keys, on a screen that is repainted now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.view = TableView()
        self.view.focused = True
        self.order: list[str] = []
        self.tall: dict[str, int] = {}
        self.generation = 0
        self.chosen: str | None = None
        self.here: str | None = None
        self.seen: str | None = None
        self.moved_since_paint = False

    @initialize(order=st.lists(st.sampled_from(KEYS), unique=True), height=st.integers(0, 9))
    def start(self, order: list[str], height: int) -> None:
        self.view.resize(12, height)
        self.show(order)

    def row(self, key: str) -> Row:
        details = tuple((Span(f"detail {part}"),) for part in range(self.tall.get(key, 0)))
        return Row(key, (Span(key), Span(str(self.generation))), details=details)

    def show(self, order: list[str], changed: frozenset[str] | None = None) -> None:
        before, self.order = self.order, order
        self.view.set_vm(TableVM(COLUMNS, tuple(order), self.row, tall=dict(self.tall)), changed)
        if self.here in order:
            return
        if self.here is None:
            self.here = self.chosen if self.chosen in order else (order[0] if order else None)
            self.chosen = self.chosen or self.here
            return
        at = before.index(self.here)
        survivors = [key for key in before[at + 1 :] + before[:at][::-1] if key in order]
        self.here = survivors[0] if survivors else (order[0] if order else None)

    @rule(data=st.data())
    def insert(self, data: st.DataObject) -> None:
        new = [key for key in KEYS if key not in self.order]
        if new:
            at = data.draw(st.integers(0, len(self.order)))
            self.show([*self.order[:at], data.draw(st.sampled_from(new)), *self.order[at:]])

    @precondition(lambda self: self.order)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.order))
        self.show([key for key in self.order if key != gone])

    @precondition(lambda self: self.here)
    @rule()
    def remove_under_the_cursor(self) -> None:
        self.show([key for key in self.order if key != self.here])

    @rule(data=st.data())
    def sort(self, data: st.DataObject) -> None:
        self.show(data.draw(st.permutations(self.order)))

    @rule(kept=st.sets(st.sampled_from(KEYS)))
    def filter(self, kept: set[str]) -> None:
        self.show([key for key in self.order if key in kept])

    @rule()
    def relist(self) -> None:
        self.show(list(KEYS))

    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        self.generation += 1
        self.show(self.order, frozenset(data.draw(st.sets(st.sampled_from(KEYS)))))

    @rule(key=st.sampled_from(KEYS), extra=st.integers(0, 3))
    def grow(self, key: str, extra: int) -> None:
        self.tall[key] = extra
        self.show(list(self.order))

    @rule(height=st.integers(0, 9))
    def resize(self, height: int) -> None:
        self.view.resize(12, height)
        self.paint()

    @rule(rows=st.sampled_from([-99, -1, 1, 99]))
    def press(self, rows: int) -> None:
        if self.here is not None:
            at = self.order.index(self.here)
            self.chosen = self.here = self.order[max(0, min(len(self.order) - 1, at + rows))]
            self.moved_since_paint = True
        self.view.step(rows)

    @rule(pages=st.sampled_from([-1, 1]))
    def turn(self, pages: int) -> None:
        before = self.here
        self.view.turn_page(pages)
        if before is not None:
            self.chosen = self.here = self.view.cursor.key
            self.moved_since_paint = True
            moved = self.order.index(str(self.here)) - self.order.index(before)
            assert moved * pages >= 0
            assert moved or before == self.order[0 if pages < 0 else -1]

    @rule()
    def paint(self) -> None:
        """Read the highlighted line off the screen; the first cell of it names the row."""
        lines = self.view.build()
        lit = [line for line in lines if Layer.CURSOR in line[0].layer]
        self.view.cursor.painted()
        self.seen = lit[0][0].text.strip() if lit else None
        self.moved_since_paint = False
        assert len(lit) == (1 if self.here is not None and self.view.page else 0)

    @invariant()
    def the_cursor_is_where_it_was_put_or_on_the_documented_successor(self) -> None:
        assert self.view.cursor.key == self.here
        assert self.view.cursor.lost == (self.chosen if self.chosen != self.here else None)

    @invariant()
    def the_target_is_what_is_seen_or_was_just_chosen(self) -> None:
        if self.moved_since_paint:
            assert self.view.cursor.aim == self.chosen
        elif self.view.page:
            assert self.view.cursor.aim == self.seen

    @invariant()
    def the_cursors_row_is_in_sight(self) -> None:
        if self.here is not None and self.view.page:
            assert self.here in self.view.visible_keys

    @invariant()
    def the_lines_are_those_of_the_order(self) -> None:
        lines = self.view.build()
        assert len(lines) == self.view.height
        everything = [part for key in self.order for part in [key, *["detail"] * self.tall.get(key, 0)]]
        shown = [
            line[0].text.strip() or line[1].text.split()[0] for line in lines[1:] if "".join(i[0] for i in line).strip()
        ]
        assert shown == everything[self.view.top : self.view.top + self.view.page]


Churn.TestCase.settings = share(1, stateful_step_count=40)
TestChurn = Churn.TestCase


def view_of(order: str, height: int = 6) -> TableView:
    view = TableView()
    view.resize(12, height)
    view.set_vm(TableVM(COLUMNS, order, lambda key: Row(key, (Span(key),))))
    return view


def test_the_cursors_row_keeps_its_line_when_rows_above_come_and_go() -> None:
    view = view_of("abcdefghijklmnop")
    view.step(8)
    view.step(-2)
    view.build()
    line = view.cursor_y
    for order in ("XYabcdefghijklmnop", "cdefghijklmnop", "pXonYmlkjZihgfedcba"):
        view.set_vm(TableVM(COLUMNS, order, lambda key: Row(key, (Span(key),))))
        view.build()
        assert (view.cursor.key, view.cursor_y) == ("g", line)


def test_a_table_at_its_top_stays_there_so_that_the_new_worst_row_is_seen() -> None:
    view = view_of("abcdefgh")
    view.set_vm(TableVM(COLUMNS, "Xabcdefgh", view.vm.row))
    assert view.visible_keys[0] == "X"
    assert view.cursor.key == "a"


def test_a_move_made_before_the_first_layout_scrolls_nothing_out_of_sight() -> None:
    view = TableView()
    view.set_vm(TableVM(COLUMNS, "abcdef", lambda key: Row(key, (Span(key),))))
    view.step(2)
    view.resize(12, 6)
    assert view.visible_keys == tuple("abcde")


def test_only_rows_on_screen_are_built_and_only_changed_ones_again() -> None:
    built: list[str] = []

    def row(key: str) -> Row:
        built.append(key)
        return Row(key, (Span(key),))

    order = [f"k{index}" for index in range(10_000)]
    view = TableView()
    view.resize(20, 6)
    view.set_vm(TableVM(COLUMNS, order, row))
    view.build()
    assert built == order[:5]
    built.clear()
    view.set_vm(TableVM(COLUMNS, order, row), frozenset({"k3", "k9000"}))
    view.build()
    assert built == ["k3"]


def test_an_empty_table_says_why() -> None:
    view = TableView()
    view.resize(30, 4)
    view.set_vm(TableVM(COLUMNS, (), view.vm.row, empty="no workload matches /cart"))
    assert "".join(ink.text for ink in view.build()[1]).strip() == "no workload matches /cart"
