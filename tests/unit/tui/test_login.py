"""What is said of a login that had the terminal."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from tui.scoping import Scoping


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("true",), ""),
        (("false",), "the login ended with exit code 1: it may have failed"),
        (("sh", "-c", "kill -TERM $$"), "the login ended by signal 15"),
        (("no-such-login",), "the login could not be run"),
    ],
)
def test_how_a_login_ended(words: tuple[str, ...], said: str) -> None:
    heard: list[str] = []
    asked: list[bool] = []
    steering = SimpleNamespace(login_command=lambda: (words, {}), logged_in=lambda: asked.append(True))
    app: Any = SimpleNamespace(
        console_state=SimpleNamespace(steering=steering),
        suspend=contextlib.nullcontext,
        refresh=lambda layout: None,
        say=heard.append,
    )
    Scoping.do_login(app)
    assert [said in one for one in heard] == [True] * bool(said), heard
    assert bool(asked) is ("could not" not in said), "the cluster is asked again once a login has run"
