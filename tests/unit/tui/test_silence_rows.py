"""A row of the silences: what is over reads as over, whatever it was."""

from __future__ import annotations

import pytest

from services.model.alert import Silence
from tui.presenters.lens import Lens
from tui.presenters.silences import present_row
from widgets.viewmodels import text_of


@pytest.mark.parametrize(
    ("state", "comment", "shown"),
    [
        ("active", "ACK! alice: looking at it", "ack"),
        ("expired", "ACK! alice: looking at it", "expired"),
        ("active", "INC-42", "active"),
    ],
)
def test_the_state_of_a_silence(state: str, comment: str, shown: str) -> None:
    silence = Silence("s-1", (), 0.0, 900.0, "alice", comment, state)
    assert text_of((present_row("s-1", silence, Lens(60.0)).cells[2],)) == shown
