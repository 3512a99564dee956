"""Answers what a screen asks of the monitoring: a workload's traffic and usage, an alert's value over time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import structs

from services.clock import Clock
from services.config_endpoints import MetricSettings
from services.endpoint import Endpoint
from services.errors import Problem
from services.model.alert import Alert
from services.model.metric import Golden, Series
from services.model.ref import Ref
from services.prometheus.decode import Line, decode_lines, decode_names, spread
from services.prometheus.queries import (
    FAMILIES,
    LEAST_WINDOW,
    WORKLOAD_LABELS,
    Family,
    chosen,
    comparison,
    exactly,
    filled,
    pods_of,
    selector,
)
from services.sanitize import safe_text

LEAST_STEP = 15.0
"""Seconds between two points at least: a common scrape interval."""

MOST_POINTS = 10_000
"""Points of one range: Prometheus refuses more than 11,000 (web/api/v1/api.go)."""

LEARNT_FOR = 600.0
"""Seconds for which it is remembered which metrics there are and how they name a workload."""

LONG = 1_800
"""Characters from which a query is sent as a form."""

Matcher = tuple[str, str, str]
T = TypeVar("T")


class PrometheusSession:
    """Implements `services.ports.MetricsSession` on the first of several Prometheis that answers."""

    def __init__(self, endpoints: Sequence[Endpoint], settings: MetricSettings, clock: Clock) -> None:
        self._endpoints = tuple(endpoints)
        self._settings = settings
        self._clock = clock
        self._learnt: dict[tuple[str, ...], tuple[float, object]] = {}

    async def golden(self, ref: Ref, pods: Sequence[str], since: float, until: float, columns: int) -> Golden:
        """Return what a workload does and uses; what is missing is said in it. Raises Problem."""
        return await self._first(lambda endpoint: self._golden(endpoint, ref, pods, _Range(since, until, columns)))

    async def alert_values(self, alert: Alert, since: float, until: float, columns: int) -> Sequence[Series]:
        """Return the alert's expression, without its comparison, of the series that bear its labels. Raises Problem."""
        if not alert.expression:
            raise Problem(safe_text("No Prometheus that is asked has the rule of this alert: its value is not known."))
        window, cut = _Range(since, until, columns), comparison(alert.expression)
        labels = dict(alert.labels)

        async def ask(endpoint: Endpoint) -> Sequence[Series]:
            lines = await self._range(endpoint, cut.left, window)
            ours = [line for line in lines if all(labels.get(name) == value for name, value in line.labels.items())]
            return tuple(window.series(alert.name, "", line) for line in ours)

        return await self._first(ask)

    async def alert_firing(self, alert: Alert, since: float, until: float, columns: int) -> Series:
        """Return when the alert fired (1) and was pending (0.5). Raises Problem."""
        window = _Range(since, until, columns)
        labels = dict(alert.labels)
        query = "ALERTS" + selector([("alertname", "=", alert.name)])

        async def ask(endpoint: Endpoint) -> Series:
            values = [math.nan] * window.count
            for line in await self._range(endpoint, query, window):
                rest = {name: value for name, value in line.labels.items() if name != "alertstate"}
                if any(labels.get(name) != value for name, value in rest.items()):
                    continue
                level = 1.0 if line.labels.get("alertstate") == "firing" else 0.5
                for place, value in enumerate(spread(line.points, window.start, window.step, window.count)):
                    if not math.isnan(value):
                        values[place] = level if math.isnan(values[place]) else max(level, values[place])
            return Series(alert.name, "", window.start, window.step, tuple(values))

        return await self._first(ask)

    async def _first(self, ask: Callable[[Endpoint], Awaitable[T]]) -> T:
        """Ask one after the other until one knows; what the last one said is raised."""
        refusal = Problem(safe_text("No Prometheus is configured for this cluster."))
        for endpoint in self._endpoints:
            try:
                return await ask(endpoint)
            except Problem as problem:
                refusal = problem
        raise refusal

    async def _golden(self, endpoint: Endpoint, ref: Ref, pods: Sequence[str], window: _Range) -> Golden:
        settings, namespace = self._settings, ref.namespace
        pattern = pods_of(ref.kind, ref.name)
        missing: list[str] = []
        family, matcher = await self._instrumentation(endpoint, ref)
        if family is None and not (settings.rate or settings.p95):
            missing.append("No metric of requests is known for this workload: name one in [metrics].")
        usage = selector([("namespace", "=", namespace), ("pod", "=~", pattern), ("container", "!~", "|POD")])
        queries = {
            **_red(family, namespace, matcher, window.rate),
            "cpu": f"sum(rate(container_cpu_usage_seconds_total{usage}[{window.rate}]))",
            "memory": f"sum(container_memory_working_set_bytes{usage})",
        }
        for name in structs.asdict(settings):
            if template := getattr(settings, name):
                queries[name] = filled(template, namespace, ref.name, pattern)
        answers, amounts = await asyncio.gather(
            self._all(endpoint, queries, window), self._requests(endpoint, namespace, pods or (pattern,), bool(pods))
        )
        found = {name: answer for name, answer in answers.items() if not isinstance(answer, Problem)}
        missing += [str(answer.sentence) for answer in answers.values() if isinstance(answer, Problem)]
        if not found:
            raise Problem(safe_text(missing[-1]))
        series = {name: window.series(name, _UNITS.get(name, ""), lines[0]) for name, lines in found.items() if lines}
        errors = series.get("errors")
        if not settings.errors and (rate := series.get("rate")) is not None:
            errors = _part(errors, rate)
        return Golden(
            source=endpoint.name,
            rate=series.get("rate"),
            errors=errors,
            p50=series.get("p50"),
            p95=series.get("p95"),
            p99=series.get("p99"),
            cpu=series.get("cpu"),
            memory=series.get("memory"),
            missing=tuple(dict.fromkeys(missing)),
            **amounts,
        )

    async def _all(
        self, endpoint: Endpoint, queries: Mapping[str, str], window: _Range
    ) -> dict[str, list[Line] | Problem]:
        async def one(query: str) -> list[Line] | Problem:
            try:
                return await self._range(endpoint, query, window)
            except Problem as problem:
                return problem

        answers = await asyncio.gather(*(one(query) for query in queries.values()))
        return dict(zip(queries, answers, strict=True))

    async def _requests(
        self, endpoint: Endpoint, namespace: str, pods: Sequence[str], literal: bool
    ) -> dict[str, float]:
        """Return the sums of requests and limits over the pods that run; {} where kube-state-metrics is not there."""
        pattern = "|".join(exactly(pod) for pod in pods) if literal else pods[0]
        amounts = {}
        for name in ("request", "limit"):
            query = f"sum by (resource) (kube_pod_container_resource_{name}s" + selector(
                [("namespace", "=", namespace), ("pod", "=~", pattern), ("resource", "=~", "cpu|memory")]
            )
            try:
                lines = await self._query(endpoint, query + ")")
            except Problem:
                return {}
            for line in lines:
                if line.points and line.labels.get("resource") in ("cpu", "memory"):
                    amounts[f"{line.labels['resource']}_{name}"] = line.points[-1][1]
        return amounts

    async def _instrumentation(self, endpoint: Endpoint, ref: Ref) -> tuple[Family | None, Matcher | None]:
        """Return which metrics tell of this workload and how they name it, as remembered or found out now."""
        key = (endpoint.name, ref.namespace, ref.kind, ref.name)
        known = self._learnt.get(key)
        if known is not None and known[0] > self._clock.monotonic():
            return known[1]  # type: ignore[return-value]
        found: tuple[Family | None, Matcher | None] = (None, None)
        for family in await self._families(endpoint):
            labels = ", ".join(WORKLOAD_LABELS)
            query = f"count by ({labels}) ({family.counter}{selector([('namespace', '=', ref.namespace)])})"
            lines = await self._query(endpoint, query)
            matcher = chosen([line.labels for line in lines], ref.kind, ref.name)
            if matcher is not None:
                found = family, matcher
                break
        self._learnt[key] = (self._clock.monotonic() + LEARNT_FOR, found)
        return found

    async def _families(self, endpoint: Endpoint) -> list[Family]:
        key = (endpoint.name,)
        known = self._learnt.get(key)
        if known is not None and known[0] > self._clock.monotonic():
            return known[1]  # type: ignore[return-value]
        names = "|".join(family.counter for family in FAMILIES)
        query = [("match[]", "{__name__=~" + f'"{names}"' + "}")]
        there = set(decode_names(await endpoint.get("/api/v1/label/__name__/values", query)))
        families = [family for family in FAMILIES if family.counter in there]
        self._learnt[key] = (self._clock.monotonic() + LEARNT_FOR, families)
        return families

    async def _range(self, endpoint: Endpoint, query: str, window: _Range) -> list[Line]:
        times = [("start", f"{window.start:.3f}"), ("end", f"{window.end:.3f}"), ("step", f"{window.step:.0f}")]
        return decode_lines(await _send(endpoint, "/api/v1/query_range", [("query", query), *times]))

    async def _query(self, endpoint: Endpoint, query: str) -> list[Line]:
        return decode_lines(await _send(endpoint, "/api/v1/query", [("query", query)]))


