"""Reads from the recorded history what live state no longer knows of an alert: itself, and what changed before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from cache.state.records import EventQuery
from services.insight.changes import REACH
from services.model.alert import Alert
from services.model.timeline import Event, EventKind
from services.ports import Snapshot
from tui.presenters.alert_past import onset_of, past_alerts
from tui.presenters.page import Found, Page
from tui.presenters.page_past import SOUGHT, find_past, words_of
from tui.suspicion import Suspicion

if TYPE_CHECKING:
    from cache.state.past import Past

MOST_ALERTS = 10_000
"""Begins and ends that are read, the newest: those of a month in which an alert began every few minutes."""

MOST_CHANGES = 4000
SETTLED = 900.0
"""Seconds after an onset up to which what happened may still tell how a change before it went."""


BEFORE = 3600.0
"""Seconds before an onset in which somebody must have watched for "nothing changed" to be worth saying."""
UNWATCHED = "no console watched in the hour before"


class Recorded(Struct, frozen=True):
    """What was recorded around an alert; `reason` says why that may not be all, "" where it is."""

    events: tuple[Event, ...] = ()
    reason: str = ""


def find_recorded(past: Past, page: Page, current: Mapping[str, Alert], *, known: bool) -> Found:
    """Return the alert of those recorded that a page means and that ended last. Blocks for as long as the disk takes.

    `current` are those of now, `known` says whether what is not among them is over for sure. Raises nothing.
    """
    if page.means not in SOUGHT:
        return Found()
    return find_past(page, _alerts(past, words_of(page)), current, known=known)


def recorded_alert(past: Past, key: str, current: Mapping[str, Alert], *, known: bool) -> Alert | None:
    """Return the alert of the past with that key, None where it was not recorded. Blocks; raises nothing."""
    onset = onset_of(key)
    near = _alerts(past, (), onset - 1, onset + 2)
    begun = next((one for one in past_alerts(near, current, 0.0, known=known) if one.key == key), None)
    if begun is None:
        return None
    whole = past_alerts(_alerts(past, (begun.fingerprint,), onset - 1), current, 0.0, known=known)
    return next((one for one in whole if one.key == key), begun)


def recorded_around(past: Past, alert: Alert) -> Recorded:
    """Return what was recorded of the day before an alert's onset, newest first. Blocks; raises nothing."""
    page = past.events(EventQuery(since=alert.onset - REACH, until=alert.onset + SETTLED, limit=MOST_CHANGES))
    if page.reason and not page.events:
        return Recorded(reason=page.reason)
    missed = sum(gap.ended - gap.began for gap in past.gaps(alert.onset - BEFORE, alert.onset))
    return Recorded(page.events, UNWATCHED if missed > 0.9 * BEFORE else "")


def suspicion_then(recorded: Recorded, snapshot: Snapshot, alert: Alert) -> Suspicion:
    """Return who knows what was suspected at the time of an alert that is over."""
    known = {event.id for event in recorded.events}
    live = (event for event in snapshot.events if event.id not in known)
    events = sorted((*recorded.events, *live), key=lambda one: (-one.at, one.id))
    then = structs.replace(snapshot, events=tuple(events))
    return Suspicion(lambda: then, lambda: alert.onset + SETTLED)


def _alerts(past: Past, words: tuple[str, ...], since: float = 0.0, until: float = 1e12) -> Sequence[Event]:
    wanted = EventQuery(since=since, until=until, kinds=(EventKind.ALERT,), words=words, limit=MOST_ALERTS)
    return past.events(wanted).events
