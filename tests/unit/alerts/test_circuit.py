"""A server that fails is left alone, longer each time, and one request alone finds out whether it is back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.circuit import FAILURES, FIRST, LONGEST, Circuit
from services.clock import ManualClock


def opened(clock: ManualClock, failures: int = FAILURES) -> Circuit:
    circuit = Circuit(clock, lambda: 1.0)
    for _ in range(failures):
        circuit.failed()
    return circuit


@pytest.mark.parametrize("failures", range(FAILURES))
def test_a_few_failures_change_nothing(failures: int) -> None:
    circuit = opened(ManualClock(), failures)
    assert [circuit.may_ask() for _ in range(3)] == [True, True, True]
    assert circuit.reopens_in == 0


async def test_open_then_one_tries_then_closed() -> None:
    clock = ManualClock()
    circuit = opened(clock)
    assert not circuit.may_ask()
    assert circuit.reopens_in == FIRST
    await clock.advance(FIRST)
    assert [circuit.may_ask() for _ in range(3)] == [True, False, False]
    circuit.answered()
    assert [circuit.may_ask() for _ in range(3)] == [True, True, True]


async def test_who_gives_up_waiting_leaves_the_trial_to_the_next() -> None:
    clock = ManualClock()
    circuit = opened(clock)
    await clock.advance(FIRST)
    assert circuit.may_ask()
    circuit.left()
    assert circuit.may_ask()


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_it_is_never_left_alone_for_longer_than_the_longest(more: int, chance: float) -> None:
    clock = ManualClock()
    circuit = Circuit(clock, lambda: chance)
    for _ in range(FAILURES + more):
        circuit.failed()
    assert FIRST / 2 <= circuit.reopens_in <= LONGEST
