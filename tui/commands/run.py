"""`quarterdeck run`: the first frame from the cache, then the cluster, then the place that was left."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
from typing import TYPE_CHECKING

from msgspec import structs

from cache.live import LiveState
from cache.state.records import Place
from services.clock import SystemClock
from services.ports import Interest
from tui.commands.setup import FIRST_TABLES, Setup, prepare, seed
from tui.crash import CrashLog, guarded, install
from tui.exitcodes import ExitCode
from tui.terminal import Terminal, apply, detect, environment_for_textual, observe, refusal, window

if TYPE_CHECKING:
    from tui.console import Console

COLLECT = (2_000, 5, 10)
"""When garbage is collected: in small helpings, since a collection of 50,000 objects is felt at a key (20 ms)."""

COLLECT_AFTER = 12.0
"""Seconds after the start at which garbage is collected at all: rows are no garbage, and a look at them is felt."""

WATCHED = (
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "rollouts.argoproj.io",
    "replicasets.apps",
    "pods",
    "nodes",
    "jobs.batch",
    "events",
    "namespaces",
    "cronjobs.batch",
    "usage.pods",
    "usage.nodes",
    "controller.revisions",
    "config.digests",
)
"""What the control room watches, in the order in which it fills."""


def run(arguments: argparse.Namespace) -> int:
    """Open the control room; returns the exit code."""
    gc.disable()  # what is loaded from here on stays; it is frozen before the first frame
    flags = {"ui.theme": arguments.theme, "ui.ascii": arguments.ascii, "ui.slow_link": arguments.slow_link}
    setup = prepare(arguments, {name: value for name, value in flags.items() if value is not None})
    ui = setup.loaded.config.ui
    terminal = detect(os.environ, observe(), window(), ascii_only=ui.ascii, mouse=ui.mouse, slow_link=ui.slow_link)
    refused = refusal(terminal)
    if refused is not None:
        sys.stderr.write(f"{refused}\n")
        return ExitCode.NO_TERMINAL
    log = CrashLog(setup.folder)
    install(log)
    return guarded(lambda: _open(arguments, setup, terminal, log), log)


def interest_for(view: str, namespaces: tuple[str, ...]) -> Interest:
    """Return what to watch, the table of the view to open first."""
    first = []
    if view:
        from tui.presenters.views import view_named

        wanted = view_named(view)
        first = [table for table in (wanted.sources if wanted is not None else ()) if table in WATCHED]
    return Interest(tuple(dict.fromkeys([*first, *WATCHED])), namespaces)


def open_scope(arguments: argparse.Namespace, console: Console, left: Place | None) -> None:
    """Open with the scope that a flag says, else the one that was chosen and left, else the configuration's."""
    if arguments.namespace:
        console.scope = structs.replace(console.scope, namespaces=(arguments.namespace,))
    elif arguments.all_namespaces:
        console.scope = structs.replace(console.scope, namespaces=(), labels="")
    elif left is not None and (left.chosen or left.scope):
        console.scope_chosen = True
        console.scope = structs.replace(console.scope, namespaces=left.scope, labels=left.labels)


def first_place(arguments: argparse.Namespace, left: Place | None) -> Place | None:
    """Return where to begin: at the view that was named, at the control room for a page, else where one left."""
    if getattr(arguments, "what", ""):
        return Place(view="deck")
    return Place(view=arguments.view) if arguments.view else left


def _open(arguments: argparse.Namespace, setup: Setup, terminal: Terminal, log: CrashLog) -> int:
    apply(environment_for_textual(terminal, os.environ))
    clock = SystemClock()
    live = LiveState(clock)
    view = None
    if arguments.view:
        from tui.presenters.views import view_named

        view = view_named(arguments.view)
    names = ("nodes", "namespaces") if setup.loaded.config.ui.share else ()
    tables = tuple(dict.fromkeys([*FIRST_TABLES, *names, *((view.table,) if view is not None else ())]))
    left, _ = seed(live, setup, tables, clock)
    from tui.assembly import Assembly

    assembly = Assembly(setup, terminal, live, clock, log)
    install(log, assembly.thread_died)
    assembly.wanted = getattr(arguments, "what", "")
    place = first_place(arguments, left)
    open_scope(arguments, assembly.console, left)
    namespaces = (arguments.namespace,) if arguments.namespace else ()
    gc.freeze()
    collecting = threading.Timer(COLLECT_AFTER, _collect)
    collecting.daemon = True
    collecting.start()
    return assembly.run(place, interest_for(arguments.view, namespaces))


def _collect() -> None:
    """Leave what has been loaded alone for good, and begin to collect what comes after it."""
    gc.freeze()
    gc.set_threshold(*COLLECT)
    gc.enable()
