"""Keep copies of etcd's data with an estate in it, so that ten thousand pods are there in seconds the second time."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from . import build, estate, manifests, podlogs
from .commands import COMPONENTS, SERVING
from .estate import Estate, Report
from .plane import ControlPlane

KEPT = 3
"""How many estates stay on disk; the one used longest ago goes first."""


def estates_root() -> Path:
    """Name the folder that holds one sub-folder for each prepared estate."""
    return build.cache_root() / "estates"


def prepared(wanted: Estate, report: Report = lambda _line: None) -> Path:
    """Return a folder of etcd data with ``wanted`` at rest in it, for ``ControlPlane(seed=...)``; make it if need be.

    The copy holds no secret of the plane that made it: tokens, certificates and keys live outside etcd. Its Events are
    kept and live for one more hour after each start. Raises PlaneError or BuildError.
    """
    target = estates_root() / _key(wanted)
    with build.exclusive(target.with_suffix(".lock"), report):
        if not target.exists():
            _make(wanted, target, report)
            _forget_old(target)
        target.touch()
    return target


def is_prepared(wanted: Estate) -> bool:
    """Tell whether a copy of ``wanted`` is on disk."""
    return (estates_root() / _key(wanted)).exists()


def _make(wanted: Estate, target: Path, report: Report) -> None:
    report(f"making an estate of {wanted.pods} pods, once; later starts take a copy")
    with tempfile.TemporaryDirectory(prefix=".making-", dir=estates_root()) as scratch:
        with ControlPlane(data=Path(scratch)) as plane:
            seconds = estate.populate(plane, wanted, report)
            report(f"at rest after {seconds:.0f} s")
            for mover in COMPONENTS:
                if mover not in SERVING:
                    plane.kill(mover)
            plane.kill("kube-apiserver")
            plane.compact()
            plane.defragment()
        (Path(scratch) / "etcd").rename(target)


def _key(wanted: Estate) -> str:
    digest = hashlib.sha256(f"{build.build_key()}\0{wanted!r}".encode())
    sources = [
        Path(estate.__file__),
        Path(manifests.__file__),
        podlogs.STAGES / "nodes.yaml",
        podlogs.STAGES / "pods.yaml",
    ]
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _forget_old(newest: Path) -> None:
    others = [path for path in estates_root().iterdir() if path.is_dir() and path != newest and path.name[0] != "."]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
        path.with_suffix(".lock").unlink(missing_ok=True)
