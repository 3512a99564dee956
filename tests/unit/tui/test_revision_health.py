"""What is said of a revision's health: observed, inferred, or nothing; and which one is named as the way back."""

from __future__ import annotations

import pytest
from msgspec import structs

from services.model.severity import Severity
from services.model.workload import Healthy, Revision
from tests.unit.cache.estate import rollout
from tui.presenters.explain import revision_before
from tui.presenters.workload import health_words, with_observed

DAY = 86400.0
NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def revision(number: int, **more: object) -> Revision:
    return structs.replace(Revision(number, f"cart-{number}", f"u{number}", ("cart:v1",), NOW - DAY, False), **more)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, ""),
        ({"mark": "inferred"}, "inferred"),
        ({"healthy": Healthy(NOW - 26 * DAY, 0, 26 * DAY)}, "observed healthy 26d"),
        (
            {"mark": "inferred", "healthy": Healthy(NOW - 26 * DAY, NOW - 960, 26 * DAY)},
            "observed healthy 25d, until 07:44",
        ),
        ({"healthy": Healthy(NOW - 300, NOW - 60, 120)}, "observed healthy 4m, until 07:59"),
        ({"healthy": Healthy(NOW - 9 * DAY, NOW - 8 * DAY, DAY)}, "observed healthy 24h, until 2027-01-07 08:00"),
        (
            {"healthy": Healthy(NOW - 26 * DAY, NOW, 13 * DAY)},
            "observed healthy 26d, until 08:00 (13d watched)",
        ),
    ],
)
def test_words(known: dict[str, object], words: str) -> None:
    assert health_words(revision(16, **known), NOW) == words


def test_only_the_current_revision_of_a_healthy_row_is_healthy_still() -> None:
    observed = {16: Healthy(NOW - 900, NOW - 400, 500), 17: Healthy(NOW - 300, NOW - 5, 295)}
    rows = [revision(17, current=True), revision(16)]
    well = rollout("cart")
    ill = structs.replace(well, cause="CrashLoop", severity=Severity.CRIT, done=False)
    assert [one.healthy.until for one in with_observed(rows, observed, well) if one.healthy] == [0, NOW - 400]
    assert [one.healthy.until for one in with_observed(rows, observed, ill) if one.healthy] == [NOW - 5, NOW - 400]
    assert [one.healthy for one in with_observed(rows, {}, well)] == [None, None]


def test_a_template_that_was_gone_back_to_is_known_by_its_old_numbers() -> None:
    observed = {3: Healthy(NOW - 900, NOW - 800, 100), 5: Healthy(NOW - 700, NOW - 600, 100)}
    [back] = with_observed([revision(7, current=True, was="3, 5")], observed, rollout("cart"))
    assert back.healthy == observed[5]


def test_the_way_back_is_what_was_observed_then_what_is_inferred_then_the_one_before() -> None:
    current, seven, six, five = revision(8, current=True), revision(7), revision(6), revision(5)
    inferred = structs.replace(six, mark="inferred")
    observed = structs.replace(five, healthy=Healthy(NOW - DAY, NOW - 960, DAY))
    assert revision_before([current, seven, inferred, observed]) is observed
    assert revision_before([current, seven, inferred, five]) is inferred
    assert revision_before([current, seven, six, five]) is seven
    assert revision_before([current]) is None
