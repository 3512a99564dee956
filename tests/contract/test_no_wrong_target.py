"""The long run of what the default tests run shortly: operators at tables and consoles that change under them."""

from __future__ import annotations

import pytest

from tests.flows.test_aimed import tried
from tests.unit.actions.aiming import Operator

pytestmark = pytest.mark.contract

CASES, STEPS = 10_000, 40
CONSOLES = 200


def test_nothing_is_hit_but_what_was_shown() -> None:
    operators = (Operator(seed).run(STEPS) for seed in range(1_000_000, 1_000_000 + CASES))
    found = [(one.wrong, one.acted) for one in operators]
    assert [wrong for wrong, _ in found if wrong] == []
    assert sum(acted for _, acted in found) > CASES


async def test_nothing_is_hit_from_the_console_but_what_its_terminal_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, acted = await tried(monkeypatch, range(1000, 1000 + CONSOLES))
    assert wrong == []
    assert acted > CONSOLES // 3
