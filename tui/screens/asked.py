"""What has to be asked about one workload, beyond what is watched: its history, its events, what analyses measured."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from textual.worker import Worker

from cache.state.past import Past, observed_healthy
from services.errors import Problem
from services.kubernetes.analysis import Analysis, analysis_of
from services.model.cluster import KubeEvent
from services.model.ref import ANALYSISRUNS, Ref
from services.model.workload import Healthy, Pod, Revision, Rollout
from tui.presenters.delivery import judged
from tui.presenters.workload import with_observed
from tui.screens.base import BaseScreen


class Asked:
    """Asks for a screen about a workload, each thing by itself, and says when an answer has `changed` what is known.

    One that fails takes nothing from the others: `problems` has its sentence by "revisions" or "events".
    """

    def __init__(self, screen: BaseScreen, ref: Ref, changed: Callable[[], None]) -> None:
        self.events: Mapping[str, KubeEvent] = {}
        self.analyses: dict[str, Analysis] = {}
        self.problems: dict[str, str] = {}
        self._screen, self._ref, self._changed = screen, ref, changed
        self._history: Sequence[Revision] = ()
        self._observed: Mapping[int, Healthy] = {}
        self._at = 0.0
        self._reading: Worker[None] | None = None

    @property
    def age(self) -> float:
        """Seconds since it was asked last."""
        return self._screen.console.clock.monotonic() - self._at

    def revisions(self, rollout: Rollout | None) -> dict[str, Revision]:
        """Return the revisions by number, with what is known of their health."""
        return {str(one.number): one for one in with_observed(self._history, self._observed, rollout)}

    def ask(self, rollout: Rollout | None, pods: Sequence[Pod]) -> None:
        """Ask for everything anew."""
        ask, console = self._screen.quarterdeck.ask, self._screen.console
        self._at = console.clock.monotonic()
        about = [self._ref, *(pod.ref for pod in pods)]
        ask(lambda session: session.history(self._ref), self._history_arrived)
        ask(lambda session: session.events(about), self._events_arrived)
        for one in judged(rollout):
            self._ask_analysis(one.name)
        if console.past is not None and (past := console.past()) is not None:
            self._reading = self._screen.run_worker(partial(self._read, past), group="observed", exclusive=True)

    def _ask_analysis(self, name: str) -> None:
        """Read what an analysis has measured; one that may not be read is shown as the status names it."""

        def arrived(answer: bytes | None, _problem: Problem | None) -> None:
            if answer is not None:
                with contextlib.suppress(Problem):
                    self.analyses[name] = analysis_of(answer)
                    self._changed()

        self._screen.quarterdeck.ask(lambda session: session.get_raw(ANALYSISRUNS, self._ref.namespace, name), arrived)

    async def _read(self, past: Past) -> None:
        """Read on a thread what consoles saw of the revisions."""
        now = self._screen.console.clock.now()
        self._observed = await asyncio.to_thread(observed_healthy, past, self._ref, now)
        self._changed()

    def _history_arrived(self, answer: Sequence[Revision] | None, problem: Problem | None) -> None:
        self._history = answer if answer is not None else self._history
        self._arrived("revisions", problem)

    def _events_arrived(self, answer: Sequence[KubeEvent] | None, problem: Problem | None) -> None:
        self.events = {one.ref.key: one for one in answer} if answer is not None else self.events
        self._arrived("events", problem)

    def _arrived(self, part: str, problem: Problem | None) -> None:
        self.problems[part] = self._screen.console.lens().text(problem.sentence) if problem is not None else ""
        self._changed()
