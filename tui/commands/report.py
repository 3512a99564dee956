"""`quarterdeck status` and `rollouts`: the same facts without a screen, from the cache or from the cluster itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from cache.live import LiveState
from services.clock import Clock, SystemClock
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.workload import Rollout
from services.ports import Interest
from tui.commands.setup import FIRST_TABLES, Setup, prepare, seed
from tui.exitcodes import ExitCode
from tui.presenters import rollouts
from tui.presenters.freshness import CONNECTION, Freshness
from tui.presenters.lens import WORDS, Lens, moment, plural
from tui.presenters.summary import Summary, overall, sum_up

OLDEST = 60.0
"""Seconds up to which cached data may still be spoken of as the present."""

WANTED = (*rollouts.VIEW.sources, "nodes", "jobs.batch", "events")


def report(arguments: argparse.Namespace) -> int:
    """Print the report; exit code 0 all clear on fresh data, 1 something is failing, 2 could not tell."""
    setup = prepare(arguments)
    clock = SystemClock()
    live = LiveState(clock)
    if arguments.live:
        asyncio.run(_ask(setup, live, clock, arguments))
    else:
        _, as_of = seed(live, setup, FIRST_TABLES, clock)
        _vouch(live, as_of, clock)
    summary = sum_up(live.snapshot(), clock.now())
    rows = live.snapshot().tables.get("rollouts", {})
    if arguments.namespace:
        rows = {key: row for key, row in rows.items() if row.ref.namespace == arguments.namespace}
    show = _json if arguments.output == "json" else _table
    sys.stdout.write(show(arguments.command, summary, rows, Lens(clock.now()), setup))
    return exit_code(summary)


def exit_code(summary: Summary) -> int:
    """Return what a script may conclude."""
    if not summary.reading.trusted:
        return ExitCode.UNKNOWN
    return ExitCode.OK if summary.all_clear else ExitCode.FAILING


def _vouch(live: LiveState, as_of: float, clock: Clock) -> None:
    """Take the cache for the present while it is young; say why not when it is older."""
    now = clock.now()
    if as_of and now - as_of <= OLDEST:
        for name in (CONNECTION, *(f"{CONNECTION}/{table}" for table in rollouts.VIEW.sources)):
            live.status(SourceStatus(name, SourceState.LIVE, last_ok=as_of, last_byte=now, since=as_of))
        return
    known = f"the cache is of {moment(as_of, now)}" if as_of else "nothing is cached for this cluster and user"
    error = f"{known}; run with --live, or keep a console open"
    live.status(SourceStatus(CONNECTION, SourceState.FAILED, last_ok=as_of, last_byte=as_of, since=as_of, error=error))


async def _ask(setup: Setup, live: LiveState, clock: Clock, arguments: argparse.Namespace) -> None:
    """Watch the cluster until every table has come, a source has failed, or the time is over."""
    from services.engine import Desired, Engine
    from services.kubernetes.derivation import Derivation

    namespaces = (arguments.namespace,) if arguments.namespace else ()
    settings = setup.loaded.config.context(setup.identity.context)
    derivation = Derivation(live, clock, setup.loaded.config.rollouts)
    live.add_hook(derivation.flush)
    engine = Engine(derivation, clock)
    settled = asyncio.Event()

    def look() -> None:
        reading = overall(live.snapshot(), clock.now())
        if reading.freshness in (Freshness.FRESH, Freshness.FAILED):
            settled.set()

    leave = live.subscribe(look)
    try:
        interest = Interest(WANTED, namespaces)
        await engine.reconcile(Desired(setup.identity, interest, fallback=namespaces or settings.namespaces))
        async with asyncio.timeout(arguments.timeout):
            await settled.wait()
    except TimeoutError:
        pass
    finally:
        leave()
        await engine.close()
        live.publish()


def _table(command: str, summary: Summary, rows: Mapping[str, Rollout], lens: Lens, setup: Setup) -> str:
    lines = [_verdict(summary, lens, setup)]
    bad = [symptom for symptom in summary.symptoms if symptom.severity <= Severity.WARN]
    lines += [f"{WORDS[symptom.severity]:4}  {lens.text(symptom.text)}" for symptom in bad]
    ordered = sorted(rows.values(), key=rollouts.by_severity)
    listed = ordered if command == "rollouts" else [row for row in ordered if row.severity <= Severity.WARN]
    for row in listed:
        name = lens.text(f"{row.ref.namespace}/{row.ref.name}")
        counts = f"{row.workload.ready}/{row.workload.desired}"
        words = lens.text(rollouts.what(row) or row.status)
        lines.append(f"{WORDS[row.severity]:4}  {name:<40} {counts:>7}  {words}")
    return "\n".join(lines) + "\n"


def _verdict(summary: Summary, lens: Lens, setup: Setup) -> str:
    cluster = lens.text(setup.identity.cluster_name or setup.identity.context)
    if not summary.reading.trusted:
        why = summary.reading.reason or f"the data is {summary.reading.freshness.value}"
        return f"{cluster}: could not tell: {lens.text(why)}"
    if summary.all_clear:
        return f"{cluster}: all clear: {plural(summary.workloads, 'workload')} healthy, the API server answers"
    crit, warn = summary.counts.get(Severity.CRIT, 0), summary.counts.get(Severity.WARN, 0)
    return f"{cluster}: {crit} CRIT, {warn} WARN of {plural(summary.workloads, 'workload')}"


def _json(command: str, summary: Summary, rows: Mapping[str, Rollout], lens: Lens, setup: Setup) -> str:
    listed = sorted(rows.values(), key=rollouts.by_severity)
    if command == "status":
        listed = [row for row in listed if row.severity <= Severity.WARN]
    document: dict[str, Any] = {
        "cluster": lens.text(setup.identity.cluster_name or setup.identity.context),
        "context": lens.text(setup.identity.context),
        "verdict": {0: "all-clear", 1: "failing"}.get(exit_code(summary), "unknown"),
        "freshness": summary.reading.freshness.value,
        "reason": lens.text(summary.reading.reason),
        "counts": {WORDS[severity].lower(): count for severity, count in sorted(summary.counts.items()) if count},
        "symptoms": [{"severity": WORDS[one.severity], "text": lens.text(one.text)} for one in summary.symptoms],
        "workloads": [_facts(row, lens) for row in listed],
    }
    return json.dumps(document, indent=2) + "\n"


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
