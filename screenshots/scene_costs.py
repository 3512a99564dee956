"""What the scene's cluster costs, and the incident that is open on it: the lower half of the control room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.model.actor import Actor
from services.model.cost import (
    COST_SUMMARY,
    COSTS,
    MICRO,
    WHOLE,
    CostBy,
    CostKind,
    CostLine,
    CostMover,
    CostPeriod,
    CostSummary,
    Spend,
)
from services.model.incident import (
    INCIDENTS,
    IncidentEvent,
    IncidentEventKind,
    IncidentLink,
    IncidentSeverity,
    fold,
)
from services.model.ref import Ref

DAY = 86400.0
CENT = MICRO // 100


def cost_tables(now: float) -> dict[str, Mapping[str, Any]]:
    """Return the estimate at a moment: over the day's warning, on the way to the month's."""
    midnight = now - now % DAY
    monday, first = midnight - 5 * DAY, midnight - 30 * DAY
    spends = (
        Spend(CostPeriod.DAY, midnight, midnight + DAY, 6120 * CENT, 0, 0.0, 50 * MICRO, 100 * MICRO),
        Spend(
            CostPeriod.WEEK, monday, monday + 7 * DAY, 28810 * CENT, 0, 0.0, 300 * MICRO, 500 * MICRO,
            300 * MICRO, now + 10450,
        ),
        Spend(
            CostPeriod.MONTH, first, first + 31 * DAY, 1420 * MICRO, 540 * MICRO, 9 * DAY, 1000 * MICRO, 2000 * MICRO
        ),
    )  # fmt: skip
    trend = (*(-1,) * 6, *(cents * CENT for cents in (180, 185, 190, 210, 230, 230, 235, 260, 300, 300, 310, 330)))
    summary = CostSummary(
        at=now,
        rate=410 * CENT,
        idle=131 * CENT,
        spends=spends,
        trend=(*trend, *(cents * CENT for cents in (330, 330, 330, 335, 380, 410))),
        step=80 * CENT,
        level_at=now - 967,
        movers=(CostMover("payments", 62 * CENT, "checkout", 62 * CENT, 5, 12),),
        before_at=now - 3600,
        nodes=12,
        priced=12,
        pods=642,
        sized=642,
        usage=True,
        prices="AWS list, us-east-1, Linux, on demand, 2026-01-19",
    )
    return {COSTS: {line.key: line for line in _lines()}, COST_SUMMARY: {WHOLE: summary}}


def _lines() -> list[CostLine]:
    found = []
    namespaces = (
        ("payments", 98, 36), ("shop", 61, 61), ("platform", 37, 37), ("data", 33, 33), ("search", 21, 21),
        ("media", 15, 15), ("identity", 9, 9), ("edge", 5, 5),
    )  # fmt: skip
    for name, rate, before in namespaces:
        found.append(_line(CostBy.NAMESPACE, name, rate, before, namespace=name, pods=rate))
        found.append(_line(CostBy.TEAM, name, rate, before, pods=rate))
    for namespace, name, rate, before, pods in (
        ("payments", "checkout", 86, 24, 12), ("payments", "billing-00", 12, 12, 3), ("shop", "cart", 24, 24, 3),
        ("shop", "search", 37, 37, 5), ("data", "warehouse", 33, 33, 3),
    ):  # fmt: skip
        more = {"namespace": namespace, "team": namespace, "workload": "Deployment"}
        found.append(_line(CostBy.WORKLOAD, name, rate, before, pods=pods, **more))
    for by in CostBy:
        own = [line for line in found if line.by is by]
        today, week, month = (6120 - 15 * 279, 28810 - 70 * 279, 142_000 - 340 * 279)
        found.append(
            CostLine(
                by, CostKind.IDLE, "idle", 131 * CENT, 193 * CENT, -1, today * CENT, week * CENT, month * CENT
            )
        )  # fmt: skip
        rest = 279 - sum(line.rate for line in own) // CENT
        if rest:
            found.append(
                _line(by, "others", rest, rest, pods=rest, namespace="edge", team="edge", workload="DaemonSet")
            )
    return found


def _line(by: CostBy, name: str, rate: int, before: int, *, pods: int, **more: str) -> CostLine:
    return CostLine(
        by, CostKind.WORKLOAD, name, rate * CENT, before * CENT, rate * CENT // 2, rate * 15 * CENT, rate * 70 * CENT,
        rate * 340 * CENT, pods, pods, **more,
    )  # fmt: skip


def incident_table(now: float, cluster: str) -> dict[str, Mapping[str, Any]]:
    """Return one open incident, 11 minutes old, and one that is over."""
    duty, ana = Actor("duty1", "bastion-2", "c1"), Actor("ana", "bastion-1", "c2")
    checkout = Ref(cluster, "apps", "Deployment", "payments", "checkout", "uid-deployment-payments-checkout")
    links = (
        IncidentLink("CheckoutErrorRate", None, "a1b2c3", now - 660),
        IncidentLink("payments/checkout", checkout, "", now - 840),
    )
    kind = IncidentEventKind
    told = [
        IncidentEvent(1, 41, now - 5 * DAY, kind.DECLARED, ana, "", "search slow", IncidentSeverity.P3, "ana"),
        IncidentEvent(2, 41, now - 5 * DAY + 3000, kind.STATUS, ana, "index rebuilt", "resolved"),
        IncidentEvent(
            3, 42, now - 640, kind.DECLARED, duty, "", "checkout 5xx", IncidentSeverity.P2, "duty1", now - 660, cluster,
            links,
        ),
        IncidentEvent(4, 42, now - 600, kind.SEVERITY, duty, "12 % of orders fail", "P1"),
        IncidentEvent(5, 42, now - 580, kind.STATUS, duty, "", "investigating"),
        IncidentEvent(6, 42, now - 400, kind.NOTE, ana, "quota: the new revision asks for 500m a pod more"),
    ]  # fmt: skip
    return {INCIDENTS: fold(told)}
