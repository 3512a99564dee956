"""What a workload does and uses, from one Prometheus: its traffic by whatever metrics there are, cores and memory."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from services.clock import Clock
from services.config_endpoints import MetricSettings
from services.errors import Problem
from services.model.metric import Golden, Series
from services.model.ref import Ref
from services.prometheus.client import PrometheusClient
from services.prometheus.decode import Answer
from services.prometheus.queries import (
    FAMILIES,
    NAMINGS,
    PERCENTILES,
    Family,
    Matcher,
    asked_for,
    filled,
    found_by,
    pods_of,
    selector,
    traffic,
    usage,
)
from services.prometheus.window import Window
from services.sanitize import safe_text

LEARNT_FOR = 600.0
"""Seconds for which it is remembered which metrics tell of a workload."""
TRIED_AGAIN = 60.0
"""Seconds after which a workload that no metric told of is looked for again."""

UNKNOWN = "No metric of requests is known for this workload; name one in [metrics] of the configuration."

UNITS: Mapping[str, str] = {
    "rate": "per_second",
    "errors": "ratio",
    **dict.fromkeys(PERCENTILES, "seconds"),
    "cpu": "cores",
    "memory": "bytes",
}
SERVED = ("rate", "errors", *PERCENTILES)
_WHAT: Mapping[str, str] = {
    "rate": "requests",
    "errors": "errors",
    **{name: f"the {name} of durations" for name in PERCENTILES},
    "cpu": "CPU",
    "memory": "memory",
}


class Told(Struct, frozen=True):
    """Which metrics tell of a workload: a family, how it names the workload, and whether it has the durations.

    `longest` is the bound of its last bucket but that of all, in seconds: no percentile says more.
    """

    family: Family
    ours: tuple[Matcher, ...]
    durations: bool
    longest: float = math.inf


class GoldenSignals:
    """Asks one Prometheus for the golden signals, and remembers which metrics tell of which workload."""

    def __init__(self, client: PrometheusClient, settings: MetricSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._learnt: dict[Ref, tuple[float, Told | None]] = {}
        self._there: tuple[float, frozenset[str]] = (-math.inf, frozenset())

    async def of(self, ref: Ref, pods: Sequence[str], window: Window) -> Golden:
        """Return what can be had, and say of the rest why not. Raises Problem where nothing can be had at all."""
        pattern = pods_of(ref.kind, ref.name, pods)
        served, used, asked = await asyncio.gather(
            self._served(ref, pattern, window),
            self._used(ref, pattern, window),
            self._asked(ref.namespace, pods, window),
        )
        found = {**served, **used}
        lines = {name: one for name, one in found.items() if isinstance(one, Series)}
        said = [str(one.sentence) for one in found.values() if isinstance(one, Problem)]
        if not lines and said:
            raise Problem(safe_text(said[0]))
        quiet = [name for name in UNITS if name not in found]
        if quiet[: len(SERVED)] == [*SERVED]:
            said.append(UNKNOWN)
            quiet = quiet[len(SERVED) :]
        if quiet:
            said.append(f"{self._client.name} has no values for {' and '.join(_WHAT[name] for name in quiet)}.")
        whole = Golden(self._client.name, missing=tuple(dict.fromkeys(map(safe_text, said))))
        return structs.replace(whole, **lines, **asked)

    # Traffic

    async def _served(self, ref: Ref, pods: str, window: Window) -> dict[str, Series | Problem]:
        """Return rate, errors and durations, or why one cannot be had."""
        own = {
            name: filled(template, ref.namespace, ref.name, pods)
            for name in SERVED
            if (template := getattr(self._settings, name))
        }
        if len(own) == len(SERVED):
            return await self._lines(own, window)
        try:
            told = await self._told(ref, pods, window)
        except Problem as problem:
            return {**dict.fromkeys(SERVED, problem), **await self._lines(own, window)}
        known = traffic(told.family, told.ours, window.rate) if told is not None else {}
        if told is not None and not told.durations:
            known = {name: query for name, query in known.items() if name not in PERCENTILES}
        found = await self._lines({**known, **own}, window)
        for name in PERCENTILES:
            line = found.get(name)
            if told is not None and name not in own and isinstance(line, Series):
                found[name] = structs.replace(line, bound=told.longest)
        if "errors" in known and "errors" not in own:
            found |= _part(found.pop("errors", None), found.get("rate"))
        return found

    async def _told(self, ref: Ref, pods: str, window: Window) -> Told | None:
        """Return which metrics tell of the workload, as remembered or found out now; None where none do."""
        until, told = self._learnt.get(ref, (0.0, None))
        if self._clock.monotonic() < until:
            return told
        told = await self._look(ref, pods, window)
        kept = LEARNT_FOR if told is not None else TRIED_AGAIN
        self._learnt[ref] = (self._clock.monotonic() + kept, told)
        return told

    async def _look(self, ref: Ref, pods: str, window: Window) -> Told | None:
        names = await self._families(window)
        if not names:
            return None
        named = ("__name__", "=~", "|".join(sorted(names)))
        ways = [found_by(naming, ref.namespace, ref.name, pods) for naming in NAMINGS]
        if not await self._client.metrics([selector([named, *ours]) for ours in ways], window):
            return None
        for ours in ways:
            there = await self._client.metrics([selector([named, *ours])], window)
            family = next((one for one in FAMILIES if one.counter in there), None)
            if family is not None:
                durations = family.histogram in there
                return Told(
                    family, ours, durations, await self._longest(family, ours, window) if durations else math.inf
                )
        return None

    async def _longest(self, family: Family, ours: Sequence[Matcher], window: Window) -> float:
        """Return the highest bound of a bucket, in seconds; infinite where nobody tells."""
        try:
            bounds = await self._client.values("le", [selector([("__name__", "=", family.histogram), *ours])], window)
            known = [bound for bound in map(float, bounds) if math.isfinite(bound)]
        except (Problem, ValueError):
            return math.inf
        return max(known) * family.scale if known else math.inf

    async def _families(self, window: Window) -> frozenset[str]:
        """Return which of the known metrics this Prometheus has at all: most have one or two of them."""
        until, names = self._there
        if self._clock.monotonic() >= until:
            known = {name for family in FAMILIES for name in (family.counter, family.histogram)}
            names = await self._client.metrics([selector([("__name__", "=~", "|".join(sorted(known)))])], window)
            names &= known
            self._there = (self._clock.monotonic() + (LEARNT_FOR if names else TRIED_AGAIN), names)
        return names

    # Usage

    async def _used(self, ref: Ref, pods: str, window: Window) -> dict[str, Series | Problem]:
        queries = usage(ref.namespace, pods, window.rate, window.bucket)
        for name in queries:
            if template := getattr(self._settings, name):
                queries[name] = filled(template, ref.namespace, ref.name, pods)
        return await self._lines(queries, window)

    async def _asked(self, namespace: str, pods: Sequence[str], window: Window) -> dict[str, float]:
        """Return the sums of requests and limits; {} where nobody tells of them."""
        if not pods:
            return {}
        found: dict[str, float] = {}
        whiches = ("requests", "limits")
        answers = await asyncio.gather(*(self._now(asked_for(which, namespace, pods), window) for which in whiches))
        for which, answer in zip(whiches, answers, strict=True):
            for line in answer.lines:
                resource = line.labels.get("resource", "")
                if resource in ("cpu", "memory") and math.isfinite(line.last):
                    found[f"{resource}_{which.removesuffix('s')}"] = line.last
        return found

    async def _now(self, query: str, window: Window) -> Answer:
        try:
            return await self._client.query(query, window.end)
        except Problem:
            return Answer(())

    # Lines

    async def _lines(self, queries: Mapping[str, str], window: Window) -> dict[str, Series | Problem]:
        """Ask for all at once; what has no value at all is left out."""
        answers = await asyncio.gather(*(self._line(name, query, window) for name, query in queries.items()))
        return {name: one for name, one in zip(queries, answers, strict=True) if one is not None}

    async def _line(self, name: str, query: str, window: Window) -> Series | Problem | None:
        try:
            answer = await self._client.query_range(query, window)
        except Problem as problem:
            return problem
        values = added(window.values(line.points) for line in answer.lines)
        return window.series(name, UNITS[name], values) if values else None


def added(lines: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Return the sums of lines of one length: a gap is where all have one. () without lines."""
    return tuple(
        math.fsum(known) if (known := [value for value in column if not math.isnan(value)]) else math.nan
        for column in zip(*lines, strict=True)
    )


def _part(failed: Series | Problem | None, rate: Series | Problem | None) -> dict[str, Series | Problem]:
    """Return failures as a part of all requests: 0 where nothing failed, a gap where nothing was asked."""
    if isinstance(failed, Problem):
        return {"errors": failed}
    if not isinstance(rate, Series):
        return {}
    bad = failed.values if failed is not None else (math.nan,) * len(rate.values)
    parts = tuple(
        math.nan if math.isnan(whole) or whole <= 0 else min(1.0, part / whole) if part == part else 0.0  # noqa: PLR0124
        for part, whole in zip(bad, rate.values, strict=True)
    )
    return {"errors": structs.replace(rate, name="errors", unit="ratio", values=parts)}
