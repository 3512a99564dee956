"""Asks one Prometheus, or what answers like one, for values and for what it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.prometheus.decode import Answer, decode_answer, decode_names
from services.prometheus.window import Window

LONG = 6_000
"""Characters from which a query is sent as a form: more does not fit into every URL."""

Pairs = Sequence[tuple[str, str]]


class Asker(Protocol):
    """The way to the server: prefix, credentials, deadline and the like are its own business."""

    @property
    def name(self) -> str:
        """What the operator calls it."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds an answer may take."""
        ...

    async def get(self, path: str, query: Pairs = ()) -> bytes:
        """Return the body of a 2xx answer to GET. Raises Problem for anything else."""
        ...

    async def post(self, path: str, form: Pairs) -> bytes:
        """Return the body of a 2xx answer to a POST of a form. Raises Problem for anything else."""
        ...


class PrometheusClient:
    """One server behind an asker. Every method raises Problem and nothing else."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    @property
    def name(self) -> str:
        """What the operator calls it."""
        return self._asker.name

    async def query(self, expression: str, at: float) -> Answer:
        """Return what an expression gives at one moment."""
        return await self._asked("/api/v1/query", expression, [("time", f"{at:.3f}")])

    async def query_range(self, expression: str, window: Window) -> Answer:
        """Return what an expression gives at the end of each bucket."""
        times = [("start", f"{window.first:.3f}"), ("end", f"{window.end:.3f}"), ("step", f"{window.step:.0f}")]
        return await self._asked("/api/v1/query_range", expression, times)

    async def metrics(self, selectors: Sequence[str], window: Window) -> frozenset[str]:
        """Return the names of the metrics that any of the selectors finds within a window: the index alone is read."""
        return await self.values("__name__", selectors, window)

    async def values(self, label: str, selectors: Sequence[str], window: Window) -> frozenset[str]:
        """Return what a label says in the series that any of the selectors finds: of the index too."""
        query = [("match[]", selector) for selector in selectors]
        query += [("start", f"{window.start:.3f}"), ("end", f"{window.end:.3f}")]
        return frozenset(decode_names(await self._asker.get(f"/api/v1/label/{label}/values", query)))

    async def _asked(self, path: str, expression: str, times: Pairs) -> Answer:
        """Send a query, which the server is to give up when we do.

        GET wherever it fits: what may only read is often not allowed to POST through a cluster's API server.
        """
        pairs = [("query", expression), *times, ("timeout", f"{self._asker.timeout:.0f}s")]
        if len(expression) > LONG:
            return decode_answer(await self._asker.post(path, pairs))
        return decode_answer(await self._asker.get(path, pairs))
