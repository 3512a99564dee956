"""What the terminal can do, found out from the environment alone, before anything is drawn on it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import IO

from msgspec import Struct


class Colours(StrEnum):
    """How many colours there are; the values are the names that TEXTUAL_COLOR_SYSTEM takes, but for `none`."""

    TRUE = "truecolor"
    MANY = "256"
    FEW = "standard"
    NONE = "none"


class Guess(StrEnum):
    """What can only be guessed: nothing tells for certain what is at the other end of the line."""

    LIKELY = "likely"
    UNKNOWN = "unknown"
    UNLIKELY = "unlikely"


class Streams(Struct, frozen=True):
    """The streams the screen lives on: keys come from standard input, frames go to standard error."""

    keys_from_terminal: bool
    frames_to_terminal: bool
    encoding: str


class Terminal(Struct, frozen=True):
    """A terminal as the screen will use it.

    `ascii_only`, `mouse` and `slow_link` are decided, not merely detected; `no_colour` is so too: NO_COLOR asks for it,
    or there are none.
    """

    term: str
    columns: int
    rows: int
    interactive: bool
    colours: Colours
    no_colour: bool
    utf8: bool
    multiplexer: str
    ssh: bool
    ascii_only: bool
    mouse: bool
    slow_link: bool
    clipboard: Guess
    synchronised: Guess


# Terminals known by TERM or TERM_PROGRAM to take OSC 52 writes and synchronised output (mode 2026).
_CAPABLE = r"(?i)kitty|ghostty|foot|alacritty|wezterm|contour|rio|iterm|windows.terminal|mintty|warp|vscode|zellij"
_LACKING = r"(?i)apple_terminal|^linux$|^vt\d|^dumb$|^cons25|^sun|^eterm|^rxvt"
_UNWANTED = {
    "TEXTUAL",
    "TEXTUAL_DEBUG",
    "TEXTUAL_LOG",
    "TEXTUAL_PRESS",
    "TEXTUAL_THEME",
    "TEXTUAL_FILTERS",
    "TEXTUAL_SCREENSHOT",
    "TEXTUAL_SCREENSHOT_LOCATION",
    "TEXTUAL_SCREENSHOT_FILENAME",
}
_COLOURLESS = r"^(?:vt(?:52|100|102|220|320|420)|.*-m(?:ono)?$|ansi-m)"


def observe() -> Streams:
    """Look at the process's own standard streams, as they were before anyone redirected them."""
    return Streams(_is_terminal(sys.__stdin__), _is_terminal(sys.__stderr__), _encoding(sys.__stderr__))


def window() -> tuple[int, int]:
    """Return columns and rows: what the terminal on standard error, output or input says, else 80 by 24."""
    for descriptor in (2, 1, 0):
        try:
            size = os.get_terminal_size(descriptor)
        except OSError:
            continue
        if size.columns > 0 and size.lines > 0:
            return size.columns, size.lines
    return 80, 24


