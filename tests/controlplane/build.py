"""Build the real servers of the contract tests from pinned Go modules, once for every set of pins.

Run as ``python -m tests.controlplane.build``. The binaries stay outside the checkout, in
``${QUARTERDECK_BUILD_CACHE:-~/.cache/quarterdeck/controlplane}/<key>``. The key hashes ``go.mod``, ``go.sum``, the
flags and the platform: other pins are another folder, and a second call with the same pins does nothing.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class BuildError(Exception):
    """The servers could not be built; the message says why and what to do."""


def cache_root() -> Path:
    """Name the folder that holds one sub-folder for each set of pins; it may not exist yet."""
    told = os.environ.get("QUARTERDECK_BUILD_CACHE")
    return Path(told) if told else Path.home() / ".cache" / "quarterdeck" / "controlplane"


def pinned_version(module: str) -> str:
    """Read the version of ``module`` from ``go.mod``, as ``v1.2.3``; raises BuildError when it is not pinned there."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"{module} is not pinned in {HERE / 'go.mod'}; add its require line")
    return found.group(1)


def go_flags() -> list[str]:
    """Name the flags of every ``go build``: small, reproducible binaries that know their own version."""
    version = pinned_version("k8s.io/kubernetes")
    major, minor = version.removeprefix("v").split(".")[:2]
    marks = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
    }
    linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in marks.items())])
    return ["-trimpath", "-buildvcs=false", f"-ldflags={linker}"]


def build_key() -> str:
    """Sixteen hexadecimal digits that change with the pins, the flags or the platform."""
    digest = hashlib.sha256()
    for part in ((HERE / "go.mod").read_bytes(), (HERE / "go.sum").read_bytes(), "\0".join(go_flags()).encode()):
        digest.update(hashlib.sha256(part).digest())
    digest.update(f"{sys.platform}/{platform.machine()}".encode())
    return digest.hexdigest()[:16]


def binaries() -> Path | None:
    """Find the folder with all binaries of the present pins, or None when they have not been built."""
    folder = cache_root() / build_key()
    return folder if all(os.access(folder / name, os.X_OK) for name in PACKAGES) else None


def build(report: Report = lambda _line: None, procs: int | None = None) -> Path:
    """Build what is missing and return the folder of the binaries.

    ``report`` is told one line for each step; ``procs`` bounds the compilers run at a time. A folder appears under its
    name only when it is complete; two builds at the same time wait for each other. Raises BuildError.
    """
    ready = binaries()
    if ready is not None:
        return ready
    root, target = cache_root(), cache_root() / build_key()
    root.mkdir(parents=True, exist_ok=True)
    with exclusive(target.with_suffix(".lock"), report):
        ready = binaries()
        if ready is not None:
            return ready
        with tempfile.TemporaryDirectory(prefix=".building-", dir=root) as scratch:
            staging = Path(scratch) / "bin"
            staging.mkdir()
            for index, (name, package) in enumerate(PACKAGES.items(), start=1):
                _build_one(name, package, staging, f"[{index}/{len(PACKAGES)}]", report, procs)
            shutil.rmtree(target, ignore_errors=True)
            staging.rename(target)
    return target


def _build_one(name: str, package: str, folder: Path, place: str, report: Report, procs: int | None) -> None:
    go = shutil.which("go")
    if go is None:
        raise BuildError("go was not found on PATH; install Go 1.26 or newer to build the real control plane")
    report(f"{place} {name}: building {package}")
    started = time.monotonic()
    parallel = [] if procs is None else ["-p", str(procs)]
    command = [go, "build", *parallel, *go_flags(), "-o", str(folder / name), package]
    env = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(command, cwd=HERE, env=env, text=True, stderr=subprocess.PIPE, check=False)
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
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        folder = build(to_stderr, options.procs)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"servers ready in {time.monotonic() - started:.1f} s\n")
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
