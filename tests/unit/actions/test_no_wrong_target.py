"""Whatever the rows do in between: a key acts on what was painted when it was pressed, or on nothing."""

from __future__ import annotations

from tests.unit.actions.aiming import Operator, by_position

CASES, STEPS = 400, 40


def test_nothing_is_hit_but_what_was_shown() -> None:
    operators = [Operator(seed).run(STEPS) for seed in range(CASES)]
    assert [one.wrong for one in operators if one.wrong] == []
    assert sum(one.acted for one in operators) > CASES


def test_a_program_that_aims_by_position_is_found_out() -> None:
    assert any(Operator(seed, by_position).run(STEPS).wrong for seed in range(CASES))
