"""What runs beside the watch of a cluster, once its first rows are on screen: the cost estimate and the incidents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cache.live import LiveState
from services.clock import Clock
from services.config_costs import CostSettings

if TYPE_CHECKING:
    from cache.ledger.incident_watch import IncidentWatch
    from cache.state.store import StateStore
    from services.costs.watch import CostWatch
    from tui.incidents import Desk

AFTER = 3.0
"""Seconds after a cluster is entered: what is loaded here must not be in the way of the first rows."""


class Beside:
    """Made once for a console; `costs` and `incidents` are run anew for each stay in a cluster, on the service loop."""

    def __init__(self, folder: Path, clock: Clock, who: str, settings: CostSettings) -> None:
        self._folder = folder
        self._clock = clock
        self._who = who
        self._settings = settings
        self._estimate: CostWatch | None = None
        self._incidents: IncidentWatch | None = None
        self._desk: Desk | None = None
        self.call: Callable[[Callable[[], None]], None] = lambda act: act()

    def desk(self) -> Desk:
        """Return where incidents are written; loaded when it is wanted first."""
        if self._desk is None:
            from tui.incidents import Desk

            self._desk = Desk(self._folder, self._clock, self._who, self._written)
        return self._desk

    def _written(self) -> None:
        if self._incidents is not None:
            self._incidents.nudge()

    def use(self, settings: CostSettings) -> None:
        """Estimate by other settings from now on; any thread."""
        self._settings = settings
        if (estimate := self._estimate) is not None:
            self.call(lambda: estimate.use(settings))

    async def costs(self, live: LiveState, store: StateStore | None, key: str) -> None:
        """Estimate the costs of the cluster until cancelled; its hours go to `store` under `key`."""
        await self._clock.sleep(AFTER)
        from services.costs.watch import CostWatch

        shelf = None
        if store is not None:
            from cache.state.cost_shelf import CostShelf
            from cache.state.history import HistoryReader

            shelf = CostShelf(HistoryReader(self._folder), store, key)
        self._estimate = watch = CostWatch(live, live.sink(), self._clock, self._settings, shelf)
        try:
            await watch.run()
        finally:
            self._estimate = None
            watch.close()

    async def incidents(self, live: LiveState) -> None:
        """Bring the ledger's incidents to the screen until cancelled."""
        await self._clock.sleep(AFTER)
        from cache.ledger.incident_watch import IncidentWatch
        from cache.ledger.incidents import IncidentReader

        reader = IncidentReader(self._folder)
        self._incidents = IncidentWatch(reader, live.sink(), self._clock)
        try:
            await self._incidents.run()
        finally:
            self._incidents = None
            reader.close()

    def close(self) -> None:
        """Close the ledger."""
        if self._desk is not None:
            self._desk.close()
