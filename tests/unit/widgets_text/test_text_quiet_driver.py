"""The input thread sleeps without a beat of its own, and still hears keys, half sequences and the end."""

from __future__ import annotations

import os
import pty
import selectors
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from textual import events
from textual.message import Message

from widgets.quiet_driver import QuietDriver, WakingEvent

DEADLINE = 60.0


class _Driver(QuietDriver):
    """The input's half of the driver, on a terminal of the test's; what was heard is kept."""

    def __init__(self, descriptor: int) -> None:
        self._debug = False
        self.fileno = descriptor
        self.exit_event = WakingEvent()
        self.heard: list[Message] = []
        self.news = threading.Semaphore(0)

    def process_message(self, message: Message) -> None:
        """Keep what was heard."""
        self.heard.append(message)
        self.news.release()


@pytest.fixture
def terminal() -> Iterator[SimpleNamespace]:
    """A driver whose input thread reads one end of a pseudo-terminal."""
    master, slave = pty.openpty()
    import tty

    tty.setraw(slave)
    driver = _Driver(slave)
    thread = threading.Thread(target=driver.run_input_thread, daemon=True)
    thread.start()
    yield SimpleNamespace(master=master, driver=driver, thread=thread)
    driver.exit_event.set()
    thread.join(DEADLINE)
    os.close(master)
    os.close(slave)
    assert not thread.is_alive()


def test_keys_a_lone_escape_and_the_end_are_heard(terminal: SimpleNamespace) -> None:
    for written, expected in ((b"j", "j"), (b"\x1b[A", "up"), ("é".encode(), "é"), (b"\x1b", "escape")):
        os.write(terminal.master, written)
        assert terminal.driver.news.acquire(timeout=DEADLINE), expected
        key = terminal.driver.heard[-1]
        assert isinstance(key, events.Key)
        assert expected in (key.key, key.character)


def test_it_does_not_wake_while_nothing_is_typed(terminal: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    original = selectors.SelectSelector.select

    def select(self: selectors.SelectSelector, timeout: float | None = None) -> object:
        waits.append(timeout)
        return original(self, timeout)

    monkeypatch.setattr(selectors.SelectSelector, "select", select)
    os.write(terminal.master, b"j")
    assert terminal.driver.news.acquire(timeout=DEADLINE)
    os.write(terminal.master, b"k")
    assert terminal.driver.news.acquire(timeout=DEADLINE)
    assert set(waits) == {None}


def test_the_event_is_readable_while_it_is_set() -> None:
    event = WakingEvent()
    with selectors.SelectSelector() as selector:
        selector.register(event, selectors.EVENT_READ)
        for _ in range(2):
            assert not selector.select(0)
            event.set()
            event.set()
            assert selector.select(0)
            event.clear()
            assert not event.is_set()


def test_a_terminal_that_is_gone_keeps_no_process_alive() -> None:
    reading, writing = os.pipe()
    driver = _Driver(reading)
    thread = threading.Thread(target=driver.run_input_thread, daemon=True)
    thread.start()
    os.write(writing, b"j")
    assert driver.news.acquire(timeout=DEADLINE)
    os.close(writing)
    thread.join(DEADLINE)
    os.close(reading)
    assert not thread.is_alive(), "nobody may be left to tell it to end"
