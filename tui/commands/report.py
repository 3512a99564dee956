"""`quarterdeck status` and `rollouts`: the same facts without a screen, from the cache or asked of the servers."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from cache.ledger.altered import AlteredReader
from cache.ledger.outbox_reader import OutboxReader
from cache.live import LiveState
from services.clock import SystemClock
from services.model.action import Altered
from services.model.alert import Alert, Silence
from services.model.message import OutboxRow
from services.model.severity import Severity
from services.model.workload import Rollout
from services.ports import Snapshot
from services.redact import redact
from tui.commands.known import Asking, recall, rows_came
from tui.commands.setup import Setup, prepare
from tui.exitcodes import ExitCode
from tui.presenters import rollouts
from tui.presenters.alert_lines import alert_facts, alert_line, counted, evidence_facts, firing_of, in_namespace
from tui.presenters.alert_sources import ALERTS, SILENCES, clear_words, silent_words
from tui.presenters.altered import altered_facts, present_left
from tui.presenters.freshness import Freshness, Reading, narrowness
from tui.presenters.lens import WORDS, Lens, plural
from tui.presenters.outbox import came_to_nothing, present_untold
from tui.presenters.summary import Summary, sum_up
from tui.presenters.symptoms import narrowed
from tui.undone import put_back

WANTED = (*rollouts.VIEW.sources, *rollouts.VIEW.optional, "nodes", "jobs.batch", "events")


class Told(Struct, frozen=True):
    """What is to be printed, narrowed to the namespace that was asked for."""

    summary: Summary
    rows: Mapping[str, Rollout]
    firing: Sequence[Alert]
    silences: Mapping[str, Silence]
    altered: Sequence[Altered] = ()
    untold: Sequence[OutboxRow] = ()


def report(arguments: argparse.Namespace) -> int:
    """Print the report; exit code 0 all clear on fresh data, 1 something is failing or fires, 2 could not tell."""
    setup = prepare(arguments)
    clock = SystemClock()
    live = LiveState(clock)
    if arguments.live:
        asyncio.run(Asking(setup, live, clock, arguments).ask(WANTED, rows_came(live, clock)))
    else:
        recall(setup, live, clock)
    snapshot, scope = narrowed(live.snapshot(), arguments.namespace), in_namespace(arguments.namespace)
    rows = snapshot.tables.get("rollouts", {})
    if arguments.namespace:
        rows = {key: row for key, row in rows.items() if row.ref.namespace == arguments.namespace}
    firing = firing_of(snapshot.tables.get(ALERTS, {}).values(), scope)
    clusters = {row.ref.cluster for row in snapshot.tables.get("rollouts", {}).values()}
    altered = _altered(setup.folder, clusters, arguments.namespace, snapshot) if arguments.command == "status" else ()
    untold = _untold(setup.folder) if arguments.command == "status" else ()
    summary = _earned(sum_up(snapshot, clock.now(), scope), arguments.namespace)
    asked = (arguments.namespace,) if arguments.namespace else ()
    summary = structs.replace(summary, narrowed=narrowness(snapshot.sources.values(), asked))
    told = Told(summary, rows, firing, snapshot.tables.get(SILENCES, {}), altered, untold)
    show = _json if arguments.output == "json" else _table
    sys.stdout.write(show(arguments.command, told, Lens(clock.now(), mask=redact), setup))
    return exit_code(told.summary)


def _earned(summary: Summary, namespace: str) -> Summary:
    """Return the summary, which is no all clear of a namespace that holds nothing: its name may be mistyped."""
    if not namespace or summary.workloads or summary.broken or not summary.reading.trusted:
        return summary
    reason = f"no workload is known in namespace {namespace}; see that the name is right"
    return structs.replace(summary, reading=Reading(Freshness.FAILED, reason=reason))


def _altered(folder: Path, clusters: Collection[str], namespace: str, snapshot: Snapshot) -> Sequence[Altered]:
    """Return what actions left altered on these clusters (any, where none is known), oldest first."""
    found = AlteredReader(folder, elsewhere=lambda one: put_back(one, snapshot)).look().values()
    here = [one for one in found if not clusters or one.ref.cluster in clusters]
    here = [one for one in here if not namespace or one.ref.namespace in ("", namespace)]
    return sorted(here, key=lambda one: one.since)


def _untold(folder: Path) -> Sequence[OutboxRow]:
    """Return the messages of this machine that came to nothing, oldest first."""
    reader = OutboxReader(folder)
    try:
        return [row for row in sorted(reader.look().rows.values(), key=lambda one: one.number) if came_to_nothing(row)]
    finally:
        reader.close()


def exit_code(summary: Summary) -> int:
    """Return what a script may conclude: what fails for certain counts, whatever else could not be asked."""
    if summary.broken:
        return ExitCode.FAILING
    return ExitCode.OK if summary.whole else ExitCode.UNKNOWN


def _table(command: str, told: Told, lens: Lens, setup: Setup) -> str:
    summary = told.summary
    lines = [f"{lens.text(setup.identity.cluster_name or setup.identity.context)}: {verdict(summary, lens)}"]
    if command == "status" and summary.evidence is not None and summary.evidence.reading.trusted:
        lines += [alert_line(alert, told.silences, lens) for alert in told.firing]
    bad = [symptom for symptom in summary.symptoms if symptom.severity <= Severity.WARN]
    lines += [f"{WORDS[symptom.severity]:4}  {lens.text(symptom.text)}" for symptom in bad]
    ordered = sorted(told.rows.values(), key=rollouts.by_severity)
    listed = ordered if command == "rollouts" else [row for row in ordered if row.severity <= Severity.WARN]
    for row in listed:
        name = lens.text(f"{row.ref.namespace}/{row.ref.name}")
        counts = f"{row.workload.ready}/{row.workload.desired}"
        words = lens.text(rollouts.what(row) or row.status)
        lines.append(f"{WORDS[row.severity]:4}  {name:<40} {counts:>7}  {words}")
    lines += [f"left altered: {one}" for one in present_left(told.altered, lens)]
    lines += [f"not told: {one}" for one in present_untold(told.untold, lens)]
    return "\n".join(lines) + "\n"


def verdict(summary: Summary, lens: Lens) -> str:
    """Return the first line: what is failing, or what "all clear" stands on, or what could not be asked."""
    clear = exit_code(summary) == ExitCode.OK
    seen = [f"seen with narrow rights: {lens.text(summary.narrowed)}"] if summary.narrowed else []
    parts = [*_of_cluster(summary, lens, clear=clear), *seen, *_of_alerts(summary, lens)]
    if clear:
        return f"all clear: {'; '.join(parts)}"
    return "; ".join(parts) if summary.broken else f"could not tell: {'; '.join(parts)}"


def _of_cluster(summary: Summary, lens: Lens, *, clear: bool) -> list[str]:
    reading = summary.reading
    if reading.freshness is Freshness.NOT_CONFIGURED:
        return []
    if not reading.trusted:
        why = lens.text(reading.reason or f"the data is {reading.freshness.value}").rstrip(".")
        return [f"the cluster is not known: {why}" if summary.evidence is not None else why]
    if clear:
        return [f"{plural(summary.workloads, 'workload')} healthy, the API server answers"]
    crit, warn = summary.rollouts.get(Severity.CRIT, 0), summary.rollouts.get(Severity.WARN, 0)
    return [f"{crit} CRIT, {warn} WARN of {plural(summary.workloads, 'workload')}"]


def _of_alerts(summary: Summary, lens: Lens) -> list[str]:
    evidence, counts = summary.evidence, summary.alerts
    if evidence is None or counts is None:
        return ["no server is asked for alerts"] if summary.all_clear else []
    parts = [counted(counts)] if evidence.reading.trusted else []
    if evidence.whole:
        return [*parts, clear_words(evidence, lens)]
    return [*parts, f"{evidence.answering} of {evidence.total} peers answer ({silent_words(evidence, lens)})"]


def _json(command: str, told: Told, lens: Lens, setup: Setup) -> str:
    summary = told.summary
    listed = sorted(told.rows.values(), key=rollouts.by_severity)
    if command == "status":
        listed = [row for row in listed if row.severity <= Severity.WARN]
    document: dict[str, Any] = {
        "cluster": lens.text(setup.identity.cluster_name or setup.identity.context),
        "context": lens.text(setup.identity.context),
        "verdict": {0: "all-clear", 1: "failing"}.get(exit_code(summary), "unknown"),
        "verdict_text": verdict(summary, lens),
        "narrowed": lens.text(summary.narrowed),
        "freshness": summary.reading.freshness.value,
        "reason": lens.text(summary.reading.reason),
        "counts": {WORDS[severity].lower(): count for severity, count in sorted(summary.counts.items()) if count},
        "symptoms": [{"severity": WORDS[one.severity], "text": lens.text(one.text)} for one in summary.symptoms],
        "alerts": _alerts(told, lens),
        "workloads": [_facts(row, lens) for row in listed],
    }
    if command == "status":
        from tui.commands.outbox import facts as message_facts

        document["left_altered"] = [altered_facts(one, lens) for one in told.altered]
        document["not_told"] = [message_facts(row, lens) for row in told.untold]
    return json.dumps(document, indent=2) + "\n"


def _alerts(told: Told, lens: Lens) -> dict[str, Any] | None:
    """Return the alerts and what they stand on; None where no server is asked for any."""
    counts, evidence = told.summary.alerts, told.summary.evidence
    if counts is None or evidence is None:
        return None
    return {
        "counts": {state.value: count for state, count in sorted(counts.states.items()) if count},
        "whole": evidence.whole,
        "evidence": evidence_facts(evidence, lens),
        "firing": [alert_facts(alert, lens) for alert in told.firing],
    }


def _facts(row: Rollout, lens: Lens) -> dict[str, Any]:
    workload = row.workload
    return {
        "kind": workload.ref.kind,
        "namespace": lens.text(workload.ref.namespace),
        "name": lens.text(workload.ref.name),
        "severity": WORDS[row.severity],
        "status": lens.text(row.status),
        "what": lens.text(row.what),
        "cause": lens.text(row.cause, 1000),
        "desired": workload.desired,
        "ready": workload.ready,
        "updated": workload.updated,
        "available": workload.available,
        "revision": row.revision,
        "images": [lens.text(image) for image in workload.images],
    }
