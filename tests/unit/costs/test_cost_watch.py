"""The watch over costs: what it says while it waits, what it publishes, keeps and tells, on live state itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from msgspec import structs

from cache.live import LiveState
from services.clock import ManualClock, settle
from services.config_costs import CostSettings
from services.costs.watch import AT_REST, CostWatch
from services.model.cluster import Namespace
from services.model.cost import CostBy, CostEntry, CostHour, CostKind, CostLine, CostPeriod, CostShare, CostSummary
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event, EventKind
from services.model.workload import Owner, Pod
from services.ports import Delta, MetricsSession, Replace
from tests.unit.costs.estate import node, pod, replicaset, spend_of, usage

START = 1_793_416_447.0
BIG = ("node.kubernetes.io/instance-type=big",)
SETTINGS = CostSettings(prices={"big": 1.0}, daily_warning=50, daily_limit=100)


Metrics = Callable[[], MetricsSession | None]


class Shelf:
    """Hours that are kept."""

    def __init__(self, *hours: CostHour) -> None:
        self.kept = {hour.hour: hour for hour in hours}

    def hours(self, since: float, until: float) -> Sequence[CostHour]:
        return [hour for start, hour in sorted(self.kept.items()) if since <= start < until]

    def keep(self, hour: CostHour) -> None:
        self.kept[hour.hour] = hour


class Estate:
    """Live state with one node, one workload, and a watch over it."""

    def __init__(
        self,
        settings: CostSettings = SETTINGS,
        shelf: Shelf | None = None,
        now: float = START,
        metrics: Metrics = lambda: None,
    ) -> None:
        self.clock = ManualClock(now)
        self.live = LiveState(self.clock)
        self.pods: dict[str, Pod] = {}
        self.live.apply("k", Replace("nodes", {"n1": node("n1", 4000, 16, BIG)}))
        self.live.apply("k", Replace("namespaces", {"shop": self.namespace(now - 60)}))
        self.live.apply("k", Replace("replicasets.apps", {"shop/cart-7d": replicaset("cart-7d", "cart")}))
        self.live.apply("k", Replace("pods", {}))
        self.grow(1)
        self.alive()
        self.watch = CostWatch(self.live, self.live, self.clock, settings, history=shelf, metrics=metrics)

    @staticmethod
    def namespace(born: float) -> Namespace:
        return Namespace(Ref("c1", "", "Namespace", "", "shop", "u"), "Active", born, ("team=retail",))

    def grow(self, count: int) -> None:
        owner = Owner("ReplicaSet", "cart-7d", "u1")
        wanted = {f"shop/cart-{at}": pod(f"cart-{at}", cpu=400, gib=1.6, owner=owner) for at in range(count)}
        self.live.apply("k", Delta("pods", wanted, [key for key in self.pods if key not in wanted]))
        self.pods = wanted
        self.live.publish()

    def alive(self, state: SourceState = SourceState.LIVE) -> None:
        for name in ("kubernetes", "kubernetes/pods", "kubernetes/nodes"):
            self.live.status(SourceStatus(name, state, last_ok=self.clock.now(), last_byte=self.clock.now()))
        self.live.publish()

    async def look(self, seconds: float = 10.0) -> None:
        await self.clock.advance(seconds)
        self.alive()
        await self.watch.look()
        self.live.publish()

    @property
    def summary(self) -> CostSummary:
        found = self.live.snapshot().tables["cost-summary"]["cluster"]
        assert isinstance(found, CostSummary)
        return found

    def line(self, by: CostBy, name: str, kind: CostKind = CostKind.WORKLOAD) -> CostLine:
        lines = self.live.snapshot().tables["costs"].values()
        return next(line for line in lines if (line.by, line.name, line.kind) == (by, name, kind))

    @property
    def status(self) -> SourceStatus:
        return self.live.snapshot().sources["costs"]

    @property
    def told(self) -> list[Event]:
        return [event for event in self.live.snapshot().events if event.kind is EventKind.COST]


async def test_the_table_holds_namespace_team_workload_and_what_is_idle() -> None:
    estate = Estate()
    await estate.look()
    assert estate.line(CostBy.NAMESPACE, "shop").rate == 100_000
    assert estate.line(CostBy.TEAM, "retail").rate == 100_000
    cart = estate.line(CostBy.WORKLOAD, "cart")
    assert (cart.workload, cart.namespace, cart.team, cart.pods, cart.used) == ("Deployment", "shop", "retail", 1, -1)
    assert estate.line(CostBy.TEAM, "idle", CostKind.IDLE).rate == 900_000
    assert (estate.summary.rate, estate.summary.idle, estate.summary.priced) == (1_000_000, 900_000, 1)
    assert estate.status.state is SourceState.LIVE


async def test_amounts_grow_with_time_and_the_lines_sum_to_them() -> None:
    estate = Estate()
    for _ in range(7):
        await estate.look()
    day = spend_of(estate.summary, CostPeriod.DAY)
    assert (day.amount, day.unwatched) == (1_000_000 * 130 // 3600, 70.0)
    lines = [line for line in estate.live.snapshot().tables["costs"].values() if line.by is CostBy.WORKLOAD]
    assert sum(line.today for line in lines) == day.amount


async def test_it_waits_for_pods_and_nodes_and_says_so() -> None:
    estate = Estate()
    estate.live.status(SourceStatus("kubernetes/nodes", SourceState.LOADING))
    estate.live.publish()
    await estate.watch.look()
    estate.live.publish()
    assert estate.status.state is SourceState.LOADING
    assert "nodes have not been read yet" in estate.status.error
    assert "costs" not in estate.live.snapshot().tables


async def test_pods_without_requests_are_waited_for_but_not_for_ever() -> None:
    estate = Estate()
    estate.live.apply("k", Delta("pods", {"shop/x": pod("x", sized=False)}))
    await estate.look()
    assert estate.status.state is SourceState.LOADING
    await estate.look(70)
    assert (estate.status.state, estate.summary.sized, estate.summary.pods) == (SourceState.LIVE, 1, 2)


async def test_nodes_that_may_not_be_read_leave_default_prices_and_nothing_idle() -> None:
    estate = Estate()
    estate.live.clear(["nodes"])
    await estate.clock.advance(1)
    estate.live.status(SourceStatus("kubernetes/nodes", SourceState.FORBIDDEN))
    estate.live.publish()
    await estate.watch.look()
    estate.live.publish()
    assert (estate.summary.nodes, estate.summary.idle) == (0, 0)
    assert estate.summary.rate == round(0.4 * 31_611 + 1.6 * 4_237)


async def test_costs_are_not_counted_while_the_cluster_does_not_answer() -> None:
    estate = Estate()
    await estate.look()
    await estate.look()
    before = estate.summary
    for _ in range(6):
        await estate.clock.advance(10)
        await estate.watch.look()
    estate.live.publish()
    assert estate.status.state is SourceState.FAILED
    assert "does not answer" in estate.status.error
    await estate.look()
    day = spend_of(estate.summary, CostPeriod.DAY)
    assert day.unwatched == 70 + 40
    assert estate.summary.at > before.at


async def test_switched_off_it_says_so() -> None:
    estate = Estate(CostSettings(enabled=False))
    await estate.look()
    assert estate.status.state is SourceState.NOT_CONFIGURED


async def test_hours_are_kept_once_a_minute_and_gone_on_with_by_the_next_console() -> None:
    shelf = Shelf()
    estate = Estate(shelf=shelf)
    for _ in range(13):
        await estate.look()
    estate.watch.close()
    (hour,) = shelf.kept.values()
    assert (hour.watched, hour.total) == (120.0, 1_000_000 * 120 // 3600)
    again = Estate(shelf=shelf, now=estate.clock.now() + 20)
    for _ in range(2):
        await again.look()
    day = spend_of(again.summary, CostPeriod.DAY)
    assert day.amount >= hour.total + 1_000_000 * 10 // 3600


async def test_a_share_of_the_past_that_is_gone_still_has_a_line() -> None:
    gone = CostShare(CostKind.WORKLOAD, "old", "", "Deployment", "legacy")
    shelf = Shelf(CostHour(int(START) // 3600 * 3600 - 3600, 3600.0, (CostEntry(gone, 5_000_000),)))
    estate = Estate(shelf=shelf)
    await estate.look()
    line = estate.line(CostBy.NAMESPACE, "old")
    assert (line.rate, line.today >= 5_000_000) == (0, True)


async def test_a_workload_that_grows_is_told_once_with_the_same_id_by_every_console() -> None:
    told = []
    for _ in range(2):
        estate = Estate()
        await estate.look()
        estate.grow(9)
        for _ in range(12):
            await estate.look()
        (event,) = estate.told
        assert "+$0.80/h" in event.text
        assert "1→9" in event.text
        assert (event.ref.kind, event.ref.namespace, event.ref.name) == ("Deployment", "shop", "cart")
        told.append(event)
    assert told[0].id == told[1].id
    assert told[0].severity is Severity.NOTICE


async def test_a_node_that_comes_is_a_jump_of_the_whole() -> None:
    estate = Estate()
    await estate.look()
    two = {"n1": node("n1", 4000, 16, BIG), "n2": node("n2", 4000, 16, BIG, created_at=START)}
    estate.live.apply("k", Replace("nodes", two))
    for _ in range(8):
        await estate.look()
    (event,) = estate.told
    assert event.text == "+$1.00/h to $2.00/h (estimate), nodes 1→2"


async def test_usage_that_comes_to_be_known_is_no_jump() -> None:
    estate = Estate()
    await estate.look()
    used = {key: usage(one, 4000, 16) for key, one in estate.pods.items()}
    estate.live.apply("k", Replace("usage.pods", used))
    for _ in range(8):
        await estate.look()
    assert estate.line(CostBy.WORKLOAD, "cart").rate == 1_000_000
    assert estate.told == []


async def test_a_limit_that_is_crossed_is_told_once() -> None:
    hour = int(START) // 3600 * 3600
    spent = CostEntry(CostShare(CostKind.IDLE, name="idle"), 48_000_000)
    shelf = Shelf(CostHour(hour - 3600, 3600.0, (spent,)))
    estate = Estate(structs.replace(SETTINGS, prices={"big": 36.0}), shelf)
    for _ in range(30):
        await estate.look()
    (event,) = estate.told
    assert event.text == "today over 50, limit 100 (estimate)"
    assert event.severity is Severity.WARN


async def test_other_settings_are_taken_up_at_the_next_look() -> None:
    estate = Estate()
    await estate.look()
    estate.watch.use(structs.replace(SETTINGS, prices={"big": 2.0}, team_label="squad"))
    await estate.look()
    assert estate.summary.rate == 2_000_000
    assert estate.line(CostBy.TEAM, "").rate == 200_000
    assert estate.told == []


async def test_a_fault_of_the_estimate_is_said_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = Estate()

    def broken(*_: object) -> None:
        raise RuntimeError("\x1b[31mboom")

    monkeypatch.setattr(estate.watch, "_take", broken)
    running = asyncio.create_task(estate.watch.run())
    await settle()
    assert not running.done()
    running.cancel()
    estate.live.publish()
    assert estate.status.state is SourceState.FAILED
    assert estate.status.error == "Costs are not counted: RuntimeError: boom."


async def test_it_rests_while_nothing_changes_that_costs_anything_and_no_longer() -> None:
    estate = Estate()
    assert not estate.watch.rests()
    await estate.look()

    async def later(seconds: float) -> bool:
        await estate.clock.advance(seconds)
        estate.alive()
        return estate.watch.rests()

    assert await later(10)
    estate.live.apply("k", Replace("events", {}))
    assert await later(10)
    assert not await later(AT_REST - 20)
    await estate.look(0)
    assert await later(10)
    estate.grow(2)
    assert not estate.watch.rests()
    await estate.look(0)
    assert estate.watch.rests()
    estate.alive(SourceState.FAILED)
    assert not estate.watch.rests()
    await estate.watch.look()
    estate.live.publish()
    assert estate.status.state is SourceState.FAILED
    assert not await later(10)
    await estate.look(0)
    assert estate.watch.rests()
    estate.watch.use(structs.replace(SETTINGS, prices={"big": 2.0}))
    assert not estate.watch.rests()


@pytest.mark.parametrize("pods", [(1, 1, 1, 1, 1, 1, 1), (1, 1, 3, 3, 3, 3, 2), (2, 1, 1, 1, 1, 1, 4)])
async def test_amounts_are_the_same_whether_it_rests_or_looks_every_time(pods: tuple[int, ...]) -> None:
    resting, looking = Estate(), Estate()
    for count in pods:
        for estate in (resting, looking):
            estate.grow(count)
            await estate.clock.advance(10)
            estate.alive()
            if estate is looking or not estate.watch.rests():
                await estate.watch.look()
    for estate in (resting, looking):
        await estate.look()
    assert resting.summary.spends == looking.summary.spends
    assert resting.live.snapshot().tables["costs"] == looking.live.snapshot().tables["costs"]
