"""Measured values over time, evenly spaced, as charts and reports take them."""

from __future__ import annotations

import math

from msgspec import Struct


class Series(Struct, frozen=True, gc=False):
    """One line of a chart.

    `values[i]` holds for the bucket that begins at `start + i * step` (epoch seconds UTC); NaN where nothing was
    measured, which is drawn as a gap, never as zero. `lows` and `highs` are the extremes inside the buckets where
    several samples fell into one, else empty. `unit` is "ratio", "seconds", "bytes", "cores", "per_second" or "".
    `bound` is the highest value that can be told, where there is one: a value there may be anything above.
    """

    name: str
    unit: str
    start: float
    step: float
    values: tuple[float, ...]
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    bound: float = math.inf

    @property
    def last(self) -> float | None:
        """The newest value there is, None where all are gaps."""
        return next((value for value in reversed(self.values) if value == value), None)  # noqa: PLR0124 - NaN


class Sizes(Struct, frozen=True, gc=False):
    """Cores and bytes over time: what a node has to give, or what the pods of one owner request.

    `kind` and `name` are the owner's ("ReplicaSet"; "Node" for a node, "" for a pod that nobody owns); NaN where it
    was not there.
    """

    kind: str
    namespace: str
    name: str
    cpu: tuple[float, ...]
    memory: tuple[float, ...]


class Requests(Struct, frozen=True):
    """What a cluster had and what was requested of it, at `start + i * step` (epoch seconds)."""

    start: float
    step: float
    nodes: tuple[Sizes, ...] = ()
    owners: tuple[Sizes, ...] = ()


class Golden(Struct, frozen=True, gc=False):
    """What a workload does and uses: rate, errors, durations; processor and memory with their requests and limits.

    `source` says where it comes from ("prometheus main", "metrics-server"), `missing` names, in one sentence each, what
    could not be had and why. Requests and limits are sums over the pods that run: cores and bytes, 0 where none is set.
    """

    source: str
    rate: Series | None = None
    errors: Series | None = None
    p50: Series | None = None
    p95: Series | None = None
    p99: Series | None = None
    cpu: Series | None = None
    memory: Series | None = None
    cpu_request: float = 0.0
    cpu_limit: float = 0.0
    memory_request: float = 0.0
    memory_limit: float = 0.0
    missing: tuple[str, ...] = ()