def detect(
    env: Mapping[str, str],
    streams: Streams,
    size: tuple[int, int] = (80, 24),
    *,
    ascii_only: str = "auto",
    mouse: str = "auto",
    slow_link: str = "auto",
) -> Terminal:
    """Describe the terminal. `size` is columns and rows; the keywords are the settings auto, on or off of [ui]."""
    term = env.get("TERM", "")
    multiplexer = multiplexer_of(env)
    ssh = any(env.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"))
    utf8 = _speaks_utf8(env, streams.encoding, multiplexer)
    colours = _colours(env, term, multiplexer)
    return Terminal(
        term=term,
        columns=size[0],
        rows=size[1],
        interactive=streams.keys_from_terminal and streams.frames_to_terminal,
        colours=colours,
        no_colour=bool(env.get("NO_COLOR")) or colours is Colours.NONE,
        utf8=utf8,
        multiplexer=multiplexer,
        ssh=ssh,
        ascii_only=_decide(ascii_only, not utf8 or term == "linux"),
        mouse=_decide(mouse, not ssh),
        slow_link=_decide(slow_link, bool(env.get("MOSH_KEY") or env.get("MOSH_IP"))),
        clipboard=Guess.UNLIKELY if env.get("VTE_VERSION") and not multiplexer else _guess(env, term, multiplexer),
        synchronised=_guess(env, term, multiplexer),
    )


def draws_ascii(terminal: Terminal, setting: str) -> bool:
    """Return whether to draw with ASCII only on this terminal, by the setting auto, on or off."""
    return _decide(setting, not terminal.utf8 or terminal.term == "linux")


def refusal(terminal: Terminal) -> str | None:
    """Return why no screen can be drawn here and what to do instead, None when one can."""
    instead = "for the same facts without a screen use `quarterdeck status`"
    if not terminal.interactive:
        return f"The screen needs a terminal, and standard input or standard error is none; {instead}."
    if terminal.term in {"", "dumb", "unknown"}:
        named = f'TERM is "{terminal.term}"' if terminal.term else "TERM is not set"
        return f"The screen needs a terminal that can move its cursor, and {named}; {instead}, or set TERM."
    return None


def environment_for_textual(terminal: Terminal, env: Mapping[str, str]) -> dict[str, str | None]:
    """Return what to set in the environment (None: to remove) before textual is imported, which reads it only then.

    What could write an unmasked picture or log of the screen, or press keys by itself, is removed.
    """
    wanted: dict[str, str | None] = {
        "TEXTUAL_COLOR_SYSTEM": (Colours.FEW if terminal.colours is Colours.NONE else terminal.colours).value,
        "TEXTUAL_ANIMATIONS": "none",
        "TEXTUAL_SMOOTH_SCROLL": "0",
        "TEXTUAL_FPS": "20" if terminal.slow_link else "60",
        "NO_COLOR": "1" if terminal.no_colour else None,
    }
    if terminal.term == "linux" or terminal.multiplexer == "screen":
        wanted["TEXTUAL_DISABLE_KITTY_KEY"] = "1"
    return wanted | dict.fromkeys(_UNWANTED & env.keys(), None)


def apply(settings: Mapping[str, str | None]) -> None:
    """Set and remove variables of this process's environment."""
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def multiplexer_of(env: Mapping[str, str]) -> str:
    """Return `tmux` or `screen` where one stands between the program and the terminal, else an empty text."""
    term = env.get("TERM", "")
    if env.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if env.get("STY") or term.startswith("screen") else ""


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _encoding(stream: IO[str] | None) -> str:
    return (getattr(stream, "encoding", None) or "ascii").lower()


def _decide(setting: str, automatic: bool) -> bool:
    return automatic if setting == "auto" else setting == "on"


def _speaks_utf8(env: Mapping[str, str], encoding: str, multiplexer: str) -> bool:
    """Judge by the stream's encoding; within tmux also by the locale: in C it draws underscores instead."""
    if encoding.lower().replace("-", "").replace("_", "") not in {"utf8", "utf8sig", "cp65001"}:
        return False
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    return multiplexer != "tmux" or "utf8" in locale.lower().replace("-", "")


def _colours(env: Mapping[str, str], term: str, multiplexer: str) -> Colours:
    """Follow COLORTERM, then the end of TERM; GNU screen inherits COLORTERM and cannot do what it says."""
    if re.match(_COLOURLESS, term):
        return Colours.NONE
    many = term.endswith("-256color") or "kitty" in term
    true = env.get("COLORTERM", "").strip().lower() in {"truecolor", "24bit"} or term.endswith("-direct")
    if true and multiplexer != "screen" and term != "linux":
        return Colours.TRUE
    return Colours.MANY if many else Colours.FEW


def _guess(env: Mapping[str, str], term: str, multiplexer: str) -> Guess:
    program = env.get("TERM_PROGRAM", "")
    if multiplexer:
        return Guess.UNKNOWN
    if re.search(_CAPABLE, program) or re.search(_CAPABLE, term) or env.get("WT_SESSION") or env.get("KITTY_WINDOW_ID"):
        return Guess.LIKELY
    if re.search(_LACKING, program) or re.search(_LACKING, term):
        return Guess.UNLIKELY
    return Guess.UNKNOWN
