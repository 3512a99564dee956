"""A span that nobody watched says from when to when, with the day where it began on another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cache.state.records import Span as Gap
from tests.unit.tui.test_alert_lines import LENS
from tui.presenters.timeline import Moment, present_moment

ENDED = datetime(2026, 11, 21, 11, 52, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lasted", "words"),
    [
        (timedelta(minutes=31), "for 31m, since 11:21"),
        (timedelta(hours=24), "since Fri 11:52"),
        (timedelta(hours=12), "since Fri 23:52"),
        (timedelta(days=9), "since 12 Nov 11:52"),
    ],
)
def test_a_gap_names_the_day_it_began_on_where_that_is_another(lasted: timedelta, words: str) -> None:
    gap = Gap((ENDED - lasted).timestamp(), ENDED.timestamp())
    row = present_moment("gap", Moment(gap.ended, gap=gap), LENS)
    assert words in row.cells[-1].text
