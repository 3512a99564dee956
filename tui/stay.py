"""One stay in one cluster: what joins its watch to live state, to history and to the words of its crashed pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from cache.live import LiveState
from cache.state.recorder import Recorder
from cache.state.records import EventQuery
from services.clock import Clock
from services.config_schema import RolloutSettings
from services.ports import ClusterSession, Replace, Sink

if TYPE_CHECKING:
    from cache.state.store import StateStore
    from services.kubernetes.derivation import Derivation

GAPS = "gaps"
"""The live-state table of the spans that nobody watched: `cache.state.records.Span` by the time it began."""

REMEMBER_AFTER = 3.0
"""Seconds after the cluster is entered: the first rows come first."""

RECALLED = 800
GAPS_EVERY = 60.0
DAY = 86_400.0
BEAT = 1.0
"""Seconds between two looks at whether time alone has changed something."""


class Stay:
    """Made on the service thread before the first row of a cluster comes, closed before live state is cleared."""

    def __init__(
        self,
        live: LiveState,
        clock: Clock,
        store: StateStore | None,
        key: str,
        *,
        session: Callable[[], ClusterSession | None],
        settings: RolloutSettings | None = None,
        namespaces: Callable[[], tuple[str, ...]] = tuple,
        beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        from services.kubernetes.derivation import Derivation

        self._live = live
        self._clock = clock
        self._session = session
        self._beside = beside
        self._derivation: Derivation = Derivation(live.sink(), clock, settings or RolloutSettings())
        self._leave = live.add_hook(self._derivation.flush)
        self._store = store
        self._key = key
        self._recorder = Recorder(live, store, key, clock, namespaces=namespaces) if store is not None else None

    @property
    def sink(self) -> Sink:
        """Where the cluster's sources write."""
        return self._derivation

    def use(self, settings: RolloutSettings) -> None:
        """Judge by other thresholds; on the service thread."""
        self._derivation.use(settings)
        self._live.nudge()

    async def run(self) -> None:
        """Record, let time pass and listen to crashed pods, until cancelled."""
        from services.kubernetes.last_words import LastWords

        work = [self._let_time_pass(), LastWords(self._derivation, self._session, self._clock).run()]
        work += [start() for start in self._beside]
        if self._recorder is not None and self._store is not None:
            from cache.state.sampler import Sampler

            work += [self._recorder.run(), Sampler(self._live, self._store, self._key, self._clock).run()]
            work.append(self._remember(self._store))
        await asyncio.gather(*work)

    async def _remember(self, store: StateStore) -> None:
        """Bring the recorded events of the last day back, once, and now and then the spans that nobody watched."""
        await self._clock.sleep(REMEMBER_AFTER)
        reader = store.reader()
        since = self._clock.now() - DAY
        page = await asyncio.to_thread(reader.events, EventQuery(self._key, since=since, limit=RECALLED))
        self._derivation.happened(page.events)
        while True:
            now = self._clock.now()
            gaps = await asyncio.to_thread(reader.gaps, self._key, now - DAY, now)
            self._derivation.apply("history", Replace(GAPS, {f"{gap.began:.0f}": gap for gap in gaps}))
            await self._clock.sleep(GAPS_EVERY)

    async def _let_time_pass(self) -> None:
        """Publish when time alone changes something: a deadline that passes without an event."""
        while True:
            await self._clock.sleep(BEAT)
            due = self._derivation.next_due()
            if due and self._clock.now() >= due:
                self._live.nudge()

    def close(self) -> None:
        """Save what is known and let live state go."""
        self._leave()
        if self._recorder is not None:
            self._recorder.close()
