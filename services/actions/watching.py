"""Watches a change take effect: until the workload has rolled out, or something is as it was asked to be."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from services.actions.failing import Failing
from services.actions.reading import at, fetch, spoken
from services.actions.spec import Document, Hands, Note, Refused
from services.errors import Problem
from services.kubernetes.decode import FAILURES, decode_list
from services.kubernetes.rollout_status import RolloutStatus, rollout_status
from services.model.action import Ended, Outcome, Plan, Progress, Stage, Target
from services.model.workload import Workload
from services.sanitize import safe_text

POLL = 1.0
SLACK = 60.0
"""Seconds beyond the progress deadline that a roll-out is watched."""

LONGEST = 900.0
PATIENCE = 15.0
"""Seconds for which an unreachable server is asked again before the outcome is called unknown."""

GOES_ON = "the change is in place, and the cluster goes on trying"


class Watch:
    """Reads one object again and again, patient with a server that is silent for a while."""

    def __init__(self, plan: Plan, hands: Hands) -> None:
        self._plan = plan
        self._hands = hands
        self._began = hands.clock.monotonic()

    @property
    def waited(self) -> float:
        """Seconds since it began."""
        return self._hands.clock.monotonic() - self._began

    async def next(self) -> Document | Ended:
        """Return the object as it is now, or how all ended: FAILED where it is gone, UNKNOWN where nobody answers."""
        clock, silent_since = self._hands.clock, 0.0
        while True:
            try:
                return await fetch(self._plan.target, self._hands)
            except Refused as refused:
                return ended(self._hands, Outcome.FAILED, refused.sentence)
            except Problem as problem:
                silent_since = silent_since or clock.monotonic()
                if clock.monotonic() - silent_since > PATIENCE:
                    return ended(self._hands, Outcome.UNKNOWN, problem.sentence)
            await clock.sleep(POLL)


async def watch_rollout(plan: Plan, hands: Hands, note: Note, took: Callable[[Document], bool], done: str) -> Ended:
    """Watch until the workload has rolled out as kubectl says it; `took` tells whether an object shows the change.

    `done` is the sentence of success. FAILED where the change is not there, its new pods fail for good or its progress
    deadline ran out; UNKNOWN where the server stays silent, or it takes longer than anybody waits.
    """
    watch, failing = Watch(plan, hands), Failing(plan.target, hands)
    said = ""
    while True:
        document = await watch.next()
        if isinstance(document, Ended):
            return document
        if not took(document):
            return ended(hands, Outcome.FAILED, not_there(plan))
        status = status_of(plan.target, document)
        if status.done and not status.error:
            return ended(hands, Outcome.OK, done)
        if cause := status.error or await failing.cause(workload_of(plan.target, document), document):
            return ended(hands, Outcome.FAILED, f"{cause}; {GOES_ON}")
        if watch.waited > _patience(document):
            return ended(hands, Outcome.UNKNOWN, f"still not done after {watch.waited:.0f} s: {status.text.strip()}")
        if status.text != said:
            said = status.text
            await note(Progress(Stage.VERIFY, safe_text(said)))
        await hands.clock.sleep(POLL)


async def see_once(plan: Plan, hands: Hands, note: Note, holds: Callable[[Document], bool], done: str) -> Ended:
    """Look whether the object is as it was asked to be: what takes effect with the write itself.

    UNKNOWN where the server stays silent for longer than `PATIENCE`.
    """
    await note(Progress(Stage.VERIFY, "looking whether it is so"))
    document = await Watch(plan, hands).next()
    if isinstance(document, Ended):
        return document
    if not holds(document):
        return ended(hands, Outcome.FAILED, not_there(plan))
    return ended(hands, Outcome.OK, done)


def not_there(plan: Plan) -> str:
    """Return what to say where the cluster shows nothing of the change."""
    return f"{spoken(plan.target)} does not show the change: it was never made, or somebody undid it"


def workload_of(target: Target, document: Document) -> Workload:
    """Return the workload that a document holds. Raises Problem where it cannot be read."""
    body = msgspec.json.encode({"metadata": {}, "items": [document]})
    try:
        rows = decode_list(target.resource.table, body, target.ref.cluster).rows
    except FAILURES:
        rows = {}
    found = rows.get(target.ref.key)
    if not isinstance(found, Workload):
        raise Problem(safe_text(f"{spoken(target)} cannot be read."))
    return found


def status_of(target: Target, document: Document) -> RolloutStatus:
    """Return what `kubectl rollout status` says of a document's workload; OnDelete has no status, and is done."""
    workload = workload_of(target, document)
    if workload.ref.kind != "Deployment" and workload.strategy not in ("", "RollingUpdate"):
        return RolloutStatus("", True)
    return rollout_status(workload)


def _patience(document: Document) -> float:
    deadline = at(document, "spec", "progressDeadlineSeconds")
    allowed = float(deadline) + SLACK if isinstance(deadline, int) else LONGEST
    return min(allowed, LONGEST)


def ended(hands: Hands, outcome: Outcome, text: str) -> Ended:
    """Return an end of now, in words that may come from outside."""
    return Ended(outcome, safe_text(text, 1000), at=hands.clock.now())
