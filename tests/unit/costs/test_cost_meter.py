"""What hours, days, weeks and months have cost, and what is guessed for time that nobody watched."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.costs.allocation import Rates
from services.costs.drift import Level, Reading, moved_most, scaled_back
from services.costs.lines import spend
from services.costs.meter import LONGEST, Meter
from services.costs.periods import HOUR, Guess, Seen, bounds, guess
from services.model.cost import CostEntry, CostHour, CostKind, CostPeriod, CostShare, CostSummary, Spend
from services.model.ref import Ref
from services.model.timeline import Event, EventKind
from tui.presenters.costs import present_cost_detail, present_cost_lines
from tui.presenters.lens import Lens
from widgets.viewmodels import text_of

CART = CostShare(CostKind.WORKLOAD, "shop", "", "Deployment", "cart")
IDLE = CostShare(CostKind.IDLE, name="idle")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


SATURDAY = at("2026-10-31T03:00:00")


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        (CostPeriod.DAY, "2026-10-31T03:14:07", "2026-10-31", "2026-11-01"),
        (CostPeriod.WEEK, "2026-10-31T03:14:07", "2026-10-26", "2026-11-02"),
        (CostPeriod.WEEK, "2026-10-26T00:00:00", "2026-10-26", "2026-11-02"),
        (CostPeriod.WEEK, "2026-10-25T23:59:59", "2026-10-19", "2026-10-26"),
        (CostPeriod.WEEK, "2027-01-01T12:00:00", "2026-12-28", "2027-01-04"),
        (CostPeriod.MONTH, "2026-10-31T23:59:59", "2026-10-01", "2026-11-01"),
        (CostPeriod.MONTH, "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        (CostPeriod.MONTH, "2026-12-31T00:00:00", "2026-12-01", "2027-01-01"),
    ],
)
def test_periods_are_cut_in_utc_and_weeks_begin_on_monday(period: CostPeriod, now: str, start: str, end: str) -> None:
    assert bounds(period, at(now)) == (at(start), at(end))


def watched(
    meter: Meter, since: float, until: float, rates: dict[CostShare, int], step: float = 60.0
) -> list[CostHour]:
    over, now = [], since
    while now <= until:
        over += meter.read(now, rates)
        now += step
    return over


def test_a_rate_held_for_an_hour_costs_that_much() -> None:
    meter = Meter(SATURDAY)
    over = watched(meter, SATURDAY, SATURDAY + HOUR, {CART: 4_100_000, IDLE: 1})
    assert [(hour.hour, hour.watched, hour.total) for hour in over] == [(int(SATURDAY), 3600.0, 4_100_001)]
    amounts, missed = meter.amounts(CostPeriod.DAY, SATURDAY + HOUR)
    assert missed == Guess(3 * 4_100_001, 3 * 3600.0)
    assert sum(amounts.values()) == 4 * 4_100_001


def test_the_rate_before_holds_until_the_next_reading() -> None:
    meter = Meter(SATURDAY, born=SATURDAY)
    meter.read(SATURDAY, {CART: 3_600_000})
    meter.read(SATURDAY + 10, {CART: 0})
    meter.read(SATURDAY + 70, {})
    assert meter.amounts(CostPeriod.DAY, SATURDAY + 70)[0] == {CART: 10_000}


def test_a_long_pause_is_not_watched_but_guessed() -> None:
    meter = Meter(SATURDAY, born=SATURDAY)
    watched(meter, SATURDAY, SATURDAY + 600, {CART: 3_600_000})
    meter.read(SATURDAY + 600 + LONGEST + 110, {CART: 3_600_000})
    amounts, missed = meter.amounts(CostPeriod.DAY, SATURDAY + 800)
    assert (missed.seconds, missed.amount) == (200.0, 200_000)
    assert amounts == {CART: 800_000}


def test_a_pause_that_was_said_is_guessed_however_short() -> None:
    meter = Meter(SATURDAY, born=SATURDAY)
    watched(meter, SATURDAY, SATURDAY + 600, {CART: 3_600_000})
    meter.pause()
    meter.read(SATURDAY + 630, {CART: 3_600_000})
    assert meter.amounts(CostPeriod.DAY, SATURDAY + 630)[1].seconds == 30.0


def test_nothing_is_guessed_from_before_the_cluster_was_made() -> None:
    meter = Meter(SATURDAY, born=SATURDAY - 1800)
    watched(meter, SATURDAY, SATURDAY + 600, {CART: 3_600_000})
    assert meter.amounts(CostPeriod.MONTH, SATURDAY + 600)[1].seconds == 1800.0


def test_a_new_day_starts_at_nothing_and_the_month_goes_on() -> None:
    midnight = at("2026-10-31T00:00:00")
    meter = Meter(midnight - 600, born=midnight - 600)
    watched(meter, midnight - 600, midnight + 60, {CART: 3_600_000})
    assert meter.bounds(CostPeriod.DAY)[0] == midnight
    assert meter.amounts(CostPeriod.DAY, midnight + 60)[0] == {CART: 60_000}
    assert meter.amounts(CostPeriod.MONTH, midnight + 60)[0] == {CART: 660_000}


def test_an_hour_begun_by_an_earlier_console_is_gone_on_with() -> None:
    kept = [
        CostHour(int(SATURDAY) - HOUR, 3600.0, (CostEntry(CART, 2_000_000),)),
        CostHour(int(SATURDAY), 600.0, (CostEntry(CART, 500_000),)),
    ]
    meter = Meter(SATURDAY + 1200, kept, born=SATURDAY - HOUR)
    watched(meter, SATURDAY + 1200, SATURDAY + 1800, {CART: 6_000_000})
    assert meter.present().watched == 1200.0
    assert meter.present().total == 1_500_000
    amounts, missed = meter.amounts(CostPeriod.DAY, SATURDAY + 1800)
    assert missed == Guess(750_000, 600.0)
    assert sum(amounts.values()) == 2_000_000 + 1_500_000 + 750_000


def test_the_trend_leaves_out_what_nobody_watched() -> None:
    kept = [CostHour(int(SATURDAY) - 2 * HOUR, 1800.0, (CostEntry(CART, 2_000_000),))]
    meter = Meter(SATURDAY, kept)
    meter.read(SATURDAY, {CART: 5_000_000})
    assert meter.trend(4) == (-1, 4_000_000, -1, 5_000_000)


RATES = st.lists(st.tuples(st.floats(0.5, 4000), st.integers(0, 10**9), st.booleans()), min_size=1, max_size=40)


@given(RATES, st.floats(0, 3600))
def test_parts_always_sum_to_the_whole_and_time_is_watched_or_guessed(
    steps: list[tuple[float, int, bool]], offset: float
) -> None:
    now = start = SATURDAY + offset
    meter = Meter(now, born=start)
    for seconds, rate, gone in steps:
        meter.read(now, {CART: rate, IDLE: 7})
        if gone:
            meter.pause()
        now += seconds
    meter.read(now, {CART: 1, IDLE: 7})
    seen = sum(one.watched for one in meter._known().values())
    for period in CostPeriod:
        amounts, missed = meter.amounts(period, now)
        since = max(start, meter.bounds(period)[0])
        assert all(amount >= 0 for amount in amounts.values())
        assert 0 <= missed.amount <= sum(amounts.values())
        if since == start:
            assert seen + missed.seconds == pytest.approx(now - since, abs=1.1 * (len(steps) + 1))


def test_a_gap_takes_the_rate_of_the_hour_before_it_else_of_the_one_after() -> None:
    hour = int(SATURDAY)
    seen = {hour + HOUR: Seen(3600.0, 100), hour + 3 * HOUR: Seen(3600.0, 900)}
    found = guess(seen, hour, hour + 5 * HOUR, 5)
    assert found == Guess(100 + 100 + 900, 3 * 3600.0)
    assert guess({}, hour, hour + HOUR, 5) == Guess(5, 3600.0)
    assert guess({hour: Seen(10.0, 9999)}, hour, hour + HOUR, 5).amount == 5


def test_a_level_tells_a_step_once_it_has_lasted() -> None:
    level = Level(10)
    assert level.look(1_000_000, 0) is None
    assert level.look(1_090_000, 10) is None
    assert level.look(1_500_000, 20) is None
    assert level.look(1_500_000, 40) is None
    jump = level.look(1_600_000, 70)
    assert jump is not None
    assert (jump.before, jump.after, jump.at) == (1_000_000, 1_600_000, 20)
    assert level.look(1_600_000, 200) is None


def test_a_flicker_is_no_step() -> None:
    level = Level(10)
    level.look(1_000_000, 0)
    for second in range(0, 600, 20):
        assert level.look(1_500_000 if second % 40 else 1_000_000, second) is None


def test_what_the_cluster_tells_of_its_last_hour_is_compared_with() -> None:
    def scaled(moment: float, count: int, before: str, name: str = "cart") -> Event:
        ref = Ref("c", "apps", "Deployment", "shop", name)
        return Event(
            f"{moment}", moment, moment, EventKind.SCALE, ref, f"scaled to {count}", payload={"before": before}
        )

    seen = Reading(7200.0, Rates(2_000_000, {CART: 1_200_000, IDLE: 800_000}, {}, {CART: 12}))
    told = (scaled(6000, 8, "5"), scaled(6900, 12, "8"), scaled(7000, 9, "1", "other"), scaled(100, 5, "1"))
    before = scaled_back(seen, told, 3600.0)
    assert (before.at, before.rates.shares[CART], before.rates.pods[CART]) == (6000, 500_000, 5)
    (mover,) = moved_most(before, seen.rates)
    assert (mover.namespace, mover.workload, mover.change, mover.pods_before, mover.pods) == (
        "shop",
        "cart",
        700_000,
        5,
        12,
    )
    assert scaled_back(seen, (scaled(7300, 12, "5"), scaled(6000, 12, "")), 3600.0) == seen


def test_what_was_before_the_cluster_was_watched_by_nobody() -> None:
    now = SATURDAY + HOUR
    meter = Meter(now - 600, born=SATURDAY + 1800)
    watched(meter, now - 600, now, {CART: 3_600_000})
    spent, _ = spend(meter, CostPeriod.DAY, now, 3_600_000, {})
    assert (spent.absent, spent.unwatched) == (3 * HOUR + 1800, 1200.0)
    later, _ = spend(Meter(SATURDAY, born=0.0), CostPeriod.DAY, now, 0, {})
    assert later.absent == 0.0
    lens = Lens(now)
    summary = CostSummary(at=now, rate=3_600_000, idle=0, spends=(spent,))
    said = [text_of(line) for line in present_cost_detail(summary, {}, lens).lines]
    (past,) = [line for line in said if line.startswith("PAST")]
    assert past.endswith("today: 10m watched, 20m extrapolated, 3h30m before there was a cluster")


@pytest.mark.parametrize(("width", "whole"), [(30, False), (45, True)])
def test_a_part_that_has_no_room_is_left_out_whole(width: int, whole: bool) -> None:
    spent = Spend(CostPeriod.DAY, SATURDAY, SATURDAY + 86400, 9_000_000, 8_000_000, 60.0, 0, 100_000_000)
    line, *_ = present_cost_lines(CostSummary(at=SATURDAY, rate=1, idle=0, spends=(spent,)), width, Lens(SATURDAY))
    assert text_of(line).rstrip().startswith("today    $9.00  limit 100")
    assert ("extrapolated" in text_of(line)) is whole
