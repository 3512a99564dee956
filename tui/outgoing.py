"""Where this console's messages to people outside are written, tried again and dropped, and what delivers them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.ledger.ledger import Beside, Ledger
from cache.ledger.outbox import Outbox, Terms
from cache.ledger.outbox_reader import OutboxReader, said_in
from services.clock import Clock
from services.model.actor import Actor
from services.model.message import OUTBOX, Message, OutboxRow
from services.model.source import SourceState, SourceStatus
from services.model.text import SafeText
from services.ports import Replace, Sink

if TYPE_CHECKING:
    from services.config_schema import Config
    from services.model.action import Ended
    from services.notifications.worker import OutboxWorker
    from tui.trail import Begun


def terms(config: Config) -> Terms:
    """Return how long messages are folded, tried and kept, as the configuration says."""
    tell = config.tell
    return Terms(float(tell.fold_seconds), tell.give_up_minutes * 60.0, tell.keep_days * 86400.0)


def make_worker(box: Outbox, reader: OutboxReader, config: Config, clock: Clock, shown: Shown | None) -> OutboxWorker:
    """Return what delivers by this configuration; `shown` takes what it sees."""
    from services.notifications.outbox_policy import Limits
    from services.notifications.worker import OutboxWorker

    outlets = {}
    if config.notify:  # what sends is loaded only where there is something to send by
        from services.notifications.outlet import Outlet

        outlets = {name: Outlet(name, settings, clock) for name, settings in config.notify.items()}
    limits = Limits(attempts=config.tell.attempts)
    if shown is None:
        return OutboxWorker(box, reader, outlets, clock, limits=limits)
    return OutboxWorker(box, reader, outlets, clock, shown.take, limits=limits)


class Outgoing:
    """Made once for a console. Its methods belong on the service loop; nothing they do blocks it."""

    def __init__(self, folder: Path, clock: Clock, who: Actor, config: Config) -> None:
        self.actor = who
        self.config = config
        self._folder = folder
        self._clock = clock
        self._ledger = Ledger(folder, clock)
        self._box = Outbox(self._ledger, folder, clock, terms(config), who.host)
        self._worker: OutboxWorker | None = None
        self._again = asyncio.Event()
        self._queued: deque[str] = deque(maxlen=256)

    def use(self, config: Config) -> None:
        """Deliver by another configuration from now on."""
        self.config = config
        self._box.terms = terms(config)
        self._again.set()

    async def tell(self, messages: Sequence[Message], body: Mapping[str, Any] | None = None) -> None:
        """Queue what a person tells; written down when it returns. Raises LedgerRefused."""
        await asyncio.to_thread(self._box.tell, self.actor, messages, body)
        self._queued.extend(one.id for one in messages)
        self.nudge()

    def beside(self, messages: Sequence[Message]) -> Beside | None:
        """Return what queues messages in the transaction of what they tell of, None for none."""
        self._queued.extend(one.id for one in messages)
        return self._box.beside(messages) if messages else None

    def beside_outcome(self, begun: Begun, ended: Ended, context: str) -> Beside | None:
        """Return what queues, with an outcome, what the policy of a context tells of it; None for nothing."""
        from services.notifications.tell import about_action, told_by_itself

        who = f"{begun.actor.user}@{begun.actor.host}"
        about = about_action(
            begun.plan, ended, who, context, reason=begun.reason, incident=begun.incident, doubted=begun.doubted
        )
        return self.beside(told_by_itself(self.config, about))

    def nudge(self) -> None:
        """Deliver at once what was queued; on the service loop."""
        if self._worker is not None:
            self._worker.nudge()

    async def retry(self, row: OutboxRow) -> None:
        """Try a message again, now, on a channel that is asked again for it. Raises LedgerRefused."""
        await asyncio.to_thread(self._box.retry, row.id, self.actor)
        if self._worker is not None:
            self._worker.reopen(row.channel)

    async def said(self, row: OutboxRow) -> Message | None:
        """Return all of a message, None where it cannot be read."""
        return await asyncio.to_thread(said_in, self._folder, row.id)

    async def drop(self, row: OutboxRow, reason: str = "") -> None:
        """Never send a message that waits. Raises LedgerRefused."""
        await asyncio.to_thread(self._box.drop, row.id, self.actor, reason)
        self.nudge()

    async def deliver(self, seconds: float) -> tuple[OutboxRow, ...]:
        """Deliver where no screen runs, for so many seconds at most; return what became of what was queued here."""
        if not self._queued:
            return ()
        reader = OutboxReader(self._folder)
        try:
            await make_worker(self._box, reader, self.config, self._clock, None).drain(seconds, self._queued)
            rows = (await asyncio.to_thread(reader.look)).rows
        finally:
            reader.close()
        return tuple(rows[name] for name in self._queued if name in rows)

    async def run(self, sink: Sink) -> None:
        """Show the outbox, and deliver what is due, until cancelled."""
        reader, shown = OutboxReader(self._folder), Shown(sink, self._clock)
        try:
            while True:
                self._again.clear()
                self._worker = make_worker(self._box, reader, self.config, self._clock, shown)
                await self._until_changed(self._worker)
        finally:
            self._worker = None
            reader.close()

    async def _until_changed(self, worker: OutboxWorker) -> None:
        running, changed = asyncio.ensure_future(worker.run()), asyncio.ensure_future(self._again.wait())
        try:
            await asyncio.wait({running, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.cancel()
            changed.cancel()
            with contextlib.suppress(asyncio.CancelledError, RuntimeError):  # the loop shuts its threads down
                await running

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()


class Shown:
    """Brings what a worker sees into live state."""

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._said: tuple[SourceState, str] | None = None

    def take(self, rows: Mapping[str, OutboxRow], problem: SafeText) -> None:
        """Take the messages, and what is wrong with them."""
        self._sink.apply(OUTBOX, Replace(OUTBOX, rows))
        state = SourceState.FAILED if problem else SourceState.LIVE
        if self._said != (state, problem):
            self._said = (state, problem)
            now = self._clock.now()
            self._sink.status(SourceStatus(OUTBOX, state, now, now, now, problem))
