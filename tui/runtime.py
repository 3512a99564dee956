"""Owns the service thread and its loop: a stalled terminal never stops watching, a slow server never stops the keys."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from services.model.source import SourceState, SourceStatus
from services.sanitize import safe_text

if TYPE_CHECKING:
    from services.clock import Clock
    from services.engine import Desired, Engine
    from services.ports import ClusterSession, Sink

T = TypeVar("T")

SWITCH_INTERVAL = 0.001
"""Seconds a thread may keep the interpreter; the default of 5 ms is felt as lag under a busy watch."""


class Runtime:
    """The service thread: one asyncio loop that watches, polls and acts. Serves screen, command line and daemon alike.

    `start` returns at once; network libraries are imported on the thread. `sink` is called there to make the way into
    live state.
    """

    def __init__(self, sink: Callable[[], Sink], clock: Clock) -> None:
        self._make_sink = sink
        self._clock = clock
        self._sink: Sink | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._early: list[Callable[[], None]] = []
        self._ended = False
        self._thread: threading.Thread | None = None
        self._engine: Engine | None = None
        self._stopping: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, desired: Desired | None = None) -> None:
        """Start the thread, and watch what is desired as soon as it runs."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._thread = threading.Thread(target=self._run, args=(desired,), name="services", daemon=True)
        self._thread.start()

    def _run(self, desired: Desired | None) -> None:
        asyncio.run(self._serve(desired))

    async def _serve(self, desired: Desired | None) -> None:
        loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        from services.engine import Engine

        self._sink = self._make_sink()
        self._engine = Engine(self._sink, self._clock)
        with self._lock:
            self._loop = loop
            early, self._early = self._early, []
        for launch in early:
            launch()
        if desired is not None:
            await self._reconcile(desired)
        await self._stopping.wait()
        self._ended = True
        for task in list(self._tasks):
            task.cancel()
        await self._engine.close()

    async def _reconcile(self, desired: Desired) -> None:
        assert self._engine is not None  # noqa: S101 - reconcile is only submitted once the engine stands
        try:
            await self._engine.reconcile(desired)
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator must read it and the thread must live
            now = self._clock.now()
            sentence = getattr(error, "sentence", None) or safe_text(f"{type(error).__name__}: {error}")
            if self._sink is not None:
                self._sink.status(SourceStatus("kubernetes", SourceState.FAILED, since=now, error=sentence))

    def reconcile(self, desired: Desired) -> Future[None]:
        """Watch this from now on; what stays the same goes on without a restart."""
        return self.submit(self._reconcile(desired))

    @property
    def session(self) -> ClusterSession | None:
        """What a screen may ask of the cluster; None until it is connected."""
        return self._engine.session if self._engine is not None else None

    @property
    def engine(self) -> Engine | None:
        """The engine, once the thread has it."""
        return self._engine

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the service loop, now or as soon as there is one; never blocks the caller."""
        answer: Future[T] = Future()
        with self._lock:
            if self._loop is None and not self._ended:
                self._early.append(lambda: self._launch(work, answer))
                return answer
        if self._ended or self._loop is None or self._loop.is_closed():
            work.close()
            answer.cancel()
        else:
            self._loop.call_soon_threadsafe(self._launch, work, answer)
        return answer

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this on the service loop until the thread ends; call it there."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _launch(self, work: Coroutine[Any, Any, T], answer: Future[T]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: _settle(done, answer))
        answer.add_done_callback(lambda future: self._withdraw(task) if future.cancelled() else None)

    def _withdraw(self, task: asyncio.Task[Any]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(task.cancel)

    def stop(self, deadline: float = 3.0) -> bool:
        """End every source and the thread; returns whether it ended within `deadline` seconds."""
        if self._thread is None:
            return True
        self.submit(self._stop())
        self._thread.join(deadline)
        return not self._thread.is_alive()

    async def _stop(self) -> None:
        if self._stopping is not None:
            self._stopping.set()


def _settle(done: asyncio.Task[T], answer: Future[T]) -> None:
    if answer.cancelled():
        return
    if done.cancelled():
        answer.cancel()
    elif error := done.exception():
        answer.set_exception(error)
    else:
        answer.set_result(done.result())
