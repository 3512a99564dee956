"""Puts commands on other keys, as the configuration asks, and says why some of them cannot be there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import structs
from textual.keys import Keys, _character_to_key

from services.config_locate import did_you_mean
from services.sanitize import safe_text
from tui.bindings import COMMANDS, PRINTED, Command, Group, printed

ALIASES = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "ins": "insert"}
SAME_BYTE = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+j": "enter", "ctrl+h": "backspace"}
"""What a terminal cannot tell from another key."""
RESERVED = {"tab": "goes from table to table", "shift+tab": "goes from table to table"}
UNFIT = frozenset({"delete", "backspace", "enter", "shift+delete"})
"""Keys that must never change anything; any with ctrl is one too."""


class KeyFault(NamedTuple):
    """Why a key of the configuration is refused: the command it was meant for, and the end of a sentence."""

    id: str
    reason: str


def remapped(
    wanted: Mapping[str, str], commands: Sequence[Command] = COMMANDS
) -> tuple[tuple[Command, ...], list[KeyFault]]:
    """Return the commands with other keys (command id -> key), and why some are refused.

    A command's first key is replaced, which is the one that is printed; its other keys stay. Two commands may change
    places; what is not moved keeps its key against what is.
    """
    known = {command.id: command for command in commands}
    faults: list[KeyFault] = []
    moved: dict[str, str] = {}
    for id_, text in wanted.items():
        command = known.get(id_)
        if command is None:
            faults.append(KeyFault(id_, f"is no command{_near(id_, known)}"))
            continue
        key, fault = _key(text)
        fault = fault or _unfit(command, key)
        if fault:
            faults.append(KeyFault(id_, fault))
        else:
            moved[id_] = key
    after = tuple(_with_key(command, moved.get(command.id)) for command in commands)
    return after, faults + _clashes(after, moved)


def _with_key(command: Command, key: str | None) -> Command:
    if key is None:
        return command
    return structs.replace(command, keys=(key, *(other for other in command.keys[1:] if other != key)))


def _near(id_: str, known: Mapping[str, Command]) -> str:
    return did_you_mean(id_, known) or "; `quarterdeck config keys` lists them"


def _key(text: str) -> tuple[str, str]:
    """Return a key's name as the toolkit knows it, or why it is none: "/" and "slash", "ctrl-f" and "ctrl+f"."""
    shown = safe_text(text, 20)
    if len(text) == 1:
        if not text.isprintable() or text == " ":
            return ("space", "") if text == " " else ("", f'"{shown}" is no key')
        return _character_to_key(text), ""
    reverse = {shape: name for name, shape in PRINTED.items()}
    parts = re.split(r"[-+]", text.strip().lower().replace("control", "ctrl"))
    name = ALIASES.get(parts[-1], reverse.get(parts[-1], parts[-1]))
    if parts[:-1] == ["shift"] and len(name) == 1 and name.isalpha():
        return name.upper(), ""
    key = "+".join([*parts[:-1], name])
    if key in SAME_BYTE:
        return "", f'"{shown}" cannot be used: a terminal sends it as {SAME_BYTE[key]}'
    if key in RESERVED:
        return "", f'"{shown}" cannot be used: it {RESERVED[key]}'
    names = {one.value for one in Keys if not one.value.startswith("<")} | set(PRINTED)
    return (
        (key, "") if key in names else ("", f'"{shown}" is no key; write it as the footer does, such as X, / or ctrl-f')
    )


def _unfit(command: Command, key: str) -> str:
    if command.group is not Group.ACT or not (key.startswith("ctrl+") or key in UNFIT):
        return ""
    return f"changes something, so it cannot hang on {printed(key)}: never ctrl, Delete, Backspace or Enter"


def _clashes(after: Sequence[Command], moved: Mapping[str, str]) -> list[KeyFault]:
    """Return the moved commands whose key means something else where they live."""
    faults = []
    for command in after:
        key = moved.get(command.id)
        if key is None:
            continue
        for other in after:
            if other.id != command.id and key in other.keys and _meet(command, other):
                where = "everywhere" if "*" in other.places else ", ".join(other.places)
                reason = (
                    f'"{printed(key)}" is {other.id} ({other.text}) already, {where}; give {other.id} another key too'
                )
                faults.append(KeyFault(command.id, reason))
                break
    return faults


def _meet(one: Command, other: Command) -> bool:
    return "*" in (*one.places, *other.places) or not set(one.places).isdisjoint(other.places)
