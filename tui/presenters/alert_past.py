"""Makes of what the timeline recorded the alerts that are over, for those who ask what fired while they were away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from services.alerts.happenings import BEGAN, ENDED, Told, told_of
from services.model.alert import Alert, AlertState, Entity
from services.model.metric import Series
from services.model.severity import Severity
from services.model.timeline import Event, EventKind

SAME = 120.0
"""Seconds that two tellings of one onset may differ by: a backfill knows it to its step only."""


PAST = "past/"
"""What the key of an alert that is over begins with; its onset follows, and the key it had while it lasted."""


def past_key(began_or_ended: Event) -> str:
    """Return the key that the episode of an event gets when it is over."""
    said = began_or_ended.payload
    return f"{PAST}{int(_number(began_or_ended, 'onset'))}/{said.get('alert', '') or said.get('fingerprint', '')}"


def onset_of(key: str) -> float:
    """Return the whole second of the onset that the key of an alert that is over names, 0 for any other key."""
    named = key.removeprefix(PAST).partition("/")[0] if key.startswith(PAST) else ""
    return float(named) if named.isascii() and named.isdigit() and len(named) < 12 else 0.0


def is_of(event: Event, alert: Alert) -> bool:
    """Return whether an event tells of this episode of an alert, and not of one before."""
    return abs(_number(event, "onset") - alert.onset) <= SAME


def live_key(key: str) -> str:
    """Return the key that an alert had while it lasted: its values were sampled under that."""
    return key.split("/", 2)[-1] if key.startswith(PAST) else key


def span_of(alert: Alert, length: float, now: float) -> tuple[float, float]:
    """Return the span of so many seconds that shows an alert that is over: its end, with a tenth of the span behind."""
    ended = alert.ended_at or alert.fired_at or alert.onset
    until = min(now, ended + length / 10)
    return until - length, until


def told_firing(alert: Alert, since: float, until: float, columns: int) -> Series | None:
    """Return when an alert was pending (0.5) and fired (1), from what was told of it; None where its end is unknown."""
    if not alert.ended_at or not alert.onset or columns < 1:
        return None
    step = (until - since) / columns
    fired = alert.fired_at or alert.onset

    def at(moment: float) -> float:
        if not alert.onset <= moment < alert.ended_at:
            return 0.0
        return 1.0 if moment >= fired else 0.5

    return Series("firing", "", since, step, tuple(at(since + (index + 0.5) * step) for index in range(columns)))


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
    kept = told_of(episode.began) if episode.began is not None else Told()
    labels = {"alertname": ref.name, "namespace": ref.namespace, "pod": entity.pod, "node": entity.node}
    shown = episode.began.severity if episode.began is not None else Severity.UNKNOWN
    return Alert(
        key=past_key(told),
        fingerprint=fingerprint,
        name=ref.name,
        severity=shown if kept.severity is None else kept.severity,
        state=AlertState.ENDED,
        labels=kept.labels or tuple(sorted((name, value) for name, value in labels.items() if value)),
        annotations=kept.annotations,
        expression=kept.expression,
        generator_url=kept.generator_url,
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
