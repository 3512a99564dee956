"""Build the real servers of the contract tests from pinned Go modules, once for every set of pins.

Run as ``python -m tests.controlplane.build``. The binaries stay outside the checkout, in
``${QUARTERDECK_BUILD_CACHE:-~/.cache/quarterdeck/controlplane}/<key>``. The key hashes ``go.mod``, ``go.sum``, the
flags and the platform: other pins are another folder, and a second call with the same pins does nothing. There are two
sets, because their libraries have other versions: the control plane, and Argo Rollouts.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
"""Binary -> the package of its tool line in ``go.mod``; linked apart, because two of them own a ``--version`` flag."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Modules:
    """One folder with a ``go.mod`` and what is built from it: binary -> the package of its tool line there.

    ``module`` is the one whose version the binaries have.
    """

    folder: Path
    packages: Mapping[str, str]
    module: str = "k8s.io/kubernetes"


CONTROL_PLANE = Modules(HERE, PACKAGES)
ROLLOUTS = Modules(
    HERE / "rollouts",
    {
        "rollouts-controller": "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
        "kubectl-argo-rollouts": "github.com/argoproj/argo-rollouts/cmd/kubectl-argo-rollouts",
    },
    "github.com/argoproj/argo-rollouts",
)
"""The controller of Argo Rollouts, and its own command to compare with."""


class BuildError(Exception):
    """The servers could not be built; the message says why and what to do."""


def cache_root() -> Path:
    """Name the folder that holds one sub-folder for each set of pins; it may not exist yet."""
    told = os.environ.get("QUARTERDECK_BUILD_CACHE")
    return Path(told) if told else Path.home() / ".cache" / "quarterdeck" / "controlplane"


def pinned_version(module: str, folder: Path = HERE) -> str:
    """Read the version of ``module`` from ``go.mod``, as ``v1.2.3``; raises BuildError when it is not pinned there."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", (folder / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"{module} is not pinned in {folder / 'go.mod'}; add its require line")
    return found.group(1)


def go_flags(modules: Modules = CONTROL_PLANE) -> list[str]:
    """Name the flags of every ``go build``: small, reproducible binaries that know their own version."""
    version = pinned_version(modules.module, modules.folder)
    major, minor = version.removeprefix("v").split(".")[:2]
    marks = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
    }
    if modules is not CONTROL_PLANE:
        marks = {f"{modules.module}/utils/version.version": version}
    linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in marks.items())])
    return ["-trimpath", "-buildvcs=false", f"-ldflags={linker}"]


def build_key(modules: Modules = CONTROL_PLANE) -> str:
    """Sixteen hexadecimal digits that change with the pins, the flags or the platform."""
    digest, folder = hashlib.sha256(), modules.folder
    flags = "\0".join(go_flags(modules)).encode()
    for part in ((folder / "go.mod").read_bytes(), (folder / "go.sum").read_bytes(), flags):
        digest.update(hashlib.sha256(part).digest())
    digest.update(f"{sys.platform}/{platform.machine()}".encode())
    return digest.hexdigest()[:16]


def binaries(modules: Modules = CONTROL_PLANE) -> Path | None:
    """Find the folder with all binaries of the present pins, or None when they have not been built."""
    folder = cache_root() / build_key(modules)
    return folder if all(os.access(folder / name, os.X_OK) for name in modules.packages) else None


def module_folder(modules: Modules) -> Path:
    """Return where the source of the set's main module lies (its manifests), downloaded if needed; or BuildError."""
    command = [_go(), "list", "-m", "-f", "{{.Dir}}", modules.module]
    env = {**os.environ, "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    download = [_go(), "mod", "download", modules.module]
    for each in (download, command):
        done = subprocess.run(each, cwd=modules.folder, env=env, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"the source of {modules.module} could not be had:\n{done.stderr.strip()[-500:]}")
    return Path(done.stdout.strip())


def build(report: Report = lambda _line: None, procs: int | None = None, modules: Modules = CONTROL_PLANE) -> Path:
    """Build what is missing and return the folder of the binaries.

    ``report`` is told one line for each step; ``procs`` bounds the compilers run at a time. A folder appears under its
    name only when it is complete; two builds at the same time wait for each other. Raises BuildError.
    """
    ready = binaries(modules)
    if ready is not None:
        return ready
    root, target = cache_root(), cache_root() / build_key(modules)
    root.mkdir(parents=True, exist_ok=True)
    with exclusive(target.with_suffix(".lock"), report):
        ready = binaries(modules)
        if ready is not None:
            return ready
        with tempfile.TemporaryDirectory(prefix=".building-", dir=root) as scratch:
            staging = Path(scratch) / "bin"
            staging.mkdir()
            for index, name in enumerate(modules.packages, start=1):
                _build_one(name, modules, staging, f"[{index}/{len(modules.packages)}]", report, procs)
            shutil.rmtree(target, ignore_errors=True)
            staging.rename(target)
    return target


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise BuildError("go was not found on PATH; install Go 1.26 or newer to build the real servers")
    return go


def _build_one(name: str, modules: Modules, folder: Path, place: str, report: Report, procs: int | None) -> None:
    package = modules.packages[name]
    report(f"{place} {name}: building {package}")
    started = time.monotonic()
    parallel = [] if procs is None else ["-p", str(procs)]
    command = [_go(), "build", *parallel, *go_flags(modules), "-o", str(folder / name), package]
    env = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(command, cwd=modules.folder, env=env, text=True, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise BuildError(f"{name} could not be built (go exit code {done.returncode}):\n{tail}")
    size = (folder / name).stat().st_size / 1e6
    report(f"{place} {name}: {size:.0f} MB in {time.monotonic() - started:.0f} s")


@contextmanager
def exclusive(path: Path, report: Report) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs, so that two processes do not make the same thing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another process is making the same; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def to_stderr(line: str) -> None:
    """Report one line of progress where it does not mix with what a script captures."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane.build", description=__doc__.partition("\n")[0])
    parser.add_argument("--procs", type=int, metavar="N", help="compilers to run at a time (default: one a core)")
    parser.add_argument("--plane-only", action="store_true", help="leave Argo Rollouts out")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        folder = build(to_stderr, options.procs)
        if not options.plane_only:
            build(to_stderr, options.procs, ROLLOUTS)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"servers ready in {time.monotonic() - started:.1f} s\n")
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
