"""The hours of cost of one identity, as the estimate wants them: read back at the start, handed over as they pass."""

from __future__ import annotations

from collections.abc import Sequence

from cache.state.history import HistoryReader
from cache.state.store import StateStore
from services.model.cost import CostHour


class CostShelf:
    """Implements `services.ports.CostHistory` for one identity."""

    def __init__(self, reader: HistoryReader, store: StateStore, identity: str) -> None:
        self._reader = reader
        self._store = store
        self._identity = identity

    def hours(self, since: float, until: float) -> Sequence[CostHour]:
        """Return the hours that begin in [since, until), epoch seconds, oldest first; blocks on the disk."""
        return self._reader.cost_hours(self._identity, since, until)

    def keep(self, hour: CostHour) -> None:
        """Keep an hour instead of what was kept of it before, unless that was watched for longer; returns at once."""
        self._store.keep_costs(self._identity, hour)
