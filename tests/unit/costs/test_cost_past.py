"""What Prometheus tells of hours that nobody watched: priced as the present is, filled in once, told as no crossing."""

from __future__ import annotations

import math
from collections.abc import Callable, Set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clock import ManualClock
from services.costs.allocation import Allocation
from services.costs.meter import Meter
from services.costs.past import AGAIN, STEP, Backfill, Namer, priced
from services.costs.periods import HOUR
from services.costs.prices import PriceBook
from services.errors import Problem
from services.model.cost import CostEntry, CostHour, CostKind, CostPeriod, CostShare
from services.model.metric import Golden, Requests, Series, Sizes
from services.model.workload import Owner
from services.ports import Replace
from services.sanitize import safe_text
from tests.unit.costs.estate import GIB, node, pod, replicaset, spend_of
from tests.unit.costs.test_cost_watch import BIG, START, Estate, Shelf

THREE = int(START) // HOUR * HOUR
CART = CostShare(CostKind.WORKLOAD, "shop", "retail", "Deployment", "cart")
IDLE = CostShare(CostKind.IDLE, name="idle")


def allocation(**nodes: int) -> Allocation:
    """An estate of one node of 4 cores and 16 GiB for a dollar an hour, and one Deployment of the team retail."""
    made = Allocation(PriceBook({"big": 1.0}), "team")
    made.set_nodes({name: node(name, cores, 16, BIG) for name, cores in (nodes or {"n1": 4000}).items()})
    made.set_namespaces({"shop": ("team=retail",)})
    made.add_owners({"ReplicaSet/shop/cart-7d": Owner("Deployment", "cart", "u1")})
    made.put("shop/cart-1", pod("cart-1", cpu=400, gib=1.6, owner=replicaset("cart-7d", "cart").owner), None)
    return made


def told(
    hours: int, start: float = THREE, cpu: float = 0.4, gib: float = 1.6, cores: float = 4.0, on: str = "n1"
) -> Requests:
    count = round(hours * HOUR / STEP)
    nodes = (Sizes("Node", "", on, (cores,) * count, (16.0 * GIB,) * count),)
    owners = (Sizes("ReplicaSet", "shop", "cart-7d", (cpu,) * count, (gib * GIB,) * count),)
    return Requests(start + STEP / 2, STEP, nodes, owners)


def test_requests_of_the_past_cost_what_they_would_cost_now() -> None:
    (hour,) = priced(told(1), allocation())
    assert (hour.hour, hour.watched, hour.measured) == (THREE, 3600.0, True)
    assert {entry.share: entry.amount for entry in hour.entries} == {CART: 100_000, IDLE: 900_000}


def test_what_was_not_there_costs_nothing_and_an_exporter_that_was_down_is_no_sample() -> None:
    nan = math.nan
    found = Requests(
        THREE + STEP / 2,
        STEP,
        (Sizes("Node", "", "n1", (4.0, 4.0, nan, nan, *(nan,) * 4), (16.0 * GIB, 16.0 * GIB, *(nan,) * 6)),),
        (Sizes("ReplicaSet", "shop", "cart-7d", (nan, 0.4, *(nan,) * 6), (nan, 1.6 * GIB, *(nan,) * 6)),),
    )
    (hour,) = priced(found, allocation())
    assert hour.watched == 2 * STEP
    assert {entry.share: entry.amount for entry in hour.entries} == {CART: 25_000, IDLE: 475_000}


def test_a_node_that_is_gone_is_priced_as_one_of_its_size_else_by_size() -> None:
    estate = allocation()
    assert estate.price_of("gone", 4000, 16 * GIB) == 1_000_000
    assert estate.price_of("gone", 2000, 8 * GIB) == 2 * 31_611 + 8 * 4_237


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("ReplicaSet", "cart-7d", ("Deployment", "cart", "retail")),
        ("ReplicaSet", "gone-6b7f9c8d5", ("Deployment", "gone", "retail")),
        ("ReplicaSet", "by-hand", ("ReplicaSet", "by-hand", "retail")),
        ("Job", "report-29384750", ("CronJob", "report", "retail")),
        ("Job", "migrate", ("Job", "migrate", "retail")),
        ("StatefulSet", "db", ("StatefulSet", "db", "retail")),
        ("Node", "kube-proxy-n1", ("Static", "kube-proxy", "retail")),
        ("", "debug", ("Pod", "debug", "retail")),
    ],
)
def test_owners_are_named_as_they_would_be_now(kind: str, name: str, expected: tuple[str, str, str]) -> None:
    share = Namer(allocation()).share(kind, "shop", name)
    assert (share.workload, share.name, share.team) == expected


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 12)), min_size=4, max_size=4))
def test_the_parts_of_an_hour_are_what_its_nodes_cost(asked: list[tuple[float, float]]) -> None:
    count = len(asked)
    nodes = (Sizes("Node", "", "n1", (4.0,) * count, (16.0 * GIB,) * count),)
    cpu, memory = tuple(one[0] for one in asked), tuple(one[1] * GIB for one in asked)
    owners = (Sizes("ReplicaSet", "shop", "cart-7d", cpu, memory),)
    (hour,) = priced(Requests(THREE + STEP / 2, STEP, nodes, owners), allocation())
    assert hour.total == 1_000_000


