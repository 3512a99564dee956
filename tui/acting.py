"""The console's hands: plans an action on the cluster that is watched, judges it, and runs what was confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableSequence, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, structs

from services.actions.guard import OLDEST, Allow, Circumstances, Deny, kind_of, may_begin
from services.actions.registry import BY_ID, listed_for
from services.actions.registry import action as action_of
from services.actions.runner import Locks, Orders, Runner, resolve
from services.actions.spec import Hands, Note
from services.clock import Clock
from services.config_policy import Policy
from services.errors import Problem
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Target
from services.model.ref import ALERTS, SILENCES
from services.model.severity import Severity
from services.model.source import CONNECTION
from services.model.text import SafeText
from services.model.timeline import Event, EventKind, event_id
from services.redact import redact
from services.sanitize import safe_text
from tui.locking import ClusterLocks
from tui.presenters.alert_sources import POLLED_FOR
from tui.presenters.freshness import Freshness, read
from tui.trail import LedgerTrail, Unsettled

if TYPE_CHECKING:
    from cache.ledger.undoable import Undoable
    from services.actions.shell import Container
    from services.model.message import Message
    from services.ports import Snapshot
    from tui.outgoing import Outgoing


class Armed(Struct):
    """Whether actions are armed for a context, and until when (epoch seconds)."""

    context: str = ""
    until: float = 0.0

    def holds(self, context: str, now: float) -> bool:
        """Whether it is armed there now."""
        return self.context == context and now < self.until


class Planned(Struct, frozen=True):
    """A plan with the guard's verdict on it."""

    plan: Plan
    verdict: Allow | Deny


class Words(Struct, frozen=True):
    """What is told of something: a message a channel, and whether that has happened by itself already."""

    messages: tuple[Message, ...]
    told: bool
    outgoing: Outgoing


