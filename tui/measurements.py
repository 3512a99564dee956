"""Gets what was measured: from the monitoring where it answers, else from what this console itself has sampled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from services.errors import Problem, own_fault
from services.model.alert import Alert
from services.model.metric import Golden, Series
from services.model.ref import Ref
from services.ports import MetricsSession

if TYPE_CHECKING:
    from cache.state.past import Past

NO_MONITORING = "No Prometheus is configured for this cluster"
NOT_YET = "The monitoring is asked in a moment."
"""What stands where a Prometheus is configured that nobody has turned to yet: screens ask again soon."""

SAMPLED = "sampled by this console"


class AlertHistory(Struct, frozen=True):
    """The values of an alert over time and when it fired; `source` says from where, `missing` why not all is there."""

    values: tuple[Series, ...] = ()
    firing: Series | None = None
    source: str = ""
    missing: str = ""


class Measurements:
    """Answers on the service thread's loop, always with something: values, or a sentence on why there are none.

    `awaited`: a Prometheus is configured, and `metrics` will be there soon.
    """

    def __init__(self, metrics: MetricsSession | None, past: Past | None, *, awaited: bool = False) -> None:
        self._metrics = metrics
        self._past = past
        self._nobody = NOT_YET if awaited else f"{NO_MONITORING}."

    async def of_alert(self, alert: Alert, since: float, until: float, columns: int) -> AlertHistory:
        """Return an alert's value and firing between two moments, each from whoever knows it."""
        values, firing, why = await self._asked(alert, since, until, columns)
        if any(series.last is not None for series in values):
            return AlertHistory(tuple(values), firing, "prometheus", why)
        from cache.samples import value_of
        from tui.presenters.alert_past import live_key

        sampled = await self._sampled(value_of(live_key(alert.key)), since, until, columns)
        if sampled is None:
            return AlertHistory((), firing, "", why or "Nothing was measured in this time.")
        return AlertHistory((sampled,), firing, SAMPLED, why)

    async def _asked(
        self, alert: Alert, since: float, until: float, columns: int
    ) -> tuple[Sequence[Series], Series | None, str]:
        if self._metrics is None:
            return (), None, self._nobody
        values, firing = await asyncio.gather(
            self._metrics.alert_values(alert, since, until, columns),
            self._metrics.alert_firing(alert, since, until, columns),
            return_exceptions=True,
        )
        why = next((_sentence(one) for one in (values, firing) if isinstance(one, BaseException)), "")
        return (
            () if isinstance(values, BaseException) else values,
            None if isinstance(firing, BaseException) else firing,
            why,
        )

    async def of_workload(self, ref: Ref, pods: Sequence[str], since: float, until: float, columns: int) -> Golden:
        """Return what a workload did and used; without monitoring, what metrics-server was sampled to say."""
        golden, why = Golden(""), self._nobody
        if self._metrics is not None:
            try:
                golden, why = await self._metrics.golden(ref, pods, since, until, columns), ""
            except Problem as problem:
                why = problem.sentence
        if golden.cpu is not None or golden.memory is not None:
            return golden
        from cache.samples import cpu_of, memory_of

        key = f"{ref.kind}/{ref.key}"
        cpu = await self._sampled(cpu_of(key), since, until, columns)
        memory = await self._sampled(memory_of(key), since, until, columns)
        return structs.replace(
            golden,
            source=golden.source or (SAMPLED if cpu is not None or memory is not None else ""),
            cpu=cpu,
            memory=memory,
            missing=(*golden.missing, *((why,) if why else ())),
        )

    async def _sampled(self, name: str, since: float, until: float, columns: int) -> Series | None:
        if self._past is None:
            return None
        series = await asyncio.to_thread(self._past.series, name, since, until, columns)
        return series if any(not math.isnan(value) for value in series.values) else None


def _sentence(error: BaseException) -> str:
    if isinstance(error, Problem):
        return str(error.sentence)
    if isinstance(error, Exception):
        return f"It could not be asked: {own_fault(error)}."
    raise error
