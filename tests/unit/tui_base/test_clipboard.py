"""What reaches the operator's clipboard, and by which wrapping."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pty_program import PtyProgram
from textual.app import App

from services.pseudonyms import Pseudonyms
from tui.clipboard import MAX_BYTES, clean, copy_to_terminal, sequence


def content(osc: str) -> str:
    found = re.fullmatch("\x1b\\]52;c;([A-Za-z0-9+/=]*)\x07", osc)
    assert found is not None
    return base64.b64decode(found[1]).decode()


@given(st.text("ab é日\n;\\", max_size=400))
def test_every_wrapping_carries_the_same_text(text: str) -> None:
    plain = sequence(text)
    assert content(plain) == text
    sent = sequence(text, "tmux")
    assert sent.startswith(plain)
    passed = re.fullmatch("\x1bPtmux;(.*)\x1b\\\\", sent.removeprefix(plain), re.DOTALL)
    assert passed is not None
    assert passed[1].replace("\x1b\x1b", "\x1b") == plain
    pieces = re.findall("\x1bP(.*?)\x1b\\\\", sequence(text, "screen"), re.DOTALL)
    assert "".join(pieces) == plain
    assert max(map(len, pieces)) <= 252


def test_what_is_sent_is_safe_to_paste() -> None:
    assert clean("a:\tb\x1b[201~\r\nrm\x00 -rf\u202e /\ntoken=abc") == "a:    b\nrm -rf /\ntoken=***"
    assert clean("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nx") == "[PEM ***]\nx"


def test_a_shared_screen_sends_the_stand_ins() -> None:
    shared = Pseudonyms(b"salt")
    sent = clean("ssh db1.megacorp.com\nping 10.1.2.3", shared.mask)
    assert "megacorp" not in sent
    assert "10.1.2.3" not in sent
    assert sent.count("\n") == 1


@pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux on this machine")
@pytest.mark.parametrize("option", ["set-clipboard on", "allow-passthrough on"])
def test_tmux_takes_it_or_passes_it_on(option: str, tmp_path: Path) -> None:
    data = tmp_path / "sequence"
    data.write_text(sequence("from the deck", "tmux"))
    settings = tmp_path / "tmux.conf"
    settings.write_text(f"set -g {option}\n")
    tmux = ["tmux", "-S", str(tmp_path / "socket"), "-f", str(settings)]
    script = f"stty -echo; read go; cat {data}; sleep 60"
    with PtyProgram([*tmux, "new-session", script], {"TMUX": ""}) as outer:
        try:
            outer.read_until(b"[0]")  # tmux has the terminal: what came before would go nowhere
            outer.write(b"\r")
            deadline = time.monotonic() + 60
            wanted = base64.b64encode(b"from the deck")
            while time.monotonic() < deadline:
                if option.startswith("set"):
                    shown = subprocess.run([*tmux, "show-buffer"], capture_output=True, text=True, check=False).stdout
                    if shown == "from the deck":
                        return
                else:
                    outer.read_until(wanted)
                    return
            pytest.fail("tmux never took it")
        finally:
            subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)


APP = """
    import sys
    from textual.app import App
    from textual.widgets import Static
    from tui.clipboard import copy_to_terminal

    class Copies(App):
        def compose(self):
            yield Static("ready to go")
        def on_key(self, event):
            if event.key == "q":
                self.exit()
            else:
                text = {"c": "password=hunter2 pod cart-7d9", "l": "x" * 80_000, "n": ""}[event.key]
                self.query_one(Static).update("said: " + copy_to_terminal(self, text))
    Copies().run()
"""


def test_an_app_sends_it_and_says_so(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(APP))
    plain = {"TMUX": "", "STY": ""}
    with PtyProgram([sys.executable, str(program)], plain) as child:
        child.read_until(b"ready to go")
        child.write(b"c")
        child.read_until(b"\x1b]52;c;" + base64.b64encode(b"password=*** pod cart-7d9") + b"\x07")
        child.read_until(b"said: sent to terminal, 25 bytes")
        child.write(b"l")
        child.read_until(f"not sent: 80,000 bytes; a terminal's clipboard takes {MAX_BYTES:,}".encode())
        child.write(b"n")
        child.read_until(b"nothing to copy")
        child.write(b"q")
        assert child.finish() == 0


async def test_without_a_terminal_it_says_so() -> None:
    app: App[None] = App()
    async with app.run_test():
        assert copy_to_terminal(app, "x") == "not sent: there is no terminal"
