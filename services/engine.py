"""Runs what the screens want watched, and changes from one context to another without a restart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from services.clock import Clock
from services.errors import Problem, own_fault
from services.kubernetes.kubeconfig import Identity
from services.memory import share_one_arena
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.ports import Change, ClusterSession, Interest, Replace, Sink
from services.sanitize import safe_text

if TYPE_CHECKING:
    from services.kubernetes.credentials import LoginCommand
    from services.kubernetes.exec_plugin import LoginNeeded
    from services.kubernetes.source import KubernetesSource
    from services.kubernetes.transport import Transport


class Desired(Struct, frozen=True):
    """What should be watched: one pinned identity, and what of it.

    `fallback` are the namespaces to watch where a cluster-wide list is refused (the context's own when empty).
    """

    identity: Identity
    interest: Interest
    fallback: tuple[str, ...] = ()


class Engine:
    """The sources of one console. Everything is called on the service loop.

    `on_login` is told when a person has to log in, and None when that is over.
    """

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self.on_login: Callable[[LoginNeeded | None], None] | None = None
        self._sink = _Remembering(sink)
        self._clock = clock
        self._desired: Desired | None = None
        self._source: KubernetesSource | None = None
        self._session: ClusterSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        share_one_arena()

    @property
    def session(self) -> ClusterSession | None:
        """What a screen may ask of the cluster that is watched now."""
        return self._session

    @property
    def transport(self) -> Transport | None:
        """The way to the API server that is watched now, also through it to what runs in the cluster."""
        return self._source.transport if self._source is not None else None

    @property
    def cluster(self) -> str:
        """The identity of the cluster (`Ref.cluster`), "" until its server has answered once."""
        return self._source.cluster if self._source is not None else ""

    @property
    def needs_login(self) -> LoginNeeded | None:
        """What a person has to do before the credentials work again."""
        return self._source.needs_login if self._source is not None else None

    def login_command(self) -> LoginCommand | None:
        """The credential plugin as a person runs it in a terminal, None where no plugin is used."""
        return self._source.credentials.login_command() if self._source is not None else None

    def logged_in(self) -> None:
        """Take that a person has run the login: everything is asked again at once."""
        if self._source is not None:
            self._source.logged_in()

    async def reconcile(self, desired: Desired) -> None:
        """Watch this from now on; what stays the same goes on undisturbed.

        Raises Problem where the kubeconfig's credentials cannot be read; then nothing is watched.
        """
        async with self._lock:
            before = self._desired
            same = before is not None and (before.identity, before.fallback) == (desired.identity, desired.fallback)
            self._desired = desired
            if same and self._source is not None:
                self._source.update(desired.interest)
                return
            await self._stop()
            if before is not None and before.identity.cluster_key != desired.identity.cluster_key:
                self._sink.forget()
            await self._start(desired)

    async def close(self, deadline: float = 2.0) -> None:
        """End every source within `deadline` seconds, whatever the server does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                await self._stop()

    async def _start(self, desired: Desired) -> None:
        from services.kubernetes import settings
        from services.kubernetes.session import KubernetesSession
        from services.kubernetes.source import KubernetesSource

        loaded = await asyncio.to_thread(settings.load, desired.identity)
        self._source = KubernetesSource(
            loaded, desired.interest, self._sink, self._clock, fallback=desired.fallback, on_login=self._login
        )
        self._session = KubernetesSession(self._source, self._clock)
        self._task = asyncio.ensure_future(self._source.run())
        self._task.add_done_callback(self._ended)

    async def _stop(self) -> None:
        task, self._task = self._task, None
        self._source = self._session = None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _login(self, needed: LoginNeeded | None) -> None:
        if self.on_login is not None:
            self.on_login(needed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Say it where the source ended by itself: that must never look like a quiet cluster."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        why = f"({error.sentence})" if isinstance(error, Problem) else f"by {own_fault(error)}"
        sentence = safe_text(f"Watching the cluster ended {why}: leave, and start again.")
        self._sink.status(SourceStatus(CONNECTION, SourceState.FAILED, since=self._clock.now(), error=sentence))


class _Remembering:
    """Passes everything on, and knows which tables and sources to empty when another cluster comes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.happened = sink.happened
        self._tables: dict[str, str] = {}
        self._sources: set[str] = set()

    def apply(self, source: str, change: Change) -> None:
        self._tables[change.table] = source
        self._sink.apply(source, change)

    def status(self, status: SourceStatus) -> None:
        self._sources.add(status.source)
        self._sink.status(status)

    def forget(self) -> None:
        for table, source in self._tables.items():
            self._sink.apply(source, Replace(table, {}))
        for source in self._sources:
            self._sink.status(SourceStatus(source, SourceState.LOADING))
        self._tables.clear()
        self._sources.clear()
