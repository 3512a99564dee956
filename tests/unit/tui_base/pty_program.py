"""Runs a program on a pseudo-terminal and collects what it prints there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType


class PtyProgram:
    """A child process that leads a session on a pty of its own, 80 by 24 unless told."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None, size: tuple[int, int] = (80, 24)
    ) -> None:
        self.output = b""
        self._taken = 0
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            values = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            os.execvpe(argv[0], list(argv), {**values, **(env or {})})  # noqa: S606 - no shell is wanted
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.code: int | None = None

    def __enter__(self) -> PtyProgram:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal under the program, as a lost connection does."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def read_until(self, wanted: bytes, deadline: float = 60.0) -> bytes:
        """Return the output after what the last call returned, `wanted` included; AssertionError at the deadline."""
        start = self._taken
        until = time.monotonic() + deadline
        while (at := self.output.find(wanted, start)) < 0:
            if not self._read(until):
                raise AssertionError(f"{wanted!r} never came; last: {self.output[-2000:]!r}")
        self._taken = at + len(wanted)
        return self.output[start : self._taken]

    def write(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def attributes(self) -> list[object]:
        return list(termios.tcgetattr(self.master))

    def finish(self, deadline: float = 60.0, read: bool = True) -> int:
        """Wait for the end and return the exit code (negative: the signal that ended it)."""
        until = time.monotonic() + deadline
        while self.code is None:
            if read:
                self._read(min(until, time.monotonic() + 0.05))
            else:
                select.select([], [], [], 0.02)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                raise AssertionError(f"did not end; last: {self.output[-2000:]!r}")
        while read and self._read(time.monotonic() + 0.05):
            pass
        return self.code

    def _read(self, until: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += piece
        return bool(piece)
