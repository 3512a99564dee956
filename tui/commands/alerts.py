"""`quarterdeck alerts`: what fires and what is kept quiet, worst first, from the cache or asked of the servers."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from cache.live import LiveState
from cache.state.history import HistoryReader
from cache.state.records import EventQuery
from services.clock import Clock, SystemClock
from services.errors import Problem
from services.model.alert import Alert, Silence
from services.model.cluster import Symptom
from services.model.severity import Severity
from services.model.timeline import EventKind
from services.ports import Snapshot
from services.redact import redact
from services.sanitize import safe_text
from tui.commands.known import Asking, alert_servers, recall, rows_came
from tui.commands.period import start_of
from tui.commands.report import WANTED
from tui.commands.setup import Setup, prepare
from tui.exitcodes import ExitCode
from tui.presenters.alert_lines import alert_facts, alert_line, counted, evidence_facts, in_namespace
from tui.presenters.alert_past import past_alerts
from tui.presenters.alert_sources import (
    ALERTS,
    SILENCES,
    Evidence,
    alert_subject,
    clear_words,
    count_alerts,
    evidence_of,
    silent_words,
)
from tui.presenters.alert_words import alarms
from tui.presenters.alerts import ALERTS_VIEW
from tui.presenters.lens import WORDS, Lens, plural, stamp
from tui.presenters.summary import overall
from tui.presenters.symptoms import SYMPTOMS_VIEW, narrowed
from tui.presenters.terms import FilterError, Test, parse_filter

LIMIT = 10_000
"""Begins and ends of alerts that are read at most."""

BEFORE = 7 * 86_400.0
"""Seconds before `--since` at which an alert that ended since may have begun."""


class Told(Struct, frozen=True):
    """What is to be printed. `symptoms` stand for alerts where no server is asked for any; `reason` says what lacks."""

    alerts: Sequence[Alert] = ()
    symptoms: Sequence[Symptom] = ()
    silences: Mapping[str, Silence] = {}
    evidence: Evidence = Evidence()
    whole: bool = False
    believed: bool = False
    since: float = 0.0
    reason: str = ""


def alerts(arguments: argparse.Namespace) -> int:
    """Print the alerts; exit code 0 when none that matches fires, 1 when one does, 2 where that could not be told."""
    clock = SystemClock()
    since = start_of(arguments.since, clock.now()) if arguments.since else 0.0
    try:
        test = parse_filter(" ".join(arguments.filter))
    except FilterError as error:
        raise Problem(safe_text(f"The filter cannot be read: {error}.")) from None
    setup = prepare(arguments)
    live = LiveState(clock, most_events=LIMIT)
    if arguments.live:
        asyncio.run(Asking(setup, live, clock, arguments).ask(WANTED, rows_came(live, clock), past=since > 0))
    else:
        recall(setup, live, clock)
    told = _told(
        setup,
        narrowed(live.snapshot(), arguments.namespace),
        clock,
        _both(test, in_namespace(arguments.namespace)),
        since,
    )
    lens = Lens(clock.now(), mask=redact)
    if arguments.output == "json":
        sys.stdout.write(_json(told, setup, lens))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _table(told, setup, lens)))
    if told.reason:
        sys.stderr.write(f"{lens.text(told.reason, 1000)}\n")
    return exit_code(told)


def exit_code(told: Told) -> int:
    """Return what a script may conclude: what fires for certain counts, whatever else could not be asked."""
    firing = any(map(alarms, told.alerts)) or any(one.severity <= Severity.WARN for one in told.symptoms)
    if firing and told.believed:
        return ExitCode.FAILING
    return ExitCode.OK if told.whole else ExitCode.UNKNOWN


def _both(first: Test | None, second: Test | None) -> Test:
    tests = [test for test in (first, second) if test is not None]
    return lambda subject: all(test(subject) for test in tests)


def _told(setup: Setup, snapshot: Snapshot, clock: Clock, test: Test, since: float) -> Told:
    if not alert_servers(setup):
        return _symptoms(snapshot, clock, test)
    now = clock.now()
    evidence = evidence_of(snapshot, now, alert_servers(setup))
    rows: Mapping[str, Alert] = snapshot.tables.get(ALERTS, {})
    listed = list(rows.values())
    said = [silent_words(evidence, Lens(now, mask=redact))]
    if since:
        page = HistoryReader(setup.folder).events(
            EventQuery(setup.key, since=max(0.0, since - BEFORE), kinds=(EventKind.ALERT,), limit=LIMIT)
        )
        listed += past_alerts([*page.events, *snapshot.events], rows, since, known=evidence.whole)
        if not snapshot.events:
            said.append(page.reason)
    listed = [alert for alert in listed if test(alert_subject(alert))]
    return Told(
        sorted(listed, key=ALERTS_VIEW.ranks["status"]),
        silences=snapshot.tables.get(SILENCES, {}),
        evidence=evidence,
        whole=evidence.whole,
        believed=evidence.reading.trusted,
        since=since,
        reason="; ".join(one.rstrip(".") for one in said if one),
    )


def _symptoms(snapshot: Snapshot, clock: Clock, test: Test) -> Told:
    """Return what is wrong with the cluster itself, where nobody else says so."""
    reading = overall(snapshot, clock.now())
    found = [one for one in snapshot.tables.get("symptoms", {}).values() if test(SYMPTOMS_VIEW.subject(one))]
    reason = "" if reading.trusted else reading.reason or f"the data is {reading.freshness.value}"
    return Told(
        symptoms=sorted(found, key=lambda one: (one.severity, one.key)),
        whole=reading.trusted,
        believed=reading.trusted,
        reason=reason,
    )


def _table(told: Told, setup: Setup, lens: Lens) -> list[str]:
    cluster = lens.text(setup.identity.cluster_name or setup.identity.context)
    evidence = told.evidence
    if not evidence.configured:
        known = plural(len(told.symptoms), "symptom") if told.believed else "could not tell the symptoms"
        lines = [f"{cluster}: no Alertmanager or Prometheus is configured; {known} of the cluster itself"]
        return lines + [f"{WORDS[one.severity]:4}  symptom  {lens.text(one.text)}" for one in told.symptoms]
    said = counted(count_alerts(told.alerts, {})) if told.believed else "could not tell what fires"
    peers = clear_words(evidence, lens) if evidence.whole else f"{evidence.answering} of {evidence.total} peers answer"
    return [f"{cluster}: {said}; {peers}", *(alert_line(alert, told.silences, lens) for alert in told.alerts)]


def _json(told: Told, setup: Setup, lens: Lens) -> str:
    document: dict[str, Any] = {
        "cluster": lens.text(setup.identity.cluster_name or setup.identity.context),
        "context": lens.text(setup.identity.context),
        "verdict": {0: "quiet", 1: "firing"}.get(exit_code(told), "unknown"),
        "whole": told.whole,
        "reason": lens.text(told.reason, 1000),
        "since": stamp(told.since),
        "evidence": evidence_facts(told.evidence, lens) if told.evidence.configured else None,
        "alerts": [alert_facts(alert, lens) for alert in told.alerts],
        "symptoms": [
            {"severity": WORDS[one.severity], "text": lens.text(one.text), "since": stamp(one.since)}
            for one in told.symptoms
        ],
    }
    return json.dumps(document, indent=2) + "\n"
