"""Mixed into the app: work for the service thread, whose answers reach the screen as long as there is one."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from services.errors import Problem, own_fault
from services.model.text import SafeText
from services.ports import ClusterSession
from services.sanitize import safe_text
from tui.navigation import Navigation

if TYPE_CHECKING:
    _Base = Navigation
else:
    _Base = object

T = TypeVar("T")


class Asking(_Base):
    """Mixed into the app. `_asked` is what has no answer yet."""

    def begin_asking(self) -> None:
        """Have asked for nothing yet."""
        self._asked: set[Future[Any]] = set()

    def ask_no_more(self) -> None:
        """Let no answer arrive that nobody waits for."""
        for asked in list(self._asked):
            asked.cancel()

    def ask(
        self,
        work: Callable[[ClusterSession], Awaitable[T]],
        arrived: Callable[[T | None, Problem | None], None],
    ) -> None:
        """Ask the cluster something on the service thread; `arrived` gets the answer or the problem, here."""

        async def run() -> T:
            session = self.console_state.session
            if session is None:
                raise Problem(safe_text("The cluster is not connected yet; wait for the header to say live."))
            return await work(session)

        self.work(run, arrived)

    def work(
        self, task: Callable[[], Coroutine[Any, Any, T]], arrived: Callable[[T | None, Problem | None], None]
    ) -> None:
        """Do something on the service thread, cluster or no cluster; `arrived` gets its result or the problem, here."""
        runtime, loop = self.console_state.runtime, asyncio.get_running_loop()
        context = contextvars.copy_context()
        if runtime is None:
            arrived(None, Problem(safe_text("No cluster is connected.")))
            return

        def hand(result: T | None, problem: Problem | None) -> None:
            if self.is_running:
                arrived(result, problem)

        def done(future: Future[T]) -> None:
            self._asked.discard(future)
            if future.cancelled():
                return
            error = future.exception()
            result = None if error is not None else future.result()
            problem = error if isinstance(error, Problem) or error is None else Problem(_stopped_by(error))
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(hand, result, problem, context=context)

        future = runtime.submit(task())
        self._asked.add(future)
        future.add_done_callback(done)


def _stopped_by(error: BaseException) -> SafeText:
    return safe_text(f"It was stopped by {own_fault(error)}; please report it.")
