"""Answers what a screen asks of the monitoring: a workload's golden signals, an alert's value and history."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence, Set
from typing import TypeVar

from services.clock import Clock
from services.config_endpoints import MetricSettings
from services.endpoint import called
from services.errors import Problem
from services.model.alert import Alert
from services.model.metric import Golden, Requests, Series
from services.model.ref import Ref
from services.prometheus.client import Asker, PrometheusClient
from services.prometheus.decode import Line
from services.prometheus.expression import narrowed, value_of
from services.prometheus.golden import GoldenSignals
from services.prometheus.queries import firing
from services.prometheus.requests import ask
from services.prometheus.window import Window
from services.sanitize import safe_text

MOST_SERIES = 200
"""Series that an alert's expression may have before it is held to the alert's own labels."""
MOST_DRAWN = 10

IDENTITY = (
    *("namespace", "pod", "container", "deployment", "statefulset", "daemonset", "job_name", "node", "instance"),
    *("service", "job", "device", "mountpoint", "persistentvolumeclaim"),
)
"""Labels that tell one thing from another, and that series have before any rule adds to them."""

KIND = "prometheus"
FIRING, PENDING = 1.0, 0.5

Found = TypeVar("Found")


class PrometheusSession:
    """Implements `services.ports.MetricsSession` on several Prometheis: all are asked, the first that knows counts."""

    def __init__(self, askers: Sequence[Asker], settings: MetricSettings, clock: Clock) -> None:
        self._clients = [PrometheusClient(asker) for asker in askers]
        self._clock = clock
        self._signals = [GoldenSignals(client, settings, clock) for client in self._clients]

    async def golden(self, ref: Ref, pods: Sequence[str], since: float, until: float, columns: int) -> Golden:
        """Return what a workload did and used; `pods` are the names of those it has now. Raises Problem."""
        window = Window.of(since, until, columns)
        asked = [signals.of(ref, pods, window) for signals in self._signals]
        return await _first(asked, lambda golden: bool(golden.rate or golden.p95 or golden.cpu or golden.memory))

    async def alert_values(self, alert: Alert, since: float, until: float, columns: int) -> Sequence[Series]:
        """Return the value of the alert's expression, without its comparison. Raises Problem."""
        if not alert.expression:
            raise Problem(safe_text("No Prometheus that is asked has the rule of this alert: its value is not known."))
        window = Window.of(since, until, columns)
        return await _first([_values(client, alert, window) for client in self._near(alert)], bool)

    async def alert_firing(self, alert: Alert, since: float, until: float, columns: int) -> Series:
        """Return when the alert fired (1) and was pending (0.5), by whatever came up in each bucket. Raises Problem."""
        window = Window.of(since, until, columns)
        asked = [_firing(client, alert, window) for client in self._near(alert)]
        return await _first(asked, lambda series: series.last is not None)

    async def requests(self, since: float, until: float, step: float, nodes: Set[str]) -> Requests:
        """Return what the cluster with these nodes had and what was requested of it. Raises Problem."""
        window = Window(since - step / 2, step, max(1, round((until - since) / step)))
        asked = [ask(client, window, nodes, self._clock.now()) for client in self._clients]
        return await _first(asked, lambda found: bool(found.nodes))

    def _near(self, alert: Alert) -> list[PrometheusClient]:
        """Return the clients, those first that showed the alert."""
        return sorted(self._clients, key=lambda client: not _shown_by(client.name, alert.peers))


def _shown_by(client: str, peers: Sequence[str]) -> bool:
    """Return whether a client is among an alert's peers, which are named without their kind or with it behind them."""
    return any(called(KIND, peer.removesuffix(f" ({KIND})")) == client for peer in peers)


async def _first(asked: Sequence[Awaitable[Found]], knows: Callable[[Found], bool]) -> Found:
    """Ask all at once; return the first answer in their order that has something, else any, else raise a Problem."""
    if not asked:
        raise Problem(safe_text("No Prometheus is configured for this cluster."))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for wanted in (knows, lambda _: True):
        for answer in answers:
            if not isinstance(answer, BaseException) and wanted(answer):
                return answer
    fault = next((one for one in answers if not isinstance(one, Problem)), answers[0])
    assert isinstance(fault, BaseException)  # noqa: S101 - every answer was returned above
    raise fault


async def _values(client: PrometheusClient, alert: Alert, window: Window) -> Sequence[Series]:
    expression = value_of(alert.expression)
    if await _count(client, expression, window) > MOST_SERIES:
        expression = narrowed(expression, {name: value for name, value in alert.labels if name in IDENTITY})
        count = await _count(client, expression, window)
        if not 0 < count <= MOST_SERIES:
            raise Problem(safe_text("The expression of this alert has too many series to be drawn; ask Prometheus."))
    lines = (await client.query_range(expression, window)).lines
    ours = _ours(lines, dict(alert.labels)) or (lines if len(lines) == 1 else ())
    return tuple(window.series(alert.name, "", window.values(line.points)) for line in ours[:MOST_DRAWN])


async def _count(client: PrometheusClient, expression: str, window: Window) -> float:
    """Return how many series an expression has at the end of the window; 1 where that cannot be asked (a scalar)."""
    try:
        answer = await client.query(f"count({expression})", window.end)
    except Problem as problem:
        if problem.status != 400:
            raise
        return 1.0
    return answer.lines[0].last if answer.lines else 0.0


def _ours(lines: Sequence[Line], labels: dict[str, str]) -> Sequence[Line]:
    """Return the series that an alert with these labels can stem from: rules and servers only add labels."""
    return [
        line
        for line in lines
        if all(labels.get(name) == value for name, value in line.labels.items() if name != "__name__")
    ]


async def _firing(client: PrometheusClient, alert: Alert, window: Window) -> Series:
    answer = await client.query_range(firing(alert.name, dict(alert.labels), window.bucket), window)
    values = [math.nan] * window.count
    for line in answer.lines:
        level = FIRING if line.labels.get("alertstate") == "firing" else PENDING
        for place, value in enumerate(window.values(line.points)):
            if not math.isnan(value):
                values[place] = level if math.isnan(values[place]) else max(level, values[place])
    return window.series(alert.name, "", tuple(values))
