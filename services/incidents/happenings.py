"""Says on the timeline of a cluster what people said of its incidents: declared, noted, changed, resolved."""

from __future__ import annotations

from collections.abc import Iterable

from services.incidents.timeline import weight, words
from services.model.incident import Incident
from services.model.ref import Ref
from services.model.timeline import Event, EventKind, event_id
from services.redact import redact
from services.sanitize import safe_text

SOURCE = "incidents"
KIND = "Incident"
BACKFILL = 86400.0
"""Seconds back for which what was said is put on the timeline."""
LONGEST = 300


class Told:
    """Remembers how far the incidents of one cluster have been told; `cluster` is what the operator calls it."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._seq = 0

    def news(self, incidents: Iterable[Incident], seen_at: float) -> list[Event]:
        """Return what was said since the last call, at first within the last day; the ledger's numbers name it."""
        here = [incident for incident in incidents if incident.cluster == self._cluster]
        found = [
            _event(incident, at, seen_at)
            for incident in here
            for at, event in enumerate(incident.events)
            if event.seq > self._seq and seen_at - event.at <= BACKFILL
        ]
        self._seq = max((event.seq for incident in here for event in incident.events), default=self._seq)
        return found


def _event(incident: Incident, at: int, seen_at: float) -> Event:
    event = incident.events[at]
    cluster = next((link.ref.cluster for link in incident.links if link.ref is not None), incident.cluster)
    mark = f"{incident.id}@{incident.declared_at:.0f}"
    return Event(
        id=event_id(cluster, SOURCE, mark, event.kind.value, f"{event.seq}"),
        at=event.at,
        seen_at=seen_at,
        kind=EventKind.NOTE,
        ref=Ref(cluster, "", KIND, "", incident.id, mark),
        text=redact(safe_text(words(event), LONGEST)),
        severity=weight(event),
        payload={"actor": event.actor.user},
    )
