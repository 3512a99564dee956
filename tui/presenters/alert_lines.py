"""Says alerts without a screen: a line for a person, facts for a script, and what both stand on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.model.alert import Alert, AlertState, Silence
from tui.presenters.alert_detail import links_of
from tui.presenters.alert_sources import AlertCounts, Evidence, alert_subject
from tui.presenters.alert_words import alarms, quiet_words, since_words, value_words, where_words
from tui.presenters.lens import WORDS, Lens, age, stamp
from tui.presenters.terms import Subject, Test

NAME, PLACE, VALUE = 32, 36, 22
"""Columns of the table; what is longer pushes the rest to the right rather than be cut."""

_QUIET = (AlertState.PENDING, AlertState.SILENCED, AlertState.INHIBITED, AlertState.MUTED)


def in_namespace(namespace: str) -> Test | None:
    """Return the test for what is in a namespace, or in none; None for everything."""
    if not namespace:
        return None

    def inside(subject: Subject) -> bool:
        return subject.namespace in ("", namespace)

    return inside


def firing_of(alerts: Iterable[Alert], scope: Test | None = None) -> list[Alert]:
    """Return what fires and is an alarm, the worst and earliest first."""
    found = [one for one in alerts if alarms(one) and (scope is None or scope(alert_subject(one)))]
    return sorted(found, key=lambda one: (one.severity, one.onset, one.key))


def counted(counts: AlertCounts) -> str:
    """Return "5 alerts fire: 2 CRIT, 3 WARN; 1 pending, 1 silenced"."""
    firing = counts.firing
    worst = [f"{counts.worst[one]:,} {WORDS[one]}" for one in sorted(counts.worst) if counts.worst[one]]
    quiet = [f"{counts.states[one]:,} {one.value}" for one in _QUIET if counts.states.get(one)]
    said = "1 alert fires" if firing == 1 else f"{firing:,} alerts fire" if firing else "no alert fires"
    said += f": {', '.join(worst)}" if worst else ""
    return f"{said}; {', '.join(quiet)}" if quiet else said


def alert_line(alert: Alert, silences: Mapping[str, Silence], lens: Lens) -> str:
    """Return an alert as a line: how bad, what it does, its name, where, value, since when, what it says."""
    shown = alarms(alert)
    doing = "heartbeat" if alert.heartbeat and alert.state is AlertState.FIRING else alert.state.value
    quiet = quiet_words(alert, silences, lens)
    name, place, value = lens.text(alert.name, 120), where_words(alert, lens), value_words(alert, lens)
    said = lens.text(alert.annotation("summary") or alert.annotation("message"), 300)
    if alert.ended_at > alert.onset > 0:
        said = lens.text(f"lasted {age(alert.ended_at - alert.onset)}  {said}".rstrip())
    if alert.state is AlertState.SILENCED:
        said = lens.text(f"({quiet})  {said}".rstrip())
    word = WORDS[alert.severity] if shown else "-"
    head = f"{word:4}  {doing:<10}  {name:<{NAME}} {place:<{PLACE}} {value:<{VALUE}}"
    return f"{head} {since_words(alert, lens):>6}  {said}".rstrip()


def alert_facts(alert: Alert, lens: Lens) -> dict[str, Any]:
    """Return an alert for a script; times are UTC, "" where nobody knows."""
    entity, links = alert.entity, links_of(alert)
    return {
        "name": lens.text(alert.name),
        "fingerprint": lens.text(alert.fingerprint),
        "severity": WORDS[alert.severity],
        "state": alert.state.value,
        "heartbeat": alert.heartbeat,
        "namespace": lens.text(entity.namespace),
        "workload": lens.text(entity.workload),
        "pod": lens.text(entity.pod),
        "node": lens.text(entity.node),
        "value": alert.value if alert.value is not None and abs(alert.value) < 1e300 else None,
        "value_bound": alert.bound,
        "onset": stamp(alert.onset),
        "onset_from": alert.onset_from.value,
        "fired_at": stamp(alert.fired_at),
        "ended_at": stamp(alert.ended_at),
        "expression": lens.text(alert.expression, 4000),
        "labels": {lens.text(name): lens.text(value) for name, value in alert.labels},
        "annotations": {lens.text(name): lens.text(value, 2000) for name, value in alert.annotations},
        "runbook": lens.text(links.runbook, 2000),
        "dashboard": lens.text(links.dashboard, 2000),
        "source": lens.text(links.source, 4000),
        "seen_by": [lens.text(peer) for peer in alert.peers],
    }


def evidence_facts(evidence: Evidence, lens: Lens) -> dict[str, Any]:
    """Return what the alerts stand on, for a script."""
    return {
        "peers": evidence.total,
        "answering": evidence.answering,
        "silent": {lens.text(name): lens.text(why) for name, why in evidence.silent},
        "heartbeats": [lens.text(name) for name in evidence.heartbeats],
        "heartbeat_seen_by": evidence.beating,
        "rules": evidence.rules,
        "sick_rules": evidence.sick_rules,
        "doubt": lens.text(evidence.doubt),
    }
