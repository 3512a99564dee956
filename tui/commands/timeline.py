"""`quarterdeck timeline`: what happened, newest first: as consoles recorded it, or as the cluster still knows it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, structs

from cache.live import LiveState
from cache.state.history import HistoryReader
from cache.state.records import Span
from services.clock import SystemClock
from services.errors import Problem
from services.model.source import CONNECTION, SourceState
from services.model.text import SafeText
from services.model.timeline import Event
from services.ports import Snapshot
from services.redact import redact
from services.sanitize import safe_text
from tui.commands.known import Asking, alert_servers
from tui.commands.period import start_of
from tui.commands.setup import Setup, prepare
from tui.exitcodes import ExitCode
from tui.presenters.lens import WORDS, Lens, age, stamp
from tui.presenters.terms import FilterError, parse_filter
from tui.presenters.timeline import Moment, moments, name_of, query_of, words_of

TOLD_BY = (
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "rollouts.argoproj.io",
    "replicasets.apps",
    "nodes",
    "jobs.batch",
    "events",
    "controller.revisions",
    "config.digests",
)
"""What a cluster is asked for, to tell what happened."""

LIMIT = 10_000
"""Happenings that are printed at most; the newest stay."""


class Told(Struct, frozen=True):
    """What is to be printed; `reason` says why it may not be all."""

    events: Sequence[Event]
    gaps: Sequence[Span] = ()
    reason: SafeText = SafeText("")


def timeline(arguments: argparse.Namespace) -> int:
    """Print what happened; exit code 0 when it could be read, 2 when it could not, or not whole."""
    now = SystemClock().now()
    since = start_of(arguments.since, now)
    try:
        test = parse_filter(" ".join(arguments.filter))
    except FilterError as error:
        raise Problem(safe_text(f"The filter cannot be read: {error}.")) from None
    setup = prepare(arguments)
    told = asyncio.run(_ask(setup, arguments, since)) if arguments.live else _recorded(setup, arguments, since, now)
    events = [event for event in told.events if event.at >= since and _in_namespace(event, arguments.namespace)]
    found = list(moments(events, told.gaps, test, days=arguments.output == "table").values())
    lens = Lens(now, mask=redact)
    if arguments.output == "json":
        sys.stdout.write(_json(found, told, since, setup, lens))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _table(found, lens)))
    if told.reason:
        sys.stderr.write(f"{told.reason}\n")
    return ExitCode.UNKNOWN if told.reason else ExitCode.OK


def _in_namespace(event: Event, namespace: str) -> bool:
    return not namespace or event.ref.namespace == namespace


def _recorded(setup: Setup, arguments: argparse.Namespace, since: float, now: float) -> Told:
    reader = HistoryReader(setup.folder)
    query = query_of(" ".join(arguments.filter), LIMIT)
    page = reader.events(structs.replace(query, identity=setup.key, since=since, namespace=arguments.namespace))
    reason = page.reason
    if page.more:
        reason = safe_text(f"More than {LIMIT:,} happenings match: the oldest are left out.")
    return Told(page.events, reader.gaps(setup.key, since, now), reason)


async def _ask(setup: Setup, arguments: argparse.Namespace, since: float) -> Told:
    """Ask the cluster and its monitoring what they still know of the last day: what a console first finds out."""
    from services.kubernetes.happenings import BACKFILL

    clock = SystemClock()
    live = LiveState(clock, most_events=LIMIT)
    await Asking(setup, live, clock, arguments).ask(TOLD_BY, lambda: _answered(live.snapshot()), past=True)
    snapshot = live.publish()
    reason = _missing(snapshot) or _silent(snapshot, alert_servers(setup))
    if not reason and since < clock.now() - BACKFILL - 1:
        reason = "A cluster is asked for the last day only; without --live, what consoles recorded is shown."
    return Told(snapshot.events, reason=safe_text(reason))


def _silent(snapshot: Snapshot, servers: Sequence[str]) -> str:
    """Return why alerts may be missing, "" where every server has answered."""
    states = (snapshot.sources.get(name) for name in servers)
    return next((one.error for one in states if one is not None and one.state is SourceState.FAILED and one.error), "")


def _answered(snapshot: Snapshot) -> bool:
    """Return whether there is nothing more to wait for: every kind has come or is refused, or nobody answers."""
    connection = snapshot.sources.get(CONNECTION)
    if connection is not None and connection.state in (SourceState.FAILED, SourceState.NOT_CONFIGURED):
        return True
    states = [snapshot.sources.get(f"{CONNECTION}/{table}") for table in TOLD_BY]
    return all(one is not None and one.state in (SourceState.LIVE, SourceState.FORBIDDEN) for one in states)


def _missing(snapshot: Snapshot) -> str:
    """Return why something is missing, "" where nothing is; ConfigMaps that may not be read are no fault."""
    connection = snapshot.sources.get(CONNECTION)
    if connection is not None and (connection.error or connection.state is SourceState.NOT_CONFIGURED):
        return connection.error
    for table in TOLD_BY:
        status = snapshot.sources.get(f"{CONNECTION}/{table}")
        if status is None or status.state is not SourceState.LIVE:
            if table == TOLD_BY[-1] and status is not None and status.state is SourceState.FORBIDDEN:
                continue
            said = status.error if status is not None else ""
            return said or f"The cluster did not tell its {table.partition('.')[0]} in time."
    return ""


def _table(found: Iterable[Moment], lens: Lens) -> Iterable[str]:
    for moment in found:
        if moment.event is not None:
            event = moment.event
            who = event.payload.get("actor", "")
            by = f"  by {lens.text(who, 60)}" if who else ""
            name, words = lens.text(name_of(event), 120), lens.text(words_of(event), 300)
            yield f"{stamp(event.at)}  {WORDS[event.severity]:4}  {event.kind.value:9}  {name:<40}  {words}{by}"
        elif moment.gap is not None:
            gap = moment.gap
            lasted = age(gap.ended - gap.began)
            yield f"{stamp(gap.ended)}  ----  nobody watched for {lasted}, since {stamp(gap.began)}"


def _json(found: Iterable[Moment], told: Told, since: float, setup: Setup, lens: Lens) -> str:
    document: dict[str, Any] = {
        "cluster": lens.text(setup.identity.cluster_name or setup.identity.context),
        "context": lens.text(setup.identity.context),
        "since": stamp(since),
        "reason": told.reason,
        "events": [_facts(moment.event, lens) for moment in found if moment.event is not None],
        "unwatched": [{"from": stamp(gap.began), "to": stamp(gap.ended)} for gap in reversed(told.gaps)],
    }
    return json.dumps(document, indent=2) + "\n"


def _facts(event: Event, lens: Lens) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": stamp(event.at),
        "seen_at": stamp(event.seen_at),
        "kind": event.kind.value,
        "severity": WORDS[event.severity],
        "object": {
            "kind": lens.text(event.ref.kind),
            "namespace": lens.text(event.ref.namespace),
            "name": lens.text(event.ref.name),
        },
        "text": lens.text(event.text, 1000),
        "payload": {lens.text(key): lens.text(value, 1000) for key, value in event.payload.items()},
    }
