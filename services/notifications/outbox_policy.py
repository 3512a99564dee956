"""Decides what becomes of a message after an attempt, without touching clock, network or database."""

from __future__ import annotations

from msgspec import Struct

from services.model.message import OutboxState
from services.notifications.model import Claimed, Settled, Step, Verdict

DENIED_SECONDS = 300.0
"""Seconds a channel that does not take our credentials is left alone."""

FAR = 7200.0
"""Seconds ahead beyond which no message ever waits: where one does, the clock was set back, and it is due."""


class Limits(Struct, frozen=True):
    """How hard it is tried. `first` and `longest` bound the waits, `longest_told` what a Retry-After may ask for."""

    attempts: int = 12
    first: float = 2.0
    longest: float = 300.0
    longest_told: float = 3600.0


def wait_after(attempts: int, settled: Settled, jitter: float, limits: Limits) -> float:
    """Return the seconds to the next attempt: what the server asked for, else exponential with full jitter.

    `jitter` is in [0, 1). "Exponential backoff and jitter", AWS Architecture Blog, 2015.
    """
    if settled.retry_after > 0:
        return min(settled.retry_after, limits.longest_told)
    if settled.verdict is Verdict.DENIED:
        return DENIED_SECONDS
    return jitter * min(limits.longest, limits.first * 2.0 ** min(max(attempts - 1, 0), 30))


def next_step(
    claimed: Claimed, settled: Settled, now: float, jitter: float, limits: Limits, *, repeatable: bool
) -> Step:
    """Return what becomes of a claimed message after this attempt.

    `repeatable` channels drop what they already have, by its id; the others get a message that may have arrived once
    more at most, marked, and then it stays UNKNOWN for a person to decide.
    """
    doubts = claimed.doubts + (settled.verdict is Verdict.UNKNOWN)
    if settled.verdict is Verdict.ACCEPTED:
        return Step(OutboxState.ACCEPTED, 0.0, settled.reason, doubts)
    if settled.verdict is Verdict.REJECTED:
        return Step(OutboxState.DEAD, 0.0, settled.reason, doubts)
    over = OutboxState.UNKNOWN if doubts else OutboxState.DEAD
    if doubts > 1 and not repeatable:
        return Step(over, 0.0, f"{settled.reason}; it may have arrived", doubts)
    if claimed.attempts >= limits.attempts:
        return Step(over, 0.0, f"given up after {claimed.attempts} attempts: {settled.reason}", doubts)
    at = now + wait_after(claimed.attempts, settled, jitter, limits)
    if at >= claimed.expires_at:
        return Step(over, 0.0, f"given up, too old for another attempt: {settled.reason}", doubts)
    waiting = OutboxState.UNKNOWN if settled.verdict is Verdict.UNKNOWN else OutboxState.QUEUED
    return Step(waiting, at, settled.reason, doubts)


def may_send(claimed: Claimed, now: float, limits: Limits, *, repeatable: bool) -> Step | None:
    """Return None when a claimed message may go out, else what becomes of it instead.

    A console that ended while sending leaves a doubt; one that ends each time must not send for ever.
    """
    over = OutboxState.UNKNOWN if claimed.doubts else OutboxState.DEAD
    if now >= claimed.expires_at:
        return Step(over, 0.0, "given up: it is too old", claimed.doubts)
    if claimed.doubts > 1 and not repeatable:
        return Step(over, 0.0, "consoles ended while sending it; it may have arrived", claimed.doubts)
    if claimed.attempts > limits.attempts:
        return Step(over, 0.0, f"given up after {claimed.attempts - 1} attempts", claimed.doubts)
    return None


def is_due(next_at: float, now: float) -> bool:
    """Return whether a message that waits until `next_at` may be claimed."""
    return next_at <= now or next_at > now + FAR
