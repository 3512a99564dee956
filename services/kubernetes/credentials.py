"""Keeps one user's credentials fresh: tokens before they end, after a 401, and never twice at once."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from services.clock import Clock
from services.errors import Problem
from services.kubernetes import settings as settings_room
from services.kubernetes.exec_plugin import Issued, LoginNeeded, Plugin
from services.kubernetes.settings import ConnectionSettings
from services.model.text import Secret
from services.redact import know
from services.sanitize import safe_text

EARLY = 60.0
HOLD = 15.0
TOKEN_FILE_AGE = 10.0


class Grant(Struct, frozen=True):
    """What one request is signed with; `generation` tells a 401 which credentials were refused."""

    generation: int
    authorization: Secret | None = None
    certificate: bytes = b""
    key: Secret | None = None
    acting: tuple[tuple[str, str], ...] = ()

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that sign a request, impersonation included."""
        signed = [("Authorization", self.authorization.reveal())] if self.authorization else []
        return [*signed, *self.acting]


class LoginCommand(Struct, frozen=True):
    """The plugin as a person runs it, with the terminal: argv and the whole environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


class Credentials:
    """The credentials of one pinned context.

    `needs_login` is what a screen shows while a person is needed, and `on_login` is told when that changes.
    Used from one loop only.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        clock: Clock,
        *,
        environ: Mapping[str, str] | None = None,
        on_login: Callable[[LoginNeeded | None], None] | None = None,
        plugin: Plugin | None = None,
    ) -> None:
        self.settings = settings
        self.needs_login: LoginNeeded | None = None
        self._clock = clock
        self._on_login = on_login
        self._generation = 0
        self._issued: Issued | None = None
        self._flight: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._failed: Problem | None = None
        self._tried_at = float("-inf")
        self._invalidated = 0
        self._file_token: Secret | None = None
        self._file_read_at = float("-inf")
        environ = os.environ if environ is None else environ
        self._plugin = plugin or (
            Plugin(settings.exec, _cluster_info(settings), environ) if settings.exec is not None else None
        )

    async def current(self) -> Grant:
        """Return what to sign a request with, running the plugin when its token is missing or about to end.

        Raises LoginNeeded while a person is needed, Problem when a token file cannot be read.
        """
        if self._plugin is not None and not self._static():
            await self._ensure()
        return self._grant()

    async def renew(self, used: int) -> bool:
        """After a 401 on credentials of generation `used`: get others; False when there are none other to try."""
        if used != self._generation:
            return True
        if self._plugin is not None and not self._static():
            if self._clock.monotonic() - self._tried_at < HOLD and self._flight is None:
                return False
            self._issued = None
            await self._ensure()
            return used != self._generation
        self._file_read_at = float("-inf")
        before = self._grant()
        try:
            self.settings = await asyncio.to_thread(settings_room.load, self.settings.identity)
        except Problem:
            return False  # the refusal says more to the operator than what became of the file
        after = self._grant()
        if (before.authorization, before.certificate) == (after.authorization, after.certificate):
            return False
        self._generation += 1
        return True

    def login_command(self) -> LoginCommand | None:
        """Return the plugin as a person runs it in a terminal, None where no plugin is used."""
        if self._plugin is None:
            return None
        return LoginCommand(self._plugin.argv, self._plugin.environment(interactive=True))

    def invalidate(self) -> None:
        """Forget what was issued and what failed: the next request asks anew (after a login by hand)."""
        self._issued = None
        self._failed = None
        self._tried_at = float("-inf")
        self._invalidated += 1
        self._file_read_at = float("-inf")

    async def close(self) -> None:
        """End a plugin that is still running."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    def _static(self) -> bool:
        return bool(self.settings.token or self.settings.token_file or self.settings.basic)

    def _grant(self) -> Grant:
        settings = self.settings
        issued = self._issued or Issued()
        authorization = None
        if settings.token_file:
            authorization = self._from_file(settings.token_file)
        elif settings.token or issued.token:
            token = settings.token or issued.token
            authorization = Secret(f"Bearer {token.reveal()}") if token else None
        elif settings.basic:
            encoded = base64.b64encode(settings.basic.reveal().encode()).decode()
            authorization = Secret(f"Basic {encoded}")
            know(settings.basic.reveal().partition(":")[2])
        if authorization is not None:
            know(authorization.reveal().partition(" ")[2])
        return Grant(
            self._generation,
            authorization,
            issued.certificate or settings.certificate,
            issued.key if issued.certificate else settings.key,
            _acting(settings),
        )

    def _from_file(self, path: str) -> Secret | None:
        if self._clock.monotonic() - self._file_read_at >= TOKEN_FILE_AGE:
            try:
                self._file_token = Secret(Path(path).read_text().strip())
            except (OSError, UnicodeDecodeError) as error:
                if self._file_token is None:
                    raise Problem(safe_text(f"Could not read the token file {path}: {error}.")) from None
            self._file_read_at = self._clock.monotonic()
        return Secret(f"Bearer {self._file_token.reveal()}") if self._file_token else None

    def _left(self) -> float:
        if self._issued is None:
            return float("-inf")
        return self._issued.expires_at - self._clock.now() if self._issued.expires_at else float("inf")

    async def _ensure(self) -> None:
        if self._left() > EARLY:
            return
        if self._flight is None:
            if self._clock.monotonic() - self._tried_at < HOLD:
                self._settle_for_less()
                return
            self._asked.clear()
            self._flight = asyncio.ensure_future(self._fly())
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({self._flight, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        self._settle_for_less()

    def _settle_for_less(self) -> None:
        """Use a token that still has some seconds, else say why there is none."""
        if self._left() > 0:
            return
        raise self._failed or self.needs_login or Problem(safe_text("No credentials could be had."), 401)

    async def _fly(self) -> None:
        assert self._plugin is not None  # noqa: S101 - only called where a plugin is
        began = self._invalidated
        try:
            self._issued = await self._plugin.run(self._ask)
            self._generation += 1
            self._failed = None
            self._login(None)
        except LoginNeeded as needed:
            self._failed = needed
            self._login(needed)
        finally:
            if began == self._invalidated:  # what began before a login says nothing about what comes after it
                self._tried_at = self._clock.monotonic()
            self._flight = None

    def _ask(self, needed: LoginNeeded) -> None:
        self._login(needed)
        self._asked.set()

    def _login(self, needed: LoginNeeded | None) -> None:
        changed = needed is not self.needs_login
        self.needs_login = needed
        if changed and self._on_login is not None:
            self._on_login(needed)


def _acting(settings: ConnectionSettings) -> tuple[tuple[str, str], ...]:
    acting = settings.impersonate
    if acting is None:
        return ()
    headers = [("Impersonate-User", acting.user)]
    if acting.uid:
        headers.append(("Impersonate-Uid", acting.uid))
    headers += [("Impersonate-Group", group) for group in acting.groups]
    headers += [(f"Impersonate-Extra-{name}", value) for name, values in acting.extra.items() for value in values]
    return tuple(headers)


def _cluster_info(settings: ConnectionSettings) -> dict[str, object]:
    info: dict[str, object] = {"server": settings.server}
    if settings.ca:
        info["certificate-authority-data"] = base64.b64encode(settings.ca).decode()
    if settings.tls_server_name:
        info["tls-server-name"] = settings.tls_server_name
    if not settings.verify:
        info["insecure-skip-tls-verify"] = True
    if settings.proxy:
        info["proxy-url"] = settings.proxy.reveal()
    return info
