"""Lets snapshots be written by the one Python and Textual they are pinned to, and by no other."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest

from widgets.form import AnswerRow

PYTHON = (3, 11)
TEXTUAL = "8.2.8"


def refusal(python: tuple[int, int], textual: str) -> str:
    """Return why snapshots may not be written by these versions, "" when they may."""
    if python == PYTHON and textual == TEXTUAL:
        return ""
    wanted = f"Python {PYTHON[0]}.{PYTHON[1]} and Textual {TEXTUAL}"
    return f"Snapshots are written with {wanted} only; this is Python {python[0]}.{python[1]} and Textual {textual}."


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Refuse `--snapshot-update` elsewhere: it would rewrite every picture for a difference that is not ours."""
    if config.getoption("update_snapshots", default=False):
        why = refusal(sys.version_info[:2], version("textual"))
        if why:
            raise pytest.UsageError(why)


@pytest.fixture(autouse=True)
def _no_confirm_key_comes_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every picture as of the moment in which a dialog opened, however long the picture takes."""
    monkeypatch.setattr(AnswerRow, "armed", False)
