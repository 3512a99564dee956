"""Rows keep their order, and never jump while the operator is at them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from services.model.severity import Severity
from tui.presenters.ordering import Ordering
from tui.presenters.terms import Subject, parse_filter


@dataclass(frozen=True)
class Thing:
    name: str
    severity: Severity = Severity.OK


def subject(thing: Thing) -> Subject:
    return Subject(thing.name, "", thing.severity)


def ordering() -> Ordering:
    return Ordering(lambda thing: (thing.severity, thing.name), subject)


def things(**severities: Severity) -> dict[str, Thing]:
    return {name: Thing(name, severity) for name, severity in severities.items()}


def test_worst_comes_first() -> None:
    table = ordering()
    table.update(things(a=Severity.OK, b=Severity.CRIT, c=Severity.WARN), None, 0)
    assert table.order == ["b", "c", "a"]
    assert table.counts == {Severity.OK: 1, Severity.CRIT: 1, Severity.WARN: 1}


def test_held_rows_stay_and_what_moved_is_counted() -> None:
    table = ordering()
    table.update(things(a=Severity.WARN, b=Severity.OK), None, 0)
    table.hold(100.0)
    table.update(things(a=Severity.OK, b=Severity.WARN, c=Severity.CRIT), {"a", "b", "c"}, 101.0)
    assert table.order == ["a", "b", "c"]
    assert (table.moved, table.fresh_crit) == (2, 1)
    assert not table.due(109.9)
    assert table.due(110.1)
    table.release()
    assert table.order == ["c", "b", "a"]
    assert (table.moved, table.fresh_crit) == (0, 0)


def test_a_row_that_went_stays_in_its_place_while_held() -> None:
    table = ordering()
    table.update(things(a=Severity.OK, b=Severity.OK), None, 0)
    table.hold(0)
    table.update(things(b=Severity.OK), {"a"}, 1.0)
    assert table.order == ["a", "b"]
    assert table.object("a") == Thing("a")
    assert "a" in table.gone
    table.release()
    assert table.order == ["b"]
    assert table.object("a") is None


def test_a_row_that_came_back_while_held_is_not_gone() -> None:
    table = ordering()
    table.update(things(a=Severity.OK, b=Severity.OK), None, 0)
    table.hold(0)
    table.update({}, None, 1.0)
    table.update(things(a=Severity.OK, b=Severity.OK), None, 2.0)
    assert (table.order, table.gone) == (["a", "b"], {}), "as after another context was entered"


def test_a_filter_hides_rows_but_not_the_counts() -> None:
    table = ordering()
    table.update(things(a=Severity.CRIT, b=Severity.OK), None, 0)
    table.show_only(parse_filter("b"), None)
    assert table.order == ["b"]
    assert table.counts[Severity.CRIT] == 1


def test_a_row_that_a_filter_hides_is_counted_on_after_another_order_was_asked_for() -> None:
    table, rest = ordering(), dict.fromkeys("bcdefgh", Severity.OK)
    table.update(things(web=Severity.CRIT, a=Severity.OK, **rest), None, 0)
    table.show_only(parse_filter("web"), None)
    table.sort_by(lambda thing: thing.name)
    table.update(things(web=Severity.CRIT, a=Severity.WARN, **rest), {"a"}, 1.0)
    assert (table.order, table.total, dict(table.hidden)) == (["web"], 9, {})
    assert table.counts == {Severity.CRIT: 1, Severity.WARN: 1, Severity.OK: 7}


def test_what_the_scope_leaves_out_is_counted_as_hidden() -> None:
    table = ordering()
    table.show_only(None, parse_filter("b"))
    table.update(things(a=Severity.CRIT, b=Severity.OK), None, 0)
    assert table.order == ["b"]
    assert table.hidden == {Severity.CRIT: 1}
    assert Severity.CRIT not in table.counts


NAMES = st.sampled_from("abcdefgh")
STEP = st.one_of(
    st.tuples(st.just("put"), NAMES, st.sampled_from(list(Severity))),
    st.tuples(st.just("drop"), NAMES, st.none()),
    st.tuples(st.just("hold"), st.none(), st.none()),
    st.tuples(st.just("wait"), st.none(), st.none()),
    st.tuples(st.just("filter"), st.sampled_from(["", "a", "!b", "is:crit"]), st.none()),
)


@given(st.lists(STEP, max_size=40))
def test_any_interleaving_ends_in_the_right_order(steps: list[tuple[str, str | None, Severity | None]]) -> None:
    table, rows, now, text = ordering(), {}, 0.0, ""
    for kind, name, severity in steps:
        now += 1.0
        if kind == "put":
            rows = rows | {name: Thing(name, severity)}
            table.update(rows, {name}, now)
        elif kind == "drop":
            rows = {key: row for key, row in rows.items() if key != name}
            table.update(rows, {name}, now)
        elif kind == "hold":
            before = list(table.order)
            table.hold(now)
            assert table.order == before
        elif kind == "wait":
            now += 20
            if table.due(now):
                table.release()
        else:
            text = name
            table.show_only(parse_filter(text), None)
        assert len(set(table.order)) == len(table.order)
        assert all(table.object(key) is not None for key in table.order)
    table.release()
    test = parse_filter(text)
    kept = [thing for thing in rows.values() if test is None or test(subject(thing))]
    assert table.order == [thing.name for thing in sorted(kept, key=lambda one: (one.severity, one.name))]
    for severity in Severity:
        assert table.counts.get(severity, 0) == sum(1 for row in rows.values() if row.severity is severity)
