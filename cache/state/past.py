"""What a screen may ask of recorded history: about the cluster the console is on, wherever it has gone meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from cache.state.history import HistoryPage, HistoryReader
from cache.state.records import EventQuery, Span
from services.model.metric import Series


class Past:
    """History of one console's cluster. Every method blocks for as long as the disk takes: call it on a thread."""

    def __init__(self, reader: HistoryReader, identity: Callable[[], str]) -> None:
        self._reader = reader
        self._identity = identity

    def events(self, query: EventQuery) -> HistoryPage:
        """Return the newest events that a query wants, of this cluster and user whatever its identity says."""
        return self._reader.events(structs.replace(query, identity=self._identity()))

    def gaps(self, since: float, until: float) -> tuple[Span, ...]:
        """Return the spans (epoch seconds) in which nobody watched."""
        return self._reader.gaps(self._identity(), since, until)

    def series(self, name: str, since: float, until: float, buckets: int) -> Series:
        """Return what was sampled under a name (`cache.samples`), in at most `buckets` steps."""
        return self._reader.series(self._identity(), name, since, until, buckets)
