"""`quarterdeck incidents`: what the ledger of this machine knows of incidents, without screen or cluster."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from cache.folder import state_folder
from cache.ledger.incidents import IncidentReader
from cache.state.history import HistoryPage, HistoryReader
from services.clock import SystemClock
from services.errors import Problem
from services.incidents.export import export
from services.incidents.timeline import Moment
from services.model.incident import Incident
from services.redact import redact
from services.sanitize import safe_text
from tui.commands.period import start_of
from tui.exitcodes import ExitCode
from tui.incident_past import query_around, whole_timeline
from tui.presenters.incidents import present_incident_head, present_moments, update_due, worst_first
from tui.presenters.lens import Lens, age, stamp
from widgets.viewmodels import text_of


def incidents(arguments: argparse.Namespace) -> int:
    """Print the open incidents, all of them, or one; exit code 0 none is open, 1 some are, 2 could not tell.

    Raises Problem where the one that is named is not known.
    """
    now = SystemClock().now()
    since = start_of(arguments.since, now) if arguments.since else now
    reader = IncidentReader(state_folder())
    glance = reader.look()
    reader.close()
    lens = Lens(now, mask=redact)
    listed = sorted(glance.rows.values(), key=worst_first)
    if glance.problem:
        sys.stderr.write(f"{glance.problem}\n")
    if arguments.what:
        one = _named(arguments.what, listed)
        past = HistoryReader(state_folder()).events(query_around(one, anywhere=True)) if one.links else HistoryPage()
        if past.reason:
            sys.stderr.write(f"What the cluster did is not in it: {past.reason}\n")
        sys.stdout.write(_one(one, whole_timeline(one, past.events, ()), arguments.output, lens))
        return ExitCode.UNKNOWN if glance.problem else ExitCode.FAILING if one.open else ExitCode.OK
    shown = listed if arguments.all else [one for one in listed if one.open or one.resolved_at >= since]
    if arguments.output == "json":
        sys.stdout.write(json.dumps([facts(one, lens) for one in shown], indent=2) + "\n")
    else:
        sys.stdout.write(as_table(shown, lens))
    if glance.problem:
        return ExitCode.UNKNOWN
    return ExitCode.FAILING if any(one.open for one in listed) else ExitCode.OK


def _named(what: str, listed: list[Incident]) -> Incident:
    wanted = what.upper() if what.upper().startswith("INC-") else f"INC-{what}"
    found = next((one for one in listed if one.id == wanted), None)
    if found is None:
        raise Problem(safe_text(f"There is no incident {wanted} in the ledger; --all lists those there are."))
    return found


def as_table(listed: list[Incident], lens: Lens) -> str:
    """Return incidents for a person, one a line, worst first."""
    if not listed:
        return "no open incident\n"
    lines = []
    for one in listed:
        due = update_due(one, lens).text
        words = f"{one.status:<13} {age(one.elapsed(lens.now)):>6}  {lens.text(one.owner or '-'):<12} "
        lines.append(f"{one.severity} {one.id:<8} {words}{lens.text(one.title)}{f'  ({due})' if due else ''}")
    return "\n".join(lines) + "\n"


def _one(one: Incident, moments: list[Moment], output: str, lens: Lens) -> str:
    if output == "json":
        return (
            json.dumps({**facts(one, lens), "events": [_event(one, at, lens) for at in range(len(one.events))]}) + "\n"
        )
    if output == "markdown":
        return redact(export(one, moments, lens.now))
    lines = [*present_incident_head(one, "", lens), (), *present_moments(moments, lens)]
    return "\n".join([f"{one.id}  {lens.text(one.title)}", *(text_of(line).rstrip() for line in lines)]) + "\n"


def facts(one: Incident, lens: Lens) -> dict[str, Any]:
    """Return an incident for a script; times are RFC 3339 in UTC, "" for never."""
    return {
        "id": one.id,
        "severity": one.severity.value,
        "status": one.status.value,
        "title": lens.text(one.title),
        "owner": lens.text(one.owner),
        "cluster": lens.text(one.cluster),
        "open": one.open,
        "started": stamp(one.started_at),
        "declared": stamp(one.declared_at),
        "resolved": stamp(one.resolved_at),
        "next_update_due": stamp(one.next_update_at),
        "elapsed_seconds": round(one.elapsed(lens.now)),
        "links": [lens.text(link.title) for link in one.links],
    }


def _event(one: Incident, at: int, lens: Lens) -> dict[str, str]:
    event = one.events[at]
    return {
        "at": stamp(event.at),
        "kind": event.kind.value,
        "by": lens.text(event.actor.user),
        "value": lens.text(event.value),
        "text": lens.text(event.text, 1000),
    }
