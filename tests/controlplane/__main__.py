"""Start a control plane with an estate for a person to try things on: ``python -m tests.controlplane up``."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from types import FrameType

from . import build
from .access import USERS
from .estate import BIG, SMALL, Estate, populate
from .plane import ControlPlane
from .prepared import prepared
from .process import PlaneError

WORTH_KEEPING = 2_000
"""From this many pods on, an estate takes so long to make that a copy of it is kept."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, do it, and return the exit code."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        build.build(build.to_stderr)
        estate = _estate(options)
        if options.command == "prepare":
            sys.stdout.write(f"{prepared(estate, build.to_stderr)}\n")
        else:
            up(estate, options.port)
    except KeyboardInterrupt:
        return 0
    except (build.BuildError, PlaneError) as error:
        build.to_stderr(str(error))
        return 1
    return 0


def up(estate: Estate, port: int | None) -> None:
    """Start a plane with ``estate``, say how to use it, and stay until Ctrl-C or SIGTERM."""
    seed = prepared(estate, build.to_stderr) if estate.pods >= WORTH_KEEPING else None
    build.to_stderr("starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok")
    with ControlPlane(seed=seed, port=port) as plane:
        build.to_stderr(f"serving after {plane.started_in['all']:.1f} s")
        if seed is None:
            began = time.monotonic()
            populate(plane, estate, build.to_stderr)
            build.to_stderr(f"estate at rest after {time.monotonic() - began:.1f} s")
        sys.stdout.write(how_to_use(plane))
        sys.stdout.flush()
        try:
            while True:
                signal.pause()
        finally:
            build.to_stderr("ending the control plane")


def how_to_use(plane: ControlPlane) -> str:
    """List the kubeconfigs and a few commands that make something happen."""
    kubectl = shlex.quote(str(plane.kubectl_path))
    kubeconfigs = "\n".join(f"  {user:<10} {plane.kubeconfig(user)}" for user in USERS)
    return f"""
{plane.url}
kubeconfigs (shop-only may read the namespace shop alone):
{kubeconfigs}

  export KUBECONFIG={plane.kubeconfig("admin")}
  alias kubectl={kubectl}

try, with the program open beside it:
  kubectl -n shop set image deploy/web web=registry.example/shop/web:9.0.0-crash    # or -oom, -nopull, -slow
  kubectl -n shop rollout undo deploy/web
  kubectl -n shop create job broken --image=registry.example/shop/migrate:1-fail
  kubectl label node worker-02 sick=true    # sick- heals it
  kubectl -n shop logs -f deploy/web
  kill -STOP {plane.pid("kube-apiserver")}    # a hung API server; -CONT lets it go on
data and logs of the servers: {plane.data}
Ctrl-C ends everything.
"""


def _estate(options: argparse.Namespace) -> Estate:
    base = BIG if options.big else SMALL
    told = {field.name: getattr(options, field.name, None) for field in fields(Estate)}
    return replace(base, **{name: value for name, value in told.items() if value is not None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.controlplane", description="A real control plane on loopback."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    size = argparse.ArgumentParser(add_help=False)
    size.add_argument("--big", action="store_true", help=f"{BIG.pods} pods on {BIG.nodes} nodes")
    for name in ("nodes", "deployments", "replicas", "namespaces"):
        size.add_argument(
            f"--{name}", type=int, metavar="N", help=f"default {getattr(SMALL, name)}, big {getattr(BIG, name)}"
        )
    start = commands.add_parser("up", parents=[size], help="start it with an estate and stay until Ctrl-C")
    start.add_argument("--port", type=int, metavar="P", help="port of the API server (default: a free one)")
    commands.add_parser("prepare", parents=[size], help="make the copy of an estate that later starts take")
    return parser


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
