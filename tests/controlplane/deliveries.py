"""Runs the real controller of Argo Rollouts on a control plane of the tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from . import build
from .plane import ControlPlane
from .process import PlaneError, Reaper, Server, free_port

NAME = "rollouts-controller"
CRDS = "manifests/crds"


class Deliveries:
    """The controller that runs, and its own command."""

    def __init__(self, plane: ControlPlane, binaries: Path) -> None:
        self._plane = plane
        self._binaries = binaries

    def argo(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``kubectl argo rollouts ...`` as the administrator; PlaneError with its stderr where it fails."""
        done = subprocess.run(
            [str(self._binaries / "kubectl-argo-rollouts"), *arguments],
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
            env={
                "HOME": str(self._plane.data),
                "KUBECONFIG": str(self._plane.kubeconfig()),
                "PATH": "/usr/bin:/bin",
            },
        )
        if check and done.returncode != 0:
            raise PlaneError(f"argo rollouts {' '.join(arguments)} failed ({done.returncode}): {done.stderr.strip()}")
        return done


@contextmanager
def deliveries(plane: ControlPlane) -> Iterator[Deliveries]:
    """Install the definitions, run the controller while the block runs, and take both away again.

    Raises BuildError where the controller is missing and cannot be built.
    """
    binaries = build.build(build.to_stderr, modules=build.ROLLOUTS)
    definitions = sorted((build.module_folder(build.ROLLOUTS) / CRDS).glob("*-crd.yaml"))
    files = [part for one in definitions for part in ("-f", str(one))]
    plane.kubectl("apply", "--server-side", *files)
    plane.kubectl("wait", "--for=condition=Established", *files, "--timeout=180s")
    health, metrics = free_port(), free_port()
    command = [
        str(binaries / NAME),
        f"--kubeconfig={plane.kubeconfig()}",
        "--leader-elect=false",
        f"--healthzPort={health}",
        f"--metricsPort={metrics}",
        "--rollout-resync=10",
    ]
    reaper = Reaper()
    server = Server(NAME, command, plane.data / f"{NAME}.log", reaper, partial(_answers, f"http://127.0.0.1:{health}"))
    try:
        server.start()
        server.await_ready()
        yield Deliveries(plane, binaries)
    finally:
        server.end()
        reaper.close()
        plane.kubectl("delete", *files, "--wait=false", check=False)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2.0, trust_env=False).status_code == 200
    except (httpx.HTTPError, OSError):
        return False
