"""Says in one table what this console can do here: terminal, configuration, state, credentials, rights, endpoints."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from services.config import ConfigProblem, Loaded, SecretRef, load
from services.errors import Problem
from services.model.text import SafeText
from services.redact import redact
from services.sanitize import safe_line
from tui.crash import homely
from tui.exitcodes import ExitCode
from tui.terminal import Colours, Guess, Terminal, refusal

LEAST_SPACE = 256 << 20
"""Free bytes in the state folder below which history may soon stop."""


class CheckState(StrEnum):
    """How a check came out; the value is the word that is shown."""

    OK = "ok"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIPPED = "-"


class Check(NamedTuple):
    """One row: what was looked at, how it is, what was found, and what to do about it."""

    name: str
    state: CheckState
    detail: SafeText
    remedy: SafeText = SafeText("")


def check(name: str, state: CheckState, detail: str, remedy: str = "") -> Check:
    """Make a row fit to be printed: one line each, secrets masked."""
    return Check(name, state, redact(safe_line(detail)), redact(safe_line(remedy)))


async def examine(
    terminal: Terminal,
    state_folder: Path,
    *,
    config: str = "",
    context: str = "",
    kubeconfig: Sequence[str] | None = None,
    env: Mapping[str, str] = os.environ,
    deadline: float = 10.0,
) -> list[Check]:
    """Look at everything and return the rows in the order in which they matter.

    `config`, `context` and `kubeconfig` are what the flags said. `deadline` (seconds) bounds each request. Writes
    nothing but a file in the state folder that is removed at once; never raises for what it finds.
    """
    from tui.doctor_cluster import examine_cluster

    rows = list(terminal_checks(terminal))
    settings, loaded = config_checks(config, env)
    rows += settings
    if loaded is not None and loaded.config.ui.share_salt is not None:
        rows.append(await _secret("ui.share_salt", loaded.config.ui.share_salt, env))
    rows += state_checks(state_folder)
    if loaded is not None:
        from tui.doctor_notify import examine_channels

        rows += await examine_channels(loaded.config)
    namespaces = loaded.config.context(context).namespaces if loaded is not None and context else ()
    rows += await examine_cluster(context, kubeconfig, env, deadline, loaded=loaded, namespaces=namespaces)
    return rows


def exit_code(rows: Iterable[Check]) -> int:
    """Return 1 when something failed, else 0."""
    return ExitCode.FAILING if any(row.state is CheckState.FAIL for row in rows) else ExitCode.OK


def table(rows: Sequence[Check], width: int = 100) -> str:
    """Return the rows as plain text, wrapped to `width` cells; a remedy stands below its row, behind an arrow."""
    names = max((cell_len(row.name) for row in rows), default=0)
    states = max(len(state) for state in CheckState)
    room = max(24, width - names - states - 4)
    lines: list[str] = []
    for row in rows:
        head = f"{set_cell_size(row.name, names)}  {row.state:<{states}}  "
        texts = [*_wrapped(row.detail, room), *(f"> {line}" for line in _wrapped(row.remedy, room - 2))]
        for at, text in enumerate(texts or [""]):
            lines.append((head if at == 0 else " " * cell_len(head)) + text)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def terminal_checks(terminal: Terminal) -> Iterable[Check]:
    """Say what the screen will be drawn on."""
    refused = refusal(terminal)
    size = f"{terminal.columns}x{terminal.rows}"
    if refused is not None:
        yield check("terminal", CheckState.WARN, refused)
    elif terminal.columns < 60 or terminal.rows < 15:
        yield check("terminal", CheckState.WARN, f"{terminal.term}, {size}", "80x24 is the least that shows a pane")
    else:
        yield check("terminal", CheckState.OK, f"{terminal.term}, {size}")
    words = {
        Colours.TRUE: "16 million",
        Colours.MANY: "256; the themes' severities look the same",
        Colours.FEW: "16",
        Colours.NONE: "none; shape and word carry the meaning",
    }
    asked = terminal.no_colour and terminal.colours is not Colours.NONE
    colours = "off: NO_COLOR is set" if asked else words[terminal.colours]
    lacking = not asked and terminal.colours in {Colours.FEW, Colours.NONE}
    yield check(
        "colours",
        CheckState.WARN if lacking else CheckState.OK,
        colours,
        "set COLORTERM=truecolor where the terminal has more (SSH drops it)" if lacking else "",
    )
    drawn = "UTF-8" if terminal.utf8 else "no UTF-8"
    yield check(
        "characters",
        CheckState.OK if terminal.utf8 or terminal.ascii_only else CheckState.WARN,
        f"{drawn}; drawn with {'ASCII' if terminal.ascii_only else 'box and block characters'}",
        "" if terminal.utf8 else "set LANG to a UTF-8 locale",
    )
    link = ["over SSH" if terminal.ssh else "local", f"mouse {'on' if terminal.mouse else 'off'}"]
    link += [f"inside {terminal.multiplexer}"] if terminal.multiplexer else []
    link += ["slow link: painted once a second"] if terminal.slow_link else []
    yield check("link", CheckState.OK, ", ".join(link))
    remedy = ""
    if terminal.multiplexer == "tmux":
        remedy = "in tmux: set -g set-clipboard on"
    elif terminal.clipboard is Guess.UNLIKELY:
        remedy = "select with shift and the mouse instead"
    yield check(
        "clipboard",
        CheckState.OK,
        f"by OSC 52: {terminal.clipboard}; flicker-free frames: {terminal.synchronised}",
        remedy,
    )


def config_checks(explicit: str, env: Mapping[str, str]) -> tuple[list[Check], Loaded | None]:
    """Load the configuration; a row a fault or note."""
    try:
        loaded = load(explicit or None, env)
    except ConfigProblem as problem:
        return [check("config", CheckState.FAIL, fault) for fault in problem.faults], None
    found = "valid" if loaded.found else "not there; every setting is at its default"
    rows = [check("config", CheckState.OK, f"{homely(loaded.path)} {found}")]
    given = [f"{name} ({origin})" for name, origin in sorted(loaded.origins.items()) if ":" not in origin]
    if given:
        rows.append(check("config", CheckState.OK, "set outside the file: " + ", ".join(given)))
    rows += [check("config", CheckState.WARN, note) for note in loaded.notes]
    return rows, loaded


async def _secret(setting: str, reference: SecretRef, env: Mapping[str, str]) -> Check:
    try:
        await reference.resolve(env)
    except Problem as problem:
        return check("secrets", CheckState.FAIL, f"{setting}: {problem.sentence}")
    return check("secrets", CheckState.OK, f"{setting} is there ({reference})")


def state_checks(folder: Path) -> list[Check]:
    """Say whether history can be kept: folder, rights, space."""
    shown = homely(folder)
    try:
        there = folder.stat()
    except FileNotFoundError:
        parent = next((above for above in folder.parents if above.exists()), Path("/"))
        if os.access(parent, os.W_OK):
            return [check("state", CheckState.OK, f"{shown} is not there yet; it will be made"), _space(parent)]
        return [_no_state(f"{shown} is not there and cannot be made: {homely(parent)} may not be written")]
    except OSError as error:
        return [_no_state(f"{shown} cannot be looked at: {_reason(error)}")]
    if not stat.S_ISDIR(there.st_mode):
        return [_no_state(f"{shown} is a file where a folder should be")]
    if there.st_uid != os.geteuid():
        return [_no_state(f"{shown} belongs to another user")]
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
    except OSError as error:
        return [_no_state(f"{shown} cannot be written: {_reason(error)}"), _space(folder)]
    if there.st_mode & 0o077:
        mode = stat.S_IMODE(there.st_mode)
        return [
            check("state", CheckState.WARN, f"{shown} can be read by others ({mode:04o})", f"run: chmod 700 {shown}"),
            _space(folder),
        ]
    return [check("state", CheckState.OK, f"{shown}, for you alone"), _space(folder)]


def _no_state(detail: str) -> Check:
    remedy = "the screen works without history; to keep it, set QUARTERDECK_STATE_DIR to a folder of your own"
    return check("state", CheckState.FAIL, detail, remedy)


def _space(folder: Path) -> Check:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return check("space", CheckState.WARN, f"unknown: {_reason(error)}")
    if free < LEAST_SPACE:
        return check("space", CheckState.WARN, f"{free >> 20} MiB free", "make room, or set QUARTERDECK_STATE_DIR")
    return check("space", CheckState.OK, f"{free >> 20:,} MiB free")


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text at its blanks so that no line has more cells than `width`, long words excepted."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
