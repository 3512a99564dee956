"""Run one real server as a child process: free ports, a log file, readiness with a deadline, an end by its own id."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

POLL_S = 0.05


class PlaneError(Exception):
    """The control plane could not do what was asked; the message ends with the tail of the log that explains it."""


_RESERVED: list[IO[bytes]] = []
"""Locked files, one for each port that this process has picked: until it ends, no other picks the same."""


def free_port() -> int:
    """Pick a free loopback port below the ephemeral range, so that no outgoing connection takes it during a restart."""
    folder = Path(tempfile.gettempdir(), f"quarterdeck-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for _attempt in range(200):
        port = random.randint(18_000, 31_999)  # noqa: S311 - not a secret
        file = (folder / str(port)).open("wb")
        with socket.socket() as probe:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                probe.bind(("127.0.0.1", port))
            except OSError:
                file.close()
                continue
        _RESERVED.append(file)
        return port
    raise PlaneError("no free port was found on 127.0.0.1 between 18000 and 31999")


def until(
    ready: Callable[[], bool],
    seconds: float,
    what: str,
    alive: Callable[[], None] = lambda: None,
    every: float = POLL_S,
) -> float:
    """Ask ``ready`` until it holds and return the seconds that took; raise PlaneError after ``seconds``.

    ``alive`` is called before each question and may raise, so that nothing waits for a process that has ended.
    """
    started = time.monotonic()
    while True:
        alive()
        if ready():
            return time.monotonic() - started
        if time.monotonic() - started > seconds:
            raise PlaneError(f"{what} did not happen within {seconds:g} s")
        time.sleep(every)


class Reaper:
    """Ends the servers and removes ``folder``, if given, even when this process dies without a word (SIGKILL).

    It is a child that reads process ids from a pipe; the pipe closes with us, however we end.
    """

    _SCRIPT = (
        "import os, shutil, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "pids = set()\n"
        "for line in sys.stdin:\n"
        "    (pids.add if line[0] == '+' else pids.discard)(int(line[1:]))\n"
        "for pid in pids:\n"
        "    try:\n"
        "        os.kill(pid, signal.SIGKILL)\n"
        "    except ProcessLookupError:\n"
        "        pass\n"
        "for folder in sys.argv[1:]:\n"
        "    shutil.rmtree(folder, ignore_errors=True)\n"
    )

    def __init__(self, folder: Path | None = None) -> None:
        command = [sys.executable, "-S", "-c", self._SCRIPT, *([] if folder is None else [str(folder)])]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)

    def watch(self, pid: int) -> None:
        self._tell(f"+{pid}")

    def forget(self, pid: int) -> None:
        self._tell(f"-{pid}")

    def close(self) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.wait(30)

    def _tell(self, line: str) -> None:
        if self._child.stdin is not None:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()


@dataclass
class Server:
    """One server process that can be started again with the same arguments, ports and data."""

    name: str
    command: Sequence[str]
    log: Path
    reaper: Reaper
    ready: Callable[[], bool]
    ready_within: float = 180.0
    env: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it if it does not run; ``await_ready`` says when it serves."""
        if self.pid is not None:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.log.parent), **self.env},
                cwd=self.log.parent,
                start_new_session=True,
            )
        self.reaper.watch(self._process.pid)

    def await_ready(self) -> float:
        """Wait for the health endpoint and return the seconds; raise PlaneError with the log's tail otherwise."""
        try:
            return until(self.ready, self.ready_within, f"{self.name} becoming ready", self._still_running)
        except PlaneError as error:
            raise PlaneError(f"{error}; the end of {self.log}:\n{self.tail()}") from None

    def send(self, number: signal.Signals) -> None:
        """Signal the process; raise PlaneError when it does not run."""
        pid = self.pid
        if pid is None:
            raise PlaneError(f"{self.name} does not run; start it again with restart({self.name!r})")
        os.kill(pid, number)

    def end(self, within: float = 10.0) -> None:
        """Ask it to end, even when it is stopped, and kill it after ``within`` seconds."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(within)
            except subprocess.TimeoutExpired:
                self.kill()
        self.reaper.forget(process.pid)

    def kill(self) -> None:
        """End it at once (SIGKILL) and reap it."""
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()
        self.reaper.forget(process.pid)

    def rss_mb(self) -> float:
        """Resident memory in MB (10^6 bytes), 0 when it does not run."""
        pid = self.pid
        if pid is None:
            return 0.0
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def tail(self, lines: int = 12) -> str:
        """Read the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _still_running(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            code = "" if process is None else f" with exit code {process.returncode}"
            raise PlaneError(f"{self.name} ended{code} instead of serving")


def restart(servers: Sequence[Server]) -> None:
    """End ``servers`` and start them side by side; return when all are ready."""
    for server in servers:
        server.end(within=2.0)
    for server in servers:
        server.start()
    for server in servers:
        server.await_ready()
