"""What a screen may ask of recorded history: about the cluster the console is on, wherever it has gone meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from cache.state.history import HistoryPage, HistoryReader
from cache.state.records import EventQuery, HealthyMark, Span
from services.model.metric import Series
from services.model.ref import Ref
from services.model.workload import Healthy

PROVED = 60.0
"""Seconds for which a revision must have been seen complete to be called healthy: a bad one often lives that long."""


class Past:
    """History of one console's cluster. Every method blocks for as long as the disk takes: call it on a thread."""

    def __init__(self, reader: HistoryReader, identity: Callable[[], str]) -> None:
        self._reader = reader
        self._identity = identity

    def events(self, query: EventQuery) -> HistoryPage:
        """Return the newest events that a query wants, of this cluster and user whatever its identity says."""
        return self._reader.events(structs.replace(query, identity=self._identity(), anywhere=False))

    def gaps(self, since: float, until: float) -> tuple[Span, ...]:
        """Return the spans (epoch seconds) in which nobody watched."""
        return self._reader.gaps(self._identity(), since, until)

    def series(self, name: str, since: float, until: float, buckets: int) -> Series:
        """Return what was sampled under a name (`cache.samples`), in at most `buckets` steps."""
        return self._reader.series(self._identity(), name, since, until, buckets)

    def healthy(self, ref: Ref) -> tuple[HealthyMark, ...]:
        """Return which revisions of a workload were seen complete."""
        return self._reader.healthy(self._identity(), ref.uid) if ref.uid else ()


def observed_healthy(past: Past, ref: Ref, now: float) -> Mapping[int, Healthy]:
    """Return from when to when (epoch seconds) consoles of this machine saw each revision of a workload healthy.

    `{}` where nothing was recorded: no sign of ill health. What was seen for less than `PROVED` before `now` is left
    out. Whether the last one still is healthy the live row says. Blocks for as long as the disk takes; raises nothing.
    """
    marks = [mark for mark in past.healthy(ref) if min(mark.last_seen, now) - mark.first_seen >= PROVED]
    if not marks:
        return {}
    gaps = past.gaps(min(mark.first_seen for mark in marks), now)
    return {mark.revision: Healthy(mark.first_seen, mark.last_seen, _watched(mark, gaps)) for mark in marks}


def _watched(mark: HealthyMark, gaps: Sequence[Span]) -> float:
    """Return for how many seconds between its first and its last time somebody watched."""
    missed = sum(max(0.0, min(gap.ended, mark.last_seen) - max(gap.began, mark.first_seen)) for gap in gaps)
    return mark.last_seen - mark.first_seen - missed
