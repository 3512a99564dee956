"""Learns how high the percentile of an alert can be told: a histogram says no more than its last bucket's bound.

`histogram_quantile` gives the bound of the highest bucket but `+Inf` for everything above it (prometheus/prometheus,
docs/querying/functions.md): the value may then be anything beyond.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct, structs

from services.alerts.answers import decode_labels
from services.alerts.observed import Rule
from services.errors import Problem
from services.model.alert import Pairs
from services.prometheus.expression import percentile_of, quoted

ANEW = 20
"""Polls after which the buckets of a histogram are looked at again."""

MOST = 16
"""Histograms that are asked about in one poll: the others wait for the next."""

LOOKED_BACK = 3600.0
"""Seconds before the evaluation in which a bucket must have been seen."""


class _Known(Struct, frozen=True):
    poll: int
    bound: float | None


class Ceilings:
    """The highest bounds of histograms, by selector. `get` asks a Prometheus and raises Problem."""

    def __init__(self, get: Callable[..., Awaitable[bytes]]) -> None:
        self._get = get
        self._known: dict[str, _Known] = {}

    async def told(self, rules: Sequence[Rule], poll: int) -> Sequence[Rule]:
        """Return the rules, their alerts with the bound beyond which the value cannot be told."""
        wanted = [_selectors(rule) if rule.alerts else {} for rule in rules]
        asked: dict[str, float] = {}
        for rule, selectors in zip(rules, wanted, strict=True):
            asked |= dict.fromkeys(selectors.values(), rule.evaluated_at)
        if not asked:
            return rules
        stale = [one for one in asked if one not in self._known or poll - self._known[one].poll >= ANEW][:MOST]
        bounds = await asyncio.gather(*(self._bound(one, asked[one]) for one in stale))
        self._known = {one: known for one, known in self._known.items() if one in asked}
        self._known |= {one: _Known(poll, bound) for one, bound in zip(stale, bounds, strict=True)}
        return [self._bounded(rule, selectors) for rule, selectors in zip(rules, wanted, strict=True)]

    def _bounded(self, rule: Rule, selectors: Mapping[Pairs, str]) -> Rule:
        if not selectors:
            return rule
        known = {labels: self._known[one].bound for labels, one in selectors.items() if one in self._known}
        alerts = [structs.replace(alert, bound=known.get(alert.labels)) for alert in rule.alerts]
        return structs.replace(rule, alerts=tuple(alerts))

    async def _bound(self, selector: str, now: float) -> float | None:
        """Return the highest bound of a bucket but that of all, None where nobody tells."""
        times = (("start", f"{now - LOOKED_BACK:.0f}"), ("end", f"{now:.0f}")) if now else ()
        try:
            labels = decode_labels(await self._get("/api/v1/label/le/values", ("match[]", selector), *times))
        except Problem:
            return None
        return max((bound for label in labels if (bound := _number(label)) is not None), default=None)


def _number(label: str) -> float | None:
    try:
        bound = float(label)
    except ValueError:
        return None
    return bound if math.isfinite(bound) else None


def _selectors(rule: Rule) -> dict[Pairs, str]:
    """Return the selector of the buckets of each alert, by its labels; empty where its value is no percentile."""
    buckets = percentile_of(rule.expression)
    if buckets is None:
        return {}
    found = {}
    for alert in rule.alerts:
        own = [f"{name}={quoted(value)}" for name, value in alert.labels if name in buckets.kept]
        matchers = ",".join([buckets.matchers, *own] if buckets.matchers else own)
        found[alert.labels] = f"{buckets.metric}{{{matchers}}}"
    return found
