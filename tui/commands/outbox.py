"""`quarterdeck outbox`: what was told, what waits and what came to nothing; tries again, drops, delivers; no screen."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cache.folder import state_folder
from cache.ledger.ledger import Ledger
from cache.ledger.outbox import Outbox
from cache.ledger.outbox_reader import OutboxGlance, OutboxReader
from services.clock import SystemClock
from services.config import Config, load
from services.errors import Problem
from services.model.message import OutboxRow, OutboxState
from services.model.text import SafeText
from services.redact import redact
from services.sanitize import safe_text
from tui.commands.setup import actor, console_actor
from tui.exitcodes import ExitCode
from tui.outgoing import make_worker, terms
from tui.presenters.lens import Lens, age, stamp
from tui.presenters.outbox import VIEW, came_to_nothing, next_words

LATELY = 86400.0
"""Seconds for which a message that was accepted is listed without --all."""


def outbox(arguments: argparse.Namespace) -> int:
    """List the messages, or do something about them; exit code 1 where some came to nothing, 2 could not tell.

    Raises Problem.
    """
    folder, clock = state_folder(), SystemClock()
    if arguments.what == "send":
        return asyncio.run(_send(folder, clock, load(arguments.config or None, os.environ).config, arguments.timeout))
    reader = OutboxReader(folder)
    glance = reader.look()
    reader.close()
    if arguments.what == "list":
        return _list(glance, Lens(clock.now(), mask=redact), arguments)
    if glance.problem:
        raise Problem(glance.problem)
    chosen = _chosen(arguments.id, arguments.what, glance)
    who = console_actor(actor())
    ledger = Ledger(folder, clock)
    config = load(arguments.config or None, os.environ).config
    box = Outbox(ledger, folder, clock, terms(config), who.host)
    try:
        for row in chosen:
            if arguments.what == "retry":
                box.retry(row.id, who)
            else:
                box.drop(row.id, who, arguments.reason)
            sys.stdout.write(f"{row.id[:8]} {'is tried again' if arguments.what == 'retry' else 'was dropped'}\n")
    finally:
        ledger.close()
    return ExitCode.OK


def _list(glance: OutboxGlance, lens: Lens, arguments: argparse.Namespace) -> int:
    rows = sorted(glance.rows.values(), key=VIEW.ranks["state"])
    shown = [row for row in rows if arguments.all or row.settled_at == 0 or lens.now - row.settled_at < LATELY]
    if glance.problem:
        sys.stderr.write(f"{glance.problem}\n")
    if arguments.output == "json":
        sys.stdout.write(json.dumps([facts(row, lens) for row in shown], indent=2) + "\n")
    else:
        sys.stdout.write(as_table(shown, lens))
    if glance.problem:
        return ExitCode.UNKNOWN
    return ExitCode.FAILING if any(came_to_nothing(row) for row in shown) else ExitCode.OK


def _chosen(name: str, what: str, glance: OutboxGlance) -> Sequence[OutboxRow]:
    """Return the messages meant by an id, the beginning of one, or "all": those that can be tried again or dropped."""
    if not name:
        raise Problem(safe_text(f"Say which message: quarterdeck outbox {what} ID, as the list shows it, or all."))
    rows = sorted(glance.rows.values(), key=lambda row: row.number)
    if name == "all":
        fit = came_to_nothing if what == "retry" else lambda row: row.waits and row.state is not OutboxState.SENDING
        return [row for row in rows if fit(row)]
    found = [row for row in rows if row.id.startswith(name.lower())]
    if len(found) != 1:
        many = "more than one message begins" if found else "there is no message that begins"
        raise Problem(safe_text(f"In the outbox {many} with {name[:40]}; quarterdeck outbox list --all shows them."))
    return found


async def _send(folder: Path, clock: SystemClock, config: Config, seconds: float) -> int:
    """Deliver what is due, while no console of this machine does."""
    if not config.notify:
        raise Problem(SafeText("No channel is configured: add a [notify.NAME] section; quarterdeck config example."))
    ledger, reader = Ledger(folder, clock), OutboxReader(folder)
    box = Outbox(ledger, folder, clock, terms(config), console_actor(actor()).host)
    worker = make_worker(box, reader, config, clock, None)
    try:
        done = await worker.drain(seconds)
        glance = await asyncio.to_thread(reader.look)
    finally:
        reader.close()
        ledger.close()
    if problem := glance.problem or worker.problem:
        raise Problem(problem)
    waiting = [row for row in glance.rows.values() if row.waits]
    sys.stdout.write("nothing waits\n" if not waiting else as_table(waiting, Lens(clock.now(), mask=redact)))
    return ExitCode.OK if done and not waiting else ExitCode.FAILING


def as_table(listed: Sequence[OutboxRow], lens: Lens) -> str:
    """Return messages for a person, one a line, worst first."""
    if not listed:
        return "no message\n"
    lines = []
    for row in listed:
        when = next_words(row, lens)
        why = "; ".join(part for part in (lens.text(row.reason, 200), f"next {when}" if when else "") if part)
        to = lens.text(f"{row.channel} {row.to}" if row.to != row.channel else row.channel, 60)
        lines.append(
            f"{row.id[:8]} {row.state.value:<8} {age(lens.now - row.created_at):>5}  {to}  "
            f"{lens.text(row.subject, 200)}{f'  ({why})' if why else ''}"
        )
    return "\n".join(lines) + "\n"


def facts(row: OutboxRow, lens: Lens) -> dict[str, Any]:
    """Return a message for a script; times are RFC 3339 in UTC, "" for never."""
    return {
        "id": row.id,
        "state": row.state.value,
        "waits": row.waits,
        "channel": lens.text(row.channel),
        "to": lens.text(row.to),
        "subject": lens.text(row.subject),
        "thread": lens.text(row.thread),
        "reason": lens.text(row.reason),
        "attempts": row.attempts,
        "folded": row.folded,
        "by": lens.text(row.by),
        "created": stamp(row.created_at),
        "next": stamp(row.next_at),
        "settled": stamp(row.settled_at),
    }
