"""Secrets enter the configuration by reference only: where to find one, never the value itself."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from services.errors import Problem
from services.model.text import SafeText, Secret
from services.redact import know, redact
from services.sanitize import safe_text

COMMAND_DEADLINE = 10.0
MAX_SECRET = 65_536
FORMS = "env:NAME, file:/path or cmd:COMMAND"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class SecretKind(StrEnum):
    """Where a secret lives."""

    ENV = "env"
    FILE = "file"
    CMD = "cmd"


class SecretRef:
    """A reference to a secret, such as `env:TOKEN`, `file:~/.token` or `cmd:pass show pager`; it may be printed."""

    __slots__ = ("kind", "target")

    def __init__(self, text: str) -> None:
        """Parse a reference.

        Raises ValueError with a sentence that never repeats `text`, which may be the secret itself.
        """
        scheme, colon, target = text.partition(":")
        if not colon or scheme not in set(SecretKind):
            raise ValueError(f"must say where the secret is ({FORMS}), not be the secret itself")
        self.kind = SecretKind(scheme)
        self.target = target.strip()
        if not self.target or "\0" in self.target:
            raise ValueError(f"names nothing after {scheme}:")
        if self.kind is SecretKind.ENV and not _VARIABLE.match(self.target):
            raise ValueError("must name an environment variable after env:, not be the secret itself")
        if self.kind is SecretKind.FILE and not self.target.startswith(("/", "~")):
            raise ValueError("must give the whole path after file: (from / or ~)")
        if self.kind is SecretKind.CMD:
            try:
                shlex.split(self.target)
            except ValueError as error:
                raise ValueError(f"holds a command that cannot be split into words: {error}") from None

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}"

    def __repr__(self) -> str:
        return f"SecretRef({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretRef) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))

    async def resolve(self, env: Mapping[str, str] = os.environ, deadline: float = COMMAND_DEADLINE) -> Secret:
        """Fetch the secret; a trailing line break is not part of it. `deadline` (seconds) bounds a command.

        Raises Problem, whose sentence names the reference and never the value.
        """
        import asyncio

        if self.kind is SecretKind.ENV:
            value = env.get(self.target, "")
            if not value:
                raise _problem(self, "the variable is not set", "set it and start again")
        elif self.kind is SecretKind.FILE:
            value = await asyncio.to_thread(self._read)
        else:
            value = await self._run(env, deadline)
        value = value.rstrip("\r\n")
        if not value:
            raise _problem(self, "it is empty", "check where it is kept")
        know(value)
        return Secret(value)

    def _read(self) -> str:
        try:
            with Path(self.target).expanduser().open("rb") as file:
                raw = file.read(MAX_SECRET + 1)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "no such home folder"
            raise _problem(self, str(reason).lower(), "check the path and its rights") from None
        return _decoded(self, raw)

    async def _run(self, env: Mapping[str, str], deadline: float) -> str:
        import asyncio

        try:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(self.target),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(env),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a command"
            raise _problem(self, f"it did not start: {reason}", "check the command") from None
        try:
            out, err = await asyncio.wait_for(process.communicate(), deadline)
        except TimeoutError:
            raise _problem(self, f"it gave no answer within {deadline:g} s", "run it by hand") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
            said = f": {redact(safe_text(last[0], 200))}" if last else ""
            raise _problem(self, f"it ended with code {process.returncode}{said}", "run it by hand")
        return _decoded(self, out)


def know_secrets_of(config: object) -> None:
    """Have masked, from now on, what a configuration refers to, as far as it can be read without running a command.

    What somebody types may hold it before it was ever sent.
    """
    for reference in _references(config):
        with contextlib.suppress(Problem):
            if reference.kind is SecretKind.ENV:
                know(os.environ.get(reference.target, ""))
            elif reference.kind is SecretKind.FILE:
                know(reference._read())


def _references(value: object) -> Iterator[SecretRef]:
    if isinstance(value, SecretRef):
        yield value
    elif isinstance(value, str) and value.startswith(("env:", "file:")):
        with contextlib.suppress(ValueError):
            yield SecretRef(value)
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _references(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _references(each)


def _decoded(reference: SecretRef, raw: bytes) -> str:
    if len(raw) > MAX_SECRET:
        raise _problem(reference, f"it is longer than {MAX_SECRET} bytes", "check what it points at")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _problem(reference, "it is not text", "check what it points at") from None


def _problem(reference: SecretRef, why: str, remedy: str) -> Problem:
    name = redact(safe_text(reference, 120))
    return Problem(SafeText(f"The secret {name} could not be read: {why}; {remedy}."))
