"""`quarterdeck demo`: the program on a simulated estate, a process of its own that speaks the real protocol."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from services.errors import Problem
from services.sanitize import safe_text
from tui.exitcodes import ExitCode

READY_WITHIN = 60.0
"""Seconds the estate may take before it answers; a large one takes about five."""


def _command(arguments: argparse.Namespace, folder: str) -> list[str]:
    words = [sys.executable, "-P", "-m", "services.rehearsal", "--folder", folder]
    words += ["--scenario", arguments.scenario, "--size", arguments.size, "--seed", str(arguments.seed)]
    words += ["--rollouts"] if getattr(arguments, "rollouts", False) else []
    return [*words, "--exit-with-parent"] + (["--port", str(arguments.port)] if arguments.port else [])


def _environment() -> dict[str, str]:
    """Return the environment in which another process finds the rooms where this one did, and nothing of this folder.

    The self-contained file is unpacked where no other Python looks.
    """
    rooms = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (rooms, os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path}


@contextlib.contextmanager
def estate(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Start the estate, and end it with the block; yields what it said of itself. Raises Problem."""
    with (
        tempfile.TemporaryDirectory(prefix="quarterdeck-demo-") as folder,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
    ):
        process = subprocess.Popen(  # noqa: S603 - our own module, our own words
            _command(arguments, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,  # a file, since an estate that complains would stand still on a full pipe
            text=True,
            env=_environment(),
        )
        try:
            yield _first_line(process, complaints)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


def _first_line(process: subprocess.Popen[str], complaints: IO[str]) -> dict[str, Any]:
    if process.stdout is None:
        raise Problem(safe_text("The rehearsal estate could not be started."))
    ready, _, _ = select.select([process.stdout], [], [], READY_WITHIN)
    line = process.stdout.readline() if ready else ""
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        process.kill()
        process.wait()
        complaints.seek(0)
        words = complaints.read().strip().splitlines() or ["it did not say why"]
        raise Problem(safe_text(f"The rehearsal estate did not start: {words[-1]}")) from None
    return said


def _monitoring(said: dict[str, Any]) -> dict[str, str]:
    """Return the environment in which the program finds the estate's Prometheus and Alertmanagers."""
    return {
        "QUARTERDECK_PROMETHEUS_URLS": str(said.get("prometheus", "")),
        "QUARTERDECK_ALERTMANAGER_URLS": ",".join(said.get("alertmanagers", ())),
    }


def _serve(arguments: argparse.Namespace) -> int:
    """Serve an estate until ctrl-c, a hang-up or a termination, whenever it comes; its folder is taken away too."""
    heard: list[int] = []

    def end(number: int, _frame: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, end)
    with contextlib.suppress(KeyboardInterrupt), estate(arguments) as said:
        for name in ("kubeconfig", "url", "admin_url"):
            sys.stdout.write(f"{name} {said.get(name, '')}\n")
        for name, urls in _monitoring(said).items():
            sys.stdout.write(f"{name}={urls}\n")
        sys.stdout.write(f"try: kubectl --kubeconfig {said['kubeconfig']} get pods -A\nCtrl-C ends it.\n")
        sys.stdout.flush()
        while True:
            select.select([], [], [], 3600)
    return ExitCode.of_signal(heard[0]) if heard else ExitCode.OK


def demo(arguments: argparse.Namespace) -> int:
    """Open the screen on an estate, or serve one; returns the exit code."""
    if arguments.serve:
        return _serve(arguments)
    with estate(arguments) as said:
        from tui.commands.run import run

        for name, urls in _monitoring(said).items():
            os.environ.setdefault(name, urls)
        os.environ.setdefault("QUARTERDECK_STATE_DIR", str(Path(said["kubeconfig"]).parent / "state"))
        arguments.kubeconfig, arguments.context = said["kubeconfig"], ""
        arguments.namespace, arguments.all_namespaces = "", False
        arguments.environment = "prod"
        return run(arguments)
