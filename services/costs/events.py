"""Puts costs on the timeline: a rate that moved for good, a limit crossed; every console gives the same ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.costs.allocation import Rates
from services.costs.drift import Jump, Reading, movers
from services.costs.money import WORDS, change, dollars, limit
from services.model.cluster import Node
from services.model.cost import CostKind, CostPeriod, CostShare, Spend
from services.model.ref import WORKLOAD_KINDS, Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind, event_id
from services.model.workload import Rollout

SOURCE = "costs"
COARSE = 600
"""Seconds that an onset is rounded to where the cluster has no time of its own for it."""

_GROUPS = {kind.kind: kind.group for kind in WORKLOAD_KINDS}


def cost_ref(cluster: str) -> Ref:
    """Return what an event on the whole cost is about."""
    return Ref(cluster, "", "Cost", "", "cost")


def share_ref(cluster: str, share: CostShare, rollouts: Mapping[str, Rollout]) -> Ref:
    """Return the workload of a share, with its uid where it is known."""
    known = rollouts.get(f"{share.workload}/{share.namespace}/{share.name}")
    if known is not None:
        return known.ref
    return Ref(cluster, _GROUPS.get(share.workload, ""), share.workload, share.namespace, share.name)


def total_event(
    cluster: str, jump: Jump, before: Reading | None, *, rates: Rates, nodes: Mapping[str, Node], now: float
) -> Event:
    """Return the event of a jump of the whole rate: nodes came or went, or their prices changed."""
    was = before.rates.nodes if before is not None else rates.nodes
    why = f", nodes {was}→{rates.nodes}" if was != rates.nodes else ""
    step = jump.after - jump.before
    newest = max(nodes.values(), key=lambda node: (node.created_at, node.ref.name), default=None)
    if step > 0 and rates.nodes > was and newest is not None:
        onset, uid = str(round(newest.created_at)), newest.ref.uid
    else:
        onset, uid = str(int(jump.at) // COARSE), ""
    text = f"{change(step)} to {dollars(jump.after)}/h (estimate){why}"
    return Event(
        id=event_id(cluster, SOURCE, uid, "up" if step > 0 else "down", onset),
        at=jump.at,
        seen_at=now,
        kind=EventKind.COST,
        ref=cost_ref(cluster),
        text=text,
        severity=Severity.NOTICE,
        payload={"before": str(jump.before), "after": str(jump.after)},
    )


def namespace_event(
    cluster: str,
    namespace: str,
    jump: Jump,
    before: Reading | None,
    *,
    rates: Rates,
    rollouts: Mapping[str, Rollout],
    now: float,
) -> Event | None:
    """Return the event of a jump within a namespace, told of the workload that moved most; None where none did."""
    past = before.rates if before is not None else rates
    moved = [one for one in movers(past.shares, rates.shares) if one[0].namespace == namespace]
    if not moved:
        return None
    share, step = moved[0]
    ref = share_ref(cluster, share, rollouts)
    row: Any = rollouts.get(f"{share.workload}/{share.namespace}/{share.name}")
    onset = f"generation {row.workload.generation}" if row is not None else str(int(jump.at) // COARSE)
    count, was = rates.pods.get(share, 0), past.pods.get(share, 0)
    pods = f", pods {was}→{count}" if was != count else ""
    after = sum(rate for one, rate in rates.shares.items() if one.namespace == namespace and _is_pods(one))
    return Event(
        id=event_id(cluster, SOURCE, ref.uid or ref.key, "up" if step > 0 else "down", onset),
        at=jump.at,
        seen_at=now,
        kind=EventKind.COST,
        ref=ref,
        text=f"cost {change(step)}{pods}; {namespace} now {dollars(after)}/h (estimate)",
        severity=Severity.NOTICE,
        payload={"before": str(jump.before), "after": str(jump.after)},
    )


def _is_pods(share: CostShare) -> bool:
    return share.kind is CostKind.WORKLOAD


def crossings(
    cluster: str, before: Mapping[CostPeriod, Spend], now_spent: Mapping[CostPeriod, Spend], now: float
) -> list[Event]:
    """Return the events of limits that were crossed between two looks at the same periods."""
    told = []
    for period, spend in now_spent.items():
        past = before.get(period)
        if past is None or past.start != spend.start or spend.severity > Severity.WARN:
            continue
        for name, bound, severity in (
            ("warning", spend.warning, Severity.WARN),
            ("limit", spend.critical, Severity.CRIT),
        ):
            if bound and past.amount < bound <= spend.amount:
                more = f", limit {limit(spend.critical)}" if name == "warning" and spend.critical else ""
                told.append(
                    Event(
                        id=event_id(cluster, SOURCE, "", f"{period}-{name}-{bound}", str(round(spend.start))),
                        at=now,
                        seen_at=now,
                        kind=EventKind.COST,
                        ref=cost_ref(cluster),
                        text=f"{WORDS[period]} over {limit(bound)}{more} (estimate)",
                        severity=severity,
                        payload={"amount": str(spend.amount)},
                    )
                )
    return told
