"""The estate as a process of its own: one JSON line when it is ready, a clean end on a signal."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path

from services.rehearsal.estate.blueprint import SIZES
from services.rehearsal.scenarios.registry import NAMES, Outage, find
from services.rehearsal.server import Address, Options, serve


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m services.rehearsal", description=__doc__)
    parser.add_argument("--scenario", choices=NAMES, default="calm")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", choices=tuple(SIZES), default="small")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the kubeconfig is written; a temporary one by default")
    parser.add_argument("--hostile", action="store_true", help="put nasty text wherever the API allows it")
    parser.add_argument("--no-life", action="store_true", help="nothing happens beside the scenario")
    parser.add_argument(
        "--rollouts", action="store_true", help="install Argo Rollouts, with a canary and a blue-green workload"
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input closes")
    for name, what in (
        ("down-after", "first outage"),
        ("hangs", "hanging"),
        ("refuses", "refusing"),
        ("up", "between"),
    ):
        parser.add_argument(f"--{name}", type=float, help=f"seconds: {what} (everything-down)")
    parser.add_argument("--cycles", type=int, help="outages before it stays up; 0 for ever")
    return parser.parse_args(arguments)


def options_of(given: argparse.Namespace) -> Options:
    """Return the estate's options; outage flags change the scenario's own cycle."""
    base = find(given.scenario).outage
    changed = {
        key: value
        for key in ("down_after", "hangs", "refuses", "up", "cycles")
        if (value := getattr(given, key)) is not None
    }
    outage = base
    if changed:
        known = base or Outage()
        outage = Outage(
            **{key: changed.get(key, getattr(known, key)) for key in ("down_after", "hangs", "refuses", "up", "cycles")}
        )
    return Options(
        scenario=given.scenario,
        seed=given.seed,
        size=given.size,
        host=given.host,
        port=given.port,
        folder=given.folder,
        hostile=given.hostile,
        outage=outage,
        rollouts=given.rollouts,
        life=not given.no_life,
    )


async def run(given: argparse.Namespace) -> None:
    """Serve until a signal comes or the parent goes."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(one, stop.set)
    if given.exit_with_parent:
        loop.add_reader(sys.stdin.fileno(), lambda: _parent_said(stop))
    ready: asyncio.Future[Address] = loop.create_future()
    ready.add_done_callback(_announce)
    await serve(options_of(given), stop, ready)


def _parent_said(stop: asyncio.Event) -> None:
    try:
        data = os.read(sys.stdin.fileno(), 4096)
    except OSError:
        data = b""
    if not data:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def _announce(ready: asyncio.Future[Address]) -> None:
    gc.freeze()
    gc.enable()
    sys.stdout.write(json.dumps(ready.result().describe()) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run; return the exit code."""
    given = parse(sys.argv[1:])
    gc.disable()  # building makes millions of small objects that stay; looking for cycles among them doubles the time
    try:
        asyncio.run(run(given))
    except OSError as error:
        sys.stderr.write(f"The rehearsal estate could not start: {error}. Choose another --port or --folder.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