class Acting:
    """One console's actions on one cluster. Everything but `arm` runs on the service loop."""

    def __init__(
        self,
        hands: Hands,
        trail: LedgerTrail,
        locks: Locks,
        policy: Policy,
        *,
        watched: Callable[[], Snapshot],
        cluster: Callable[[], str] = lambda: "",
        tell: Callable[[Sequence[Event]], None] = lambda _: None,
        outgoing: Callable[[], Outgoing | None] = lambda: None,
    ) -> None:
        self.armed = Armed()
        self.arm_key = "!"
        self.kubectl_environment: Mapping[str, str] = {}
        self.warnings: MutableSequence[SafeText] = []
        self.introduce: Callable[[], Awaitable[object]] = _unknown
        self.production = True
        self.trail = trail
        self._hands = hands
        self._watched = watched
        self._cluster = cluster
        self._tell = tell
        self._outgoing = outgoing
        self._done: list[tuple[float, str]] = []
        self._locks = locks
        self._runner = Runner(hands, trail, locks, policy, self._circumstances)

    @property
    def policy(self) -> Policy:
        """What may be done on the cluster; another one counts from the next plan, and at the next confirmation."""
        return self._runner.policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._runner.policy = policy

    @property
    def clock(self) -> Clock:
        """The clock that times are taken from."""
        return self._hands.clock

    @property
    def hands(self) -> Hands:
        """What actions are lent here."""
        return self._hands

    @property
    def cluster(self) -> str:
        """The identity of the cluster that is acted upon."""
        return self._cluster()

    def arm(self) -> float:
        """Arm actions in this context, or end it; returns until when (0: not any more)."""
        now = self.clock.now()
        context = self._hands.context
        until = 0.0 if self.armed.holds(context, now) else now + self.policy.arm_minutes * 60
        self.armed = Armed(context, until)
        return until

    async def note_arming(self) -> None:
        """Write down that actions were armed here, or are not any more; where that cannot be, they are not armed.

        Raises LedgerRefused.
        """
        armed, context = self.armed, self._hands.context
        body = {"context": context, "minutes": self.policy.arm_minutes, "until": armed.until}
        try:
            await self.trail.note("arm" if armed.until else "disarm", body if armed.until else {"context": context})
        except Problem:
            self.armed = Armed()
            raise

    def wait_for_locks(self, said: Callable[[str], None]) -> None:
        """Wait for a lock that another operator may have left behind, and say so, in place of a refusal at once."""
        if isinstance(self._locks, ClusterLocks):
            self._locks.waiting = said

    def why_not(self, action: str) -> str:
        """Return why an action may not begin here and now, "" where it may: what greys its key."""
        of_alerting = bool(BY_ID[action].fits & {("", "Alert"), ("", "Silence")})
        return may_begin(action, self.policy, self._situation("", of_alerting=of_alerting))

    async def forbidden(self, target: Target) -> Mapping[str, str]:
        """Return, of the actions that an object is offered, those that this user may not do, each with the reason."""
        needed = {one.id: one.right(target) for one in listed_for(target.ref.group, target.ref.kind)}
        rights = list(dict.fromkeys(needed.values()))
        answers = dict(zip(rights, await asyncio.gather(*map(self._hands.can, rights)), strict=True))
        return {
            name: f"you may not {right.verb} {kind_of(right)}"
            + (f" ({answers[right].reason})" if answers[right].reason else "")
            for name, right in needed.items()
            if not answers[right].allowed
        }

    async def last_undoable(self, target: Target) -> Undoable | None:
        """Return what was last done to an object from this machine and how it is undone, None for nothing."""
        return await self.trail.last_undoable(target.ref, self.clock.now())

    async def plan(self, action: str, target: Target, given: Mapping[str, str]) -> Planned:
        """Return what an action would do, and whether it may. Raises Problem."""
        refused = self.why_not(action)
        if refused:
            raise Problem(safe_text(f"{BY_ID[action].label}: {refused}."))
        await self.introduce()
        self.warnings.clear()
        plan = await action_of(action).plan(target, given, self._hands)
        warned = tuple(Fact("server", f"warns: {said}", Severity.WARN) for said in self.warnings)
        plan = structs.replace(plan, facts=(*plan.facts, *warned))
        return Planned(plan, await self._runner.judge(plan))

    async def run(self, orders: Orders, note: Note, stopped: Callable[[], str] = lambda: "") -> Ended:
        """Do what was confirmed; how it ended, which stands on the timeline too. `stopped` says why it is to stop."""
        self._done.append((self.clock.now(), orders.plan.target.ref.uid))
        ended = await self._runner.run(action_of(orders.plan.action), orders, note, stopped)
        ended = structs.replace(ended, text=_with_warnings(ended.text, orders.plan, self.warnings))
        if ended.intent:
            self._tell([self._event(orders.plan, ended)])
        if (outgoing := self._outgoing()) is not None:
            outgoing.nudge()
        return ended

    def tells(self, plan: Plan) -> str:
        """Return who will be told of an action by itself, and when; "" where there are no channels."""
        outgoing = self._outgoing()
        if outgoing is None:
            return ""
        from services.notifications.tell import tells_of

        return tells_of(outgoing.config, plan.action, self._hands.context, plan.target.ref.namespace)

    def words_of(self, orders: Orders, ended: Ended) -> Words | None:
        """Return what there is to tell of an action that ended, and to whom; None where there are no channels."""
        outgoing = self._outgoing()
        if outgoing is None or not outgoing.config.notify:
            return None
        from services.notifications.tell import about_action, compose, default_recipients, told_by_itself

        actor, config, context = self.trail.actor, outgoing.config, self._hands.context
        who = f"{actor.user}@{actor.host}"
        about = about_action(orders.plan, ended, who, context, reason=orders.consent.reason, incident=orders.incident)
        if about is None:
            return None
        told = bool(told_by_itself(config, about))
        channels = default_recipients(config, orders.plan.target.ref, context)
        return Words(compose(config, about, channels), told, outgoing)

    async def unsettled(self) -> tuple[Unsettled, ...]:
        """Return what was begun and never settled. Raises Problem."""
        return await self.trail.unsettled()

    async def left_open(self) -> tuple[tuple[str, Unsettled], ...]:
        """Return what was begun here, never settled, and is run by nobody any more; by titles. Raises Problem.

        What this console has lost sight of is among it.
        """
        return tuple(
            (left.plan.title if left.plan is not None else left.intent.entry.action, left)
            for left in await self.unsettled()
            if (not left.alive or (left.intent.unknown and left.intent.entry.actor.console == self.trail.actor.console))
            and left.intent.entry.target is not None
            and left.intent.entry.target.cluster == self._cluster()
        )

    async def look_back(self) -> tuple[tuple[str, Ended], ...]:
        """Find out how everything ended here that was begun and never settled, and that nobody runs any more.

        Returns what was found, by the titles; what is still unknown is among it. Raises Problem.
        """
        found = []
        for title, left in await self.left_open():
            try:
                ended = await self.find_out(left, _silent)
            except Problem as problem:
                ended = Ended(Outcome.UNKNOWN, problem.sentence, left.intent.id, self.clock.now())
            found.append((title, ended))
        return tuple(found)

    async def find_out(self, left: Unsettled, note: Note) -> Ended:
        """Look at the cluster for how something ended that nobody settled, and settle it where that is clear.

        Raises Problem where it cannot be written down, or may still be running.
        """
        if left.alive and left.intent.entry.actor.console != self.trail.actor.console:
            raise Problem(safe_text("Another console still runs it: wait for its outcome."))
        if left.plan is None or left.plan.action not in BY_ID:
            raise Problem(safe_text("What was intended cannot be read: look at the object, then settle it by hand."))
        ended = await resolve(action_of(left.plan.action), left.plan, self._hands, note)
        ended = structs.replace(ended, intent=left.intent.id)
        if ended.outcome is not Outcome.UNKNOWN or not left.intent.unknown:
            self.trail.take_up(left)
            undo = msgspec.to_builtins(ended.undo, enc_hook=str) if ended.undo is not None else None
            await self.trail.outcome(left.intent.id, ended, {"text": ended.text, "found_out": True, "undo": undo})
            if (outgoing := self._outgoing()) is not None:
                outgoing.nudge()
        return ended

    async def containers(self, target: Target, selector: str) -> tuple[Container, ...]:
        """Return where a shell may be opened: in a pod, or in the pods that a workload selects. Raises Problem."""
        from services.actions.shell import containers_of

        return await containers_of(self._hands, target, selector)

    def close(self) -> None:
        """Say that this console runs nothing any more."""
        self.trail.close()

    def _event(self, plan: Plan, ended: Ended) -> Event:
        ref, actor = plan.target.ref, self.trail.actor
        return Event(
            id=event_id(ref.cluster, "quarterdeck", ref.uid, plan.action, ended.intent),
            at=ended.at,
            seen_at=self.clock.now(),
            kind=EventKind.ACTION,
            ref=ref,
            text=redact(f"{BY_ID[plan.action].label}: {ended.text}"),
            severity=Severity.OK if ended.outcome is Outcome.OK else Severity.WARN,
            payload={
                "actor": f"{actor.user}@{actor.host}",
                "command": redact(plan.command),
                "outcome": ended.outcome.value,
                "intent": ended.intent,
            },
        )

    def _circumstances(self, plan: Plan) -> Circumstances:
        of_alerting = plan.target.resource in (ALERTS, SILENCES)
        return self._situation(plan.target.ref.uid, of_alerting=of_alerting)

    def _situation(self, uid: str, *, of_alerting: bool) -> Circumstances:
        now = self.clock.now()
        sources = self._watched().sources
        told = [read(one, now, POLLED_FOR) for name, one in sources.items() if name.startswith("alertmanager/")]
        readings = told if of_alerting and told else [read(sources.get(CONNECTION), now)]
        reading = max(readings, key=lambda one: (one.freshness is Freshness.FRESH, one.last_ok))
        trusted = reading.freshness is Freshness.FRESH
        return Circumstances(
            now=now,
            armed_until=self.armed.until if self.armed.holds(self._hands.context, now) else 0.0,
            arm_key=self.arm_key,
            source="an Alertmanager" if of_alerting and told else "the cluster",
            production=self.production,
            data_age=0.0 if trusted else _age(reading.last_ok, now),
            recent=[at for at, whose in self._done if uid and whose == uid],
            burst=[at for at, _ in self._done],
        )


def _with_warnings(text: str, plan: Plan, warnings: Iterable[SafeText]) -> str:
    """Return how it ended with what the server warned of meanwhile and had not said to the plan."""
    known = {fact.text for fact in plan.facts}
    news = [said for said in warnings if f"warns: {said}" not in known]
    return f"{text}; the server warns: {'; '.join(news)}" if news else text


def _age(as_of: float, now: float) -> float | None:
    return max(OLDEST + 1, now - as_of) if as_of else None


async def _unknown() -> None:
    return


async def _silent(_progress: Progress) -> None:
    return
