"""Brings what actions do into ledger.db, off the loop, and reads back what nobody settled."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from cache.faults import DatabaseFault, fault_of, what_failed
from cache.folder import prepare, private_folder
from cache.ledger.ledger import Beside, Ledger
from cache.ledger.records import EntryKind, LedgerRefused, OpenIntent, Request, Result
from cache.ledger.undoable import Undoable, last_undoable
from cache.locks import FileLock
from services.actions.runner import remembered
from services.clock import Clock
from services.errors import Problem
from services.model.action import Ended, Outcome, Plan
from services.model.actor import Actor
from services.model.ref import Ref
from services.redact import redact
from services.sanitize import safe_text

CONSOLES = "consoles"


def hidden(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value without what looks like a secret, or is one of ours, in any of its texts, however deep."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: hidden(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(each) for each in value]
    return value


class Unsettled(Struct, frozen=True):
    """An intent without an outcome: whose, what it was to do, how far it came; `alive` says that it may still run."""

    intent: OpenIntent
    plan: Plan | None
    alive: bool


class Begun(Struct, frozen=True):
    """What was begun, by whom and why; `doubted` once its outcome was called UNKNOWN."""

    plan: Plan
    actor: Actor
    reason: str = ""
    incident: str = ""
    doubted: bool = False


class LedgerTrail:
    """Implements `services.actions.runner.AuditTrail`. While it is open, a file lock says that this console lives.

    `beside` returns what is to be written in the same transaction as an outcome: what is told of it without asking.
    """

    def __init__(
        self, folder: Path, clock: Clock, who: Actor, beside: Callable[[Begun, Ended], Beside | None] | None = None
    ) -> None:
        self.actor = who
        self._beside = beside
        self._begun: dict[str, Begun] = {}
        self._ledger = Ledger(folder, clock)
        self._folder = folder / CONSOLES
        self._alive = FileLock(self._folder / f"{who.console}.lock")

    def telling(self, beside: Callable[[Begun, Ended], Beside | None]) -> LedgerTrail:
        """Return the same trail, of the same console with the same lock, where other words go with an outcome."""
        other = copy.copy(self)
        other._beside, other._begun = beside, {}
        return other

    async def intent(self, plan: Plan, body: Mapping[str, Any]) -> str:
        """Write down what is about to be done, without the secrets that somebody typed. Raises LedgerRefused."""
        body = hidden(body)
        request = Request(self.actor, plan.action, plan.target.ref, body)
        name = await asyncio.to_thread(self._intent, request)
        self._begun[name] = Begun(plan, self.actor, str(body.get("reason", "")), str(body.get("incident", "")))
        return name

    async def step(self, intent: str, name: str, body: Mapping[str, Any]) -> None:
        """Note how far an intent has come. Raises LedgerRefused."""
        await asyncio.to_thread(self._ledger.step, intent, self.actor, name, hidden(body))

    async def outcome(self, intent: str, ended: Ended, body: Mapping[str, Any]) -> None:
        """Settle an intent, with what is told of it. Raises LedgerRefused."""
        beside, begun = None, self._begun.get(intent)
        if begun is not None and self._beside is not None:
            beside = self._beside(begun, ended)
        result = Result(ended.outcome.value)
        await asyncio.to_thread(self._ledger.outcome, intent, self.actor, result, hidden(body), beside=beside)
        if begun is not None and ended.outcome is Outcome.UNKNOWN:
            self._begun[intent] = structs.replace(begun, doubted=True)
        else:
            self._begun.pop(intent, None)

    def take_up(self, left: Unsettled) -> None:
        """Know again what another console began, so that what is told of its outcome names who, what and why."""
        if left.plan is not None and left.intent.id not in self._begun:
            body = json.loads(left.intent.entry.body)
            reason, incident = str(body.get("reason", "")), str(body.get("incident", ""))
            self._begun[left.intent.id] = Begun(
                left.plan, left.intent.entry.actor, reason, incident, doubted=left.intent.unknown
            )

    async def note(self, action: str, body: Mapping[str, Any]) -> None:
        """Write down what somebody did with the console itself. Raises LedgerRefused."""
        await asyncio.to_thread(self._ledger.record, EntryKind.SESSION, self.actor, action, None, hidden(body))

    async def unsettled(self) -> tuple[Unsettled, ...]:
        """Return the intents that nobody settled, oldest first. Raises LedgerRefused where they cannot be read."""
        return await asyncio.to_thread(self._unsettled)

    async def last_undoable(self, ref: Ref, now: float) -> Undoable | None:
        """Return what was last done to an object and how it is undone, None where there is nothing to undo."""
        return await asyncio.to_thread(last_undoable, self._folder.parent, ref, now)

    def close(self) -> None:
        """Say that this console runs nothing any more."""
        self._ledger.close()
        self._alive.release()

    def _intent(self, request: Request) -> str:
        try:
            prepare(self._folder.parent)
            private_folder(self._folder)
            self._alive.acquire()
        except (OSError, DatabaseFault) as error:
            what = what_failed(fault_of(error), self._folder)
            raise LedgerRefused(
                safe_text(f"It cannot be marked who acts ({what}): nothing is done without that.")
            ) from None
        return self._ledger.intent(request)

    def _unsettled(self) -> tuple[Unsettled, ...]:
        found = []
        for intent in self._ledger.open_intents():
            plan = None
            with contextlib.suppress(Problem, ValueError):
                plan = remembered(json.loads(intent.entry.body))
            found.append(Unsettled(intent, plan, self._lives(intent.entry.actor)))
        return tuple(found)

    def died(self, console: str) -> bool:
        """Tell whether a console of this machine and folder has ended, as its lock says; what is not known lives."""
        if not console.startswith(f"{self.actor.host}-") or "/" in console:
            return False
        path = self._folder / f"{console}.lock"
        try:
            path.lstat()
            lock = FileLock(path)
            free = lock.acquire()
        except OSError:
            return False
        lock.release()
        return free

    def _lives(self, actor: Actor) -> bool:
        """Tell whether the console that began it may still run, as its lock says, if only because that cannot be read.

        Of another machine nothing is known.
        """
        if actor.host != self.actor.host:
            return False
        if actor.console == self.actor.console:
            return True
        lock = FileLock(self._folder / f"{actor.console}.lock")
        try:
            free = lock.acquire()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        lock.release()
        return not free
