"""A forward proxy between the program and a server: hands plain requests on, and opens tunnels for TLS."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

LINE = 1 << 16


class ForwardProxy:
    """Proxies on the test's own loop; `asked` are the first lines of what it was asked. An async context manager.

    `wanted` is what Proxy-Authorization must be, "" for nothing.
    """

    def __init__(self, wanted: str = "") -> None:
        self.asked: list[str] = []
        self._wanted = wanted
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, _, fields = head.partition("\r\n")
            self.asked.append(line)
            method, target, version = line.split(" ")
            if self._wanted and f"proxy-authorization: {self._wanted}".lower() not in fields.lower():
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                theirs = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                url = urlsplit(target)
                theirs = await asyncio.open_connection(url.hostname, url.port)
                path = url._replace(scheme="", netloc="").geturl()
                theirs[1].write(f"{method} {path} {version}\r\nConnection: close\r\n{fields}".encode("latin-1"))
            with contextlib.closing(theirs[1]):
                await asyncio.gather(_pass_on(reader, theirs[1]), _pass_on(theirs[0], writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(LINE):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
