"""Owns the service thread and its loop: a stalled terminal never stops watching, a slow server never stops the keys."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from services.errors import Problem, own_fault
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.redact import prepare
from services.sanitize import safe_text

if TYPE_CHECKING:
    from services.clock import Clock
    from services.config_schema import RolloutSettings
    from services.engine import Desired, Engine
    from services.kubernetes.exec_plugin import LoginNeeded
    from services.ports import ClusterSession
    from tui.stay import Stay

T = TypeVar("T")

SWITCH_INTERVAL = 0.001
"""Seconds a thread may keep the interpreter; the default of 5 ms is felt as lag under a busy watch."""

ENDED = safe_text("Nothing is asked or watched any more: the service thread has ended. Leave with ctrl-c, start again.")


class Runtime:
    """The service thread: one asyncio loop that watches, polls and acts. Serves screen, command line and daemon alike.

    `start` returns at once; network libraries are imported on the thread. `enter` is called there to make what takes
    the rows of a cluster; what is desired comes as a function, since naming it loads those libraries.
    """

    def __init__(self, enter: Callable[[Runtime], Stay], clock: Clock) -> None:
        self._enter = enter
        self._clock = clock
        self._stay: Stay | None = None
        self._staying: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._early: list[tuple[Coroutine[Any, Any, Any], Future[Any]]] = []
        self._ended = False
        self._broken = False
        self._thread: threading.Thread | None = None
        self._engine: Engine | None = None
        self._stopping: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.on_login: Callable[[LoginNeeded | None], None] | None = None
        self.on_fault: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None] | None = None
        self.on_broken: Callable[[BaseException], None] | None = None

    def start(self, desired: Callable[[], Desired] | None = None) -> None:
        """Start the thread, and watch what is desired as soon as it runs."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._thread = threading.Thread(target=self._run, args=(desired,), name="services", daemon=True)
        self._thread.start()

    def _run(self, desired: Callable[[], Desired] | None) -> None:
        try:
            asyncio.run(self._serve(desired))
        finally:
            with self._lock:
                early, self._early = self._early, []
            for work, answer in early:
                self._refuse(work, answer)

    async def _serve(self, desired: Callable[[], Desired] | None) -> None:
        try:
            await self._work(desired)
        finally:
            with self._lock:
                self._broken = not self._ended
            for task in list(self._tasks):
                task.cancel()
            await self._go_out()

    async def _work(self, desired: Callable[[], Desired] | None) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.on_fault)
        self._stopping = asyncio.Event()
        loop.run_in_executor(None, prepare)
        await self._come_in()
        with self._lock:
            self._loop = loop
            early, self._early = self._early, []
        for work, answer in early:
            self._launch(work, answer)
        if desired is not None:
            await self._reconcile(desired)
        await self._stopping.wait()
        self._ended = True

    async def _come_in(self) -> None:
        """Enter a cluster: first what takes its rows, then the engine that brings them."""
        from services.engine import Engine

        self._stay = self._enter(self)
        self._engine = Engine(self._stay.sink, self._clock)
        self._engine.on_login = self.on_login
        self._staying = asyncio.create_task(self._stay.run())
        self._staying.add_done_callback(self._stay_ended)

    def _stay_ended(self, task: asyncio.Task[None]) -> None:
        """Say it where deriving or recording ended by itself: rows may come, but not all that is made of them."""
        if not task.cancelled() and (error := task.exception()) is not None and self.on_broken is not None:
            self.on_broken(error)

    async def _go_out(self) -> None:
        if self._engine is not None:
            await self._engine.close()
        if self._staying is not None:
            self._staying.cancel()
            await asyncio.gather(self._staying, return_exceptions=True)
        if self._stay is not None:
            self._stay.close()

    async def _move(self, desired: Callable[[], Desired]) -> None:
        try:
            await self._go_out()
            await self._come_in()
        except Exception as error:
            if self.on_broken is not None:
                self.on_broken(error)
            raise
        await self._reconcile(desired)

    def move(self, desired: Callable[[], Desired]) -> Future[None]:
        """Leave the cluster, and enter another one, without a restart."""
        return self.submit(self._move(desired))

    async def _reconcile(self, desired: Callable[[], Desired]) -> None:
        assert self._engine is not None  # noqa: S101 - reconcile is only submitted once the engine stands
        try:
            await self._engine.reconcile(desired())
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator must read it and the thread must live
            now = self._clock.now()
            fault = error if isinstance(error, Problem) else None
            sentence = fault.sentence if fault else safe_text(f"Nothing is watched: {own_fault(error)}; start again.")
            if self._stay is not None:
                self._stay.sink.status(SourceStatus(CONNECTION, SourceState.FAILED, since=now, error=sentence))

    def reconcile(self, desired: Callable[[], Desired]) -> Future[None]:
        """Watch this from now on; what stays the same goes on without a restart."""
        return self.submit(self._reconcile(desired))

    def judge_by(self, settings: RolloutSettings) -> None:
        """Judge rollouts and symptoms by other thresholds from now on."""
        self.call(lambda: self._stay.use(settings) if self._stay is not None else None)

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
            if self._loop is None and not (self._ended or self._broken):
                self._early.append((work, answer))
                return answer
            loop = None if self._ended or self._broken else self._loop
        if loop is None or loop.is_closed():
            self._refuse(work, answer)
        else:
            loop.call_soon_threadsafe(self._launch, work, answer)
        return answer

    def _refuse(self, work: Coroutine[Any, Any, Any], answer: Future[Any]) -> None:
        """Answer what can no longer be done: with a reason where the thread broke, with silence after a `stop`."""
        work.close()
        if self._broken:
            answer.set_exception(Problem(ENDED))
        else:
            answer.cancel()

    def call(self, act: Callable[[], None]) -> None:
        """Do something on the service loop."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)

    def _launch(self, work: Coroutine[Any, Any, T], answer: Future[T]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: self._settle(done, answer))
        answer.add_done_callback(lambda future: self._withdraw(task) if future.cancelled() else None)

    def _settle(self, done: asyncio.Task[T], answer: Future[T]) -> None:
        if answer.cancelled():
            return
        if done.cancelled():
            if self._broken:
                answer.set_exception(Problem(ENDED))
            else:
                answer.cancel()
        elif error := done.exception():
            answer.set_exception(error)
        else:
            answer.set_result(done.result())

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
