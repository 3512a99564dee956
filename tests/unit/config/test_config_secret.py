"""References to secrets: what they accept, how they are read, and that nothing of a secret shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from services.config_secret import SecretRef
from services.errors import Problem

CANARY = "cAnArY-0815"


@pytest.mark.parametrize("text", ["env:TOKEN", "file:/run/secret", "file:~/.token", "cmd:pass show 'the pager'"])
def test_a_reference_prints_as_it_was_written(text: str) -> None:
    assert str(SecretRef(text)) == text
    assert SecretRef(text) == SecretRef(text)


@pytest.mark.parametrize(
    "text", [CANARY, "", "env:", "env:a b", f"ENV:{CANARY}", f"file:{CANARY}", f"cmd:'{CANARY}", "vault:x"]
)
def test_anything_else_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        SecretRef(text)
    assert CANARY not in str(caught.value)


async def test_each_kind_is_read(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(f"{CANARY}\n")
    program = f'cmd:{sys.executable} -c "import sys; print(sys.stdin.read() + {CANARY!r})"'
    for text in ("env:KEPT", f"file:{kept}", program):
        secret = await SecretRef(text).resolve({"KEPT": CANARY})
        assert secret.reveal() == CANARY
        assert CANARY not in repr(secret)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("env:KEPT", "the variable is not set"),
        ("file:/nowhere/at/all", "no such file"),
        ("cmd:/nowhere/at/all", "did not start"),
        (f"cmd:{sys.executable} -c \"import sys; sys.exit('token={CANARY}')\"", "ended with code 1: token=***"),
        (f'cmd:{sys.executable} -c "pass"', "it is empty"),
        (f'cmd:{sys.executable} -c "import sys; sys.stdout.buffer.write(bytes([255]))"', "it is not text"),
    ],
)
async def test_what_fails_says_why(text: str, says: str) -> None:
    with pytest.raises(Problem) as caught:
        await SecretRef(text).resolve({})
    assert says in caught.value.sentence


async def test_a_hung_command_is_ended_at_its_deadline() -> None:
    hung = SecretRef(f'cmd:{sys.executable} -c "import signal; signal.pause()"')
    with pytest.raises(Problem, match=r"within 0\.2 s"):
        await hung.resolve({}, deadline=0.2)
