"""What is concluded about a terminal from its environment, as tables; and the signs drawn on it."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata

import pytest
from rich.cells import cell_len

from services.model.severity import Severity
from tui.glyphs import ASCII, UNICODE, glyphs
from tui.terminal import (
    Colours,
    Guess,
    Streams,
    Terminal,
    apply,
    detect,
    environment_for_textual,
    observe,
    refusal,
    window,
)

SCREEN = Streams(keys_from_terminal=True, frames_to_terminal=True, encoding="utf-8")
UTF8 = {"LANG": "en_GB.UTF-8"}


def at(term: str = "xterm-256color", /, streams: Streams = SCREEN, **env: str) -> Terminal:
    return detect({"TERM": term, **UTF8, **env}, streams)


@pytest.mark.parametrize(
    ("term", "env", "colours"),
    [
        ("xterm-256color", {}, Colours.MANY),
        ("xterm-256color", {"COLORTERM": "truecolor"}, Colours.TRUE),
        ("xterm-256color", {"COLORTERM": "24bit"}, Colours.TRUE),
        ("xterm-direct", {}, Colours.TRUE),
        ("xterm-kitty", {}, Colours.MANY),
        ("xterm", {}, Colours.FEW),
        ("linux", {"COLORTERM": "truecolor"}, Colours.FEW),
        ("screen-256color", {"COLORTERM": "truecolor"}, Colours.MANY),
        ("screen", {"COLORTERM": "truecolor"}, Colours.FEW),
        ("screen-256color", {"COLORTERM": "truecolor", "TMUX": "socket,1,0"}, Colours.TRUE),
        ("tmux-256color", {}, Colours.MANY),
        ("vt220", {}, Colours.NONE),
        ("xterm-mono", {}, Colours.NONE),
    ],
)
def test_colours(term: str, env: dict[str, str], colours: Colours) -> None:
    assert at(term, **env).colours is colours


@pytest.mark.parametrize(
    ("streams", "env", "ascii_only"),
    [
        (SCREEN, {}, False),
        (Streams(True, True, "ascii"), {}, True),
        (Streams(True, True, "iso8859-1"), {}, True),
        (Streams(True, True, "UTF8"), {}, False),
        (SCREEN, {"LANG": "C"}, False),
        (SCREEN, {"LANG": "C", "TMUX": "x"}, True),
        (SCREEN, {"LANG": "C", "LC_ALL": "C.utf8", "TMUX": "x"}, False),
        (SCREEN, {"TERM": "linux"}, True),
    ],
)
def test_ascii_where_the_line_carries_no_more(streams: Streams, env: dict[str, str], ascii_only: bool) -> None:
    values = {"TERM": "xterm", **UTF8, **env}
    assert detect(values, streams).ascii_only is ascii_only
    assert detect(values, streams, ascii_only="on").ascii_only
    assert not detect(values, streams, ascii_only="off").ascii_only


def test_the_mouse_is_off_over_ssh_unless_asked_for() -> None:
    assert at().mouse
    assert not at(SSH_CONNECTION="1.2.3.4 5 6.7.8.9 22").mouse
    assert at(SSH_TTY="/dev/pts/1").ssh
    assert detect({"TERM": "xterm", "SSH_TTY": "x"}, SCREEN, mouse="on").mouse
    assert not detect({"TERM": "xterm"}, SCREEN, mouse="off").mouse


def test_a_slow_link_is_said_or_mosh() -> None:
    assert not at(SSH_TTY="x").slow_link
    assert at(MOSH_KEY="x").slow_link
    assert detect({"TERM": "xterm"}, SCREEN, slow_link="on").slow_link


@pytest.mark.parametrize(
    ("term", "env", "clipboard", "synchronised"),
    [
        ("xterm-kitty", {}, Guess.LIKELY, Guess.LIKELY),
        ("xterm-256color", {"WT_SESSION": "x"}, Guess.LIKELY, Guess.LIKELY),
        ("xterm-256color", {"TERM_PROGRAM": "Apple_Terminal"}, Guess.UNLIKELY, Guess.UNLIKELY),
        ("xterm-256color", {"VTE_VERSION": "7200"}, Guess.UNLIKELY, Guess.UNKNOWN),
        ("xterm-256color", {}, Guess.UNKNOWN, Guess.UNKNOWN),
        ("tmux-256color", {"TERM_PROGRAM": "tmux"}, Guess.UNKNOWN, Guess.UNKNOWN),
        ("linux", {}, Guess.UNLIKELY, Guess.UNLIKELY),
    ],
)
def test_guesses(term: str, env: dict[str, str], clipboard: Guess, synchronised: Guess) -> None:
    terminal = at(term, **env)
    assert (terminal.clipboard, terminal.synchronised) == (clipboard, synchronised)


@pytest.mark.parametrize(
    ("term", "streams", "says"),
    [
        ("dumb", SCREEN, 'TERM is "dumb"'),
        ("", SCREEN, "TERM is not set"),
        ("xterm", Streams(False, True, "utf-8"), "needs a terminal"),
        ("xterm", Streams(True, False, "utf-8"), "needs a terminal"),
    ],
)
def test_what_cannot_be_drawn_on_is_refused_with_a_way_out(term: str, streams: Streams, says: str) -> None:
    sentence = refusal(at(term, streams=streams))
    assert sentence is not None
    assert says in sentence
    assert "quarterdeck status" in sentence


def test_a_tiny_terminal_is_no_reason_to_refuse() -> None:
    assert refusal(detect({"TERM": "xterm"}, SCREEN, (20, 5))) is None


def test_nothing_that_records_the_screen_is_handed_on() -> None:
    env = {"TEXTUAL_SCREENSHOT": "1", "TEXTUAL_PRESS": "R", "TEXTUAL": "devtools", "NO_COLOR": ""}
    settings = environment_for_textual(at(**env), env)
    assert [settings[name] for name in ("TEXTUAL_SCREENSHOT", "TEXTUAL_PRESS", "TEXTUAL")] == [None] * 3
    assert settings["NO_COLOR"] is None
    assert environment_for_textual(at(NO_COLOR="1"), {})["NO_COLOR"] == "1"
    assert environment_for_textual(at("vt220"), {})["TEXTUAL_COLOR_SYSTEM"] == "standard"


def test_textual_reads_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = detect({"TERM": "xterm-256color"}, SCREEN, slow_link="on")
    program = (
        "import json, sys; from tui.terminal import *; import os\n"
        "assert not any(name.startswith(('textual', 'rich')) for name in sys.modules)\n"
        f"apply({environment_for_textual(terminal, {'TEXTUAL_LOG': 'x'})!r})\n"
        "from textual import constants as c\n"
        "print(c.COLOR_SYSTEM, c.MAX_FPS, c.TEXTUAL_ANIMATIONS, c.SMOOTH_SCROLL, c.LOG_FILE)"
    )
    env = {**os.environ, "TEXTUAL_LOG": "/nowhere", "TEXTUAL_FPS": "1"}
    run = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["256", "20", "none", "False", "None"]


def test_apply_sets_and_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QD_TEST_A", "1")
    monkeypatch.setenv("QD_TEST_B", "1")
    apply({"QD_TEST_A": None, "QD_TEST_B": "2", "QD_TEST_C": None})
    assert "QD_TEST_A" not in os.environ
    assert os.environ["QD_TEST_B"] == "2"


def test_observe_and_window_answer_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdin__", None)
    assert not observe().keys_from_terminal
    columns, rows = window()
    assert columns > 0
    assert rows > 0


@pytest.mark.parametrize("table", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_sign_is_one_cell(table: object) -> None:
    for name, sign in table.signs().items():  # type: ignore[attr-defined]
        assert (len(sign), cell_len(sign)) == (1, 1), name
        assert unicodedata.east_asian_width(sign) not in {"W", "F"}, name
        assert table is UNICODE or sign.isascii(), name


@pytest.mark.parametrize("table", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_severities_and_bars_differ_by_shape(table: object) -> None:
    glyph = glyphs(table is ASCII)
    assert glyph is table
    assert len({glyph.severity(severity) for severity in Severity}) == len(Severity)
    assert [glyph.bar(share) for share in (-1, 0, 1, 9)] == [glyph.bars[0], glyph.bars[0], glyph.bars[7], glyph.bars[7]]
    assert glyph.bar(float("nan")) == " "
    assert glyph.mark("crit") == glyph.crit
    assert glyph.mark("?") == glyph.dot
