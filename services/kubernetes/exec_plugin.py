"""Runs a kubeconfig's credential plugin without giving it the screen: no stdin, stderr kept, a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from services.errors import Problem
from services.kubernetes.kubeconfig import ExecSpec
from services.model.text import SafeText, Secret
from services.sanitize import safe_text

TIMEOUT = 30.0
LOGIN_TIMEOUT = 300.0
STDERR_KEPT = 4096
STDOUT_KEPT = 1 << 20
DEFAULT_API = "client.authentication.k8s.io/v1"

_LINK = re.compile(r"https?://[^\s\"'<>\x00-\x1f\x7f]+")
_CODE = re.compile(r"(?i:code)\W{0,16}(?:(?i:is)\W{0,4})?([A-Z0-9]{4,}(?:-[A-Z0-9]{3,})*)(?![\w-])")
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")


class LoginNeeded(Problem):
    """The plugin needs a person: the link and the code it printed, and the command to run with a terminal."""

    def __init__(
        self, sentence: SafeText, link: SafeText, code: SafeText, command: tuple[str, ...], words: SafeText
    ) -> None:
        super().__init__(sentence, 401)
        self.link = link
        self.code = code
        self.command = command
        self.words = words


class Issued(Struct, frozen=True):
    """What a plugin gave: a bearer token or a client certificate, and when it ends (epoch seconds, 0: never)."""

    token: Secret | None = None
    certificate: bytes = b""
    key: Secret | None = None
    expires_at: float = 0.0


class _Status(Struct, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: str | None = None


class _Credential(Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    status: _Status | None = None


class Plugin:
    """One exec plugin of one user; `cluster_info` is what it is told when it asks for provideClusterInfo."""

    def __init__(
        self,
        spec: ExecSpec,
        cluster_info: Mapping[str, object],
        environ: Mapping[str, str],
        *,
        timeout: float = TIMEOUT,
        login_timeout: float = LOGIN_TIMEOUT,
    ) -> None:
        self.spec = spec
        self.argv = (spec.command, *(spec.args or ()))
        self.name = safe_text(spec.command.rsplit("/", 1)[-1], 64)
        self._cluster_info = cluster_info
        self._environ = environ
        self._timeout = timeout
        self._login_timeout = login_timeout

    def environment(self, *, interactive: bool) -> dict[str, str]:
        """Return the plugin's whole environment, as client-go's exec authenticator sets it."""
        about: dict[str, object] = {"interactive": interactive}
        if self.spec.provide_cluster_info:
            about["cluster"] = dict(self._cluster_info)
        info = {"kind": "ExecCredential", "apiVersion": self._api_version(), "spec": about}
        own = {entry.name: entry.value for entry in self.spec.env or ()}
        return {**self._environ, **own, "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode()}

    async def run(self, on_words: Callable[[LoginNeeded], None]) -> Issued:
        """Run it once and return what it issued.

        `on_words` is told as soon as its stderr shows a link or a code; from then on it has five minutes.
        Raises LoginNeeded for whatever else goes wrong.
        """
        if self.spec.interactive_mode == "Always":
            raise self._needed(f'The credential plugin "{self.name}" only runs with a terminal: log in.', "")
        process = await self._start()
        kept = bytearray()
        asked = asyncio.Event()

        async def keep_words() -> None:
            assert process.stderr is not None  # noqa: S101 - a PIPE was asked for
            while chunk := await process.stderr.read(STDERR_KEPT):
                kept.extend(chunk)
                del kept[:-STDERR_KEPT]
                words = self._words(kept)
                if not asked.is_set() and (_LINK.search(words) or _CODE.search(words)):
                    asked.set()
                    on_words(self._needed(f'The credential plugin "{self.name}" asks for a login.', words))

        words_kept = asyncio.ensure_future(keep_words())
        try:
            output = await self._output(process, asked)
        finally:
            _end(process)
            await process.wait()
            await asyncio.wait({words_kept}, timeout=0.5)
            words_kept.cancel()
        words = self._words(kept)
        if output is None:
            raise self._needed(f'The credential plugin "{self.name}" did not answer in time.', words)
        if process.returncode:
            raise self._needed(f'The credential plugin "{self.name}" failed (exit {process.returncode})', words)
        return self._parse(output, words)

    async def _start(self) -> asyncio.subprocess.Process:
        environ = self.environment(interactive=False)
        found = shutil.which(self.spec.command, path=environ.get("PATH"))
        hint = safe_text(self.spec.install_hint.strip(), 300)
        if found is None:
            raise self._needed(f'The credential plugin "{self.name}" was not found. {hint or "Install it."}', "")
        try:
            return await asyncio.create_subprocess_exec(
                found,
                *self.argv[1:],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environ,
                start_new_session=True,
            )
        except OSError as error:
            raise self._needed(f'The credential plugin "{self.name}" did not start: {error.strerror}.', "") from None

    async def _output(self, process: asyncio.subprocess.Process, asked: asyncio.Event) -> bytes | None:
        reading = asyncio.ensure_future(_read_all(process))
        asking = asyncio.ensure_future(asked.wait())
        try:
            await asyncio.wait({reading, asking}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done() and asked.is_set():
                await asyncio.wait({reading}, timeout=self._login_timeout)
            return reading.result() if reading.done() else None
        finally:
            reading.cancel()
            asking.cancel()

    def _parse(self, output: bytes, words: str) -> Issued:
        wanted = self._api_version()
        try:
            answer = msgspec.json.decode(output, type=_Credential)
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = _Credential()
        status = answer.status
        if answer.kind != "ExecCredential" or answer.api_version != wanted or status is None:
            raise self._needed(f'The credential plugin "{self.name}" answered no ExecCredential of {wanted}.', words)
        if not status.token and not (status.client_certificate_data and status.client_key_data):
            raise self._needed(f'The credential plugin "{self.name}" gave neither token nor certificate.', words)
        expires_at = 0.0
        if status.expiration_timestamp:
            with contextlib.suppress(ValueError):
                expires_at = datetime.fromisoformat(status.expiration_timestamp).timestamp()
        return Issued(
            token=Secret(status.token) if status.token else None,
            certificate=(status.client_certificate_data or "").encode(),
            key=Secret(status.client_key_data) if status.client_key_data else None,
            expires_at=expires_at,
        )

    def _needed(self, sentence: str, words: str) -> LoginNeeded:
        link = _LINK.search(words)
        code = _CODE.search(_LINK.sub(" ", words))
        if sentence.endswith(")"):
            said = words.strip().splitlines()
            sentence = f"{sentence}: {said[-1].strip()}" if said else f"{sentence}."
        return LoginNeeded(
            safe_text(sentence),
            safe_text(link.group().rstrip(".,;:)]") if link else "", 2048),
            safe_text(code.group(1) if code else "", 64),
            self.argv,
            safe_text(words, STDERR_KEPT),
        )

    def _api_version(self) -> str:
        return self.spec.api_version or DEFAULT_API

    def _words(self, kept: bytearray) -> str:
        return _TOKEN.sub("***", kept.decode("utf-8", "replace"))


async def _read_all(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101 - a PIPE was asked for
    output = bytearray()
    while chunk := await process.stdout.read(65536):
        if len(output) < STDOUT_KEPT:
            output.extend(chunk)
    await process.wait()
    return bytes(output)


def _end(process: asyncio.subprocess.Process) -> None:
    """End the whole session of a plugin, children that outlived it included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
