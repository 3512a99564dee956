"""`quarterdeck doctor`: prints what this console can do here, one row a check."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from cache.folder import state_folder
from services.config import Config, ConfigProblem, load
from tui.doctor import examine, exit_code, table
from tui.terminal import detect, observe, window


def examine_all(arguments: argparse.Namespace) -> int:
    """Print the table; returns 1 when a check failed, else 0. A bad configuration is a row, not the end."""
    try:
        ui = load(arguments.config or None, os.environ).config.ui
    except ConfigProblem:
        ui = Config().ui
    size = window()
    terminal = detect(os.environ, observe(), size, ascii_only=ui.ascii, mouse=ui.mouse, slow_link=ui.slow_link)
    kubeconfig = getattr(arguments, "kubeconfig", "")
    rows = asyncio.run(
        examine(
            terminal,
            state_folder(),
            config=arguments.config,
            context=arguments.context,
            kubeconfig=(kubeconfig,) if kubeconfig else None,
        )
    )
    sys.stdout.write(table(rows, min(size[0], 120)))
    return exit_code(rows)
