"""What was recorded around an incident: its timeline reaches back as far as the history does, and not to the start."""

from __future__ import annotations

from collections.abc import Iterable

from cache.state.records import EventQuery
from services.incidents.timeline import Moment, span_of, timeline
from services.model.incident import Incident
from services.model.timeline import Event

MOST = 20_000
"""Happenings that are read at most; those before them are left out."""


def query_around(incident: Incident, *, anywhere: bool = False) -> EventQuery:
    """Return what history is asked for: all of the time that an incident's timeline shows.

    `anywhere` asks for every identity, for one who is on no cluster: what an incident is linked to names its cluster.
    """
    since, until = span_of(incident)
    return EventQuery(since=since, until=min(until + 1, EventQuery().until), limit=MOST, anywhere=anywhere)


def whole_timeline(incident: Incident, recorded: Iterable[Event], live: Iterable[Event]) -> list[Moment]:
    """Return the incident's timeline of what was recorded and what is known now: each event once, as first told."""
    return timeline(incident, {event.id: event for events in (live, recorded) for event in events}.values())
