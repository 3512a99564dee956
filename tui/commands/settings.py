"""`quarterdeck config`: prints an example of every setting, where the file belongs, or what is wrong with it."""

from __future__ import annotations

import argparse
import os
import sys

from services.config import config_path, load
from services.config_example import generate_example
from tui.exitcodes import ExitCode


def settings(arguments: argparse.Namespace) -> int:
    """Answer the command; `check` raises Problem with every fault."""
    explicit = arguments.config or None
    if arguments.what == "example":
        sys.stdout.write(generate_example())
    elif arguments.what == "path":
        sys.stdout.write(f"{config_path(explicit, os.environ)[0]}\n")
    else:
        loaded = load(explicit, os.environ)
        state = "is valid" if loaded.found else "does not exist; every setting is at its default"
        sys.stdout.write(f"{loaded.path} {state}\n")
    return ExitCode.OK
