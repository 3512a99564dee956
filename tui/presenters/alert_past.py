"""Makes of what the timeline recorded the alerts that are over, for those who ask what fired while they were away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from services.alerts.happenings import BEGAN, ENDED
from services.model.alert import Alert, AlertState, Entity
from services.model.severity import Severity
from services.model.timeline import Event, EventKind

SAME = 120.0
"""Seconds that two tellings of one onset may differ by: a backfill knows it to its step only."""


class _Episode(Struct):
    began: Event | None = None
    ended: Event | None = None


def past_alerts(events: Iterable[Event], current: Mapping[str, Alert], since: float, *, known: bool) -> list[Alert]:
    """Return the alerts that ended at `since` (epoch seconds) or later, the latest end first.

    `current` are those of now, which are left out. What began since then, is no longer there, and whose end nobody saw
    is told as ended at an unknown time (`ended_at` 0), where it is `known` what there is now.
    """
    episodes: dict[tuple[str, int], _Episode] = {}
    for event in events:
        what = event.payload.get("what", "")
        if event.kind is EventKind.ALERT and what in (BEGAN, ENDED):
            mark = (event.payload.get("fingerprint", "") or event.ref.key, int(_number(event, "onset")))
            episode = episodes.setdefault(mark, _Episode())
            if what == BEGAN:
                episode.began = event
            else:
                episode.ended = event
    there: dict[str, list[float]] = {}
    for alert in current.values():
        there.setdefault(alert.fingerprint, []).append(alert.onset)
    found = []
    for (fingerprint, onset), episode in episodes.items():
        if any(abs(one - onset) <= SAME for one in there.get(fingerprint, ())):
            continue
        if (row := _past(fingerprint, episode, since, known=known)) is not None:
            found.append(row)
    return sorted(found, key=lambda one: (-(one.ended_at or one.onset), one.key))


def _past(fingerprint: str, episode: _Episode, since: float, *, known: bool) -> Alert | None:
    told = episode.ended or episode.began
    if told is None or (episode.ended is None and not known):
        return None
    ended_at = episode.ended.at if episode.ended is not None else 0.0
    onset = _number(told, "onset")
    if (ended_at or onset) < since:
        return None
    ref, payload = told.ref, told.payload
    entity = Entity(
        ref.cluster, ref.namespace, payload.get("workload", ""), payload.get("pod", ""), payload.get("node", "")
    )
    labels = {"alertname": ref.name, "namespace": ref.namespace, "pod": entity.pod, "node": entity.node}
    return Alert(
        key=f"past/{fingerprint}/{int(onset)}",
        fingerprint=fingerprint,
        name=ref.name,
        severity=episode.began.severity if episode.began is not None else Severity.UNKNOWN,
        state=AlertState.ENDED,
        labels=tuple(sorted((name, value) for name, value in labels.items() if value)),
        entity=entity,
        onset=onset,
        fired_at=_number(told, "fired_at"),
        ended_at=ended_at,
    )


def _number(event: Event, name: str) -> float:
    try:
        number = float(event.payload.get(name, "0") or "0")
    except ValueError:
        return 0.0
    return number if 0 <= number < 1e11 else 0.0
