"""Starts the real command with databases that are opened soon, for tests of what it says when they cannot be."""

from __future__ import annotations

import sys

from tui import assembly, beside
from tui.cli import main

assembly.HISTORY_AFTER = 0.2
beside.AFTER = 0.5

if __name__ == "__main__":
    sys.exit(main())
