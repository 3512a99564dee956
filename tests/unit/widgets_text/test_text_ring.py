"""The ring keeps the newest lines within both bounds, whatever comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from widgets.ring import LogRing, weight
from widgets.viewmodels import LogEntry

LINES = st.builds(
    LogEntry, st.just("t"), st.sampled_from(["a", "b"]), st.text(max_size=20), dropped=st.sampled_from([0, 0, 0, 5])
)


@given(batches=st.lists(st.lists(LINES, max_size=30), max_size=8), lines=st.integers(1, 12), size=st.integers(1, 120))
def test_stays_within_both_bounds_and_keeps_the_newest(batches: list[list[LogEntry]], lines: int, size: int) -> None:
    ring = LogRing(lines, size)
    came: list[LogEntry] = []
    for batch in batches:
        before = ring.end
        ring.extend(batch)
        came += batch
        held = [ring[serial] for serial in range(ring.first, ring.end)]
        assert len(held) == len(ring) <= lines
        assert ring.text_bytes == sum(map(weight, held))
        assert ring.text_bytes <= size or len(held) == 1
        assert ring.end >= before, "serials never go back"
        assert ring.evicted == ring.first
        assert ring.lost == sum(entry.dropped for entry in came)
        plain = [entry for entry in held if not entry.dropped]
        newest = [entry for entry in came if not entry.dropped]
        assert plain == newest[len(newest) - len(plain) :]


def test_reports_of_dropped_lines_in_a_row_are_one() -> None:
    ring = LogRing()
    ring.extend([LogEntry("", "a", "", dropped=3), LogEntry("", "a", "", dropped=4), LogEntry("", "b", "", dropped=1)])
    ring.extend([LogEntry("", "b", "", dropped=1), LogEntry("", "b", "read error", dropped=2)])
    assert [(ring[serial].source, ring[serial].dropped) for serial in range(3)] == [("a", 7), ("b", 2), ("b", 2)]
    assert ring.lost == 11


def test_a_batch_larger_than_the_ring_counts_what_it_passed_over() -> None:
    ring = LogRing(max_lines=10)
    ring.extend([LogEntry("", "", str(number)) for number in range(35)])
    assert (len(ring), ring.first, ring.end, ring.evicted, ring[ring.first].text) == (10, 25, 35, 25, "25")


def test_one_line_larger_than_the_bound_stays_alone() -> None:
    ring = LogRing(max_bytes=10)
    ring.extend([LogEntry("", "", "x" * 5), LogEntry("", "", "y" * 50)])
    assert (len(ring), ring.text_bytes) == (1, 50)


def test_clearing_forgets_the_counts_but_never_a_serial() -> None:
    ring = LogRing(max_lines=2)
    ring.extend([LogEntry("", "", "a")] * 5)
    ring.clear()
    assert (len(ring), ring.first, ring.end, ring.evicted) == (0, 5, 5, 0)
    ring.extend([LogEntry("", "", "b")])
    assert ring[5].text == "b"