async def _send(endpoint: Endpoint, path: str, pairs: Sequence[tuple[str, str]]) -> bytes:
    if len(pairs[0][1]) > LONG:
        return await endpoint.post(path, pairs)
    return await endpoint.get(path, pairs)


class _Range:
    """A window cut into at most `columns` steps that lie on multiples of the step, so that servers may cache."""

    def __init__(self, since: float, until: float, columns: int) -> None:
        span = max(1.0, until - since)
        points = max(1, min(columns, MOST_POINTS))
        self.step = float(max(LEAST_STEP, math.ceil(span / points)))
        self.end = math.floor(until / self.step) * self.step
        self.start = math.ceil(since / self.step) * self.step
        self.count = max(1, round((self.end - self.start) / self.step) + 1)

    @property
    def rate(self) -> str:
        """The window of a rate, in PromQL."""
        return f"{max(LEAST_WINDOW, self.step):.0f}s"

    def series(self, name: str, unit: str, line: Line) -> Series:
        """Return a line of an answer as a series."""
        return Series(name, unit, self.start, self.step, spread(line.points, self.start, self.step, self.count))


_UNITS = {
    "rate": "per_second",
    "errors": "ratio",
    "p50": "seconds",
    "p95": "seconds",
    "p99": "seconds",
    "cpu": "cores",
    "memory": "bytes",
}