def test_an_hour_that_was_hardly_watched_is_filled_up_and_one_that_was_is_not_touched() -> None:
    seen = (CostHour(THREE - 2 * HOUR, 3000.0, (CostEntry(CART, 5_000),)), CostHour(THREE - HOUR, 60.0, ()))
    meter = Meter(START, seen, born=THREE - 3 * HOUR)
    assert meter.unknown(START) == [THREE - HOUR, THREE - 3 * HOUR]
    meter.fill(CostHour(THREE - HOUR, 3600.0, (CostEntry(CART, 3_600_000),), measured=True))
    amounts, guessed = meter.amounts(CostPeriod.DAY, THREE)
    assert amounts[CART] - guessed.amount == 5_000 + 3_540_000
    assert meter.unknown(START) == [THREE - 3 * HOUR]
    assert meter.measured(CostPeriod.DAY) == 3540.0


class Prometheus:
    """Knows the hours from `oldest` on; implements `services.ports.MetricsSession` as far as costs go."""

    def __init__(self, oldest: float, make: Callable[[int, float], Requests] = told) -> None:
        self.oldest = oldest
        self.asked: list[tuple[float, float]] = []
        self.fails = False
        self._make = make

    async def requests(self, since: float, until: float, step: float, nodes: Set[str]) -> Requests:
        self.asked.append((since, until))
        if self.fails:
            raise Problem(safe_text("prometheus main did not answer within 10 s."))
        assert nodes == {"n1"}
        start = max(since, self.oldest)
        return self._make(round((until - start) / HOUR), start) if until > start else Requests(since, step)

    async def golden(self, *_: object) -> Golden:
        raise NotImplementedError

    async def alert_values(self, *_: object) -> list[Series]:
        raise NotImplementedError

    async def alert_firing(self, *_: object) -> Series:
        raise NotImplementedError


async def test_a_gap_is_asked_for_once_a_day_at_a_time_and_not_beyond_what_is_kept() -> None:
    clock, known = ManualClock(START), Prometheus(THREE - 30 * HOUR)
    backfill, meter, found = Backfill(lambda: known, clock), Meter(START), []

    def take(hour: CostHour) -> None:
        meter.fill(hour)
        found.append(hour.hour)

    for _ in range(3):
        await backfill.look(meter, allocation(), take)
    assert sorted(found) == [THREE - back * HOUR for back in range(30, 0, -1)]
    assert known.asked == [(THREE - back * HOUR, THREE - (back - 24) * HOUR) for back in (24, 48, 72)]


async def test_a_server_that_fails_is_left_alone_for_a_while() -> None:
    clock, known = ManualClock(START), Prometheus(THREE - 2 * HOUR)
    known.fails = True
    backfill, meter = Backfill(lambda: known, clock), Meter(START, born=THREE - 2 * HOUR)
    for _ in range(2):
        await backfill.look(meter, allocation(), meter.fill)
    assert len(known.asked) == 1
    known.fails = False
    await clock.advance(AGAIN)
    await backfill.look(meter, allocation(), meter.fill)
    assert (len(known.asked), meter.unknown(START)) == (2, [])


async def test_a_large_cluster_is_asked_for_fewer_hours_at_once() -> None:
    estate = allocation()
    for at in range(3000):
        estate.put(f"shop/w{at}", pod(f"w{at}", owner=Owner("StatefulSet", f"w{at}", "u")), None)
    known, meter = Prometheus(THREE - 6 * HOUR), Meter(START, born=THREE - 6 * HOUR)
    await Backfill(lambda: known, ManualClock(START)).look(meter, estate, meter.fill)
    assert {until - since for since, until in known.asked} == {2 * HOUR}
    assert meter.unknown(START) == []


async def test_what_comes_to_be_known_of_the_past_is_kept_and_crosses_no_limit_now() -> None:
    shelf = Shelf()
    known = Prometheus(THREE - 30 * HOUR, lambda hours, start: told(hours, start, cores=1000.0, on="gone"))
    estate = Estate(shelf=shelf, metrics=lambda: known)
    estate.live.apply("k", Replace("namespaces", {"shop": Estate.namespace(START - 40 * HOUR)}))
    await estate.look()
    before = spend_of(estate.summary, CostPeriod.DAY)
    await estate.watch.remember()
    await estate.look()
    day = spend_of(estate.summary, CostPeriod.DAY)
    assert before.amount == before.guessed < 50_000_000 < day.amount
    assert (day.measured, day.guessed < day.amount // 10) == (3 * HOUR, True)
    assert estate.told == []
    assert sorted(shelf.kept) == [THREE - back * HOUR for back in range(30, 0, -1)] + [THREE]
    assert [hour.measured for _, hour in sorted(shelf.kept.items())] == [True] * 30 + [False]
    assert len([rate for rate in estate.summary.trend if rate > 0]) == 24
