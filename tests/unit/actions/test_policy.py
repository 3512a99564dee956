"""Freezes, hours, names and tickets: what a policy forbids at which moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.config_policy import DAYS, Policy, barred_until

WEEKEND = "Fri 16:00 - Mon 08:00"
TURN = "2026-12-20 - 2027-01-03"


@pytest.mark.parametrize(
    ("freeze", "hours", "now", "said"),
    [
        ((WEEKEND,), "", "2026-11-20T15:59", ""),
        ((WEEKEND,), "", "2026-11-20T16:00", "until Mon 08:00 UTC"),
        ((WEEKEND,), "", "2026-11-22T12:00", "until Mon 08:00 UTC"),
        ((WEEKEND,), "", "2026-11-23T07:59", "until Mon 08:00 UTC"),
        ((WEEKEND,), "", "2026-11-23T08:00", ""),
        (("Tue 10:00 - Tue 12:00",), "", "2026-11-24T11:00", "until Tue 12:00 UTC"),
        (("Tue 10:00 - Tue 12:00",), "", "2026-11-25T11:00", ""),
        ((TURN,), "", "2026-12-19T23:59", ""),
        ((TURN,), "", "2026-12-20T00:00", "until 2027-01-04 00:00 UTC"),
        ((TURN,), "", "2027-01-03T23:59", "until 2027-01-04 00:00 UTC"),
        ((TURN,), "", "2027-01-04T00:00", ""),
        (("2026-12-20T18:30 - 2026-12-20T19:00",), "", "2026-12-20T18:45", "until 2026-12-20 19:00 UTC"),
        ((), "Mon-Fri 08:00-18:00", "2026-11-23T08:00", ""),
        ((), "Mon-Fri 08:00-18:00", "2026-11-23T18:00", "outside Mon-Fri 08:00-18:00 UTC"),
        ((), "Mon-Fri 08:00-18:00", "2026-11-22T12:00", "outside Mon-Fri 08:00-18:00 UTC"),
        ((), "Sat-Mon 08:00-18:00", "2026-11-22T12:00", ""),
        ((), "Sat-Mon 08:00-18:00", "2026-11-24T12:00", "outside Sat-Mon 08:00-18:00 UTC"),
    ],
)
def test_when_nothing_may_be_changed(freeze: tuple[str, ...], hours: str, now: str, said: str) -> None:
    policy = Policy(freeze=freeze, hours=hours)
    assert barred_until(policy, datetime.fromisoformat(now).replace(tzinfo=UTC)) == said


@given(
    st.sampled_from(DAYS),
    st.integers(0, 1439),
    st.integers(1, 7 * 1440 - 1),
    st.integers(0, 7 * 1440 - 1),
)
def test_a_weekly_window_holds_for_its_length_and_no_longer(day: str, minute: int, length: int, after: int) -> None:
    begin = DAYS.index(day) * 1440 + minute
    end = (begin + length) % (7 * 1440)
    words = [f"{DAYS[at // 1440]} {at % 1440 // 60:02d}:{at % 60:02d}" for at in (begin, end)]
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    now = monday + timedelta(minutes=begin + after)
    assert bool(barred_until(Policy(freeze=(" - ".join(words),)), now)) is (after < length)


@pytest.mark.parametrize(
    ("pattern", "action", "fits"),
    [("drain", "drain", True), ("delete-*", "delete-pod", True), ("*", "scale", True), ("drain", "rollback", False)],
)
def test_actions_are_named_by_patterns(pattern: str, action: str, fits: bool) -> None:
    policy = Policy(deny=(pattern,), typed=(pattern,), reason=(pattern,))
    assert (policy.denies(action), policy.wants_name(action), policy.wants_reason(action)) == (fits, fits, fits)
