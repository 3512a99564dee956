"""Runs a plan that a person has confirmed: guard, intent, lock, dry run again, execute, verify, outcome; in this order.

Nothing is sent before the intent is on the disk, and nothing is sent twice. What is not known is called UNKNOWN, and
stays open in the audit trail until somebody has found out.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec
from msgspec import Struct, structs

from services.actions.guard import Allow, Circumstances, Consent, Deny, consents, guard
from services.actions.halting import HaltingHands, Why
from services.actions.spec import Action, Hands, Note, Refused
from services.config_policy import Policy
from services.errors import Halted, Problem, own_fault
from services.kubernetes.writing import WriteFault, WriteProblem
from services.kubernetes.yamltext import masked
from services.model.action import Ended, Outcome, Plan, Progress, Stage
from services.redact import redact
from services.sanitize import safe_text

NEVER_SENT = "nothing was changed"

_SURELY_NOT = frozenset(
    {
        WriteFault.CONFLICT,
        WriteFault.CHANGED,
        WriteFault.GONE,
        WriteFault.INVALID,
        WriteFault.FORBIDDEN,
        WriteFault.DENIED,
        WriteFault.BUSY,
        WriteFault.BUDGET,
        WriteFault.UNREHEARSABLE,
        WriteFault.UNSENT,
    }
)


def _kept() -> str:
    return ""


class AuditTrail(Protocol):
    """Where what is done is written down, durable when a call returns. Every method raises Problem where it cannot."""

    async def intent(self, plan: Plan, body: Mapping[str, Any]) -> str:
        """Write down what is about to be done; returns the id of the intent."""
        ...

    async def step(self, intent: str, name: str, body: Mapping[str, Any]) -> None:
        """Note how far an intent has come."""
        ...

    async def outcome(self, intent: str, ended: Ended, body: Mapping[str, Any]) -> None:
        """Settle an intent; UNKNOWN leaves it open."""
        ...


class Held(Struct, frozen=True):
    """A lock that was had: `said` is what to tell of it, `lost` returns why it is no longer ours ("" while it is)."""

    said: str = ""
    lost: Why = _kept


class Locks(Protocol):
    """Keeps two operators from acting on one object at the same time, everywhere."""

    def hold(self, plan: Plan) -> AbstractAsyncContextManager[Held]:
        """Hold the object's lock, and yield what is to be said of it. Raises Refused if another has it.

        Released when the context is left; it runs out where the process dies.
        """
        ...


class Orders(Struct, frozen=True):
    """What a person has confirmed: a plan, and what they said with it. `incident` ties it to one ("" for none)."""

    plan: Plan
    consent: Consent = Consent()
    incident: str = ""


class Runner:
    """Runs actions one at a time for each object. `circumstances` is asked anew before each run.

    `policy` may be replaced at any time: what is confirmed later is judged by the new one.
    """

    def __init__(
        self,
        hands: Hands,
        trail: AuditTrail,
        locks: Locks,
        policy: Policy,
        circumstances: Callable[[Plan], Circumstances],
    ) -> None:
        self._hands = hands
        self._trail = trail
        self._locks = locks
        self.policy = policy
        self._circumstances = circumstances

    async def judge(self, plan: Plan) -> Allow | Deny:
        """Return whether the plan may run now; the server is asked for every right that it needs."""
        answers = [(right, await self._hands.can(right)) for right in plan.rights]
        return guard(plan, self.policy, structs.replace(self._circumstances(plan), rights=answers))

    async def run(self, action: Action, orders: Orders, note: Note, stopped: Why = _kept) -> Ended:
        """Do what was confirmed, and say how it ended; raises nothing but asyncio.CancelledError.

        What was refused before anything was sent ends as CANCELLED, with the reason. Once `stopped` says why, or the
        lock is lost, no further request is sent.
        """
        plan = orders.plan
        try:
            await note(Progress(Stage.GUARD, "asking policy and server"))
            await self._permit(orders)
            intent = await self._intend(orders, note)
        except Problem as problem:
            return self._ended(Outcome.CANCELLED, f"{problem.sentence} ({NEVER_SENT})")
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent, and that has to be said
            return self._ended(Outcome.CANCELLED, f"{own_fault(error)} stopped it: {NEVER_SENT}")
        begun = asyncio.Event()
        try:
            ended = await self._under_lock(action, plan, intent, note, stopped, begun=begun)
        except asyncio.CancelledError:
            await asyncio.shield(self._settle(intent, self._closed(sent=begun.is_set())))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, something may have been sent by now
            ended = self._ended(Outcome.UNKNOWN, f"{own_fault(error)} stopped it: look at the object")
        return await self._settle(intent, ended)

    async def _permit(self, orders: Orders) -> None:
        judged = await self.judge(orders.plan)
        if isinstance(judged, Deny):
            raise Refused(safe_text(judged.reason))
        missing = consents(judged, orders.plan, self.policy, orders.consent)
        if missing:
            raise Refused(safe_text(missing))

    async def _intend(self, orders: Orders, note: Note) -> str:
        plan = orders.plan
        intent = await self._trail.intent(plan, recorded(plan, orders.consent, orders.incident))
        await note(Progress(Stage.INTENT, "written into the audit trail"))
        return intent

    async def _under_lock(
        self, action: Action, plan: Plan, intent: str, note: Note, stopped: Why, *, begun: asyncio.Event
    ) -> Ended:
        """Do it once nobody else does; `begun` is set before the first request that changes anything."""
        async with contextlib.AsyncExitStack() as held:
            try:
                lock = await held.enter_async_context(self._locked(plan))
                await self._mark(intent, Stage.LEASE, lock.said, note)
                await self._rehearse(action, plan)
                await self._mark(intent, Stage.REHEARSE, "the dry run still says the same", note)
                await self._mark(intent, Stage.EXECUTE, "", note)
            except Problem as problem:
                return self._ended(Outcome.CANCELLED, f"{problem.sentence} ({NEVER_SENT})")
            hands = HaltingHands(self._hands, lambda: stopped() or lock.lost())
            begun.set()
            return await self._act(action, plan, intent, note, hands)

    @contextlib.asynccontextmanager
    async def _locked(self, plan: Plan) -> AsyncIterator[Held]:
        if not plan.leased:
            yield Held()
            return
        async with self._locks.hold(plan) as held:
            yield held

    async def _rehearse(self, action: Action, plan: Plan) -> None:
        """Plan it again from what is there now; raises Refused where it would be something else."""
        again = await action.plan(plan.target, plan.parameters, self._hands)
        if again.blocked:
            raise Refused(safe_text(again.blocked))
        if again.digest != plan.digest:
            raise Refused(safe_text(f"{_moved(plan, again)}: look at it again, then confirm again"))

    async def _act(self, action: Action, plan: Plan, intent: str, note: Note, hands: HaltingHands) -> Ended:
        doubt = ""
        try:
            await action.execute(plan, hands, note)
        except Halted as halted:
            return self._halted(plan, hands, halted)
        except WriteProblem as problem:
            if problem.kind in _SURELY_NOT and not problem.partly:
                return self._ended(Outcome.FAILED, f"{problem.sentence} ({NEVER_SENT})")
            doubt = problem.sentence
        except Problem as problem:
            doubt = problem.sentence
        try:
            await self._mark(intent, Stage.VERIFY, doubt, note)
            ended = await action.verify(plan, self._hands, note)
        except Problem as problem:
            ended = self._ended(Outcome.UNKNOWN, problem.sentence)
        if ended.outcome is not Outcome.OK and hands.halted:
            ended = structs.replace(ended, text=safe_text(f"{hands.halted}: {ended.text}", 1000))
        undo = ended.undo or plan.undo
        return structs.replace(ended, undo=undo if ended.outcome is not Outcome.CANCELLED else None)

    def _halted(self, plan: Plan, hands: HaltingHands, halted: Halted) -> Ended:
        """Say how far it came; nobody waits for what another operator may be changing by now."""
        if not hands.sent:
            return self._ended(Outcome.FAILED, f"{halted.sentence} ({NEVER_SENT})")
        text = f"{halted.sentence}; {hands.sent} of {len(plan.writes)} requests were sent before: look at the object"
        return structs.replace(self._ended(Outcome.FAILED, text), undo=plan.undo)

    async def _mark(self, intent: str, stage: Stage, text: str, note: Note) -> None:
        await self._trail.step(intent, stage.value, {"text": text} if text else {})
        await note(Progress(stage, text))

    async def _settle(self, intent: str, ended: Ended) -> Ended:
        """Write the outcome; where that fails the action stays what it is, and the sentence says what is missing."""
        ended = structs.replace(ended, intent=intent)
        undo = msgspec.to_builtins(ended.undo, enc_hook=str) if ended.undo is not None else None
        body = {"text": ended.text, "undo": undo}
        try:
            await self._trail.outcome(intent, ended, body)
        except Problem as problem:
            return structs.replace(
                ended, text=f"{ended.text}; its outcome is not in the audit trail: {problem.sentence}"
            )
        return ended

    def _closed(self, *, sent: bool) -> Ended:
        """Return the end of what was cancelled from outside; before anything was sent there is nothing to find out."""
        if not sent:
            return self._ended(Outcome.CANCELLED, f"this console was closed before anything was sent ({NEVER_SENT})")
        text = "this console was closed while it ran: the next start finds out how it ended"
        return self._ended(Outcome.UNKNOWN, text)

    def _ended(self, outcome: Outcome, text: str) -> Ended:
        return Ended(outcome, safe_text(text, 1000), at=self._hands.clock.now())


def recorded(plan: Plan, consent: Consent, incident: str) -> dict[str, Any]:
    """Return what the audit trail keeps of a plan: enough to verify it and to undo it in another process.

    Bodies are kept masked, with the hash of what was sent: a secret in a pod template never reaches the disk.
    """
    kept = structs.replace(
        plan, steps=(), writes=tuple(structs.replace(one, body=_masked(one.body)) for one in plan.writes)
    )
    return {
        "title": plan.title,
        "plan": msgspec.to_builtins(kept, str_keys=True, enc_hook=str),
        "requests": [hashlib.sha256(one.body).hexdigest() for one in plan.writes],
        "digest": plan.digest,
        "command": plan.command,
        "reason": consent.reason,
        "incident": incident,
    }


def _masked(body: bytes) -> bytes:
    if not body:
        return body
    whole = masked({"sent": msgspec.json.decode(body)})
    return redact(msgspec.json.encode(whole["sent"]).decode()).encode()


def remembered(body: Mapping[str, Any]) -> Plan:
    """Return the plan that an intent's body keeps. Raises Problem where it cannot be read."""
    try:
        return msgspec.convert(body["plan"], Plan)
    except (KeyError, msgspec.ValidationError) as error:
        raise Problem(safe_text(f"What was intended cannot be read from the audit trail ({error}).")) from None


