"""Joins the costs of one cluster to history: hours are kept by the writer, and read from the file."""

from __future__ import annotations

from collections.abc import Sequence

from cache.state.history import HistoryReader
from cache.state.store import StateStore
from services.model.cost import CostHour


class KeptCosts:
    """Implements `services.ports.CostHistory` for one identity."""

    def __init__(self, store: StateStore, reader: HistoryReader, identity: str) -> None:
        self._store = store
        self._reader = reader
        self._identity = identity

    def hours(self, since: float, until: float) -> Sequence[CostHour]:
        """Hours that begin in [since, until), epoch seconds, oldest first; blocks for as long as the disk takes."""
        return self._reader.cost_hours(self._identity, since, until)

    def keep(self, hour: CostHour) -> None:
        """Keep an hour instead of what was kept of it before, unless that was watched for longer; returns at once."""
        self._store.keep_costs(self._identity, hour)
