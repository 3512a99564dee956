"""Says how old what is on screen is, and why; a number is never shown as live when it is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct, structs

from services.model.source import SourceState, SourceStatus
from tui.presenters.lens import Lens, age, moment
from widgets.viewmodels import Line, Span, Tone

FRESH_FOR = 15.0
"""Seconds without any sign of life after which data counts as stale: the probe asks every 5 s and waits 5 s."""

WATCHED_FOR = 100.0
"""The same for one kind's watch: in a quiet cluster its bookmarks come once a minute, and after 90 s it is reopened."""

QUIET_AGE = 6.0
"""Seconds up to which "live" needs no number: younger than the probe's own beat."""


class Freshness(StrEnum):
    """What may be believed."""

    FRESH = "fresh"
    STALE = "stale"
    FAILED = "failed"
    LOADING = "loading"
    NEVER = "never"
    NOT_CONFIGURED = "not configured"


class Reading(Struct, frozen=True):
    """How one source stands now: `age` seconds since it last gave a sign of life, `reason` why it does not."""

    freshness: Freshness
    age: float = 0.0
    last_ok: float = 0.0
    since: float = 0.0
    reason: str = ""

    @property
    def trusted(self) -> bool:
        """Whether counts from it may be shown as facts."""
        return self.freshness is Freshness.FRESH


def still_well(before: SourceStatus | None, after: SourceStatus | None) -> bool:
    """Return whether a source is as live as it was, and nothing but when it was heard of last has changed."""
    if before is None or after is None or not before.state is after.state is SourceState.LIVE:
        return False
    if after.last_byte - before.last_byte >= 2 * FRESH_FOR:
        return False
    return structs.replace(before, last_ok=after.last_ok, last_byte=after.last_byte) == after


def read(status: SourceStatus | None, now: float, fresh_for: float = FRESH_FOR) -> Reading:
    """Return how a source stands; it is stale after `fresh_for` seconds of silence."""
    if status is None:
        return Reading(Freshness.NEVER)
    if status.state is SourceState.NOT_CONFIGURED:
        return Reading(Freshness.NOT_CONFIGURED)
    silent = now - status.last_byte if status.last_byte else 0.0
    if status.state in (SourceState.FAILED, SourceState.FORBIDDEN):
        return Reading(Freshness.FAILED, silent, status.last_ok, status.since, status.error)
    if status.state in (SourceState.LOADING, SourceState.NEVER):
        kind = Freshness.LOADING if status.state is SourceState.LOADING else Freshness.NEVER
        return Reading(kind, silent, status.last_ok, status.since, status.error)
    if silent > fresh_for:
        return Reading(Freshness.STALE, silent, status.last_ok, status.since, status.error)
    return Reading(Freshness.FRESH, silent, status.last_ok, status.since)


def read_ledger(status: SourceStatus | None) -> Reading:
    """Return whether what the ledger holds can be read: its words do not age."""
    if status is None:
        return Reading(Freshness.NEVER)
    if status.state is SourceState.FAILED:
        return Reading(Freshness.FAILED, last_ok=status.last_ok, since=status.since, reason=status.error)
    return Reading(Freshness.FRESH)


def worst(readings: Iterable[Reading]) -> Reading:
    """Return the least believable of several readings (the connection and a table's own source)."""
    order = [
        Freshness.FRESH,
        Freshness.NOT_CONFIGURED,
        Freshness.STALE,
        Freshness.LOADING,
        Freshness.NEVER,
        Freshness.FAILED,
    ]
    return max(readings, key=lambda reading: order.index(reading.freshness), default=Reading(Freshness.NEVER))


def present_liveness(reading: Reading, lens: Lens) -> Line:
    """Return the header's words on the connection: "live", "live 12s", "NOT LIVE since 03:13:52 (15s)".

    Why it is not live stands in the panes, where there is room for a sentence.
    """
    if reading.freshness is Freshness.FRESH:
        return (Span("live" if reading.age < QUIET_AGE else f"live {age(reading.age)}"),)
    if reading.freshness is Freshness.STALE:
        return (Span(f"STALE {age(reading.age)}", Tone.WARN),)
    if reading.freshness is Freshness.FAILED:
        since = f" since {moment(reading.since, lens.now)} ({age(lens.now - reading.since)})" if reading.since else ""
        return (Span(f"NOT LIVE{since}", Tone.CRIT),)
    cached = f", data as of {moment(reading.last_ok, lens.now)}" if reading.last_ok else ""
    return (Span(f"connecting{cached}", Tone.NOTICE),)


def present_state(reading: Reading, lens: Lens) -> Line:
    """Return a pane's words on its data, at the right of its border; nothing while all is well."""
    if reading.freshness is Freshness.FRESH:
        return ()
    if reading.freshness is Freshness.STALE:
        return (Span(f"stale {age(reading.age)}", Tone.WARN),)
    if reading.freshness is Freshness.NOT_CONFIGURED:
        return (Span("not configured", Tone.MUTED),)
    good = reading.last_ok
    if reading.freshness is Freshness.FAILED:
        word = f"as of {moment(good, lens.now)}" if good else "failed"
        return (Span(word, Tone.WARN),)
    if good:
        return (Span(f"as of {moment(good, lens.now)}", Tone.NOTICE),)
    return (Span("loading" if reading.freshness is Freshness.LOADING else "waiting", Tone.MUTED),)


def narrowness(sources: Iterable[SourceStatus], chosen: Sequence[str] = ()) -> str:
    """Return what this user's rights leave out: "4 namespaces; nodes forbidden", "" when they leave out nothing.

    The namespaces that were `chosen` are not said again.
    """
    listed = list(sources)
    told = ("", *chosen, f"{len(chosen)} namespaces")
    scopes = list(dict.fromkeys(status.scope for status in listed if status.scope not in told))
    refused = sorted(
        status.source.rpartition("/")[2].partition(".")[0]
        for status in listed
        if status.state is SourceState.FORBIDDEN
        and not status.source.rpartition("/")[2].startswith(("usage.", "config.", "controller."))
    )
    words = scopes[:1]
    if refused:
        words.append(f"{', '.join(refused[:3])}{' and more' if len(refused) > 3 else ''} forbidden")
    return "; ".join(words)
