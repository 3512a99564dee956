"""What a contract test may ask of any cluster, and the cluster of a contributor that stands in for ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from .access import User
from .process import PlaneError

FOREIGN = "QUARTERDECK_TEST_KUBECONFIG"
"""Names a kubeconfig of a cluster that may be broken (kind, k3d): the tests that need no power over servers use it."""


class NotOursError(PlaneError):
    """The test control plane was needed; a cluster of someone else cannot give this."""


class Cluster(Protocol):
    """A cluster to read and change through its API alone; ``ControlPlane`` is one."""

    def kubeconfig(self, user: User = "admin") -> Path:
        """Return the path of the kubeconfig of ``user``."""
        ...

    def kubectl(
        self,
        *arguments: str,
        user: User = "admin",
        stdin: str | None = None,
        check: bool = True,
        timeout: float = 240.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; raise PlaneError when it fails and ``check`` is on."""
        ...


class ForeignCluster:
    """A cluster known by its kubeconfig only, with the kubectl found on PATH."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def kubeconfig(self, user: User = "admin") -> Path:
        """Return the kubeconfig it was made with; raise NotOursError for any user but ``admin``."""
        if user != "admin":
            raise NotOursError(f"the user {user} exists on the test control plane only; unset {FOREIGN} to run this")
        return self._path

    def kubectl(
        self,
        *arguments: str,
        user: User = "admin",
        stdin: str | None = None,
        check: bool = True,
        timeout: float = 240.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl against it; raise PlaneError when it is missing, or fails while ``check`` is on."""
        binary = shutil.which("kubectl")
        if binary is None:
            raise PlaneError(f"kubectl was not found on PATH; {FOREIGN} needs it")
        done = subprocess.run(
            [binary, "--kubeconfig", str(self.kubeconfig(user)), *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise PlaneError(f"kubectl {' '.join(arguments)} failed ({done.returncode}): {done.stderr.strip()}")
        return done


def foreign_cluster() -> ForeignCluster | None:
    """Return the cluster named by the environment, if there is one."""
    told = os.environ.get(FOREIGN)
    return ForeignCluster(Path(told)) if told else None
