"""Reads back from a Prometheus which alerts fired before this console looked, as the episodes it would have told of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from services.alertmanager.fingerprint import fingerprint
from services.alerts.grades import HEARTBEATS, is_heartbeat, severity_of
from services.alerts.merge import FARTHEST, Subject
from services.alerts.observed import Rule, Scope
from services.alerts.relabel import Outgoing
from services.model.alert import Alert, AlertState, Onset, Pairs

WINDOW = 86400.0
"""Seconds back that are asked for."""
MOST_POINTS = 200_000
FINEST, COARSEST = 60.0, 900.0

ONSETS = "max_over_time(ALERTS_FOR_STATE[{step}s])"
"""The onset (epoch seconds) of what was pending or fired within each step."""
FIRING = 'max_over_time(ALERTS{{alertstate="firing"}}[{step}s])'
HOW_MANY = 'count(count_over_time(ALERTS{alertstate="firing"}[1d]))'

Points = Sequence[tuple[float, float]]
"""(epoch seconds, value) in the order of time."""


class Past(Struct, frozen=True):
    """One series of a range query: its labels without `__name__` and `alertstate`, sorted."""

    labels: Pairs
    points: Points


def step_for(series: float) -> float:
    """Return the seconds between points with which so many series do not become a flood."""
    steps = MOST_POINTS / max(1.0, series)
    return float(round(min(COARSEST, max(FINEST, WINDOW / max(1.0, steps)))))


def asked_until(now: float, step: float) -> float:
    """Return the end of the range that is asked for: a whole number of steps, so that all consoles see one picture."""
    return math.ceil(now / step) * step


class Reading(Struct, frozen=True):
    """How the past is read: what is done to labels, what they speak of, the rules of today by name, the heartbeats.

    `on` are the labels (as sent) of what is pending or fires now, None where that is not known for sure.
    """

    outgoing: Outgoing
    subject: Subject
    scope: Scope = ""
    rules: Mapping[str, Sequence[Rule]] = {}
    heartbeats: frozenset[str] = HEARTBEATS
    on: frozenset[Pairs] | None = None


def episodes(
    onsets: Iterable[Past], firing: Iterable[Past], step: float, until: float, reading: Reading
) -> list[Alert]:
    """Return what fired, oldest first: ended episodes as ENDED, those that were still on at `until` as FIRING.

    Each value of `ALERTS_FOR_STATE` is one episode's onset; it counts if `ALERTS` fired while it lasted. Its end lies
    within `step` seconds, and is the same for all who ask (`asked_until`). Alerts that are dropped before they are sent
    are left out, and so are heartbeats.
    """
    fired = {past.labels: [at for at, value in past.points if value > 0] for past in firing}
    result = []
    for past in onsets:
        labels = reading.outgoing.labels(past.labels)
        if labels is None or past.labels not in fired:
            continue
        times, runs = fired[past.labels], _runs(past.points)
        gone = reading.on is not None and labels not in reading.on
        for number, (onset, first, last) in enumerate(runs, 1):
            if not 0.0 < onset <= min(until, FARTHEST) or not any(first <= at <= last for at in times):
                continue
            row = _row(labels, onset, reading)
            if not is_heartbeat(row.name, row.label("severity"), "", reading.heartbeats):
                over = gone or number < len(runs) or until - last >= step
                result.append(structs.replace(row, state=AlertState.ENDED, ended_at=min(last, until)) if over else row)
    return sorted(result, key=lambda row: (row.onset, row.key))


def _runs(points: Points) -> list[tuple[float, float, float]]:
    """Return (onset, first seen, last seen) of each run of one value."""
    runs: list[tuple[float, float, float]] = []
    for at, value in points:
        if runs and runs[-1][0] == value:
            runs[-1] = (value, runs[-1][1], at)
        else:
            runs.append((value, at, at))
    return runs


def _row(labels: Pairs, onset: float, reading: Reading) -> Alert:
    known = dict(labels)
    name, mark = known.get("alertname", ""), fingerprint(labels)
    rule = _rule(known, reading.rules.get(name, ()))
    return Alert(
        key=mark,
        fingerprint=mark,
        name=name,
        severity=severity_of(known.get("severity", "")),
        state=AlertState.FIRING,
        labels=labels,
        entity=reading.subject(labels, reading.scope),
        onset=onset,
        onset_from=Onset.FOR_STATE,
        fired_at=onset + (rule.hold if rule is not None else 0.0),
        annotations=rule.annotations if rule is not None else (),
        expression=rule.expression if rule is not None else "",
    )


def rules_by_name(rules: Iterable[Rule]) -> Mapping[str, Sequence[Rule]]:
    """Return the rules of each name."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.name, []).append(rule)
    return found


def _rule(labels: Mapping[str, str], named: Sequence[Rule]) -> Rule | None:
    """Return the rule, of those of a name, that adds labels which an alert of the past had; else the first of them."""
    return next(
        (rule for rule in named if all("{{" in said or labels.get(label) == said for label, said in rule.labels)),
        named[0] if named else None,
    )
