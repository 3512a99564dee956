"""`quarterdeck audit`: what was done from this machine, who did it and how it ended; whether the chain holds."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from cache.folder import state_folder
from cache.ledger.ledger import Ledger
from cache.ledger.records import Entry, EntryKind
from cache.versions import LEDGER_FILE
from services.clock import SystemClock
from services.errors import Problem
from services.redact import redact
from services.sanitize import safe_text
from tui.commands.period import start_of
from tui.exitcodes import ExitCode
from tui.presenters.audit import facts, present_entry, present_intent
from tui.presenters.lens import Lens

PAGE = 1000


def audit(arguments: argparse.Namespace) -> int:
    """List, show, verify or export the audit trail; exit code 1 where the chain is broken, 2 where it cannot be read.

    Raises Problem.
    """
    clock, folder = SystemClock(), state_folder()
    if not (folder / LEDGER_FILE).exists():
        sys.stdout.write("nothing was done from this machine yet\n")
        return ExitCode.OK
    ledger, lens = Ledger(folder, clock), Lens(clock.now(), mask=redact)
    try:
        if arguments.what == "verify":
            return _verify(ledger)
        if arguments.what == "show":
            return _show(ledger, arguments.intent, lens)
        since = start_of(arguments.since, clock.now()) if arguments.since else 0.0
        every = list(_entries(ledger))
        entries = [entry for entry in every if entry.at >= since]
        if arguments.what == "export" or arguments.output == "json":
            for entry in entries:
                sys.stdout.write(json.dumps(facts(entry, lens)) + "\n")
        else:
            shown = [entry for entry in entries if arguments.steps or entry.kind is not EntryKind.STEP]
            begun = {entry.intent: entry for entry in every if entry.kind is EntryKind.INTENT}
            lines = [present_entry(entry, lens, begun.get(entry.intent)) for entry in shown]
            sys.stdout.write("".join(f"{line}\n" for line in lines) or "nothing was done in that time\n")
        return _verify(ledger, quiet=True)
    finally:
        ledger.close()


def _verify(ledger: Ledger, *, quiet: bool = False) -> int:
    verdict = ledger.verify()
    if not verdict.ok:
        sys.stderr.write(f"{verdict.sentence}\n")
        return ExitCode.FAILING if verdict.broken_at else ExitCode.UNKNOWN
    if not quiet:
        sys.stdout.write(f"{verdict.sentence}\n")
    return ExitCode.OK


def _show(ledger: Ledger, wanted: str, lens: Lens) -> int:
    if not wanted:
        raise Problem(safe_text("Which one? `quarterdeck audit list` prints the numbers of the entries."))
    every = list(_entries(ledger))
    chosen = next((one for one in every if wanted in (str(one.seq), one.intent) or one.intent.startswith(wanted)), None)
    if chosen is None:
        raise Problem(safe_text(f"The audit trail has no entry {wanted[:40]}; `quarterdeck audit list` prints them."))
    told = [one for one in every if chosen.intent and one.intent == chosen.intent] or [chosen]
    sys.stdout.write("".join(f"{line}\n" for line in present_intent(told, lens)))
    return ExitCode.OK


def _entries(ledger: Ledger) -> Iterator[Entry]:
    after = 0
    while page := ledger.entries(after, PAGE):
        yield from page
        after = page[-1].seq
