"""`quarterdeck config`: prints an example of every setting, the commands' ids, the file's path, or what is wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from services.config import config_path, load
from services.config_example import generate_example
from tui.bindings import printed
from tui.exitcodes import ExitCode
from tui.keymap import Keymap, keymap_of


def settings(arguments: argparse.Namespace) -> int:
    """Answer the command; `check` raises Problem with every fault."""
    explicit = arguments.config or None
    if arguments.what == "example":
        sys.stdout.write(generate_example())
    elif arguments.what == "keys":
        sys.stdout.write("".join(_listed(keymap_of(load(explicit, os.environ)))))
    elif arguments.what == "path":
        sys.stdout.write(f"{config_path(explicit, os.environ)[0]}\n")
    else:
        loaded = load(explicit, os.environ)
        keymap_of(loaded)
        state = "is valid" if loaded.found else "does not exist; every setting is at its default"
        sys.stdout.write("".join(f"{line}\n" for line in (f"{loaded.path} {state}", *loaded.notes)))
    return ExitCode.OK


def _listed(keymap: Keymap) -> Iterator[str]:
    for command in keymap.commands:
        keys = " ".join(map(printed, command.keys))
        yield f"{command.id:<18} {keys:<16} {command.text}\n"
