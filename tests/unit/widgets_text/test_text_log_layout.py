"""The rows of a log, laid out line by line as it grows and forgets, are those that a plain reading would give."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from widgets.log_book import LogBook
from widgets.log_layout import LogFilter
from widgets.search import compile_pattern
from widgets.viewmodels import LogEntry

KINDS = st.sampled_from(["hit", "miss", "mark", "gap", "long"])


def entry_of(kind: str, number: int) -> LogEntry:
    if kind == "mark":
        return LogEntry("", "", f"mark {number}", marker=True)
    if kind == "gap":
        return LogEntry("", f"source {number}", "", dropped=3)
    return LogEntry("t", "s", f"{kind} {number}" + " and on" * 40 * (kind == "long"))


def plainly(book: LogBook, text: str, inverse: bool, context: int) -> list[int]:
    """Return the serials that are to be shown, read from the whole log at once."""
    ring = book.ring
    serials = range(ring.first, ring.end)
    if not text:
        return list(serials)
    about = {serial for serial in serials if ring[serial].marker or ring[serial].dropped}
    hits = [
        serial
        for serial in serials
        if serial not in about and ((text in ring[serial].text) or (text in ring[serial].source)) is not inverse
    ]
    near = {other for hit in hits for other in range(hit - context, hit + context + 1) if other in serials}
    return sorted(near | about)


@settings(deadline=None)
@given(
    batches=st.lists(st.lists(KINDS, max_size=12), min_size=1, max_size=6),
    size=st.integers(3, 30),
    inverse=st.booleans(),
    context=st.integers(0, 3),
    wrap=st.booleans(),
    budget=st.integers(1, 2_000),
    change_at=st.integers(0, 6),
    evicts=st.booleans(),
)
def test_equals_a_plain_reading(
    batches: list[list[str]],
    size: int,
    inverse: bool,
    context: int,
    wrap: bool,
    budget: int,
    change_at: int,
    evicts: bool,
) -> None:
    book = LogBook(max_lines=size if evicts else 1_000)
    book.width, book.wrap = 40, wrap
    text, number = "", 0
    for step, batch in enumerate(batches):
        if step == change_at:
            text = "hit"
            pattern = compile_pattern(text)
            assert pattern is not None
            book.rule = LogFilter(pattern, inverse, context)
            book.lay_out()
        book.ring.extend([entry_of(kind, number + place) for place, kind in enumerate(batch)])
        number += len(batch)
        while not book.settle(budget).done:
            pass
        wanted = plainly(book, text, inverse, context)
        shown = book.layout.serials
        if evicts:
            # A line shown for the sake of one that is gone stays until it goes itself.
            assert set(wanted) <= set(shown) <= set(range(book.ring.first, book.ring.end))
        else:
            assert shown == wanted
        check_rows(book)


def check_rows(book: LogBook) -> None:
    """Every row belongs to one line, in order, and each line is found at its first row."""
    rows = [book.locate(row) for row in range(book.rows)]
    assert rows[: book.head] == [None] * book.head
    located = [place for place in rows[book.head :] if place is not None]
    assert len(located) == book.rows - book.head
    assert located == sorted(located)
    assert list(dict.fromkeys(serial for serial, _ in located)) == book.layout.serials
    for serial in book.layout.serials:
        assert book.locate(book.row_of(serial)) == (serial, 0)
        assert sum(1 for other, sub in located if other == serial and sub >= 0) == book.geometry.rows_of(
            book.ring[serial]
        )
    assert book.locate(book.rows) is None


def test_hidden_lines_are_counted_before_the_line_that_follows_them() -> None:
    book = LogBook()
    pattern = compile_pattern("hit")
    assert pattern is not None
    book.rule = LogFilter(pattern, context=1)
    book.lay_out()
    book.ring.extend([entry_of(kind, 0) for kind in ("hit", "miss", "miss", "miss", "miss", "hit")])
    book.settle(10_000)
    assert book.layout.serials == [0, 1, 4, 5]
    assert book.locate(2) == (4, -1)
    assert book.layout.hidden_before(4) == 2
    assert book.layout.row_of(2) == 3, "a hidden line is found at the next shown one"


def test_settling_takes_no_more_than_its_budget() -> None:
    book = LogBook()
    book.ring.extend([entry_of("miss", number) for number in range(1_000)])
    assert not book.settle(4_000).done
    assert 90 <= len(book.layout.serials) <= 110
    steps = 1
    while not book.settle(4_000).done:
        steps += 1
    assert (steps, len(book.layout.serials)) == (9, 1_000)


def test_rows_rise_by_as_many_as_were_evicted() -> None:
    book = LogBook(max_lines=10)
    book.ring.extend([entry_of("miss", number) for number in range(10)])
    assert book.settle(10_000).shift == 0
    book.ring.extend([entry_of("miss", 10)])
    assert book.settle(10_000).shift == 0, "the first one makes room for the line that counts them"
    book.ring.extend([entry_of("miss", number) for number in range(3)])
    assert book.settle(10_000).shift == 3


def test_folding_long_lines_counts_their_characters() -> None:
    book = LogBook()
    book.wrap = True
    book.settle(1)
    book.ring.extend([LogEntry("", "", "x" * 460) for _ in range(100)])
    assert not book.settle(500 * 10).done
    assert len(book.layout.serials) == 10
    while not book.settle(500 * 10).done:
        pass
    check_rows(book)


def test_the_widest_line_is_known_whatever_its_characters() -> None:
    book = LogBook()
    for text, cells in (("ab", 2), ("日本", 4), ("abc", 4), ("日本語", 6), ("abcdefg", 7), ("日本語日", 8)):
        book.ring.extend([LogEntry("", "", text), LogEntry("", "", "m" * 99, marker=True)])
        book.settle(1)
        assert book.text_cells == cells
