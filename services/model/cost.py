"""What the cluster costs, as far as it can be estimated from requests, usage and the price of its nodes.

Money is whole micro-USD (millionths of a dollar), rates are micro-USD an hour; times are epoch seconds UTC. Names are
raw, as the cluster has them.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from services.model.severity import Severity

MICRO = 1_000_000
"""Micro-USD in a dollar."""

COSTS = "costs"
COST_SUMMARY = "cost-summary"
"""Live-state tables: `CostLine` by its key; the one `CostSummary` under `WHOLE`."""

WHOLE = "cluster"
MOSTLY = 0.75
"""The part of an amount that may be guessed before a limit that it is over is no alarm any more."""


class CostKind(StrEnum):
    """What a share of the cost is for: somebody's pods, what nobody asked for, or a flat item of the settings."""

    WORKLOAD = "workload"
    IDLE = "idle"
    FLAT = "flat"


class CostBy(StrEnum):
    """What lines add up over; within each of them, the lines' sum is the whole."""

    NAMESPACE = "namespace"
    TEAM = "team"
    WORKLOAD = "workload"


class CostPeriod(StrEnum):
    """A billing period, in UTC; a week begins on Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class CostShare(Struct, frozen=True, gc=False, order=True, cache_hash=True):
    """What a cost is attributed to, as finely as it is known; for IDLE and FLAT only `name` says more.

    `team` is "" where neither the pod nor its namespace names one. `workload` is the kind of the controller, or Pod.
    """

    kind: CostKind
    namespace: str = ""
    team: str = ""
    workload: str = ""
    name: str = ""


class CostEntry(Struct, frozen=True, gc=False):
    """What one share cost in one hour, in micro-USD."""

    share: CostShare
    amount: int


class CostHour(Struct, frozen=True):
    """One hour as this console saw it: `hour` is its start, `watched` how many of its seconds were seen.

    `entries` are what was spent within those seconds alone; the rest of the hour is not in them. `measured` is an hour
    that no console watched, and that Prometheus told of afterwards: `watched` are the seconds it knows.
    """

    hour: int
    watched: float
    entries: tuple[CostEntry, ...]
    measured: bool = False

    @property
    def total(self) -> int:
        """The sum of the entries, in micro-USD."""
        return sum(entry.amount for entry in self.entries)


class CostLine(Struct, frozen=True, gc=False):
    """One row of the table "costs", under "<by>/<name>": what a namespace, a team or a workload costs.

    `rate` is now, `before` the rate at `CostSummary.before_at`, `used` the part of `rate` that usage alone would
    explain (-1 where usage is not known). `today`, `week` and `month` are amounts so far, gaps estimated. A team's line
    names its `namespaces`, in order.
    """

    by: CostBy
    kind: CostKind
    name: str
    rate: int
    before: int = 0
    used: int = -1
    today: int = 0
    week: int = 0
    month: int = 0
    pods: int = 0
    pods_before: int = 0
    namespace: str = ""
    team: str = ""
    workload: str = ""
    namespaces: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key in the table."""
        return f"{self.by}/{self.kind}/{self.namespace}/{self.workload}/{self.name}"


class Spend(Struct, frozen=True, gc=False):
    """What a period has cost so far, against its limits (micro-USD; 0: no limit).

    `guessed` is the part of `amount` for hours that nobody watched, estimated from the rates around them;
    `unwatched` how many seconds those are, `measured` how many more Prometheus told of afterwards, `absent` how many
    there was no cluster for yet. `crosses` is the limit that the present rate reaches before `end`, and `crosses_at`
    when (0: none).
    """

    period: CostPeriod
    start: float
    end: float
    amount: int
    guessed: int
    unwatched: float
    warning: int
    critical: int
    crosses: int = 0
    crosses_at: float = 0.0
    measured: float = 0.0
    absent: float = 0.0

    @property
    def severity(self) -> Severity:
        """CRIT from the critical limit on, WARN from the warning limit on; NOTICE where that is mostly guessed."""
        if self.critical and self.amount >= self.critical:
            reached = Severity.CRIT
        elif self.warning and self.amount >= self.warning:
            reached = Severity.WARN
        else:
            return Severity.OK
        return reached if self.guessed <= MOSTLY * self.amount else Severity.NOTICE


class CostMover(Struct, frozen=True, gc=False):
    """A namespace whose rate has changed by `change`, and the workload in it that changed most, by `step`."""

    namespace: str
    change: int
    workload: str
    step: int
    pods_before: int
    pods: int


class CostSummary(Struct, frozen=True):
    """The whole estimate: the run rate, the three periods, the trend, and how much of it is known.

    `trend` holds the mean rate of the last 24 hours, oldest first, -1 for an hour that nobody watched; its last entry
    is the present rate. `step` is the last jump of the rate, at `level_at` (0: none was seen), `movers` are the
    namespaces that changed most since `before_at`.
    `priced` of `nodes` have a price of their own, the others are priced by their size; `sized` of `pods` have told
    their requests. `prices` says where the prices come from and of which day.
    """

    at: float
    rate: int
    idle: int
    spends: tuple[Spend, ...]
    trend: tuple[int, ...] = ()
    step: int = 0
    level_at: float = 0.0
    movers: tuple[CostMover, ...] = ()
    before_at: float = 0.0
    nodes: int = 0
    priced: int = 0
    pods: int = 0
    sized: int = 0
    usage: bool = False
    prices: str = ""
