"""Reads the terminal's input without waking up while there is none."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.message import Message

UNFINISHED = 0.1
"""Seconds between two looks at the clock while a sequence of keys is not whole: it may stay that way."""

_CHUNK = 4096


class WakingEvent(threading.Event):
    """An event that also makes a file descriptor readable: `fileno` is to be waited for by a selector."""

    def __init__(self) -> None:
        super().__init__()
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)

    def fileno(self) -> int:
        """Return the descriptor that is readable while the event is set."""
        return self._read

    def set(self) -> None:
        """Set the event, then wake whoever waits for the descriptor."""
        if not self.is_set():
            super().set()
            os.write(self._write, b"\0")

    def clear(self) -> None:
        """Take the event back."""
        super().clear()
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, _CHUNK)


class QuietDriver(LinuxDriver):
    """Textual's driver (8.2.8) with an input thread that sleeps until there is input, or until it is told to end.

    The original looks ten times a second, which is a tenth of all that this program uses at rest.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - handed on as they are
        super().__init__(*arguments, **options)
        self.exit_event: WakingEvent = WakingEvent()

    def run_input_thread(self) -> None:
        """Wait for input and hand on what it means, until the exit event is set."""
        parser = XTermParser(self._debug)
        decoder = getincrementaldecoder("utf-8")()
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self.exit_event, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = selector.select(None if parser._timeout_time is None else UNFINISHED)
                if any(key.fd == self.fileno for key, _ in ready):
                    if read := os.read(self.fileno, _CHUNK):
                        self._hand_on(parser.feed(decoder.decode(read)))
                    else:  # there will never be any more, and whoever would say that it ends may be gone too
                        return
                self._hand_on(parser.tick())

    def _hand_on(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)
