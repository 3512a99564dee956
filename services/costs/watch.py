"""Watches what the cluster costs: reads live state now and then, a few pods at a time, and says it as tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.clock import Clock
from services.config_costs import CostSettings
from services.costs.allocation import Allocation, Rates
from services.costs.drift import Reading, moved_most
from services.costs.lines import Amounts, Limits, Sheet, idle_rate, limits_for, spend
from services.costs.meter import Meter
from services.costs.moves import Moves
from services.costs.past import Backfill
from services.costs.prices import LISTED_BY, LISTED_ON, PriceBook
from services.model.cost import COST_SUMMARY, COSTS, WHOLE, CostHour, CostPeriod, CostSummary, Spend
from services.model.ref import JOBS, NAMESPACES, NODES, PODS, REPLICASETS
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.model.workload import Owner
from services.ports import CostHistory, Key, MetricsSession, Replace, Sink, Snapshot, StateFeed
from services.sanitize import safe_text

SOURCE = "costs"
USAGE = "usage.pods"

EVERY = 10.0
"""Seconds between two looks."""

AT_REST = 30.0
"""The same while nothing has changed that costs anything: then only the amounts have grown a little."""

FIRST = 1.0
"""Seconds between two looks until there is something to see."""

SAVED_EVERY = 60.0
HOUR, DAY = 3600.0, 86400.0

SILENT = 30.0
"""Seconds without a sign of life of the cluster after which nobody watches any more."""

SLICE = 250
"""Pods or shares worked on before other work has its turn: about a millisecond."""

PATIENCE = 60.0
"""Seconds to wait for pods that have not told their requests."""

PERIODS = (CostPeriod.DAY, CostPeriod.WEEK, CostPeriod.MONTH)
_OWNING = {REPLICASETS.table: REPLICASETS.kind, JOBS.table: JOBS.kind}
_READ = frozenset({NODES.table, NAMESPACES.table, PODS.table, USAGE, *_OWNING})
"""The tables that shares are made from."""


class CostWatch:
    """The costs of one cluster while a console is there: tables "costs" and "cost-summary", source "costs".

    Everything runs on the service loop. `history` keeps the hours, `metrics` is asked for those that nobody watched;
    what neither knows is guessed.
    """

    def __init__(
        self,
        feed: StateFeed,
        sink: Sink,
        clock: Clock,
        settings: CostSettings,
        *,
        history: CostHistory | None = None,
        metrics: Callable[[], MetricsSession | None] = lambda: None,
    ) -> None:
        self._feed = feed
        self._sink = sink
        self._clock = clock
        self._history = history
        self._meter: Meter | None = None
        self._kept_at = 0.0
        self._since = clock.now()
        self._last_ok = 0.0
        self._state = SourceState.LOADING
        self._backfill = Backfill(metrics, clock)
        self._told = 0
        self.use(settings)

    def use(self, settings: CostSettings) -> None:
        """Estimate by other prices, limits and labels from the next look on."""
        self.settings = settings
        self._limits: Limits = limits_for(settings)
        book = PriceBook(settings.prices, settings.list_percent)
        self._allocation = Allocation(book, settings.team_label, settings.flat, settings.teams)
        self._revision = -1
        self._moves = Moves(settings.jump_percent)

    async def run(self) -> None:
        """Look until cancelled."""
        filling = asyncio.create_task(self._fill())
        try:
            await self._look_on()
        finally:
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)

    async def _look_on(self) -> None:
        while True:
            try:
                if not self.rests():
                    await self.look()
            except Exception as error:  # noqa: BLE001 - a fault of an estimate must not end what runs beside it
                self._say(SourceState.FAILED, safe_text(f"{type(error).__name__}: {error}"))
            await self._clock.sleep(EVERY if self._state is SourceState.LIVE else FIRST)

    def close(self) -> None:
        """Hand over the hour that runs."""
        if self._meter is not None and self._history is not None and self._state is SourceState.LIVE:
            self._history.keep(self._meter.present())

    def rests(self) -> bool:
        """Return whether a look would tell nothing but that the same rates have held a little longer."""
        now = self._clock.now()
        if self._state is not SourceState.LIVE or self._meter is None or self._meter.fills != self._told:
            return False
        if now - self._last_ok >= AT_REST or int(now / HOUR) != int(self._last_ok / HOUR):
            return False
        if not self.settings.enabled or waits_for(self._feed.snapshot(), now):
            return False
        changes = self._feed.changes(self._revision)
        return changes is None or _READ.isdisjoint(changes.keys)

    async def look(self) -> None:
        """Look once."""
        if not self.settings.enabled:
            self._say(SourceState.NOT_CONFIGURED)
            return
        changes = self._feed.changes(self._revision)
        snapshot = changes.snapshot if changes is not None else self._feed.snapshot()
        waits = waits_for(snapshot, self._clock.now())
        if waits:
            self._hold(waits)
            return
        await self._take(snapshot, changes.keys if changes is not None else {})
        self._revision = snapshot.revision
        usage = bool(snapshot.tables.get(USAGE))
        rates = self._allocation.rates(usage)
        now = self._clock.now()
        if rates.sized < 0.95 * rates.counted and now - self._since < PATIENCE:
            self._hold("pods have not told their requests yet")
            return
        if self._meter is None:
            self._meter = await self._begin(snapshot, now)
        self._keep(self._meter.read(now, rates.shares), now)
        await self._publish(snapshot, rates, self._meter, now)

    # What is read

    async def _begin(self, snapshot: Snapshot, now: float) -> Meter:
        born = min(
            (one.created_at for one in snapshot.tables.get(NAMESPACES.table, {}).values() if one.created_at),
            default=0.0,
        )
        meter = Meter(now, (), born)
        if self._history is not None:
            # A day at a time: a month of a large cluster is more than should be held at once.
            start = meter.since
            while start < now + HOUR:
                meter.load(await asyncio.to_thread(self._history.hours, start, start + DAY))
                start += DAY
        return meter

    async def _fill(self) -> None:
        """Have filled in, now and then, what nobody watched."""
        while True:
            await self._clock.sleep(EVERY if self._meter is not None else FIRST)
            if self._state is SourceState.LIVE:
                await self.remember()

    async def remember(self) -> None:
        """Have filled in what nobody watched; what is found is kept."""
        if (meter := self._meter) is None:
            return

        def take(hour: CostHour) -> None:
            meter.fill(hour)
            if self._history is not None:
                self._history.keep(hour)

        await self._backfill.look(meter, self._allocation, take)

    async def _take(self, snapshot: Snapshot, changed: Mapping[str, frozenset[Key] | None]) -> None:
        """Bring the shares up to date."""
        tables = snapshot.tables
        anew = self._revision < 0
        if NODES.table in changed or anew:
            anew |= self._allocation.set_nodes(tables.get(NODES.table, {}))
        if NAMESPACES.table in changed or anew:
            labels = {one.ref.name: one.labels for one in tables.get(NAMESPACES.table, {}).values()}
            anew |= self._allocation.set_namespaces(labels)
        for table in _OWNING:
            if table in changed or self._revision < 0:
                anew |= await self._take_owners(table, tables.get(table, {}), changed.get(table))
        pods, usage = tables.get(PODS.table, {}), tables.get(USAGE, {})
        touched: list[Key]
        parts = [changed.get(table, frozenset()) for table in (PODS.table, USAGE)]
        if anew or any(part is None for part in parts):
            touched = list({**dict.fromkeys(self._allocation.keys()), **dict.fromkeys(pods)})
        else:
            touched = list({key: None for part in parts for key in part or ()})
        for keys in _slices(touched):
            for key in keys:
                pod = pods.get(key)
                if pod is None:
                    self._allocation.drop(key)
                else:
                    self._allocation.put(key, pod, usage.get(key))
            await asyncio.sleep(0)

    async def _take_owners(self, table: str, rows: Mapping[Key, Any], keys: frozenset[Key] | None) -> bool:
        late = False
        for part in _slices(list(rows if keys is None else keys)):
            found: dict[str, Owner] = {}
            for key in part:
                row = rows.get(key)
                if row is not None and row.owner is not None:
                    found[f"{_OWNING[table]}/{key}"] = row.owner
            late |= self._allocation.add_owners(found)
            await asyncio.sleep(0)
        return late

    # What is said

    def _hold(self, why: str) -> None:
        """Say that nobody watches, and since when."""
        if self._meter is not None:
            self._meter.pause()
        self._say(SourceState.FAILED if self._last_ok else SourceState.LOADING, why)

    def _say(self, state: SourceState, why: str = "") -> None:
        now = self._clock.now()
        if state is not self._state:
            self._since = now
        self._state = state
        error = f"Costs are not counted: {why}." if why else ""
        self._sink.status(SourceStatus(SOURCE, state, self._last_ok, self._last_ok, self._since, error))

    def _keep(self, over: Iterable[CostHour], now: float) -> None:
        if self._history is None or self._meter is None:
            return
        for hour in over:
            self._history.keep(hour)
        if now - self._kept_at >= SAVED_EVERY:
            self._kept_at = now
            self._history.keep(self._meter.present())

    async def _publish(self, snapshot: Snapshot, rates: Rates, meter: Meter, now: float) -> None:
        spends: dict[CostPeriod, Spend] = {}
        shares = []
        fills = self._told = meter.fills
        for period in PERIODS:
            spends[period], amounts = spend(meter, period, now, rates.total, self._limits)
            shares.append(amounts)
            await asyncio.sleep(0)
        events = self._moves.look(snapshot, rates, spends, (fills, meter.fills), now)
        past = self._moves.past(snapshot, now)
        sheet = Sheet(rates, past, Amounts(*shares))
        for part in _slices(sheet.shares):
            for share in part:
                sheet.add(share)
            await asyncio.sleep(0)
        self._sink.apply(SOURCE, Replace(COSTS, sheet.lines()))
        self._sink.apply(SOURCE, Replace(COST_SUMMARY, {WHOLE: self._summary(rates, past, spends, now)}))
        if events:
            self._sink.happened(events)
        self._last_ok = now
        self._say(SourceState.LIVE)

    def _summary(
        self, rates: Rates, past: Reading | None, spends: Mapping[CostPeriod, Spend], now: float
    ) -> CostSummary:
        own = "own prices; " if self.settings.prices else ""
        return CostSummary(
            at=now,
            rate=rates.total,
            idle=idle_rate(rates),
            spends=tuple(spends.values()),
            trend=self._meter.trend() if self._meter is not None else (),
            step=self._moves.level.step,
            level_at=self._moves.level.at,
            movers=moved_most(past, rates),
            before_at=past.at if past is not None else now,
            nodes=rates.nodes,
            priced=rates.priced,
            pods=rates.counted,
            sized=rates.sized,
            usage=bool(rates.used),
            prices=f"{own}{LISTED_BY}, {LISTED_ON}",
        )


def waits_for(snapshot: Snapshot, now: float) -> str:
    """Return what there is to wait for before costs can be counted, "" where there is nothing."""
    connection = snapshot.sources.get(CONNECTION)
    if connection is None or connection.state in (SourceState.NEVER, SourceState.LOADING):
        return "the cluster has not answered yet"
    if connection.state is not SourceState.LIVE or now - connection.last_byte > SILENT:
        return "the cluster does not answer"
    pods = snapshot.sources.get(f"{CONNECTION}/{PODS.table}")
    if pods is None or pods.state in (SourceState.NEVER, SourceState.LOADING):
        return "pods have not been read yet"
    if pods.state is SourceState.FORBIDDEN:
        return "pods may not be read"
    nodes = snapshot.sources.get(f"{CONNECTION}/{NODES.table}")
    if nodes is not None and nodes.state in (SourceState.NEVER, SourceState.LOADING):
        return "nodes have not been read yet"
    return ""


def _slices(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Return a sequence in parts of `SLICE`."""
    return (items[start : start + SLICE] for start in range(0, len(items), SLICE))
