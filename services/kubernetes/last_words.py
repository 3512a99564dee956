"""Asks crashed containers for their last words: the line of the log that says why, before anybody presses a key."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.derivation import Derivation
from services.model.workload import Pod
from services.ports import ClusterSession, LogOptions

BEAT = 2.0
AT_ONCE = 4
"""Seconds between two rounds, and pods asked in one."""

TAIL = 40
"""Lines of the crashed run that are looked at."""

_TELLING = re.compile(
    r"error|exception|panic|fatal|fail|cannot|could not|refused|denied|no such|not found|undefined|killed",
    re.IGNORECASE,
)
_FRAME = re.compile(r'^\s+|^(?:at |File "|goroutine |\.\.\. \d+ more|Traceback|[-=]{3,}|$)')


class LastWords:
    """Fetches the end of the previous run of one crashing pod a workload, once for each of its restarts."""

    def __init__(self, derivation: Derivation, session: Callable[[], ClusterSession | None], clock: Clock) -> None:
        self._derivation = derivation
        self._session = session
        self._clock = clock

    async def run(self) -> None:
        """Listen until cancelled; a log that cannot be read leaves the row without words, and is not asked again."""
        while True:
            await self._clock.sleep(BEAT)
            session = self._session()
            if session is None:
                continue
            for pod in self._derivation.speechless()[:AT_ONCE]:
                self._derivation.heard(pod, await self._ask(session, pod))

    async def _ask(self, session: ClusterSession, pod: Pod) -> str:
        container = pod.trouble.name if pod.trouble is not None else ""
        options = LogOptions(follow=False, previous=pod.restarts > 0, tail=TAIL)
        pods = {pod.ref.name: (container,) if container else ()}
        lines: list[str] = []
        try:
            async for batch in session.logs(pod.ref.namespace, pods, options):
                lines += [line.text for line in batch if line.at]
        except Problem:
            return ""
        return telling(lines)


def telling(lines: Sequence[str]) -> str:
    """Return the line that says why: the last telling one that is no stack frame, else the last that says anything."""
    said = [line.strip() for line in lines if not _FRAME.match(line)]
    return next((line for line in reversed(said) if _TELLING.search(line)), said[-1] if said else "")
