"""Signals taken outside the UI loop, and the terminal given back as it was found, whatever the loop is doing."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tui.exitcodes import ExitCode

if TYPE_CHECKING:
    from textual.app import App

DEADLINE = 10.0
"""Seconds between the first signal and the hard end."""

_ENDING = (signal.SIGHUP, signal.SIGTERM)
# Bracketed paste, mouse and focus reports off, line wrap on, kitty keys off, alternate screen left, cursor shown.
_LEAVE = b"\x1b[?2004l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[0m"


class TerminalState:
    """How the terminal was before the screen took it."""

    def __init__(self) -> None:
        self._fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        self._attributes: list[Any] | None = None
        with contextlib.suppress(termios.error, OSError, ValueError):
            self._attributes = termios.tcgetattr(self._fd)

    def restore(self) -> None:
        """Give it back, without waiting for a terminal that takes no more output; does nothing without a terminal."""
        if self._attributes is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if select.select([], [2], [], 0.2)[1] and os.isatty(2):
                os.write(2, _LEAVE)
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)


class SignalWatch:
    """Hears HUP and TERM on a thread of its own, even while the main thread is stuck behind a stalled terminal.

    The kernel's signal goes through the interpreter's wake-up descriptor, which needs no main thread. The first one
    calls `ended(number)` on a thread, where it may block, and starts the deadline; at the deadline, or at a second one,
    `overdue(number)` is called: by default the terminal is restored and the process ends with 128 + number.
    """

    def __init__(
        self,
        ended: Callable[[int], None],
        deadline: float = DEADLINE,
        overdue: Callable[[int], None] | None = None,
    ) -> None:
        self.received = 0
        self._ended = ended
        self._deadline = deadline
        self._overdue = overdue or self._exit
        self._terminal = TerminalState()
        self._reader, self._writer = -1, -1
        self._old_wakeup = -1
        self._old_handlers: dict[signal.Signals, Any] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take over the signals; main thread only, before the screen starts."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._old_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in _ENDING:
            self._old_handlers[number] = signal.signal(number, _heard)
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give the signals back; main thread only. After the first signal the deadline no longer counts."""
        if self._thread is None:
            return
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        os.close(self._writer)
        self._thread.join()
        os.close(self._reader)
        self._thread = None

    @property
    def exit_code(self) -> int:
        """The code to end with: 128 + the signal that ended the run, 0 when none did."""
        return ExitCode.of_signal(self.received) if self.received else 0

    def _watch(self) -> None:
        until: float | None = None
        while True:
            left = None if until is None else max(0.0, until - time.monotonic())
            readable, _, _ = select.select([self._reader], [], [], left)
            if not readable:
                self._overdue(self.received)
                until = None
                continue
            heard = os.read(self._reader, 64)
            if not heard:
                return
            for number in heard:
                if number not in _ENDING:
                    continue
                if self.received:
                    until = 0.0
                else:
                    self.received = number
                    until = time.monotonic() + self._deadline
                    # On a thread of its own: a call into a loop that stands still must not hold up the deadline.
                    threading.Thread(target=self._ended, args=(number,), name="ending", daemon=True).start()

    def _exit(self, number: int) -> None:
        self._terminal.restore()
        os._exit(ExitCode.of_signal(number))


def _heard(_number: int, _frame: object) -> None:
    """Exist, so that the signal neither ends the process nor is ignored by what it starts."""


def has_shell() -> bool:
    """Say whether somebody could bring a stopped program back: not when it leads its own session (`ssh -t`, tmux)."""
    return os.getsid(0) != os.getpid() and os.getpgrp() != os.getsid(0)


def suspend_to_shell(app: App[Any]) -> str | None:
    """Stop the program as ctrl-z does elsewhere, give the terminal back first, and repaint when it returns.

    Returns a sentence when there is no shell to go back to. Must run on the UI loop. A `bg` stops it again: it never
    draws over a shell. (Textual's own action may resume before it has stopped: Textualize/textual#6298.)
    """
    if not has_shell():
        return "There is no shell to go back to here; use q to leave."
    from textual.app import SuspendNotSupported

    try:
        with app.suspend():
            stop_until_foreground()
    except SuspendNotSupported:
        return "This terminal cannot be given back; use q to leave."
    return None


def stop_until_foreground() -> None:
    """Stop this process group, and again after each continuation that leaves it in the background."""
    continued = threading.Event()
    old = signal.signal(signal.SIGCONT, lambda *_: continued.set())
    try:
        while True:
            continued.clear()
            os.killpg(os.getpgrp(), signal.SIGSTOP)
            # The stop may take effect a moment after the call returns; without it (PID 1 of a container) go on.
            for _ in range(40):
                if continued.wait(0.05):
                    break
            if _in_foreground() or not continued.is_set():
                return
    finally:
        signal.signal(signal.SIGCONT, signal.SIG_DFL if old is None else old)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return True