def _moved(plan: Plan, again: Plan) -> str:
    if [one.spec for one in again.writes] != [one.spec for one in plan.writes]:
        return "somebody changed the object since the plan was shown"
    if again.edits != plan.edits:
        return f"it would now change something else than the plan showed ({_difference(plan, again)})"
    return "what it would do is no longer what was shown"


def _difference(plan: Plan, again: Plan) -> str:
    """Return "now also: cart; no longer: search"; of what is in both, which is otherwise."""
    before, now = {one.path: one for one in plan.edits}, {one.path: one for one in again.edits}
    parts = (
        ("now also", [path for path in now if path not in before]),
        ("no longer", [path for path in before if path not in now]),
        ("otherwise", [path for path in now if path in before and now[path] != before[path]]),
    )
    said = [f"{word}: {', '.join(paths[:3])}{', ...' if len(paths) > 3 else ''}" for word, paths in parts if paths]
    return "; ".join(said)


async def resolve(action: Action, plan: Plan, hands: Hands, note: Note) -> Ended:
    """Find out how an intent without outcome ended, from the cluster alone; nothing is sent. Raises nothing."""
    try:
        ended = await action.verify(plan, hands, note)
    except Problem as problem:
        return Ended(Outcome.UNKNOWN, problem.sentence, at=hands.clock.now())
    return structs.replace(ended, undo=ended.undo or (plan.undo if ended.outcome is Outcome.OK else None))
