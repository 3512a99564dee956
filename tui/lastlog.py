"""Asks for the end of the log of a run that crashed, once a screen shows the pod."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from services.errors import Problem
from services.model.severity import Severity
from services.model.workload import Pod
from services.ports import ClusterSession, LogOptions
from tui.presenters.alert_detail import MOST_WORDS, LastWords

if TYPE_CHECKING:
    from tui.app import QuarterdeckApp


class LastLog:
    """The last words of the worst of some pods. `changed` is called when there is something new to show."""

    def __init__(self, app: QuarterdeckApp, changed: Callable[[], None]) -> None:
        self._app = app
        self._changed = changed
        self._of = ("", 0)
        self.words = LastWords()

    def look(self, pods: Sequence[Pod]) -> None:
        """Ask for the words of the worst pod, where it is another one or has crashed once more."""
        troubled = [pod for pod in pods if pod.severity <= Severity.WARN and (pod.restarts or pod.trouble is not None)]
        if not troubled:
            return
        worst = min(troubled, key=lambda pod: (pod.severity, -pod.restarts, pod.ref.name))
        if self._of == (worst.ref.name, worst.restarts):
            return
        self._of = (worst.ref.name, worst.restarts)
        if self.words.pod != worst.ref.name:
            self.words = LastWords(worst.ref.name, asked=True)

        def arrived(lines: Sequence[str] | None, problem: Problem | None) -> None:
            if lines:
                self.words = LastWords(worst.ref.name, tuple(lines), asked=True)
            elif not self.words.lines:
                missing = problem.sentence if problem is not None else "it said nothing"
                self.words = LastWords(worst.ref.name, (), missing, asked=True)
            self._changed()

        self._app.ask(lambda session: _end_of_log(session, worst), arrived)


async def _end_of_log(session: ClusterSession, pod: Pod) -> Sequence[str]:
    container = pod.trouble.name if pod.trouble is not None else ""
    options = LogOptions(follow=False, previous=pod.restarts > 0, tail=MOST_WORDS)
    lines: list[str] = []
    async for batch in session.logs(pod.ref.namespace, {pod.ref.name: (container,) if container else ()}, options):
        lines += [line.text for line in batch if line.at]
    return lines[-MOST_WORDS:]
