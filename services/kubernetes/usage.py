"""Polls what pods and nodes use, where the cluster runs metrics-server; where it does not, that is no failure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from services.errors import Problem
from services.kubernetes.decode import Undecodable, decode_usage
from services.kubernetes.tablewatch import Wiring
from services.model.ref import Resource
from services.model.source import SourceState, SourceStatus
from services.ports import Replace
from services.sanitize import safe_text

EVERY = 30.0
WHEN_ABSENT = 300.0

USAGE: Mapping[str, Resource] = {
    "usage.pods": Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics"),
    "usage.nodes": Resource("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False),
}


class UsagePoll:
    """One of the two usage tables; not configured where the server has no metrics API."""

    def __init__(self, table: str, wiring: Wiring, cluster: str) -> None:
        self.ready = asyncio.Event()
        self.source = f"kubernetes/{table}"
        self._table = table
        self._wiring = wiring
        self._cluster = cluster
        self._nudged = asyncio.Event()
        self._status = SourceStatus(self.source, SourceState.LOADING, since=wiring.clock.now())

    async def run(self) -> None:
        """Poll until cancelled."""
        self._wiring.sink.status(self._status)
        while True:
            self._nudged.clear()
            pause = await self._poll()
            self.ready.set()
            await self._rest(pause)

    def update(self, namespaces: Sequence[str]) -> None:
        """Usage is asked for the whole cluster: namespaces change nothing."""

    def nudge(self) -> None:
        """Ask again now."""
        self._nudged.set()

    async def _rest(self, seconds: float) -> None:
        waiting = [
            asyncio.ensure_future(self._wiring.clock.sleep(seconds)),
            asyncio.ensure_future(self._nudged.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _poll(self) -> float:
        try:
            body = await self._wiring.transport.bulk(USAGE[self._table].path(), {}, what="read usage")
            rows = decode_usage(body, self._cluster)
        except Undecodable as bad:
            self._say(SourceState.FAILED, safe_text(f"Could not read usage: {bad.reason}"))
        except Problem as problem:
            absent = problem.status in {404, 503}
            states = {403: SourceState.FORBIDDEN, 404: SourceState.NOT_CONFIGURED, 503: SourceState.NOT_CONFIGURED}
            self._say(states.get(problem.status, SourceState.FAILED), "" if absent else problem.sentence)
            return WHEN_ABSENT if problem.status in states else EVERY
        else:
            self._wiring.sink.apply(self.source, Replace(self._table, rows))
            self._say(SourceState.LIVE, "")
        return EVERY

    def _say(self, state: SourceState, error: str) -> None:
        now = self._wiring.clock.now()
        before = self._status
        ok = now if state is SourceState.LIVE else before.last_ok
        since = before.since if state is before.state else now
        self._status = SourceStatus(self.source, state, last_ok=ok, last_byte=ok, since=since, error=error)
        self._wiring.sink.status(self._status)