def _red(family: Family | None, namespace: str, matcher: Matcher | None, rate: str) -> dict[str, str]:
    """Return the queries of rate, failures a second and durations; {} where nothing tells of the workload."""
    if family is None or matcher is None:
        return {}
    ours: list[Matcher] = [("namespace", "=", namespace), matcher]
    failed = " or ".join(
        f"sum(rate({family.counter}{selector([*ours, (code, '=~', family.failed)])}[{rate}]))"
        for code in family.code.split("|")
    )
    buckets = f"sum by (le) (rate({family.histogram}{selector(ours)}[{rate}]))"
    scale = "" if family.scale == 1.0 else f" * {family.scale:g}"
    return {
        "rate": f"sum(rate({family.counter}{selector(ours)}[{rate}]))",
        "errors": failed,
        **{f"p{part}": f"histogram_quantile(0.{part}, {buckets}){scale}" for part in (50, 95, 99)},
    }


def _part(failed: Series | None, rate: Series) -> Series | None:
    """Return failures as a part of all requests: none where nothing failed, a gap where nothing was asked."""
    bad = failed.values if failed is not None else (math.nan,) * len(rate.values)
    values = tuple(
        math.nan if math.isnan(all_) or all_ == 0 else 0.0 if math.isnan(part) else part / all_
        for part, all_ in zip(bad, rate.values, strict=True)
    )
    return Series("errors", "ratio", rate.start, rate.step, values)
