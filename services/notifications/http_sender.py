"""Posts what a channel rendered, once, and brings back what was answered or why nothing was."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.clock import Clock
from services.endpoint import why
from services.notifications.model import Answer, Request

if TYPE_CHECKING:
    import ssl

    import httpx

    from services.config_notify import NotifySettings

MAX_ANSWER = 8192
CONNECT_SECONDS = 5.0


class HttpSender:
    """The way to one server over HTTP: no redirects, no connection kept, no retry, no URL in any log or exception.

    Nothing is unpacked: an answer is asked for as it is, and one that comes packed all the same says nothing.
    """

    def __init__(self, settings: NotifySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._tls: ssl.SSLContext | None = None

    async def send(self, request: Request) -> Answer:
        """Post it; raises nothing but CancelledError."""
        return await self._ask("POST", request.url.reveal(), request)

    async def knock(self, url: str) -> Answer:
        """Ask the server behind a URL for its front page, which tells nobody anything."""
        parts = urlsplit(url)
        return await self._ask("GET", f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/", None)

    async def _ask(self, method: str, url: str, request: Request | None) -> Answer:
        import httpx

        for name in ("httpx", "httpcore"):  # they write whole URLs at INFO
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            client = await asyncio.to_thread(self._client)
        except (OSError, ValueError) as error:
            return Answer(
                error=f"cannot be asked: {self._settings.ca_file} is no PEM file ({_kind(error)})", sent=False
            )
        try:
            async with client, asyncio.timeout(self._settings.timeout):
                content = request.body if request is not None else None
                headers = dict(request.headers) if request is not None else {}
                async with client.stream(method, url, content=content, headers=headers) as answer:
                    named = {name.lower(): value for name, value in answer.headers.items()}
                    packed = named.get("content-encoding", "identity").strip().lower() not in ("", "identity")
                    body = b"" if packed else await _beginning(answer)
                    return Answer(answer.status_code, named, body, at=self._clock.now())
        except TimeoutError:
            return Answer(error=f"did not answer within {self._settings.timeout} s", at=self._clock.now())
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            return Answer(error=why(error), sent=_may_have_left(error), at=self._clock.now())

    def _client(self) -> httpx.AsyncClient:
        import httpx

        settings = self._settings
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
            if settings.ca_file:
                self._tls.load_verify_locations(Path(settings.ca_file).expanduser())
        return httpx.AsyncClient(
            verify=self._tls,
            proxy=settings.proxy or None,
            trust_env=not settings.proxy,
            follow_redirects=False,
            timeout=httpx.Timeout(float(settings.timeout), connect=min(CONNECT_SECONDS, float(settings.timeout))),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
            headers={"User-Agent": "quarterdeck", "Accept-Encoding": "identity"},
        )


async def _beginning(answer: httpx.Response) -> bytes:
    """Return what a body begins with, as it came over the wire: unpacking may make tens of MB of a chunk."""
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) >= MAX_ANSWER:
            break
    return bytes(body[:MAX_ANSWER])


def _may_have_left(error: BaseException) -> bool:
    """Return whether a request that got no answer may be at the server: not where the connection never stood."""
    import httpx

    never = (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.UnsupportedProtocol,
        httpx.LocalProtocolError,
        httpx.InvalidURL,
        ValueError,
    )
    return not isinstance(error, never)


def _kind(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)
