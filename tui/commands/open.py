"""`quarterdeck open WHAT`: from a page to the one screen that explains it, the first half minute of being on call."""

from __future__ import annotations

import argparse

from services.errors import Problem
from services.sanitize import safe_text


def open_what(arguments: argparse.Namespace) -> int:
    """Open the control room and, as soon as it is known, what a page is about; returns the exit code. Raises Problem.

    A text that can mean nothing is refused before a screen is opened.
    """
    from tui.presenters.page import Means, read_page

    page = read_page(arguments.what)
    if page.means is Means.NOTHING:
        raise Problem(safe_text(f"{arguments.what[:80]!r} cannot be opened: {page.why}."))
    from tui.commands.run import run

    arguments.view = ""
    return run(arguments)
