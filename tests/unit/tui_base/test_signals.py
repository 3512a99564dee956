"""Signals while the screen runs, while it is stuck, and ctrl-z under a real shell."""

from __future__ import annotations

import signal
import sys
import termios
import textwrap
import time
from pathlib import Path

import pytest
from pty_program import PtyProgram

APP = """
    import sys
    from textual.app import App
    from textual.widgets import Static
    from tui.signals import SignalWatch, suspend_to_shell

    class Screen(App):
        BINDINGS = [("ctrl+z", "leave", "")]
        watch = None
        refused = None
        def compose(self):
            yield Static("ready to go")
        def on_mount(self):
            self.set_interval(0.01, self.paint) if FLOOD else None
        def paint(self):
            self.query_one(Static).update("x" * 5000); self.refresh(layout=True)
        def action_leave(self):
            self.refused = suspend_to_shell(self)
            if self.refused:
                self.query_one(Static).update(self.refused)
        def on_key(self, event):
            if event.key == "q":
                self.exit()
        def end(self, number):
            self.call_from_thread(self.exit, return_code=0)

    FLOOD = "flood" in sys.argv
    app = Screen()
    watch = SignalWatch(app.end, deadline=float(sys.argv[1]))
    watch.start()
    app.run()
    watch.stop()
    sys.exit(watch.exit_code)
"""


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(APP))
    return [sys.executable, str(file)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_screen_cleanly(program: list[str], number: signal.Signals) -> None:
    with PtyProgram([*program, "10"]) as child:
        before = child.attributes()
        child.read_until(b"ready to go")
        child.kill(number)
        assert child.finish() == 128 + number
        assert b"\x1b[?1049l" in child.output
        assert child.attributes() == before


def test_a_screen_stuck_behind_a_stalled_terminal_ends_at_the_deadline(program: list[str]) -> None:
    with PtyProgram([*program, "0.5", "flood"]) as child:
        before = child.attributes()
        child.read_until(b"xxxxx")
        # From here on nobody reads: the writer's queue fills and the UI loop stands still.
        child.kill(signal.SIGTERM)
        assert child.finish(read=False) == 128 + signal.SIGTERM
        assert child.attributes() == before


def test_a_second_signal_does_not_wait(program: list[str]) -> None:
    with PtyProgram([*program, "600", "flood"]) as child:
        child.read_until(b"xxxxx")
        for _ in range(200):
            child.kill(signal.SIGTERM)
            try:
                assert child.finish(deadline=0.1, read=False) == 128 + signal.SIGTERM
            except AssertionError:
                if child.code is not None:
                    raise
            else:
                return
        pytest.fail("still running")


def test_a_hang_up_of_the_terminal_ends_the_program(program: list[str]) -> None:
    with PtyProgram([*program, "1"]) as child:
        child.read_until(b"ready to go")
        child.hang_up()
        assert child.finish(read=False) == 128 + signal.SIGHUP


def _cooked(child: PtyProgram) -> bool:
    flags = child.attributes()[3]
    assert isinstance(flags, int)
    return bool(flags & termios.ICANON) and bool(flags & termios.ECHO)


def test_ctrl_z_gives_the_shell_a_sane_terminal_and_fg_repaints(program: list[str]) -> None:
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with PtyProgram(shell, {"PS1": "shell$ ", "HISTFILE": ""}) as child:
        child.read_until(b"shell$ ")
        child.write((" ".join([*program, "10"]) + "\n").encode())
        child.read_until(b"ready to go")
        for _ in range(2):
            child.write(b"\x1a")
            stopped = child.read_until(b"Stopped")
            assert b"\x1b[?1049l" in stopped
            child.read_until(b"shell$ ")
            child.write(b"stty -a; echo do''ne\n")
            assert b" icanon" in child.read_until(b"done")
            child.read_until(b"shell$ ")
            child.write(b"bg\n")
            child.read_until(b"shell$ ")
            stops_within = time.monotonic() + 60.0
            while b"Running" in _jobs(child):
                assert time.monotonic() < stops_within
            child.write(b"fg\n")
            resumed = child.read_until(b"ready to go")
            assert b"\x1b[?1049h" in resumed
            assert not _cooked(child)
        child.write(b"q")
        child.read_until(b"shell$ ")
        child.write(b"exit\n")
        assert child.finish() == 0


def _jobs(child: PtyProgram) -> bytes:
    child.write(b"jobs; echo do''ne\n")
    listed = child.read_until(b"done")
    child.read_until(b"shell$ ")
    return listed


def test_ctrl_z_without_a_shell_says_so(program: list[str]) -> None:
    with PtyProgram([*program, "10"]) as child:
        child.read_until(b"ready to go")
        child.write(b"\x1a")
        child.read_until(b"no shell to go back")
        child.write(b"q")
        assert child.finish() == 0
