"""Runs a program on a pseudo-terminal of a given size: feeds keys, counts the bytes it writes, knows its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import pyte

TRUECOLOR: Mapping[str, str] = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
PATIENCE = 60.0
"""Seconds in which what a test waits for must have come, on a busy machine."""
_NOT_INHERITED = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TMUX", "SSH_CONNECTION", "CI", "TERM_PROGRAM")
_SYNC_QUESTION = b"\x1b[?2026$p"
_SYNC_ANSWER = b"\x1b[?2026;2$y"


@dataclass
class Window:
    """The bytes a program wrote between two moments."""

    data: bytes = b""

    @property
    def count(self) -> int:
        """The number of bytes."""
        return len(self.data)


class Terminal:
    """A program on a pseudo-terminal; use as a context manager. Answers the question for synchronised output."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 160,
        lines: int = 48,
        environment: Mapping[str, str] = TRUECOLOR,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._pending = b""
        self.written = 0
        self.read_at = 0.0
        self._windows: list[Window] = []
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        self._master, slave = pty.openpty()
        self._set_size(slave, columns, lines)
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**inherited, **environment},
            start_new_session=True,
            close_fds=True,
            pass_fds=tuple(pass_fds),
            preexec_fn=_own_terminal,  # noqa: PLW1509 - it must be the session's terminal, for SIGWINCH and SIGHUP
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    @staticmethod
    def _set_size(descriptor: int, columns: int, lines: int) -> None:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        self._set_size(self._master, columns, lines)
        self.screen.resize(lines, columns)

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def pump(self, seconds: float) -> bytes:
        """Read what comes within a time; returns at the first bytes."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if not ready:
            return b""
        try:
            data = os.read(self._master, 1 << 20)
        except OSError:
            return b""
        self.read_at = time.monotonic()
        self.written += len(data)
        for window in self._windows:
            window.data += data
        if _SYNC_QUESTION in data:
            self.send(_SYNC_ANSWER)
        plain, self._pending = _plain(self._pending + data)
        self._stream.feed(plain)
        return data

    def until_quiet(self, quiet: float = 0.25, deadline: float = PATIENCE) -> None:
        """Read until nothing comes for `quiet` seconds; TimeoutError after `deadline`."""
        end = time.monotonic() + deadline
        while self.pump(quiet):
            if time.monotonic() > end:
                msg = f"still writing after {deadline} s"
                raise TimeoutError(msg)

    def until(self, text: str, deadline: float = PATIENCE) -> float:
        """Read until a text is on screen and return the seconds that took; TimeoutError after `deadline`."""
        return self.until_true(lambda: text in self.text, deadline, repr(text))

    def until_true(self, condition: Callable[[], bool], deadline: float = PATIENCE, what: str = "that") -> float:
        """Read until a condition holds and return the seconds that took; TimeoutError with the screen otherwise."""
        start = time.monotonic()
        while not condition():
            left = start + deadline - time.monotonic()
            if left <= 0 or (not self.pump(min(left, 0.5)) and self.process.poll() is not None):
                msg = f"{what} did not come on screen:\n{self.text}"
                raise TimeoutError(msg)
        return time.monotonic() - start

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Count what is written inside the block, which itself must wait for it (`until`, `until_quiet`)."""
        window = Window()
        self._windows.append(window)
        try:
            yield window
        finally:
            self._windows.remove(window)

    @property
    def text(self) -> str:
        """The screen's text, one line a row."""
        return "\n".join(self.screen.display)

    def exit_code(self, deadline: float = PATIENCE) -> int:
        """Read until the program ends and return its exit code."""
        end = time.monotonic() + deadline
        while self.process.poll() is None:
            self.pump(0.05)
            if time.monotonic() > end:
                msg = f"still running after {deadline} s:\n{self.text}"
                raise TimeoutError(msg)
        while self.pump(0):
            pass
        return self.process.returncode


def _own_terminal() -> None:
    """Make standard input the controlling terminal of the new session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _plain(data: bytes) -> tuple[bytes, bytes]:
    """Return bytes without the sequences that pyte takes for text, and the start of a sequence that is not whole yet.

    pyte knows neither kitty's key protocol (CSI < = >) nor questions about private modes (CSI ? ... $p).
    """
    out = bytearray()
    at = 0
    while at < len(data):
        if data[at] != 0x1B:
            out.append(data[at])
            at += 1
            continue
        end = at + 2
        if data[at + 1 : at + 2] == b"[":
            while end < len(data) and not 0x40 <= data[end] <= 0x7E:
                end += 1
        if end >= len(data):
            return bytes(out), data[at:]
        sequence = data[at : end + 1]
        at = end + 1
        if sequence[2:3] not in (b"<", b">", b"=") and not sequence.endswith(b"$p"):
            out += sequence
    return bytes(out), b""
